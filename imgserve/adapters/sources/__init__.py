"""Where pictures come from.

httpx imports its command line with itself, and that the libraries for colours and tables: 0.1 s of every start, for
nothing that a server has. It does without where the module cannot be had.
"""

import sys

sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type]  # None stands for "cannot be imported"
