"""How the memory of preparing text is divided: between blocks that wait or are worked on, and tables of words."""

from typing import NamedTuple

from streamvec.corpus.pipeline import AHEAD, READ

PROCESS = 210 << 20  # the interpreter, pyarrow, and numba with the kernels: where the system does not tell
_MOST_TAKEN = 400 << 20  # by the process before it begins; what it holds beyond is somebody else's
MERGING = 40 << 20  # runs while they are merged, and the hashes of documents
LARGEST_BLOCK, _SMALLEST_BLOCK = 1 << 22, 1 << 16


class Shares(NamedTuple):
    """What a number of bytes of memory is divided into."""

    block_bytes: int
    table_bytes: int  # for all tables together


def shares(memory: int, threads: int, taken: int | None = None) -> Shares:
    """How *memory*, for the whole process, is divided: what the process itself has *taken* comes first.

    Where little more than that is allowed, there is nothing left to divide, and the smallest sizes are used.
    """
    free = max(0, memory - min(taken or PROCESS, _MOST_TAKEN) - MERGING)
    # Waiting blocks are text or ids, those in work also lower-cased text: about so many times a block.
    blocks = 2 * (threads + AHEAD + READ) + 2 * threads
    block_bytes = min(LARGEST_BLOCK, max(_SMALLEST_BLOCK, free // 3 // blocks))
    return Shares(block_bytes, max(threads << 20, free - blocks * block_bytes))
