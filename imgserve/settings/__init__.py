"""The operator's settings: frozen groups declared with kinds, read once from the environment, all mistakes at once."""

from imgserve.settings.groups import GROUPS, Settings
from imgserve.settings.reading import DROPPED, FALLBACK_PREFIX, PREFIX, load, rows

__all__ = ["DROPPED", "FALLBACK_PREFIX", "GROUPS", "PREFIX", "Settings", "load", "rows"]
