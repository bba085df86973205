"""Text that a language model is measured on, as shards of the vocabulary it was trained with."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from streamvec.corpus.blocks import read_blocks
from streamvec.corpus.encoding import TextEncoder
from streamvec.corpus.shardfiles import INDEX, VERSION
from streamvec.corpus.shards import MarkedShards
from streamvec.corpus.shardwriter import Ids, ShardWriter
from streamvec.corpus.sources import fingerprint, resolve, without_date
from streamvec.corpus.stitch import whole_tokens
from streamvec.corpus.tokens import Tokenizer
from streamvec.corpus.vocabulary import Vocabulary
from streamvec.disk.sealed import write_json
from streamvec.disk.writing import whole_folder
from streamvec.errors import Interrupted, StreamvecError
from streamvec.training.options import TextOptions
from streamvec.training.run import HELD_OUT, Run
from streamvec.training.work import Work

BOTH_WAYS = (
    "bidirectional must be left out: a language model that reads from both sides sees the word it is to predict; "
    "bidirectional layers are for tasks that see the whole sequence"
)
_BLOCK = 1 << 20
_FOLLOWING = [bytes([byte]) for byte in range(0x80, 0xC0)]  # all but the first of a character of several bytes


WORDS = r"<\w+>|\w+(?:['\u2019-]\w+)*|[^\w\s]"  # words, what ties them, and every other mark by itself
_TOKENS: dict[str, dict[str, Any]] = {
    "word": {"tokens": "regex", "token_pattern": WORDS},
    "char": {"tokens": "text", "keep_case": True, "min_count": 1},
}


def with_tokens(
    options: Mapping[str, Any],
    valid: str | Path | None,
    vectors: str | Path | None,
    made: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """The *options* of a language model with what a token is, where that is not said: it follows from ``level``.

    valid: text to measure on, vectors: what to begin from, where these are given; made: what run.json says of a RUN
    that is INPUT, whose shards have their tokens already. ValueError for options that cannot be right.
    """
    if options.get("phrases"):
        raise ValueError(f"phrases must be 0 for a language model, which predicts words, got {options['phrases']}")
    if options.get("patience") and valid is None:
        raise ValueError("patience needs text to measure on (valid), got none")
    if options.get("freeze") and vectors is None:
        raise ValueError("freeze needs vectors that stay as they are (vectors), got none")
    if made is not None:
        level = made["config"].get("level", "word")
        if options.get("level", level) != level:
            raise ValueError(f"level must be {level}, as in the RUN that is INPUT, got {options['level']}")
        return {**options, "level": level}
    usual = _TOKENS.get(options.get("level", "word"), {})
    if "tokens" in options or "token_pattern" in options:
        usual = {name: value for name, value in usual.items() if name not in ("tokens", "token_pattern")}
    return {**usual, **options}


def held_out_shards(work: Work) -> MarkedShards | None:
    """Those of --valid, made where they are not there yet; None where there is none."""
    about, folder = work.run.about, work.run.folder / HELD_OUT
    path = about.get("valid")
    if path is None:
        return None
    refuse_changed_valid(work.run)
    if not (folder / INDEX).exists():
        shards = write_shards(path, folder, work.vocabulary, TextOptions(**about["text"]), work.stop)
        work.report.note(
            f"{path}: {shards.tokens:,} tokens to measure on, {shards.counts['unknown']:,} of them unknown"
        )
    return MarkedShards.open(folder)


def valid_settings(path: str, column: str | None) -> dict[str, Any]:
    """What run.json says of the text at *path*; StreamvecError where it is not there, or no text."""
    return {"valid": path, "valid_fingerprints": [fingerprint(source) for source in resolve([path], column)]}


def refuse_changed_valid(run: Run) -> None:
    """StreamvecError where the text of --valid is wanted still, and is not what it was when the RUN was made."""
    stated = run.about.get("valid_fingerprints")
    if stated is None or (run.folder / HELD_OUT / INDEX).exists():
        return
    path = run.about["valid"]
    found = valid_settings(path, run.about["text"]["column"])["valid_fingerprints"]
    if [without_date(one) for one in found] != [without_date(one) for one in stated]:
        raise StreamvecError(f"{path}: changed since {run.folder} was begun: train again with --overwrite")


def write_shards(
    path: str, folder: Path, vocabulary: Vocabulary, text: TextOptions, stop: Callable[[], bool]
) -> MarkedShards:
    """The text at *path* in ids of *vocabulary*, as marked shards in *folder*, which appears whole."""
    tokenizer = text.tokenizer
    encode = TextEncoder(tokenizer, vocabulary, marked=True)
    with whole_folder(folder) as beside:
        writer = ShardWriter(beside, lambda: None)
        documents = unknown = characters = 0
        for ids, size in _ids(path, tokenizer, encode, text):
            if stop():
                raise Interrupted(f"stopped while {path} was read")
            documents, unknown = documents + ids.lengths.size, unknown + int((ids.values < 0).sum())
            characters += size
            writer.add(ids)
        writer.close()
        if not writer.tokens:
            raise StreamvecError(f"{path}: there are no tokens in it: name other text")
        shards = writer.shards
        content = {
            "kind": MarkedShards.KIND,
            "version": VERSION,
            "vocabulary_checksum": vocabulary.checksum,
            "vocabulary_size": len(vocabulary),
            **{name: sum(shard[name] for shard in shards) for name in ("documents", "tokens", "batches")},
            "counts": {"documents": documents, "unknown": unknown, "characters": characters},
            "shards": shards,
            "cuts": writer.cuts,
        }
        write_json(beside / INDEX, content)
    return MarkedShards.open(folder)


def _ids(path: str, tokenizer: Tokenizer, encode: TextEncoder, text: TextOptions) -> Iterator[tuple[Ids, int]]:
    """(the ids of a piece of the text, how many characters it has)."""
    sources = resolve([path], text.column)
    for piece in whole_tokens(read_blocks(sources, text.column, text.encoding, block_bytes=_BLOCK), tokenizer):
        data = piece.data
        yield encode(piece), len(data) - sum(data.count(byte) for byte in _FOLLOWING)
