"""Names of the objects of the S3 store: a result by its key, and for each of its labels an index object.

    <prefix>/results/<first 2 of key>/<key>
    <prefix>/index/_<quoted label>/<key>.<unix time of the put>

A label is quoted byte by byte, so that what begins a label begins its quoted form, and nothing else does. The time
gives every put index objects of its own: a purge can delete the old ones without touching those of a put that runs
beside it.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

from imgserve.ports import Selector

#: S3 takes keys of 1024 bytes, but MinIO keeps each part of a key as a file name, of at most 255.
_CUT_AT: Final = 200
#: Ends what was left of a long label; inside of a quoted one it is %7E.
_CUT_MARK: Final = "~"
_CUT_DIGEST_BYTES: Final = 20
#: With the longest index name behind it, a key stays below S3's 1024 bytes.
_MAX_PREFIX_BYTES: Final = 512
_INDEX_NAME: Final = re.compile(r"(?P<key>[^./]+)\.(?P<put_at>[0-9]+)")


@dataclass(frozen=True, slots=True)
class IndexEntry:
    """An index object: which result it leads to, and when it was written."""

    name: str
    key: str
    put_at: int


class Names:
    """Raises ValueError for a prefix that is empty, too long, or has empty, '.' or '..' parts."""

    def __init__(self, prefix: str) -> None:
        parts = prefix.strip("/").split("/")
        if {"", ".", ".."} & set(parts) or len(prefix.encode()) > _MAX_PREFIX_BYTES:
            raise ValueError("The prefix of the S3 cache must be 1 to 512 bytes without empty, '.' or '..' parts.")
        root = "/".join(parts)
        self.results = f"{root}/results/"
        self.index = f"{root}/index/"

    def result(self, key: str) -> str:
        return f"{self.results}{key[:2]}/{key}"

    def index_entry(self, label: str, key: str, *, put_at: float) -> str:
        return f"{self._folder(label)}{key}.{int(put_at)}"

    def read_index(self, name: str) -> IndexEntry | None:
        """Read the name of an index object; None for what this store has not written."""
        if not name.startswith(self.index):
            return None
        read = _INDEX_NAME.fullmatch(name.rpartition("/")[2])
        return IndexEntry(name, read["key"], int(read["put_at"])) if read else None

    def begin_of(self, selector: Selector) -> str:
        """Give what the names of all index objects begin with that the selector may mean.

        A prefix longer than a cut label's rest names too many; which of them it means, the results know.
        """
        if not selector.prefix:
            return self._folder(selector.label)
        quoted = _quoted(selector.label)
        return f"{self.index}_{quoted}" if len(quoted) <= _CUT_AT else f"{self.index}_{quoted[:_CUT_AT]}{_CUT_MARK}"

    def _folder(self, label: str) -> str:
        # The underscore keeps an empty label from making an empty part, which some storages refuse.
        quoted = _quoted(label)
        if len(quoted) > _CUT_AT:
            digest = hashlib.blake2b(quoted.encode(), digest_size=_CUT_DIGEST_BYTES).hexdigest()
            quoted = f"{quoted[:_CUT_AT]}{_CUT_MARK}{digest}"
        return f"{self.index}_{quoted}/"


def _quoted(label: str) -> str:
    # Also the dot: proxies resolve parts that are '.' or '..'.
    quoted = quote(label.encode("utf-8", "surrogatepass"), safe="")
    return quoted.replace(".", "%2E").replace(_CUT_MARK, "%7E")
