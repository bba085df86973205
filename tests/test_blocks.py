"""Blocks: the same text from any start, whatever the lengths of lines, compression, members and encoding."""

import bz2
import gzip
import itertools
import lzma
import random
from pathlib import Path

import pytest

from streamvec.corpus.blocks import Block, Place, read_blocks
from streamvec.corpus.compression import zstd
from streamvec.corpus.sources import Source, resolve
from streamvec.errors import StreamvecError


def with_checksum(data: bytes) -> bytes:
    """As the command zstd does; the library's own default leaves the checksum out."""
    return zstd.compress(data, options={zstd.CompressionParameter.checksum_flag: 1})


PACKERS = {"gz": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress, "zst": with_checksum}


def write(path: Path, data: bytes) -> list[Source]:
    path.write_bytes(data)
    return resolve([str(path)])


def joined(blocks: list[Block]) -> bytes:
    return b"".join(block.data for block in blocks)


def check(blocks: list[Block], sources: list[Source], block_bytes: int, encoding: str = "utf-8") -> None:
    """What holds of any blocks: numbers, ends, agreement of neighbours, and entry at every place."""
    assert [block.number for block in blocks] == list(range(len(blocks)))
    for block in blocks:
        assert block.data
        assert block.unfinished or block.data.endswith(b"\n")
    for before, after in itertools.pairwise(blocks):
        assert after.continued == before.unfinished
        if before.unfinished:
            assert before.place.source == after.place.source
    for block in blocks:
        again = list(
            read_blocks(sources, encoding=encoding, start=block.place, number=block.number, block_bytes=block_bytes)
        )
        assert again == blocks[block.number :]


def some_text(seed: int, size: int) -> bytes:
    """Words in several scripts; lines of none to very many of them."""
    rng = random.Random(seed)
    words = ["a", "bee", "Straße", "한국어", "x" * 90, "𝄞𝄞𝄞", ""]
    text = ""
    while len(text) < size:
        text += " ".join(rng.choice(words) for _ in range(rng.choice([0, 1, 5, 60]))) + rng.choice(
            ["\n", "\n", " ", "\r\n"]
        )
    return text.encode()


@pytest.mark.parametrize("block_bytes", [1, 2, 5, 64, 1000, 1 << 20])
@pytest.mark.parametrize("ending", [b"", b"\n", b" ", b"\n\n"])
def test_blocks_hold_the_text_and_can_be_entered_anywhere(tmp_path: Path, block_bytes: int, ending: bytes) -> None:
    text = some_text(block_bytes, 60 if block_bytes < 5 else 400) + ending
    sources = write(tmp_path / "a.txt", text)
    blocks = list(read_blocks(sources, block_bytes=block_bytes))
    assert joined(blocks) == (text if text.endswith(b"\n") else text + b"\n")
    assert all(len(block.data) <= block_bytes + 1 for block in blocks)
    check(blocks, sources, block_bytes)


@pytest.mark.parametrize("compression", PACKERS)
@pytest.mark.parametrize("name", ["a.txt.{}", "no-suffix"])
def test_compressed_files_of_several_members_give_the_same_blocks(tmp_path: Path, compression: str, name: str) -> None:
    text = some_text(1, 5000)
    pack = PACKERS[compression]
    middle = len(text) // 2
    plain = list(read_blocks(write(tmp_path / "plain.txt", text), block_bytes=700))
    stored = pack(text[:middle]) + pack(b"") + pack(text[middle:])
    sources = write(tmp_path / name.format(compression), stored)
    assert (sources[0].kind, sources[0].compression, sources[0].size) == ("text", compression, len(stored))
    blocks = list(read_blocks(sources, block_bytes=700))
    assert blocks == plain
    check(blocks, sources, 700)


