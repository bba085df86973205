"""JSON that anybody may have written: what cannot be read is a ValueError, however it is wrong."""

import json
from typing import Any


def parsed(raw: str | bytes) -> Any:
    """What *raw* says; ValueError where it is no JSON, no UTF-8, or nested deeper than Python reads."""
    try:
        return json.loads(raw)
    except RecursionError:
        raise ValueError("nested too deeply") from None
