"""Files on other machines: opened through smart_open, and every refusal of the network said in one line."""

import contextlib
import fnmatch
import functools
import io
import os
import re
import time
from collections.abc import Iterator
from typing import IO, Any, NamedTuple

from streamvec.errors import StreamvecError

SCHEMES = ("s3", "gs", "http", "https")
_TIMEOUT = 60.0  # seconds without a byte
_BUFFER = 1 << 20
_WAITS = (1.0, 4.0, 16.0)  # seconds before a connection that broke is tried again


class Unreachable(StreamvecError):
    """What may well be there, but cannot be looked at: the network, a permission or a package is wanting."""


class Stat(NamedTuple):
    """What a server says about a file without sending it; None where it does not say."""

    size: int | None
    version: str | None  # an ETag or a date


def is_remote(path: str) -> bool:
    """Whether *path* is a URI of a scheme that is read over the network."""
    scheme, mark, _ = path.partition("://")
    return bool(mark) and scheme.lower() in SCHEMES


@contextlib.contextmanager
def open_remote(uri: str) -> Iterator["RemoteFile"]:
    """Opens *uri* for reading; StreamvecError when it is not there, not allowed or not reachable."""
    file = RemoteFile(uri)
    try:
        yield file
    finally:
        file.close()


def write_remote(uri: str, content: IO[bytes]) -> None:
    """Makes an object of s3 of *content*, a file of at most 5 GB, whole or not at all.

    Raises StreamvecError where it cannot be written.
    """
    bucket, _, key = uri.partition("://")[2].partition("/")
    try:
        _s3_client(os.getpid()).put_object(Bucket=bucket, Key=key, Body=content)
    except Exception as problem:
        raise _said(uri, problem, "written") from problem


def refuse_no_bucket(uri: str) -> None:
    """StreamvecError where the bucket of s3 that *uri* names is not there, or may not be used."""
    bucket = uri.partition("://")[2].partition("/")[0]
    if not bucket:
        raise StreamvecError(f"{uri}: names no bucket: s3://BUCKET/PREFIX is meant")
    try:
        _s3_client(os.getpid()).head_bucket(Bucket=bucket)
    except Exception as problem:
        raise _said(uri, problem, "written") from problem


def stat_remote(uri: str) -> Stat:
    """The size and version of *uri*, with one request where the protocol allows it."""
    with open_remote(uri) as file:
        return file.stat()


def list_remote(uri: str) -> list[str]:
    """The objects of a bucket under a prefix that ends with "/", or matching a glob, sorted; hidden ones left out.

    Raises StreamvecError for a scheme that cannot be listed and when nothing is there.
    """
    scheme, _, rest = uri.partition("://")
    if scheme.lower() != "s3":
        raise StreamvecError(f"{uri}: {scheme}:// has no folders or globs here: name each file")
    bucket, _, key = rest.partition("/")
    prefix = re.split(r"[*?\[]", key)[0]
    wanted = re.compile(fnmatch.translate(key)) if prefix != key else None
    depth = key.count("/")
    found = []
    try:
        for page in _s3_client(os.getpid()).get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
            for entry in page.get("Contents", []):
                name = entry["Key"]
                if name.endswith("/") or any(part.startswith(".") for part in name.split("/")):
                    continue
                if wanted is None or (("**" in key or name.count("/") == depth) and wanted.match(name)):
                    found.append(f"{scheme}://{bucket}/{name}")
    except Exception as problem:
        raise _said(uri, problem) from problem
    if not found:
        raise StreamvecError(f"{uri}: no object matches: check the bucket and the prefix")
    return sorted(found)


