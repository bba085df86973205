"""Small matrices are worked on by one thread of BLAS, so that the last bits do not depend on how many there are."""

from contextlib import AbstractContextManager

import numpy as np  # noqa: F401 - loads the library
from threadpoolctl import ThreadpoolController


def one_blas_thread() -> AbstractContextManager[object]:
    """While it lasts, products and decompositions run in the thread that calls them."""
    return ThreadpoolController().limit(limits=1, user_api="blas")
