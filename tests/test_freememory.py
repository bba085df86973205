"""How much memory is free: what the machine says, and the control groups of either version, one within another."""

from pathlib import Path

import pytest

from streamvec.training import options
from streamvec.training.freememory import free_memory
from streamvec.training.options import MachineOptions

GB = 1 << 30
FIRST = "35 31 0:32 {top} /sys/fs/cgroup/memory rw,relatime shared:9 - cgroup cgroup rw,memory\n"
SECOND = "30 23 0:26 {top} /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n"
NO_LIMIT = str((1 << 63) - 4096)


def machine(root: Path, group: str, mounts: str, limits: dict[str, str]) -> Path:
    """A machine of 8 GB free at *root*, whose files say so."""
    files = {
        "proc/meminfo": f"MemTotal: 99999999 kB\nMemAvailable:   {8 * GB >> 10} kB\n",
        "proc/self/cgroup": group,
        "proc/self/mountinfo": "31 23 0:28 / /sys rw - sysfs sysfs rw\n" + mounts,
        **{f"sys/fs/cgroup/{name}": text for name, text in limits.items()},
    }
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


@pytest.mark.parametrize(
    "group, mounts, limits, free",
    [
        ("0::/\n", SECOND.format(top="/"), {}, 8),
        ("0::/\n", SECOND.format(top="/"), {"memory.max": f"{GB}\n"}, 1),
        ("0::/a/b\n", SECOND.format(top="/"), {"a/memory.max": f"{2 * GB}\n", "a/b/memory.max": "max\n"}, 2),
        ("0::/a/b\n", SECOND.format(top="/"), {"a/memory.max": f"{3 * GB}\n", "a/b/memory.max": f"{GB}\n"}, 1),
        ("0::/a\n", SECOND.format(top="/"), {"other/memory.max": f"{GB}\n"}, 8),
        ("0::/docker/x\n", SECOND.format(top="/docker/x"), {"memory.max": f"{GB}\n"}, 1),
        ("0::/docker/x/y\n", SECOND.format(top="/docker/x"), {"y/memory.max": f"{GB}\n"}, 1),
        ("4:memory:/\n", FIRST.format(top="/"), {"memory/memory.limit_in_bytes": NO_LIMIT}, 8),
        ("4:memory:/a/b\n0::/\n", FIRST.format(top="/"), {"memory/a/memory.limit_in_bytes": str(2 * GB)}, 2),
        ("4:cpu,memory:/a\n", FIRST.format(top="/"), {"memory/a/memory.limit_in_bytes": str(GB)}, 1),
        ("4:memory:/box\n", FIRST.format(top="/box"), {"memory/memory.limit_in_bytes": str(GB)}, 1),
        (
            "0::/a\n",
            SECOND.format(top="/"),
            {
                "a/memory.max": str(4 * GB),
                "a/memory.current": f"{3 * GB}\n",
                "a/memory.stat": f"anon {GB}\nfile {2 * GB}\ninactive_file {GB}\nactive_file {GB}\n",
            },
            3,
        ),
        (
            "4:memory:/a\n",
            FIRST.format(top="/"),
            {
                "memory/a/memory.limit_in_bytes": str(4 * GB),
                "memory/a/memory.usage_in_bytes": str(3 * GB),
                "memory/a/memory.stat": f"inactive_file 5\nactive_file 5\ntotal_inactive_file {GB}\n"
                "total_active_file 0\n",
            },
            2,
        ),
        ("3:cpuset:/a\n", FIRST.format(top="/"), {"memory/a/memory.limit_in_bytes": str(GB)}, 8),
        ("", "", {}, 8),
    ],
)
def test_the_smallest_limit_of_the_groups_counts(
    tmp_path: Path, group: str, mounts: str, limits: dict[str, str], free: int
) -> None:
    assert free_memory(machine(tmp_path, group, mounts, limits)) == free * GB


def test_a_machine_that_tells_nothing_has_its_memory(tmp_path: Path) -> None:
    assert free_memory(tmp_path) > GB // 8


@pytest.mark.parametrize(
    "free, allowed", [(8 * GB, 4 * GB), (GB + GB // 4, 5 * GB // 8), (GB, GB // 2), (GB // 2, 15 * GB // 32)]
)
def test_the_default_is_half_of_it_and_never_more_than_there_is(
    free: int, allowed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(options, "free_memory", lambda: free)
    assert MachineOptions().memory_bytes == allowed
    assert MachineOptions(memory=GB).memory_bytes == GB
