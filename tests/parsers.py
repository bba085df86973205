"""Every parser of files that others write, as a function of bytes: it reads them, or refuses them in a line."""

import contextlib
import functools
import struct
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
from damaged_files import INLINE, WORDS, fasttext_model, loaded

from streamvec.corpus.blocks import read_blocks
from streamvec.corpus.conll import ColumnCounts, Columns, read_columns
from streamvec.corpus.entryfiles import Survey, look_over
from streamvec.corpus.lines import Lines
from streamvec.corpus.sources import Source, inspect
from streamvec.corpus.tsv import TsvRows
from streamvec.disk.arrow import verify_arrow
from streamvec.disk.sealed import unsealed_json
from streamvec.disk.tensors import Tensors
from streamvec.errors import StreamvecError
from streamvec.training.verifystages import check_kept
from streamvec.vectors.annindex import read_about, verify_index
from streamvec.vectors.parquetpages import check_pages
from streamvec.vectors.pickles import read_pickle
from streamvec.vectors.testsets import read_pairs, read_questions
from streamvec.vectors.vocabtext import read_vocab
from streamvec.vectors.wordlists import read_association, read_sets, read_words

Parser = Callable[[bytes, Path], Any]
BLOCK = 1 << 16


def refused(parser: Parser, data: bytes, folder: Path) -> bool:
    """Whether *parser* refuses the *data*; whatever it raises else is a defect."""
    try:
        parser(data, folder)
    except StreamvecError as problem:
        assert str(problem) and "\n" not in str(problem), problem
        return True
    return False


def _file(read: Callable[[Path], Any], name: str = "file") -> Parser:
    def parse(data: bytes, folder: Path) -> None:
        path = folder / name
        path.unlink(missing_ok=True)
        path.write_bytes(data)
        found = read(path)
        if isinstance(found, Iterable):
            for _ in found:
                pass

    return parse


def _text(path: Path) -> None:
    source = inspect(str(path))
    for block in read_blocks([source], None, "utf-8", block_bytes=BLOCK):
        assert len(block.data) <= 16 * BLOCK


def _kind(kind: str, column: str | None = None) -> Callable[[Path], Any]:
    return lambda path: read_blocks([Source(str(path), kind, "", None)], column, "utf-8", block_bytes=BLOCK)


def _plain(path: Path) -> Source:
    return Source(str(path), "text", "", None)


def _tsv(path: Path) -> Any:
    lines = Lines(_plain(path), "utf-8")
    return list(TsvRows(lines, str(path), ("text", "label"), (1, 0), [], are_labels=True))


def _tensors(path: Path) -> None:
    with Tensors(path) as tensors:
        for name in tensors.names():
            tensors.load(name)


def _entries(path: Path) -> None:
    source = Source(str(path), "cooccurrences", "", path.stat().st_size)
    look_over([source], 50, Survey(), lambda _: None, lambda _: None, lambda: False)


def _lists(path: Path) -> None:
    for read in (read_words, read_sets, read_association):
        with contextlib.suppress(StreamvecError):
            read(path)


def _questions(path: Path) -> Any:
    return list(read_questions(path, []))


PARSERS: dict[str, Parser] = {
    "sealed JSON": lambda data, folder: unsealed_json(data, folder / "state.json"),
    "safetensors of a checkpoint": _file(_tensors),
    "Arrow with a checksum": _file(verify_arrow),
    "text of any compression": _file(_text),
    "standard input that was kept": _file(check_kept),
    "MediaWiki": _file(_kind("mediawiki")),
    "JSON Lines": _file(_kind("jsonl", "text")),
    "Parquet column": _file(_kind("parquet", "text")),
    "Arrow column": _file(_kind("arrow", "text")),
    "CoNLL": _file(lambda path: read_columns([_plain(path)], Columns(), ColumnCounts())),
    "TSV": _file(_tsv),
    "vectors of any format": _file(loaded),
    "fastText .bin": _file(loaded, "model.bin"),
    "pickle": lambda data, folder: read_pickle(data, folder / "k.kv"),
    "Parquet pages": _file(check_pages),
    "index": _file(lambda path: (read_about(path), verify_index(path)), "v.index"),
    "word lists": _file(_lists),
    "similarity set": _file(read_pairs),
    "analogies": _file(_questions),
    "Stanford's cooccurrence.bin": _file(_entries),
    "Stanford's vocab.txt": lambda data, folder: read_vocab([data[:100], data[100:]], "vocab.txt"),
}


@functools.cache
def seeds(name: str) -> tuple[bytes, ...]:
    """Some valid beginnings of what a parser reads."""
    lines = "".join(f"{word.replace(' ', '_')} 1 2.5 -3e-2\n" for word in WORDS).encode()
    header = b'{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}'
    found: dict[str, list[bytes]] = {
        "sealed JSON": [b'{"position": [0, 1], "checksum": "x"}', b"[" * 5000, b'{"checksum": 1e999}'],
        "safetensors of a checkpoint": [
            len(text).to_bytes(8, "little") + text + bytes(8)
            for text in (header, header.replace(b"0,8", b"8"), header.replace(b"2", b"0,999999999999999999"))
        ],
        "MediaWiki": [
            b"<mediawiki><page><title>A</title><ns>0</ns><revision><text>'''b''' {{c|[[d|e]]}}</text></revision></page>"
            b"</mediawiki>",
            b'<!DOCTYPE m [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]><mediawiki><page>&b;</page></mediawiki>',
        ],
        "JSON Lines": [b'{"text": "a b"}\n', b'{"text": ' + b"[" * 5000 + b"\n", b'{"text": ["a", null, "\\ud800"]}\n'],
        "CoNLL": [b"-DOCSTART- -X- -X- O\n\nAnna NNP I-NP I-PER\n. . O O\n\n", b"1\ta\t_\tX\n# text\n\n"],
        "TSV": [b"label\ttext\npos\ta good one\nneg\tbad\n"],
        "vectors of any format": [b"8 3\n" + lines, lines, INLINE],
        "fastText .bin": [fasttext_model()],
        "pickle": [INLINE, b"\x80\x04\x8c\x05gen\nx\x8c\x01K\x93.", b"\x80\x04]\x94(K\x01K\x02e."],
        "word lists": [
            b'[["he", "she"], ["man", "woman"]]',
            b"he she\n",
            b'{"X": ["a"], "Y": ["b"]}',
        ],
        "similarity set": [b"a\tb\t1.5\n", b"a,b,2\n"],
        "analogies": [b": capitals\na b c d\n"],
        "Stanford's vocab.txt": [b"the 10\nof 9\n"],
    }
    return (*found.get(name, ()), b"", struct.pack("<Q", 10**18) + b"{}", np.arange(50, dtype=np.uint8).tobytes())
