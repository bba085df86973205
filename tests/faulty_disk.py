"""A disk that fails on purpose: each call by which streamvec touches a folder is counted, written down, and may fail.

Within ``with FaultyDisk(folder)`` the functions of os, io and pyarrow by which streamvec.disk opens, writes, flushes,
renames and removes are replaced by ones that do the same, and: count the calls about paths in the folder; fail call
number `fail_at` with an errno (a write after half of its bytes); and keep a journal of what each call changed, from
which `power_cut` makes what a disk could hold after a power cut at any moment.
"""

import contextlib
import errno
import io
import os
import shutil
import stat
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import pyarrow as pa

KINDS = ("open", "write", "fsync", "rename", "read", "remove", "mkdir", "link")
FULL = ("open to write", "write", "mkdir", "link")  # what a full disk refuses again and again

_FUNCTIONS = ("open", "fsync", "replace", "rename", "unlink", "remove", "rmdir", "mkdir", "link", "fdopen")
_ON_HANDLES = ("pwrite", "ftruncate")


class FaultyDisk:
    """Counts, fails and writes down what is done in *folder*, by any thread of this process, while it is entered.

    fail_at: the number, from 1 on, of the call of one of *kinds* that fails with *error*; 0: none does. With ENOSPC
    all later calls that need room fail, too, as on a disk that is full and stays so.
    """

    def __init__(self, folder: Path, fail_at: int = 0, error: int = errno.EIO, kinds: tuple[str, ...] = KINDS) -> None:
        self.folder = str(folder.resolve())
        self.counts: Counter[str] = Counter()  # calls by kind
        self.failed = ""  # the call that did
        self.journal: list[tuple[Any, ...]] = []  # what changed, in order: see power_cut.Disk.apply
        self._fail_at, self._error, self._kinds = fail_at, error, kinds
        self._number = 0
        self._lock = threading.RLock()
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Self:
        true = {name: getattr(os, name) for name in (*_FUNCTIONS, *_ON_HANDLES)}
        self._true, self._true_open, self._os_file, self._memory_map = true, io.open, pa.OSFile, pa.memory_map
        patched: list[tuple[Any, str, Any]] = [(os, name, getattr(self, f"_{name}")) for name in true]
        patched += [(io, "open", self._io_open), (shutil, "rmtree", self._rmtree)]
        patched += [(pa, "OSFile", self._arrow_file), (pa, "memory_map", self._mapped)]
        for where, name, function in patched:
            self._stack.callback(setattr, where, name, getattr(where, name))
            setattr(where, name, function)
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @property
    def calls(self) -> int:
        """How many calls of the chosen kinds there were."""
        return self._number

    def call(self, kind: str, path: str) -> None:
        """Counts a call, before it does anything; OSError where it is the one to fail."""
        with self._lock:
            plain = kind.removesuffix(" to write")
            self.counts[plain] += 1
            self._number += plain in self._kinds
            again = bool(self.failed) and self._error == errno.ENOSPC and kind in FULL
            if again or (plain in self._kinds and self._number == self._fail_at):
                self.failed = self.failed or f"{kind} {os.path.relpath(path, self.folder)}"
                raise OSError(self._error, os.strerror(self._error), path)

    def wrote(self, *change: Any) -> None:
        """Writes a change down."""
        with self._lock:
            self.journal.append(change)

    def _path(self, path: Any, dir_fd: int | None = None) -> str | None:
        """The absolute path, where it lies in the folder."""
        if isinstance(path, int):
            path = os.readlink(f"/proc/self/fd/{path}")
        base = os.getcwd() if dir_fd is None else os.readlink(f"/proc/self/fd/{dir_fd}")
        found = os.path.normpath(os.path.join(base, os.fsdecode(path)))
        return found if found == self.folder or found.startswith(self.folder + "/") else None

    def _fdopen(self, handle: int, mode: str = "r", *more: Any, **options: Any) -> Any:
        path = self._path(handle)
        if path is None:
            return self._true["fdopen"](handle, mode, *more, **options)
        return io.BufferedRandom(_Raw(self, handle, mode, path))

    def _io_open(self, file: Any, mode: str = "r", buffering: int = -1, *more: Any, **options: Any) -> Any:
        path = None if isinstance(file, int) or "b" not in mode else self._path(file)
        if path is None:
            return self._true_open(file, mode, buffering, *more, **options)
        writes = bool(set(mode) & set("wax+"))
        self.call("open to write" if writes else "open", path)
        is_new = not os.path.exists(path)
        raw = _Raw(self, path, mode, path)
        if is_new:
            self.wrote("create", path, os.fstat(raw.fileno()).st_ino)
        elif "w" in mode:
            self.wrote("truncate", os.fstat(raw.fileno()).st_ino, 0)
        if buffering == 0:
            return raw
        return io.BufferedRandom(raw) if "+" in mode else io.BufferedWriter(raw) if writes else io.BufferedReader(raw)

    def _arrow_file(self, path: Any, *mode: Any) -> Any:
        if self._path(path) is None or mode:
            return self._os_file(path, *mode)
        return pa.PythonFile(self._io_open(os.fsdecode(path), "rb"), mode="r")

    def _mapped(self, path: Any, *mode: Any) -> Any:
        if (where := self._path(path)) is not None:
            self.call("open", where)
        return self._memory_map(path, *mode)

    def _open(self, path: Any, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
        where = self._path(path, dir_fd)
        if where is None:
            return self._true["open"](path, flags, mode, dir_fd=dir_fd)
        self.call("open to write" if flags & os.O_CREAT else "open", where)
        is_new = not os.path.lexists(where)
        handle: int = self._true["open"](path, flags, mode, dir_fd=dir_fd)
        if is_new:
            self.wrote("create", where, os.fstat(handle).st_ino)
        return handle

    def _fsync(self, handle: int) -> None:
        where = self._path(handle)
        if where is None:
            return self._true["fsync"](handle)
        self.call("fsync", where)
        status = os.fstat(handle)
        self.wrote(*(("syncdir", where) if stat.S_ISDIR(status.st_mode) else ("sync", status.st_ino)))
        return None

    def _replace(self, old: Any, new: Any) -> None:
        self._change("rename", self._true["replace"], old, new)

    _rename = _replace

    def _link(self, old: Any, new: Any) -> None:
        self._change("link", self._true["link"], old, new)

    def _mkdir(self, path: Any, mode: int = 0o777) -> None:
        self._change("mkdir", self._true["mkdir"], path)

    def _unlink(self, path: Any) -> None:
        self._change("remove", self._true["unlink"], path, name="unlink")

    _remove = _unlink

    def _rmdir(self, path: Any) -> None:
        self._change("remove", self._true["rmdir"], path, name="rmdir")

    def _change(self, kind: str, function: Callable[..., None], *paths: Any, name: str = "") -> None:
        where = [self._path(path) for path in paths]
        if None in where:
            return function(*paths)
        self.call(kind, where[-1] or "")
        function(*paths)
        return self.wrote(name or kind, *where)

    def _pwrite(self, handle: int, data: bytes, offset: int) -> int:
        if (where := self._path(handle)) is not None:
            self.call("write", where)
            self.wrote("write", os.fstat(handle).st_ino, offset, bytes(data))
        written: int = self._true["pwrite"](handle, data, offset)
        return written

    def _ftruncate(self, handle: int, size: int) -> None:
        if (where := self._path(handle)) is not None:
            self.call("write", where)
            self.wrote("truncate", os.fstat(handle).st_ino, size)
        self._true["ftruncate"](handle, size)

    def _rmtree(self, path: Any, ignore_errors: bool = False) -> None:
        """As shutil's, by whole paths."""
        with contextlib.suppress(OSError) if ignore_errors else contextlib.nullcontext():
            for entry in sorted(os.scandir(path), key=lambda entry: entry.name):
                if entry.is_dir(follow_symlinks=False):
                    self._rmtree(entry.path, ignore_errors)
                else:
                    with contextlib.suppress(OSError) if ignore_errors else contextlib.nullcontext():
                        os.unlink(entry.path)
            os.rmdir(path)


class _Raw(io.FileIO):
    """An open file whose reads and writes are calls of the disk."""

    def __init__(self, disk: FaultyDisk, file: int | str, mode: str, path: str) -> None:
        super().__init__(file, mode.replace("b", ""))
        self._disk, self._path, self._appends = disk, path, "a" in mode

    def readinto(self, buffer: Any) -> int:
        self._disk.call("read", self._path)
        return super().readinto(buffer)

    def readall(self) -> bytes:
        self._disk.call("read", self._path)
        return super().readall()

    def read(self, size: int | None = -1) -> Any:
        self._disk.call("read", self._path)
        return super().read(-1 if size is None else size)

    def write(self, data: Any) -> int:
        raw = bytes(data)
        try:
            self._disk.call("write", self._path)
        except InterruptedError:
            raise  # a system call that a signal interrupts has done nothing; Python calls it again
        except OSError:
            self._write(raw[: len(raw) // 2])
            raise
        return self._write(raw)

    def _write(self, raw: bytes) -> int:
        at = os.fstat(self.fileno()).st_size if self._appends else self.tell()
        written = super().write(raw)
        self._disk.wrote("write", os.fstat(self.fileno()).st_ino, at, raw[:written])
        return written

    def truncate(self, size: int | None = None) -> int:
        self._disk.call("write", self._path)
        found = super().truncate(size)
        self._disk.wrote("truncate", os.fstat(self.fileno()).st_ino, found)
        return found