@pytest.mark.parametrize("compression", PACKERS)
def test_truncated_and_damaged_files_are_named(tmp_path: Path, compression: str) -> None:
    noise = random.Random(2).randbytes(30_000).hex().encode()
    one = PACKERS[compression](noise)
    path = tmp_path / f"a.{compression}"
    whole = one + one
    for cut in (len(one) // 2, len(one) - 1, len(one) + 2, len(one) + 11, len(one) * 3 // 2, len(whole) - 1):
        with pytest.raises(StreamvecError, match=rf"a\.{compression}: (cut short|damaged)"):
            list(read_blocks(write(path, whole[:cut])))
    flipped = bytearray(whole)
    flipped[len(one) // 2] ^= 1
    with pytest.raises(StreamvecError, match=rf"a\.{compression}: (cut short|damaged)|bytes that are not"):
        list(read_blocks(write(path, bytes(flipped))))
    for rubbish in (b"rubbish", b"some more rubbish at the end of it", b"\x00\x01"):
        with pytest.raises(StreamvecError, match=rf"a\.{compression}: .*(damaged|cut short)"):
            list(read_blocks(write(path, one + rubbish)))


@pytest.mark.parametrize("compression", ["gz", "xz"])
def test_zero_padding_after_gzip_and_xz_is_no_damage(tmp_path: Path, compression: str) -> None:
    stored = PACKERS[compression](b"one\n") + bytes(1 << 19) + PACKERS[compression](b"two\n") + bytes(8)
    assert joined(list(read_blocks(write(tmp_path / "a", stored)))) == b"one\ntwo\n"


def test_a_zstd_file_with_skippable_frames_is_read_through(tmp_path: Path) -> None:
    skippable = b"\x50\x2a\x4d\x18\x04\x00\x00\x00abcd"
    stored = skippable + zstd.compress(b"one\n") + skippable + zstd.compress(b"two\n") + skippable
    assert joined(list(read_blocks(write(tmp_path / "a.zst", stored)))) == b"one\ntwo\n"


def test_sources_are_never_joined(tmp_path: Path) -> None:
    for name, data in (("a", b"one"), ("b", b""), ("c", b"two\n"), ("d", b"three")):
        (tmp_path / name).write_bytes(data)
    sources = resolve([str(tmp_path)])
    blocks = list(read_blocks(sources))
    assert [(block.data, block.place) for block in blocks] == [
        (b"one\n", Place(0, 0)),
        (b"two\n", Place(2, 0)),
        (b"three\n", Place(3, 0)),
    ]
    check(blocks, sources, 1 << 22)


def test_a_line_longer_than_a_block_is_cut_at_white_space(tmp_path: Path) -> None:
    sources = write(tmp_path / "a", b"aaa bbb ccc\nd\n" + b"e" * 25)
    blocks = list(read_blocks(sources, block_bytes=10))
    assert [(block.data, block.continued, block.unfinished) for block in blocks] == [
        (b"aaa bbb ", False, True),
        (b"ccc\nd\n", True, False),
        (b"e" * 10, False, True),
        (b"e" * 10, True, True),
        (b"e" * 5 + b"\n", True, False),
    ]


def test_a_cut_without_white_space_never_halves_a_character(tmp_path: Path) -> None:
    text = "한".encode() * 50 + "𝄞".encode() * 50
    for block_bytes in range(4, 12):
        blocks = list(read_blocks(write(tmp_path / "a", text), block_bytes=block_bytes))
        assert all(block.data.decode() for block in blocks)
        assert joined(blocks) == text + b"\n"


def test_bytes_that_are_no_utf8_pass_as_they_are(tmp_path: Path) -> None:
    text = b"\x80" * 40 + b"caf\xe9 \xff\xc3\n"
    for block_bytes in (1, 7, 100):
        sources = write(tmp_path / "a", text)
        blocks = list(read_blocks(sources, block_bytes=block_bytes))
        assert joined(blocks) == text
        assert {block.replaced for block in blocks} == {0}
        check(blocks, sources, block_bytes)


def test_a_byte_order_mark_is_removed_at_the_start_of_each_source_only(tmp_path: Path) -> None:
    mark = b"\xef\xbb\xbf"
    (tmp_path / "a").write_bytes(mark + b"one\n" + mark + b"two\n")
    (tmp_path / "b").write_bytes(mark + b"three\n")
    (tmp_path / "c").write_bytes(mark)
    sources = resolve([str(tmp_path)])
    blocks = list(read_blocks(sources, block_bytes=6))
    assert joined(blocks) == b"one\n" + mark + b"two\nthree\n"
    check(blocks, sources, 6)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "euc-kr", "utf-8-sig"])
@pytest.mark.parametrize("block_bytes", [16, 500])
def test_other_encodings_are_decoded(tmp_path: Path, encoding: str, block_bytes: int) -> None:
    text = "한국어 단어\n" * 40 + "마지막"
    sources = write(tmp_path / "a", text.encode(encoding))
    blocks = list(read_blocks(sources, encoding=encoding, block_bytes=block_bytes))
    assert joined(blocks).decode() == text + "\n"
    assert sum(block.replaced for block in blocks) == 0
    check(blocks, sources, block_bytes, encoding)


def test_what_cannot_be_decoded_is_replaced_and_counted(tmp_path: Path) -> None:
    sources = write(tmp_path / "a", b"good\nb\xe9d w\xffrd\n" * 10)
    blocks = list(read_blocks(sources, encoding="ascii", block_bytes=30))
    assert joined(blocks).decode() == "good\nb\ufffdd w\ufffdrd\n" * 10
    assert sum(block.replaced for block in blocks) == 20
    check(blocks, sources, 30, "ascii")


def test_utf16_read_as_utf8_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StreamvecError, match="a: this is UTF-16, not UTF-8: say --encoding utf-16"):
        list(read_blocks(write(tmp_path / "a", "text".encode("utf-16"))))


@pytest.mark.parametrize("encoding", ["klingon", "base64", "rot13"])
def test_what_is_no_encoding_is_a_wrong_argument(tmp_path: Path, encoding: str) -> None:
    with pytest.raises(ValueError, match=f"encoding must be one that Python knows.* got '{encoding}'"):
        list(read_blocks(write(tmp_path / "a", b"x"), encoding=encoding))


def test_a_file_that_became_shorter_is_noticed(tmp_path: Path) -> None:
    for sources in (write(tmp_path / "a", b"short\n"), write(tmp_path / "b.gz", gzip.compress(b"short\n"))):
        with pytest.raises(StreamvecError, match="shorter than when reading began"):
            list(read_blocks(sources, start=Place(0, 100)))


def test_a_missing_file_and_a_wrong_size_say_so(tmp_path: Path) -> None:
    sources = write(tmp_path / "a", b"x\n")
    (tmp_path / "a").unlink()
    with pytest.raises(StreamvecError, match="a: no such file"):
        list(read_blocks(sources))
    with pytest.raises(ValueError, match="block_bytes must be at least 1, got 0"):
        list(read_blocks(sources, block_bytes=0))
