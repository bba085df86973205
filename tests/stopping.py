"""What tests of stops share: one that comes after so many questions, and all that stands in a folder, to compare."""

from collections.abc import Callable
from pathlib import Path


def stopped_after(questions: int) -> Callable[[], bool]:
    """Says stop when it was asked so often."""
    left = iter(range(questions))
    return lambda: next(left, None) is None


def content_of(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}