class RemoteFile(io.RawIOBase):
    """One remote file, read in order or by seeking; a connection that breaks is opened again where it broke."""

    def __init__(self, uri: str) -> None:
        super().__init__()
        self.name = uri
        self._place = 0
        self._file: Any = None
        self._version: str | None = None
        try:
            self._file = _open(uri)
            self._version = self._version_now()
        except Exception as problem:
            raise _said(uri, problem) from problem

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return bool(self._file.seekable())

    def tell(self) -> int:
        return self._place

    def read(self, size: int | None = -1) -> bytes:
        """Up to *size* bytes, fewer only at the end."""
        for wait in (*_WAITS, None):
            try:
                data: bytes = self._file.read(-1 if size is None else size)
                self._place += len(data)
                return data
            except Exception as problem:
                if wait is None or _is_final(problem):
                    raise _said(self.name, problem) from problem
                time.sleep(wait)
                self._open_again()
        raise AssertionError

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer).cast("B")
        data = self.read(len(view))
        view[: len(data)] = data
        return len(data)

    def seek(self, offset: int, whence: int = 0) -> int:
        try:
            self._place = int(self._file.seek(offset, whence))
            return self._place
        except Exception as problem:
            raise _said(self.name, problem) from problem

    def stat(self) -> Stat:
        """Its size and version."""
        size = getattr(self._file, "content_length", None)  # http
        if size is None:
            try:
                size = self._file.seek(0, 2)
                self._file.seek(self._place)
            except Exception as problem:
                raise _said(self.name, problem) from problem
        return Stat(None if size < 0 else int(size), self._version)

    def close(self) -> None:
        if self._file is not None and not self.closed:
            with contextlib.suppress(Exception):  # nothing was written: a connection that will not close is no loss
                self._file.close()
        super().close()

    def _open_again(self) -> None:
        with contextlib.suppress(Exception):
            self._file.close()
        try:
            self._file = _open(self.name)
            if self._place:
                self._file.seek(self._place)
        except Exception:
            return  # the next read fails at once, and is counted
        if self._version_now() != self._version:
            raise StreamvecError(f"{self.name}: was replaced while it was read: start again")

    def _version_now(self) -> str | None:
        headers = getattr(getattr(self._file, "response", None), "headers", None)
        if headers is not None:
            return headers.get("ETag") or headers.get("Last-Modified")
        if self.name.lower().startswith("s3://"):
            bucket, _, key = self.name[5:].partition("/")
            return str(_s3_client(os.getpid()).head_object(Bucket=bucket, Key=key)["ETag"])
        return None


def _open(uri: str) -> Any:
    import smart_open  # takes a tenth of a second: only who reads from afar waits for it

    scheme = uri.partition("://")[0].lower()
    params: dict[str, Any] = {}
    if scheme in ("http", "https"):
        params = {"timeout": _TIMEOUT, "buffer_size": _BUFFER}
    elif scheme == "s3":
        params = {"client": _s3_client(os.getpid()), "buffer_size": _BUFFER}
    return smart_open.open(uri, "rb", compression="disable", transport_params=params)


@functools.lru_cache(maxsize=1)
def _s3_client(process: int) -> Any:
    """One client a process: a forked child must not share its parent's connections."""
    try:
        import boto3  # type: ignore[import-untyped]
        from botocore import UNSIGNED  # type: ignore[import-untyped]
        from botocore.config import Config  # type: ignore[import-untyped]
    except ImportError as problem:
        raise ImportError("s3:// needs boto3: pip install 'streamvec[s3]'") from problem
    session = boto3.session.Session()
    options: dict[str, Any] = {"retries": {"max_attempts": 6, "mode": "standard"}, "read_timeout": _TIMEOUT}
    if session.get_credentials() is None:
        options["signature_version"] = UNSIGNED  # public buckets need none
    return session.client("s3", config=Config(**options))


def _status(problem: BaseException) -> int | None:
    """The HTTP status within an exception of requests, botocore (also wrapped by smart_open) or google."""
    seen: BaseException | None = problem
    while seen is not None:
        response = getattr(seen, "response", None)
        if isinstance(response, dict):
            status = response.get("ResponseMetadata", {}).get("HTTPStatusCode")
        else:
            status = getattr(response, "status_code", None) or getattr(seen, "code", None)
        if isinstance(status, int):
            return status
        seen = seen.__cause__
    return None


def _is_final(problem: BaseException) -> bool:
    status = _status(problem)
    return isinstance(problem, (StreamvecError, io.UnsupportedOperation, ValueError)) or (
        status is not None and status < 500 and status not in (408, 429)
    )


def _said(uri: str, problem: BaseException, done: str = "read") -> StreamvecError:
    """The StreamvecError for what went wrong at *uri*."""
    if isinstance(problem, StreamvecError):
        return problem
    status = _status(problem)
    detail = " ".join(str(problem).split())[:300]
    if status in (404, 410):
        return StreamvecError(f"{uri}: not found: check the spelling")
    if status in (401, 403):
        advice = "access denied: check the credentials (s3: AWS_PROFILE or AWS_ACCESS_KEY_ID) and the permissions"
    elif isinstance(problem, ImportError):
        advice = (
            detail if "streamvec[" in detail else f"needs an extra package: pip install 'streamvec[gcs]' ({detail})"
        )
    elif isinstance(problem, io.UnsupportedOperation):
        advice = f"the server cannot send part of a file ({detail}): download it and give its local path"
    else:
        advice = f"cannot be {done} over the network ({type(problem).__name__}: {detail}): check the address, try again"
    return Unreachable(f"{uri}: {advice}")
