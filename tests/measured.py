"""Runs the command line and tells its peak of memory: python measured.py FILE WORDS...; FILE gets VmHWM in bytes."""

import sys
from pathlib import Path

from streamvec_cli import main as program

if __name__ == "__main__":
    peak = Path(sys.argv.pop(1))
    try:
        program.main()
    finally:
        status = Path("/proc/self/status").read_text(encoding="ascii")
        peak.write_text(str(int(status.partition("VmHWM:")[2].split()[0]) << 10), encoding="ascii")
