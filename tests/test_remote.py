"""Files on other machines: an http and an S3 server in this process, their refusals, and connections that break."""

import gzip
import http.server
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from streamvec.corpus import remote
from streamvec.corpus.blocks import Block, read_blocks
from streamvec.corpus.estimate import estimate_text_bytes
from streamvec.corpus.sources import Source, fingerprint, resolve
from streamvec.errors import StreamvecError

TEXT = b"".join(b"line %d of some text\n" % number for number in range(60_000))


class Handler(http.server.BaseHTTPRequestHandler):
    """Serves a dict of files; ranges where allowed; and drops connections on demand."""

    protocol_version = "HTTP/1.1"
    files: ClassVar[dict[str, bytes]] = {}
    ranges = True
    drops = 0  # how many of the next answers end in the middle
    asked: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        name = self.path.lstrip("/").split("?")[0]
        if name.isdigit():
            self.send_error(int(name))
            return
        if name not in self.files:
            self.send_error(404)
            return
        data = self.files[name]
        asked = self.headers.get("Range")
        Handler.asked.append(f"{name} {asked}")
        start = int(asked.removeprefix("bytes=").split("-")[0]) if asked and self.ranges else 0
        self.send_response(206 if asked and self.ranges else 200)
        if asked and self.ranges:
            self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        self.send_header("Content-Length", str(len(data) - start))
        self.send_header("ETag", f'"{hash(data)}"')
        self.end_headers()
        try:
            if Handler.drops:
                Handler.drops -= 1
                self.wfile.write(data[start : start + (len(data) - start) // 2])
                self.close_connection = True
            else:
                self.wfile.write(data[start:])
        except OSError:
            self.close_connection = True  # the reader has seen enough

    def log_message(self, format: str, *args: Any) -> None:
        pass


class Server(http.server.ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        """A reader that closed its end is no news."""


@pytest.fixture
def web(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setattr(remote, "_WAITS", (0.01, 0.01, 0.01))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    Handler.files = {"a.txt": TEXT, "a.txt.gz": gzip.compress(TEXT), "empty": b""}
    Handler.ranges, Handler.drops, Handler.asked = True, 0, []
    server = Server(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()
    thread.join()


def read(sources: list[Source], column: str | None = None) -> list[Block]:
    return list(read_blocks(sources, column, block_bytes=100_000))


def test_text_is_read_over_http_from_any_block(web: str) -> None:
    sources = resolve([f"{web}/a.txt", f"{web}/a.txt.gz?token=1", f"{web}/empty"])
    assert [(source.kind, source.compression) for source in sources] == [("text", ""), ("text", "gz"), ("text", "")]
    assert [source.size for source in sources] == [len(TEXT), len(gzip.compress(TEXT)), 0]
    blocks = read(sources)
    assert b"".join(block.data for block in blocks) == TEXT * 2
    for block in blocks[:: len(blocks) // 4]:
        again = read_blocks(sources, start=block.place, number=block.number, block_bytes=100_000)
        assert list(again) == blocks[block.number :]
    estimate = estimate_text_bytes(sources[1])
    assert estimate is not None
    assert abs(estimate / len(TEXT) - 1) < 0.2


def test_a_broken_connection_is_taken_up_where_it_broke(web: str) -> None:
    sources = resolve([f"{web}/a.txt", f"{web}/a.txt.gz"])
    for source in sources:
        Handler.drops = 2
        assert b"".join(block.data for block in read([source])) == TEXT
        assert Handler.drops == 0


def test_a_connection_that_keeps_breaking_is_named(web: str) -> None:
    source = resolve([f"{web}/a.txt"])
    Handler.drops = 100
    with pytest.raises(StreamvecError, match=r"/a\.txt: cannot be read over the network .*try again"):
        read(source)


def test_a_file_replaced_while_it_is_read_is_noticed(web: str) -> None:
    sources = resolve([f"{web}/a.txt"])
    before = fingerprint(sources[0])
    assert before["size"] == len(TEXT)
    blocks = iter(read_blocks(sources, block_bytes=1000))
    next(blocks)
    Handler.files["a.txt"] = TEXT[::-1]
    assert fingerprint(sources[0]) != before
    Handler.drops = 0
    Handler.files = {"a.txt": TEXT[::-1]}
    file = remote.RemoteFile(f"{web}/a.txt")
    file._version = "another"
    with pytest.raises(StreamvecError, match=r"a\.txt: was replaced while it was read"):
        file._open_again()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nothing", "not found: check the spelling"),
        ("403", "access denied: check the credentials"),
        ("500", r"cannot be read over the network \(HTTPError: 500"),
    ],
)
def test_refusals_are_named(web: str, name: str, message: str) -> None:
    with pytest.raises(StreamvecError, match=rf"^{web}/{name}: {message}"):
        resolve([f"{web}/{name}"])


def test_a_server_that_is_not_there_is_named() -> None:
    with pytest.raises(StreamvecError, match=r"^http://127\.0\.0\.1:9/x: cannot be read over the network"):
        resolve(["http://127.0.0.1:9/x"])


def test_parquet_is_read_over_http_where_ranges_are_served(web: str, tmp_path: Path) -> None:
    pq.write_table(pa.table({"text": ["x", "y"], "n": [1, 2]}), tmp_path / "a")
    Handler.files["a.parquet"] = (tmp_path / "a").read_bytes()
    sources = resolve([f"{web}/a.parquet"])
    assert sources[0].kind == "parquet"
    assert b"".join(block.data for block in read(sources)) == b"x\ny\n"
    Handler.ranges = False
    with pytest.raises(StreamvecError, match=r"a\.parquet: the server cannot send part of a file"):
        read(sources)


def test_text_and_tables_are_read_from_s3(bucket: Any, tmp_path: Path) -> None:
    pq.write_table(pa.table({"text": ["x", "y"]}), tmp_path / "a")
    bucket.put_object(Bucket="books", Key="a.txt", Body=TEXT)
    bucket.put_object(Bucket="books", Key="b.gz", Body=gzip.compress(TEXT) + gzip.compress(b"end"))
    bucket.put_object(Bucket="books", Key="c.parquet", Body=(tmp_path / "a").read_bytes())
    bucket.put_object(Bucket="books", Key="empty", Body=b"")
    sources = resolve([f"s3://books/{name}" for name in ("a.txt", "b.gz", "c.parquet", "empty")])
    assert [source.kind for source in sources] == ["text", "text", "parquet", "text"]
    assert [source.size for source in sources][::3] == [len(TEXT), 0]
    blocks = read(sources)
    assert b"".join(block.data for block in blocks) == TEXT + TEXT + b"end\nx\ny\n"
    for block in blocks[:: len(blocks) // 3]:
        again = read_blocks(sources, start=block.place, number=block.number, block_bytes=100_000)
        assert list(again) == blocks[block.number :]
    before = fingerprint(sources[0])
    assert before["size"] == len(TEXT)
    bucket.put_object(Bucket="books", Key="a.txt", Body=TEXT[::-1])
    assert fingerprint(sources[0]) != before


def test_folders_and_globs_of_s3_are_expanded(bucket: Any) -> None:
    for key in ("set/b.txt", "set/a.txt", "set/.hidden", "set/sub/c.txt", "set/", "other.txt"):
        bucket.put_object(Bucket="books", Key=key, Body=b"text\n" if not key.endswith("/") else b"")

    def found(uri: str) -> list[str]:
        return [source.path.removeprefix("s3://books/") for source in resolve([uri])]

    assert found("s3://books/set/") == ["set/a.txt", "set/b.txt", "set/sub/c.txt"]
    assert found("s3://books/set/*.txt") == ["set/a.txt", "set/b.txt"]
    assert found("s3://books/set/**.txt") == ["set/a.txt", "set/b.txt", "set/sub/c.txt"]
    with pytest.raises(StreamvecError, match=r"s3://books/none/\*: no object matches"):
        resolve(["s3://books/none/*"])
    with pytest.raises(StreamvecError, match="gs://books/: gs:// has no folders or globs here: name each file"):
        resolve(["gs://books/"])


@pytest.mark.parametrize("uri", ["s3://books/missing", "s3://no-such-bucket/x", "s3://no-such-bucket/x*"])
def test_what_is_not_in_s3_is_named(bucket: Any, uri: str) -> None:
    with pytest.raises(StreamvecError, match="not found: check the spelling") as raised:
        resolve([uri])
    assert str(raised.value).startswith(uri)
