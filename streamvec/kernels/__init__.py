"""Floor 0: pure functions of arrays, compiled by numba; nothing here knows of files or configurations.

Numba's file cache does not see an edit in a function imported from another file, so the cache folder carries a hash of
all kernels: an edited kernel is compiled anew, an unedited one is loaded in milliseconds.
"""

import os
import tempfile
from hashlib import sha256
from pathlib import Path


def _use_cache_keyed_by_source() -> None:
    digest = sha256()
    for source in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(source.read_bytes())
    base = Path(os.environ.get("NUMBA_CACHE_DIR") or os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    name = f"kernels-{digest.hexdigest()[:16]}"
    folder = base if base.name == name else base / "streamvec" / name  # a child process inherits what is set below
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        folder = Path(tempfile.mkdtemp(prefix="streamvec-kernels-"))  # ours alone: a cache of code is not for sharing
    os.environ["NUMBA_CACHE_DIR"] = str(folder)


_use_cache_keyed_by_source()
