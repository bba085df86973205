"""What the stages before training leave, read against checksums: counting, phrases, shards, co-occurrences.

A trainer may be at work: what a record named a moment ago, and the next one does not, has been merged or removed.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from streamvec.corpus.compression import compression_by_magic, plain_pieces
from streamvec.corpus.layout import COOCCURRENCES, IDS, PAIRS, RECORD, RUNS, WORDS, joins_name
from streamvec.corpus.shardfiles import INDEX
from streamvec.corpus.sources import TABLES
from streamvec.corpus.streams import open_stored
from streamvec.corpus.vocabulary import Vocabulary
from streamvec.disk.pasting import pasted
from streamvec.disk.reading import checksum_of, opened
from streamvec.errors import StreamvecError
from streamvec.training.checking import (
    AGAIN,
    DAMAGED,
    NO_CHECKSUM,
    OK,
    Checked,
    check_arrow,
    check_json,
    check_shard,
    check_stated,
    checked,
    content_of,
    size_of,
    unfinished,
)
from streamvec.training.run import RUN_JSON

_CHECKSUM = 4  # in the first byte after the mark of a zstd frame: a checksum of the content ends it


def check_kept(path: Path) -> Checked:
    """Standard input as it is kept until it is numbers: zstd with a checksum, but for Parquet and Arrow."""

    def read() -> str:
        with open_stored(str(path)) as stored:
            for _ in plain_pieces(stored, "zst", str(path)):
                pass
        return checksum_of(path)

    try:
        with opened(path) as file:
            head = file.read(6)
    except StreamvecError as problem:
        return Checked(path, 0, None, DAMAGED, f"{str(problem).removeprefix(f'{path}: ')}: {AGAIN}")
    if not head:  # of none nothing was kept
        return Checked(path, 0, None, DAMAGED, f"damaged: it is empty: {AGAIN}")
    is_zstd = compression_by_magic(head) == "zst"
    if head.startswith(TABLES) or (is_zstd and len(head) > 4 and not head[4] & _CHECKSUM):
        return Checked(path, size_of(path), None, NO_CHECKSUM, "standard input, kept until it is numbers")
    return checked(path, read, AGAIN)


def check_counting(folder: Path) -> Iterator[Checked]:
    """Runs of words while they are counted; what no record names will be counted again."""
    if not (folder / RECORD).exists():
        yield unfinished(folder / RECORD, "counting has not come to its first record")
        return
    yield from check_runs(folder, AGAIN)


def check_runs(folder: Path, advice: str) -> Iterator[Checked]:
    """The record in a folder of runs, of words or of pairs, and all that it names."""
    record = folder / RECORD
    content = content_of(record)
    if found := _unless_gone(check_json(record, advice), folder):
        yield found
    named = _names_of(content)
    for name in named:
        if found := _unless_gone(check_arrow(folder / name, advice), folder):
            yield found
    if stated := content.get("repeats_checksum"):  # hashes of documents, while words are counted
        repeats = check_stated(folder / content["repeats"], stated, RECORD, advice)
        if found := _unless_gone(repeats, folder):
            yield found
    if "name" in (counts := content.get("counts", {})):  # a file of pairs; of words, numbers that stand here
        counted = check_stated(folder / counts["name"], counts["checksum"], RECORD, advice)
        if found := _unless_gone(counted, folder):
            yield found
    for path in sorted(set(folder.glob("run-*.arrow")) - {folder / name for name in named}) if content else ():
        if path.name not in _names_of(content_of(record)):
            yield unfinished(path, "no record names it: its part of the text is counted again")


def check_phrases(folder: Path) -> Iterator[Checked]:
    """What phrases are found in: words, their ids, pairs that are being counted, and what passes found."""
    words = folder / WORDS
    if not words.exists():
        yield unfinished(words, "words are still to be counted")
        return
    yield check_arrow(words, AGAIN)
    if (folder / IDS).exists():
        yield from check_shards(folder / IDS, False, words)
    pairs = folder / PAIRS
    if (pairs / RECORD).exists():
        yield from check_runs(pairs, AGAIN)
    elif pairs.exists():
        yield unfinished(pairs / RECORD, "a pass has not come to its first record")
    for path in sorted(folder.glob(joins_name("*"))):
        yield check_arrow(path, AGAIN)


def check_shards(folder: Path, finished: bool, vocabulary: Path | None, advice: str = AGAIN) -> Iterator[Checked]:
    """Shards of tokens, made with *vocabulary* where one is given; *finished*: an index must be there.

    advice: what to do about a damaged one.
    """
    index = folder / INDEX
    if finished or index.exists():
        yield _index(index, vocabulary, advice)
        content = content_of(index)
    else:
        yield unfinished(index, "shards are still being written")
        content = {}
        if (folder / RECORD).exists():
            yield check_json(folder / RECORD, advice)
            content = content_of(folder / RECORD)
    yield from _shards(folder, bool(content), content.get("shards", []), advice)


def is_cooccurrences(folder: Path) -> bool:
    """Whether a folder holds co-occurrences, or what they are made from, by any file of it that can be read."""
    said = {**content_of(folder / INDEX), **content_of(folder / RECORD)}
    return folder.name == COOCCURRENCES or "counted" in said or (folder / RUNS).is_dir()


def check_cooccurrences(folder: Path, vocabulary: Path | None, advice: str) -> Iterator[Checked]:
    """Co-occurrences, or the runs and files that there are of them; *advice*: what to do about a damaged one."""
    index, record, runs = folder / INDEX, folder / RECORD, folder / RUNS
    made = [*folder.glob("[0-9]*.arrow")]
    if index.exists() or (made and not record.exists() and not runs.exists()):
        yield _index(index, vocabulary, advice)
        content = content_of(index)
        yield from _shards(folder, bool(content), content.get("shards", []), advice)
        for path in (record, runs):  # a kill came before they were removed
            if path.exists():
                yield unfinished(path, "all of it is in the files: not needed")
        return
    yield unfinished(index, "pairs are still being counted or written")
    if (runs / RECORD).exists():
        yield from check_runs(runs, advice)
    elif runs.exists():
        yield unfinished(runs / RECORD, "counting pairs has not come to its first record")
    content = content_of(record)
    if record.exists() and (found := _unless_gone(check_json(record, advice), folder)):
        yield found
    known = content or not record.exists()  # without a record, all is written again
    yield from _shards(folder, bool(known), list(content.get("shards", {}).values()), advice)


def counted_again(folder: Path) -> str:
    """What to do about damaged co-occurrences of a RUN that is not finished."""
    run = folder.absolute().parent
    command = f"streamvec resume {pasted(folder.parent if folder.name == COOCCURRENCES else run)}"
    source = content_of(run / RUN_JSON).get("inputs", [{}])[0]
    how = (
        f"takes the pairs from {source['path']} again"
        if source.get("kind") == COOCCURRENCES
        else "counts the pairs again"
    )
    return f"remove the folder {folder}, and {command} {how}"


def _names_of(record: Mapping[str, Any]) -> list[str]:
    return [run["name"] for run in record.get("runs", ())]


def _unless_gone(found: Checked, folder: Path) -> Checked | None:
    """What was found, unless it has gone because a trainer is at work, and needs it no more."""
    if found.state != DAMAGED or Path(found.path).exists():
        return found
    if not (folder / RECORD).exists():
        return None
    content = content_of(folder / RECORD)
    named = [RECORD, *_names_of(content), content.get("repeats"), content.get("counts", {}).get("name")]
    return found if not content or Path(found.path).name in named else None


def _index(index: Path, vocabulary: Path | None, advice: str) -> Checked:
    found = check_json(index, advice)
    return _fits(found, content_of(index), vocabulary, advice) if found.state == OK and vocabulary else found


def _fits(index: Checked, content: dict[str, Any], vocabulary: Path, advice: str) -> Checked:
    """Ids mean nothing with another vocabulary than that of the index."""
    try:
        checksum = Vocabulary.load(vocabulary).checksum
    except StreamvecError:
        return index  # the vocabulary has a line of its own
    if checksum == content["vocabulary_checksum"]:
        return index
    return index._replace(
        checksum=None, state=DAMAGED, what=f"made with another vocabulary than {vocabulary.name}: {advice}"
    )


def _shards(folder: Path, is_known: bool, stated: list[dict[str, Any]], advice: str) -> Iterator[Checked]:
    """The files that an index or a record states, and those that none does; *is_known*: there is one to say so."""
    for shard in stated:
        yield check_shard(folder, shard, advice)
    for path in sorted(set(folder.glob("*.arrow")) - {folder / shard["name"] for shard in stated}):
        yield unfinished(path, "no index names it: not needed") if is_known else check_arrow(path, advice)
