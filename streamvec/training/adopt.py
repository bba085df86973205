"""What a RUN takes of another one that is its INPUT: vocabulary and shards, and of GloVe the co-occurrences, too.

All of it comes as hard links, or copies where links cannot be: both RUNs stay whole, and either may be removed.
"""

from pathlib import Path

from streamvec.corpus.cooccurrences import Cooccurrences
from streamvec.corpus.layout import COOCCURRENCES, PREPARED, SHARDS, VOCABULARY
from streamvec.corpus.shardfiles import INDEX
from streamvec.corpus.shards import MarkedShards, Shards
from streamvec.disk.writing import link, make_folder
from streamvec.errors import StreamvecError
from streamvec.models.gloveconfig import GloveConfig
from streamvec.training.progress import Reporter
from streamvec.training.run import Run


def adopt(other: Path, run: Run, report: Reporter) -> None:
    """Takes what *run* can use of the RUN *other*; StreamvecError where its shards are damaged, or the disk is full.

    Shards come last: while they are not whole, all is taken again. Later nothing more is taken, so that
    co-occurrences which turn out to be damaged, and are removed, are counted anew.
    """
    refuse_other_marks(Run.open(other), run)
    shards = (MarkedShards if run.is_marked else Shards).open(other / SHARDS)
    for name in (PREPARED, VOCABULARY):
        _link(other / name, run.folder / name)
    if run.kind == "glove" and (other / COOCCURRENCES / INDEX).exists():
        _adopt_cooccurrences(other, run, shards.vocabulary_checksum, report)
    _link(other / SHARDS, run.folder / SHARDS)


def refuse_other_marks(made: Run, run: Run) -> None:
    """StreamvecError where *run* needs shards of another sort than those of *made*."""
    if made.is_marked != run.is_marked:
        raise StreamvecError(
            f"{made.folder}: its shards {'hold' if made.is_marked else 'lack'} the places of rare words, being those "
            f"of {made.kind}, which {run.kind} cannot take: name the text itself as INPUT"
        )


def _adopt_cooccurrences(other: Path, run: Run, vocabulary: str, report: Reporter) -> None:
    wanted = GloveConfig(**run.about["config"]).counted.to_json()
    try:
        found = Cooccurrences.open(other / COOCCURRENCES)
    except StreamvecError as problem:
        report.note(f"the co-occurrences of {other} cannot be taken, pairs are counted anew: {problem}")
        return
    if found.vocabulary_checksum != vocabulary:
        return
    differing = [f"{name}={found.counted.get(name)}" for name in wanted if found.counted.get(name) != wanted[name]]
    if differing or found.counted.keys() != wanted.keys():
        report.note(f"the co-occurrences of {other} are others ({' '.join(differing)}): pairs are counted anew")
        return
    _link(other / COOCCURRENCES, run.cooccurrences)
    report.note(f"{found.entries:,} co-occurrences are taken from {other}: they were counted the same way")


def _link(old: Path, new: Path) -> None:
    if old.is_dir():
        make_folder(new)
        for path in sorted(old.iterdir(), key=lambda path: path.name == INDEX):  # the index last, as ever
            _link(path, new / path.name)
    elif not new.exists():
        link(old, new)
