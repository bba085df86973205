"""The one kind of exception that means "your data or your machine", as opposed to a defect of streamvec."""

_WRITTEN_OUT = {"\n": "\\n", "\r": "\\r"}


class StreamvecError(Exception):
    """A problem with data or the machine: the message says what is wrong, where, and what to do, in one line.

    The command line prints it after ``streamvec: error:`` and ends with status 1. Arguments that can never be right
    (a window of 0) are a plain ``ValueError``; the command line reports those as wrong usage, status 2. Names of files
    and what stands in them may hold line breaks: these are written out, as ``\\n``.
    """

    def __init__(self, message: str) -> None:
        super().__init__("".join(_WRITTEN_OUT.get(one, one) for one in message))


class Interrupted(StreamvecError):
    """The user (SIGINT) or the system (SIGTERM) asked to stop, and everything done so far is on disk."""
