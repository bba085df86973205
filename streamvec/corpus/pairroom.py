"""How the memory of the co-occurrence stage is divided: for the stage itself, and for who foresees it."""

from streamvec.corpus.cooccurrences import BATCH_ENTRIES
from streamvec.corpus.nearby import AT_ONCE
from streamvec.corpus.runfiles import BESIDE, MOST_FILES, MOST_RUNS
from streamvec.kernels.pairmerge import ROWS

FILES = 64  # that the rounds are divided among
WRITING = 3 * 12 * BATCH_ENTRIES  # bytes that a thread holds while it merges runs into a file
READING = 2 * 16 * ROWS  # bytes of each run that is read: the batch that is merged, and what it was read into
RESERVE = 48 << 20  # for runs that are merged into one while others are made, for spilling, and for record batches
_MOST_TAKEN = 400 << 20  # by the process before it begins; what it holds beyond is somebody else's, but for words
_A_WORD = 40  # bytes: its letters, count and band


def room_of(memory: int, threads: int, taken: int, words: int) -> int:
    """Bytes for tables, and for merging, of *memory* for the whole process, which has *taken* some already.

    words: of the vocabulary, which is held meanwhile.
    """
    return max(threads << 20, memory - min(taken, _MOST_TAKEN + _A_WORD * words) - RESERVE)


def most_runs(memory: int, taken: int, words: int) -> int:
    """How many runs may be read side by side: merged into one, or in the end while files are written."""
    spare = memory - min(taken, _MOST_TAKEN + _A_WORD * words) - RESERVE * 2 // 3
    return min(MOST_RUNS, max(8, spare // READING))


def table_bytes(room: int, threads: int) -> int:
    """Bytes for the table of each thread."""
    return room // threads - 16 * AT_ONCE


def files_at_once(room: int, threads: int, runs: int) -> int:
    """How many files are written side by side, each of which reads all *runs*."""
    return max(1, min(threads, (MOST_FILES - BESIDE) // (runs + 1), room // (WRITING + READING * runs)))
