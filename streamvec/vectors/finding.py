"""Which file a person means by VECTORS: a RUN's vectors.arrow, a vectors file, or another tool's."""

from pathlib import Path

from streamvec.disk.arrow import open_arrow
from streamvec.disk.pasting import pasted
from streamvec.disk.problems import named_problems
from streamvec.disk.reading import opened
from streamvec.errors import StreamvecError
from streamvec.vectors.annindex import MAGIC
from streamvec.vectors.ngramfile import SUFFIX, is_ngrams
from streamvec.vectors.store import is_ours


def find_vectors(path: Path) -> tuple[Path, bool]:
    """(the file or folder to read, whether it is vectors.arrow as streamvec writes it).

    Raises StreamvecError when there is nothing to read: a RUN whose training has not finished, another folder,
    an empty file.
    """
    with named_problems(path):
        path.stat()
    if path.is_dir():
        if (path / "vectors.arrow").exists():
            return path / "vectors.arrow", True
        if (path / "run.json").exists():
            raise StreamvecError(f"{path}: its training has not finished: streamvec resume {pasted(path)}")
        if (path / "tensors.tsv").exists():
            return path, False
        raise StreamvecError(
            f"{path}: a folder, but not a RUN of streamvec: it holds neither run.json nor vectors.arrow"
        )
    with opened(path) as file:
        start = file.read(8)
        file.seek(max(0, file.seek(0, 2) - 8))
        end = file.read()
    if not start:
        raise StreamvecError(f"{path}: the file is empty: there are no vectors in it")
    if end == MAGIC:
        words = f"{path.stem}.arrow"
        raise StreamvecError(f"{path}: an index without its vectors: name {words}, which it was made to lie beside")
    if start.startswith(b"ARROW1"):
        schema = open_arrow(path).schema
        if is_ngrams(schema):
            words = path.name.removesuffix(SUFFIX) + ".arrow"
            raise StreamvecError(f"{path}: n-grams without their words: name {words}, which is made to lie beside it")
        return path, is_ours(schema)
    return path, False
