"""What a RUN has counted, as files that Stanford's GloVe goes on with: vocab.txt and cooccurrence.bin."""

from pathlib import Path

import numpy as np

from streamvec.corpus.cooccurrences import Cooccurrences
from streamvec.corpus.entryrecords import RECORD
from streamvec.corpus.shardfiles import INDEX
from streamvec.corpus.vocabulary import Vocabulary
from streamvec.disk.pasting import pasted
from streamvec.disk.writing import whole_file
from streamvec.errors import StreamvecError
from streamvec.training.run import Run
from streamvec.vectors.formats import compressing, may_write
from streamvec.vectors.vocabtext import write_vocab


def export_vocab(folder: Path, out: Path, overwrite: bool = False) -> int:
    """Writes the vocabulary of the RUN in *folder* as vocab.txt, whole or not at all; returns how many words.

    Compressed when the name ends in .gz, .bz2, .xz or .zst. Raises StreamvecError when there is none yet, or *out*
    exists (without *overwrite*).
    """
    run = Run.open(folder)
    may_write(out, overwrite)
    if not run.vocabulary.exists():
        raise StreamvecError(f"{folder}: its words are not counted yet: streamvec resume {pasted(folder)} goes on")
    vocabulary = Vocabulary.load(run.vocabulary)
    with whole_file(out) as stored, compressing(stored, out) as file:
        write_vocab(vocabulary.words, vocabulary.counts, file)
    return len(vocabulary)


def export_cooccurrences(folder: Path, out: Path, overwrite: bool = False) -> int:
    """Writes the co-occurrences of the RUN in *folder* as cooccurrence.bin, a record batch at a time.

    Entries that stand for their mirror image are written as two. Returns how many were written. Their order is that
    of blocks: Stanford's ``shuffle`` comes before its ``glove``. Whole or not at all, and compressed, as `export_vocab`
    has it; StreamvecError also where the RUN is of another kind.
    """
    run = Run.open(folder)
    may_write(out, overwrite)
    if run.kind != "glove":
        raise StreamvecError(f"{folder}: a RUN of kind {run.kind!r} has no co-occurrences: name one of train glove")
    if not (run.cooccurrences / INDEX).exists() and run.is_finished:
        again = f"streamvec train glove {pasted(folder)} --out OTHER"
        raise StreamvecError(
            f"{folder}: its co-occurrences were removed: {again} counts them again, where it has shards"
        )
    if not (run.cooccurrences / INDEX).exists():
        raise StreamvecError(
            f"{folder}: its co-occurrences are not finished: streamvec resume {pasted(folder)} goes on"
        )
    found, written = Cooccurrences.open(run.cooccurrences), 0
    with whole_file(out) as stored, compressing(stored, out) as file:
        for number in range(found.batches):
            entries = found.batch(number)
            for records in _records(entries.rows, entries.columns, entries.values, found.mirrored):
                file.write(records.tobytes())
                written += records.size
    return written


def _records(rows: np.ndarray, columns: np.ndarray, values: np.ndarray, mirrored: bool) -> list[np.ndarray]:
    """The records of entries, then those of their mirror images."""
    other = rows != columns
    sides = [(rows, columns, values), (columns[other], rows[other], values[other])]
    made = []
    for row, column, value in sides[: 2 if mirrored else 1]:
        records = np.empty(row.size, RECORD)
        records["row"], records["column"], records["value"] = row + 1, column + 1, value
        made.append(records)
    return made
