"""JSON Lines: the right key, the right line number, and entry at any line."""

import gzip
import json
from pathlib import Path

import pytest

from streamvec.corpus import jsonlines
from streamvec.corpus.blocks import Block, read_blocks
from streamvec.corpus.estimate import estimate_text_bytes
from streamvec.corpus.sources import resolve
from streamvec.errors import StreamvecError


def read(path: Path, column: str | None = None, block_bytes: int = 1 << 22) -> list[Block]:
    return list(read_blocks(resolve([str(path)], column), column, block_bytes=block_bytes))


@pytest.mark.parametrize("name", ["a.jsonl", "a.ndjson.gz", "a.json", "no-suffix"])
@pytest.mark.parametrize("block_bytes", [1, 20, 1 << 20])
@pytest.mark.parametrize("ending", ["", "\n", "\n\n"])
def test_values_are_documents_and_blocks_can_be_entered_anywhere(
    tmp_path: Path, name: str, block_bytes: int, ending: str
) -> None:
    texts = ["one", "two\nlines", "한국어 𝄞", "", 'quoted "x"', "a" * 100]
    lines = [json.dumps({"id": str(n), "body": text}, ensure_ascii=n % 2 == 0) for n, text in enumerate(texts)]
    lines.insert(2, "  ")
    lines.insert(2, "")
    stored = ("\n".join(lines) + ending).encode()
    path = tmp_path / name
    path.write_bytes(gzip.compress(stored) if name.endswith("gz") else stored)
    sources = resolve([str(path)], "body")
    assert sources[0].kind == "jsonl"
    blocks = list(read_blocks(sources, "body", block_bytes=block_bytes))
    assert b"".join(block.data for block in blocks).decode() == "\n".join(texts).replace("two\n", "two ") + "\n"
    for block in blocks:
        again = list(read_blocks(sources, "body", start=block.place, number=block.number, block_bytes=block_bytes))
        assert again == blocks[block.number :]


def test_the_pieces_of_reading_make_no_difference(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text("".join(json.dumps({"text": "x" * (n % 37), "n": n}) + "\n" * (n % 3) + "\n" for n in range(200)))
    whole = read(path, block_bytes=300)
    for piece in (1, 7, 1000):
        monkeypatch.setattr(jsonlines, "PIECE", piece)
        assert read(path, block_bytes=300) == whole


def test_without_a_column_it_is_text_or_the_only_string(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"title": "t", "text": ["x", "y"]}\n{"text": null}\n')
    assert read(path)[0].data == b"x y\n\n"
    path.write_text('\ufeff{"n": 1, "body": "x"}\n{"body": "y", "more": "z"}\n')
    assert read(path)[0].data == b"x\ny\n"
    sources = resolve([str(path)])
    blocks = list(read_blocks(sources, block_bytes=1))
    assert list(read_blocks(sources, start=blocks[1].place, number=1, block_bytes=1)) == blocks[1:]
    path.write_text('{"a": "x", "b": "y"}\n')
    with pytest.raises(StreamvecError, match=r"a\.jsonl: which key holds the text\? say --column; there are a, b"):
        read(path)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"body": "x"}', r"line 4: no key 'text'; there are body"),
        ("{}", r"line 4: no key 'text'; there are none"),
        ('{"text": 7}', r"line 4: 'text' is not text, but 7"),
        ('{"text": [1]}', r"line 4: 'text' is not text, but \[1\]"),
        ('{"text": "x"', r"line 4: not JSON"),
        ('["text"]', r"line 4: not a JSON object, but \[\"text\"\]"),
        ("[" * 100_000, r"line 4: not JSON"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(tmp_path: Path, line: str, message: str) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"text": "x"}\n\n{"text": "y"}\n' + line + "\n")
    with pytest.raises(StreamvecError, match=r"a\.jsonl, " + message):
        read(path)


def test_undecodable_bytes_and_half_surrogates_are_replaced_and_counted(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'{"text": "a\xffb"}\n{"text": "c\\ud800d \\ud834\\udd1e"}\n')
    block = read(path)[0]
    assert block.data.decode() == "a\ufffdb\nc\ufffdd 𝄞\n"
    assert block.replaced == 2


def test_a_file_without_newlines_is_refused_before_it_fills_the_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jsonlines, "LONGEST_LINE", 1000)
    monkeypatch.setattr(jsonlines, "PIECE", 100)
    path = tmp_path / "a.jsonl"
    path.write_text('{"text": "' + "x" * 5000)
    with pytest.raises(StreamvecError, match=r"a line of more than 1000 bytes"):
        read(path)


def test_an_array_is_no_json_lines(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text('[\n{"text": "x"}\n]')
    with pytest.raises(StreamvecError, match=r"a\.json: not JSON Lines: put one object a line"):
        resolve([str(path)])


@pytest.mark.parametrize("packed", [False, True])
def test_the_estimate_is_near_the_truth(tmp_path: Path, packed: bool) -> None:
    path = tmp_path / "a.jsonl"
    stored = b"".join(json.dumps({"text": "word " * 40, "n": n}).encode() + b"\n" for n in range(20_000))
    path.write_bytes(gzip.compress(stored) if packed else stored)
    estimate = estimate_text_bytes(resolve([str(path)])[0])
    assert estimate is not None
    assert abs(estimate / (20_000 * 201) - 1) < 0.1
