"""One cold look-up, as `streamvec nn VECTORS WORD` makes it, with a clock between its steps.

Run by path. Arguments: the file, the word, the parent's clock when it started this process (Linux has one monotonic
clock for all), and "index" or "exact". Prints seconds of each step as JSON on stderr, the answer on stdout, and the
clock at the end, from which the parent takes what leaving costs.
"""

import time

first = time.perf_counter()

import json  # noqa: E402
import sys  # noqa: E402
from pathlib import Path  # noqa: E402

steps = {"interpreter": first - float(sys.argv[3])}
last = time.perf_counter()


def lap(name: str) -> None:
    """Ends a step."""
    global last
    now = time.perf_counter()
    steps[name] = now - last
    last = time.perf_counter()


import click  # noqa: E402

lap("click")
import streamvec_cli.lookup  # noqa: E402
import streamvec_cli.main  # noqa: E402, F401

lap("the verb")
import numpy  # noqa: E402, F401

lap("numpy")
import pyarrow  # noqa: E402, F401

lap("pyarrow")
from streamvec.vectors import KeyedVectors  # noqa: E402

lap("streamvec.vectors")
vectors = KeyedVectors.load(sys.argv[1], index=sys.argv[4] == "index")
lap("opening")
rank = vectors.get_index(sys.argv[2])
lap("word search")
found = vectors.most_similar_groups([([sys.argv[2]], [])], 10)[0]
lap("search")
click.echo("\n".join(f"{word}  {similarity:7.4f}" for word, similarity in found))
lap("printing")

heavy = sorted(name for name in ("numba", "llvmlite", "scipy", "streamvec.training") if name in sys.modules)
maps = Path("/proc/self/maps").read_text().splitlines()
mapped = {line.split(maxsplit=5)[5] for line in maps if line.count("/")}
sources = {str(module.__file__) for module in list(sys.modules.values()) if getattr(module, "__file__", None)}
caches = {str(module.__cached__) for module in list(sys.modules.values()) if getattr(module, "__cached__", None)}
files = sorted(name for name in mapped | sources | caches if Path(name).is_file())
print(json.dumps({"steps": steps, "heavy": heavy, "files": files, "end": time.perf_counter()}), file=sys.stderr)
