"""What all tests share: no time limit for single examples, which a busy machine would break."""

from __future__ import annotations

import hypothesis

hypothesis.settings.register_profile("here", deadline=None)
hypothesis.settings.load_profile("here")
