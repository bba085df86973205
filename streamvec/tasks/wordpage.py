"""A map of words as one HTML page that needs nothing else: no server, no network, no library.

Words are data, never mark-up: they stand in a block of JSON in which ``<`` is written ``\\u003c``, and the script gives
them to the page as text. A Content-Security-Policy lets nothing run but that script, and nothing be fetched.
"""

import base64
import hashlib
import html
import json
import re
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np

from streamvec.disk.writing import whole_file
from streamvec.tasks.pictures import group_colours, visible
from streamvec.tasks.wordmap import METHODS, WordMap, neighbours

NEAR = 10  # neighbours of each word that the page tells
_SCRIPTS = (
    "words",
    "view",
    "grid",
    "labels",
    "dots",
    "paint",
    "search",
    "panel",
    "main",
)  # in the order they need each other
_FINEST = 65_535  # places are whole numbers from 0 to this


def write_page(word_map: WordMap, rows: np.ndarray, path: Path | str) -> int:
    """Writes the page to *path*, which appears whole, replacing what is there; returns its size in bytes.

    *rows*: float32[n, dim], the words' vectors, of which the page tells each word's nearest ones.
    """
    parts = files("streamvec.tasks") / "page"
    style = (parts / "page.css").read_text("utf-8")
    script = "\n".join((parts / f"{name}.js").read_text("utf-8") for name in _SCRIPTS)
    script = f'"use strict";\n{{\n{script}}}\n'
    told = {
        "title": html.escape(f"{visible(word_map.name)}: {len(word_map.words):,} words"),
        "style": style,
        "style-hash": _hash(style),
        "script": script,
        "script-hash": _hash(script),
        "data": _block(_data(word_map, rows)),
    }
    template = (parts / "page.html").read_text("utf-8")
    page = re.sub(r"\{\{([a-z-]+)\}\}", lambda found: told[found[1]], template).encode("utf-8")
    with whole_file(Path(path)) as file:
        file.write(page)
    return len(page)


def _data(word_map: WordMap, rows: np.ndarray) -> dict[str, Any]:
    """What ``readData`` in page/words.js reads: numbers as base64 of little-endian arrays."""
    found, cosines = neighbours(rows, NEAR)
    places = _whole(word_map.places)
    counted = word_map.counts.any()
    groups = word_map.clusters
    return {
        "name": word_map.name,
        "method": METHODS[word_map.method],
        "colour": word_map.colour,
        "words": word_map.words,
        "ranks": _packed(word_map.ranks, "<i4"),
        "counts": _packed(word_map.counts, "<f8") if counted else None,
        "x": _packed(places[:, 0], "<u2"),
        "y": _packed(places[:, 1], "<u2"),
        "near": found.shape[1],
        "neighbours": _packed(found, "<u2" if len(rows) <= _FINEST + 1 else "<u4"),
        "cosines": _packed(np.round((cosines + 1) * 100), "u1"),
        "groups": None if groups is None else _packed(groups, "u1"),
        "groupNames": word_map.cluster_names,
        "groupColours": group_colours(len(word_map.cluster_names)),
    }


def _whole(places: np.ndarray) -> np.ndarray:
    """Whole numbers [n, 2] from 0 to 65,535, y downwards; one scale for both directions, the smaller one centred."""
    low, high = places.min(axis=0), places.max(axis=0)
    span = float((high - low).max()) or 1.0
    middle = (places - (low + high) / 2) / span * (1, -1)
    whole: np.ndarray = np.round((middle + 0.5) * _FINEST)
    return whole


def _packed(values: np.ndarray, kind: str) -> str:
    return base64.b64encode(np.ascontiguousarray(values).astype(kind).tobytes()).decode("ascii")


def _block(data: dict[str, Any]) -> str:
    """JSON that no word can break out of: neither a tag nor a comment begins in it."""
    return json.dumps(data, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode("ascii")
