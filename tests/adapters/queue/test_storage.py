"""Writes that belong together."""

from __future__ import annotations

import pytest

from tests.adapters.queue.conftest import Place


def test_writes_together_within_others_are_written_with_them(on_file: Place) -> None:
    with on_file.ledger() as ledger, on_file.ledger() as other:
        storage = ledger.storage
        with storage.together():
            with storage.together():
                storage.orders.put("inner", b"")
            storage.orders.put("outer", b"")
            assert other.storage.orders.size() == 0
        assert other.storage.orders.size() == 2


def test_writes_together_within_others_are_lost_with_them(on_file: Place) -> None:
    with on_file.ledger() as ledger:
        storage = ledger.storage

        def write() -> None:
            with storage.together():
                with storage.together():
                    storage.orders.put("inner", b"")
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            write()
        assert storage.orders.size() == 0
        storage.orders.put("after", b"")
        assert storage.orders.size() == 1
