"""How much memory the machine could give now, within the limits of the control group this process is in."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

_ROOT = Path("/")
_UNLIMITED = 1 << 60  # what version 1 says where there is no limit is about 2^63


def free_memory(root: Path = _ROOT) -> int:
    """Bytes of memory that this machine could give now; at most what its control groups, one within another, leave.

    root: where the file system of the machine begins.
    """
    free = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    found = re.search(r"^MemAvailable:\s+(\d+) kB", _text(root / "proc/meminfo"), re.MULTILINE)
    if found:
        free = int(found[1]) * 1024
    return min([free, *_left(root)])


def _left(root: Path) -> Iterator[int]:
    """What each control group that this process is in, of either version, leaves; none where there are none."""
    for hierarchy, controllers, group in _groups(root):
        if hierarchy == "0":
            name, used, mounted = "memory.max", "memory.current", "cgroup2"
        elif "memory" in controllers.split(","):
            name, used, mounted = "memory.limit_in_bytes", "memory.usage_in_bytes", "cgroup"
        else:
            continue
        for top, place in _mounts(root, mounted):
            # In a container the mounted part begins within: the rest of the group's name leads on from there.
            inner = group.removeprefix(top.rstrip("/")) if group.startswith(top) else "/"
            folder = root / place.lstrip("/")
            parts = [part for part in inner.split("/") if part not in ("", "..")]
            for depth in range(len(parts) + 1):
                one = folder.joinpath(*parts[:depth])
                limit = _text(one / name).strip()
                if limit.isdecimal() and int(limit) < _UNLIMITED:
                    yield max(0, int(limit) - _held(one, used))


def _held(group: Path, used: str) -> int:
    """Bytes that the processes of a group hold, without those of files, which the system takes back when it must."""
    now = _text(group / used).strip()
    files = re.findall(r"^(?:total_)?(?:in)?active_file (\d+)$", _text(group / "memory.stat"), re.MULTILINE)
    return max(0, int(now) - sum(map(int, files[-2:]))) if now.isdecimal() else 0


def _groups(root: Path) -> Iterator[tuple[str, str, str]]:
    """Hierarchy, controllers and name of each group of this process."""
    for line in _text(root / "proc/self/cgroup").splitlines():
        hierarchy, _, rest = line.partition(":")
        controllers, _, group = rest.partition(":")
        yield hierarchy, controllers, group


def _mounts(root: Path, kind: str) -> Iterator[tuple[str, str]]:
    """The group at the top of each mounted hierarchy of a kind that may tell of memory, and where it is mounted."""
    for line in _text(root / "proc/self/mountinfo").splitlines():
        mounted, _, of = line.partition(" - ")
        fields, system = mounted.split(" "), of.split(" ")
        if system[0] == kind and (kind == "cgroup2" or "memory" in system[-1].split(",")):
            yield fields[3], fields[4]


def _text(path: Path) -> str:
    """What a file of the system says; nothing where it is not there, or not for us."""
    try:
        return path.read_text(encoding="utf-8", errors="surrogateescape")
    except OSError:
        return ""
