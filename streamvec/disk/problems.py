"""The operating system's refusals as one line that names the file and says what to do."""

import contextlib
import errno
from collections.abc import Iterator
from pathlib import Path

from streamvec.errors import StreamvecError


@contextlib.contextmanager
def named_problems(path: Path | str) -> Iterator[None]:
    """Turns the operating system's refusals about *path* into a StreamvecError that says what to do."""
    try:
        yield
    except OSError as problem:
        where = problem.filename or path
        if problem.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            advice = "no space left on the disk: free some and run the same command again (or streamvec resume)"
        elif problem.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            advice = "permission denied: choose another place, or change the permissions"
        elif problem.errno == errno.ENOENT:
            advice = "no such file or folder: check the spelling"
        elif problem.errno == errno.ENAMETOOLONG:
            advice = "the name is too long: choose one that leaves room for .partial behind it"
        elif problem.errno == errno.ELOOP:
            advice = "a symbolic link that leads to itself, or where none may be: remove it"
        elif problem.errno in (errno.ENOTEMPTY, errno.EEXIST):
            where = problem.filename2 or where
            advice = "exists already: name another place, or remove it first"
        else:
            advice = problem.strerror or str(problem)
        raise StreamvecError(f"{where}: {advice}") from problem
