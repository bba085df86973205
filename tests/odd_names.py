"""Runs verbs on files with odd names, in a process of its own: python odd_names.py FOLDER SOURCES MANY.

SOURCES holds text.txt, vectors.vec and pairs.tsv. It prints a JSON object a verb and name, of the first MANY names: the
exit status, what was written to stdout and stderr, and which files were left that are not whole.
"""

import contextlib
import io
import json
import os
import sys
import traceback
from pathlib import Path

from streamvec_cli import main as program

LONG = b"long-" + b"x" * 245  # 250 bytes: a file of that name is possible, NAME.partial is not
ALL_AT_ONCE = b"-a  b\n\x1b[2J\x07\xff'\"$(id)*[1]?\\%s{};"
NAMES = (
    ALL_AT_ONCE,
    LONG,
    b"a b  c",
    b"two\nlines",
    b'it\'s "so"',
    b"-dash",
    b"--help",
    b"\xff\xfe\x80",
    "Größe-서울".encode(),
    "\u202eevil\u2028\u009b31m".encode(),
    b"\x1b[2J\x1b]0;title\x07",
    b"tab\tcr\rnul-less",
    b"a*b[1]?",
    b"$HOME `id` $(id) & ; | > <",
    b"back\\slash",
    b"percent%s{}",
    b"longest-" + b"y" * 247,
)


def streamvec(*words: str) -> tuple[int, str, str]:
    """(exit status, stdout, stderr) of the command line, as this process runs it."""
    out, err = (io.TextIOWrapper(io.BytesIO(), "utf-8", errors=how) for how in ("surrogateescape", "backslashreplace"))
    sys.argv = ["streamvec", *words]
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            program.main()
            status = 0
        except SystemExit as end:
            status = end.code if isinstance(end.code, int) else 1
        except BaseException:
            traceback.print_exc()
            status = 99
        out.flush()
        err.flush()
    said = [one.buffer.getvalue().decode("utf-8", "backslashreplace") for one in (out, err)]
    return status, said[0], said[1]


def asked(name: str) -> dict[str, list[str]]:
    """The words of each verb, run in this order in a folder where text.txt, vectors.vec and pairs.tsv are."""
    small = ["--dim", "4", "--min-count", "1", "--epochs", "1", "--threads", "1"]
    run = f"./{name}"
    return {
        "train from": ["train", "skipgram", *small, "--out", "run-of-it", "--", f"texts/{name}"],
        "info of it": ["info", "run-of-it"],
        "train": ["train", "skipgram", "text.txt", *small, "--out", run],
        "resume": ["resume", run],
        "info": ["info", run],
        "verify": ["verify", run],
        "nn": ["nn", run, "the"],
        "index": ["index", run],
        "export": ["export", "vectors.vec", "--format", "glove", "-o", f"out/{name}"],
        "nn of export": ["nn", f"out/{name}", "the"],
        "info of export": ["info", f"out/{name}"],
        "import": ["import", "vectors.vec", "-o", f"in/{name}"],
        "verify of import": ["verify", f"in/{name}"],
        "similarity set": ["evaluate", "vectors.vec", "--similarity", f"pairs/{name}"],
        "embed": ["embed", "vectors.vec", f"texts/{name}"],
        "plot": ["plot", "vectors.vec", "-o", f"plots/{name}.svg", "--method", "pca"],
        "missing": ["nn", f"nowhere/{name}", "the"],
        "missing text": ["train", "skipgram", "--out", "other", "--", f"nowhere/{name}"],
    }


def main(folder: Path, sources: Path, many: int) -> None:
    for number, raw in enumerate(NAMES[:many]):
        name = os.fsdecode(raw)
        place = folder / str(number)
        for part in ("texts", "pairs", "out", "in", "plots"):
            (place / part).mkdir(parents=True)
        for source, target in (("text.txt", "texts"), ("pairs.tsv", "pairs")):
            (place / target / name).write_bytes((sources / source).read_bytes())
        for source in ("text.txt", "vectors.vec"):
            (place / source).write_bytes((sources / source).read_bytes())
        os.chdir(place)
        for verb, words in asked(name).items():
            status, out, err = streamvec(*words)
            left = [str(path)[-60:] for path in place.rglob("*.partial")]
            said = {"name": repr(raw), "verb": verb, "status": status, "out": out, "err": err, "left": left}
            print(json.dumps(said), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]).absolute(), int(sys.argv[3]))
