"""The library of matrix products that numpy has loaded: how many threads it takes, and which kernels it has chosen."""

import functools
from contextlib import AbstractContextManager

import numpy as np  # noqa: F401 - loads it
from threadpoolctl import ThreadpoolController


def one_thread_a_product() -> AbstractContextManager[object]:
    """While it lasts, a matrix product runs in the thread that calls it, and so adds up in one order."""
    return _libraries().limit(limits=1, user_api="blas")


@functools.cache
def products() -> str:
    """What decides the last bits of matrix products, like "openblas SkylakeX": the library, and the processor that its
    kernels are for; "unknown" where it does not say."""
    found = [library.info() for library in _libraries().lib_controllers if library.info()["user_api"] == "blas"]
    found.sort(key=lambda about: "numpy" not in about["filepath"])  # other packages may have brought their own
    return f"{found[0]['internal_api']} {found[0].get('architecture') or ''}".strip() if found else "unknown"


@functools.cache
def _libraries() -> ThreadpoolController:
    """Those that are loaded: looking for them takes a millisecond, as long as a small step does."""
    return ThreadpoolController()
