"""A grammar over the real catalog."""

from __future__ import annotations

import pytest

from imgserve.ops.catalog import CATALOG
from imgserve.plan.url import Grammar


@pytest.fixture
def grammar() -> Grammar:
    return Grammar(catalog=CATALOG)
