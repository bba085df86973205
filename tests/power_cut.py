"""What a disk could hold after a power cut, made from the journal of a FaultyDisk.

A file's bytes are sure to be there once the file was flushed (fsync); a name in a folder, or its absence, once the
folder was. What was done since may have reached the disk or not, and a file's bytes in part. Three of the many states
that a cut at some moment can leave are made:

- "least": nothing but what was flushed, as POSIX allows;
- "names": every name that was given, but of bytes not flushed only some: none, a beginning, or zeros in place of the
  rest, as file systems leave them that write names first;
- "most": all of it: what a SIGKILL at that moment leaves.
"""

import os
import random
from pathlib import Path
from typing import Any

STATES = ("least", "names", "most")


class _File:
    def __init__(self, content: bytes = b"", modified: int | None = None) -> None:
        self.content, self.flushed = bytearray(content), content
        self.modified = modified

    def bytes_in(self, state: str, draw: random.Random) -> bytes:
        content = bytes(self.content)
        if state == "most" or content == self.flushed:
            return content
        if state == "least":
            return self.flushed
        sure = len(self.flushed) if content.startswith(self.flushed) else 0  # only added to
        some = draw.randrange(sure, len(content) + 1)
        return draw.choice([self.flushed, content[:some], content[:some] + bytes(len(content) - some)])


class _Folder:
    def __init__(self) -> None:
        self.entries: dict[str, _File | _Folder] = {}
        self.flushed: dict[str, _File | _Folder] = {}


class Disk:
    """A folder as it was, to which the changes of a journal are applied one after another."""

    def __init__(self, folder: Path) -> None:
        self._root = str(folder.resolve())
        self._inodes: dict[int, _File] = {}
        self._top = self._found(folder)

    def _found(self, folder: Path) -> _Folder:
        found = _Folder()
        for path in sorted(folder.iterdir()):
            if path.is_dir():
                found.entries[path.name] = self._found(path)
            else:
                status = path.stat()
                file = self._inodes.setdefault(status.st_ino, _File(path.read_bytes(), status.st_mtime_ns))
                found.entries[path.name] = file
        found.flushed = dict(found.entries)
        return found

    def _at(self, path: str) -> tuple[_Folder, str]:
        """The folder that a path lies in, and its name there."""
        folder, parts = self._top, os.path.relpath(path, self._root).split("/")
        for part in parts[:-1]:
            inner = folder.entries[part]
            assert isinstance(inner, _Folder)
            folder = inner
        return folder, parts[-1]

    def apply(self, what: str, *about: Any) -> None:
        """Makes one change, as the journal has it."""
        if what in ("write", "truncate", "sync"):
            self._change_file(what, *about)
        elif what == "syncdir":
            folder, name = self._at(about[0])
            one = self._top if name == "." else folder.entries[name]
            assert isinstance(one, _Folder)
            one.flushed = dict(one.entries)
        else:
            self._change_names(what, *about)

    def _change_file(self, what: str, inode: int, *about: Any) -> None:
        file = self._inodes[inode]
        if what == "write":
            at, data = about
            file.content.extend(bytes(max(0, at - len(file.content))))
            file.content[at : at + len(data)] = data
        elif what == "truncate":
            del file.content[about[0] :]
        else:
            file.flushed = bytes(file.content)

    def _change_names(self, what: str, path: str, *about: Any) -> None:
        folder, name = self._at(path)
        if what == "create":
            self._inodes[about[0]] = folder.entries[name] = _File()
            self._inodes[about[0]].flushed = b""
        elif what == "mkdir":
            folder.entries[name] = _Folder()
        elif what in ("unlink", "rmdir"):
            del folder.entries[name]
        elif what in ("rename", "link"):
            other, other_name = self._at(about[0])
            other.entries[other_name] = folder.entries[name] if what == "link" else folder.entries.pop(name)
        else:
            raise AssertionError(what)

    def left(self, state: str, draw: random.Random) -> dict[str, tuple[bytes, int | None] | None]:
        """What a cut now leaves, by path: (bytes, date where the file was there before), or None for a folder."""
        found: dict[str, tuple[bytes, int | None] | None] = {}

        def look(folder: _Folder, path: str) -> None:
            for name, one in sorted((folder.flushed if state == "least" else folder.entries).items()):
                if isinstance(one, _File):
                    found[path + name] = one.bytes_in(state, draw), one.modified
                else:
                    found[path + name] = None
                    look(one, f"{path}{name}/")

        look(self._top, "")
        return found


def write_out(left: dict[str, tuple[bytes, int | None] | None], folder: Path) -> None:
    """Makes a folder of what a cut left."""
    folder.mkdir()
    for name, content in left.items():
        if content is None:
            (folder / name).mkdir()
        else:
            (folder / name).write_bytes(content[0])
            if content[1] is not None:
                os.utime(folder / name, ns=(content[1], content[1]))
