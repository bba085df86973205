"""Products of few rows with a packed matrix, against numpy; the same bytes however many rows there are."""

import hashlib
import os
import platform
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from streamvec.kernels.products import multiply, pack, pack_transposed

SIZES = [(1, 16, 16), (2, 32, 64), (4, 16, 80), (5, 208, 96), (6, 48, 112), (13, 64, 176), (32, 16, 64), (3, 1, 48)]


def some(rows, inner, columns):
    draw = np.random.default_rng(rows + inner + columns)
    return [draw.normal(0, 1, size).astype(np.float32) for size in ((rows, inner), (inner, columns))]


def packed(matrix, how=pack):
    out = np.full(matrix.size, np.nan, np.float32)
    how(matrix, out)
    return out


def product(a, b, is_packed=True):
    out = np.full((len(a), b.shape[1]), np.nan, np.float32)
    multiply(a, packed(b) if is_packed else b.reshape(-1), b.shape[1], is_packed, out)
    return out


@pytest.mark.parametrize("sizes", SIZES)
def test_products_are_those_of_wider_numbers(sizes):
    a, b = some(*sizes)
    found = product(a, b)
    np.testing.assert_allclose(found, a.astype(np.float64) @ b, atol=1e-5 * sizes[1] ** 0.5)
    assert product(a, b, is_packed=False).tobytes() == found.tobytes()
    assert packed(np.ascontiguousarray(b.T), pack_transposed).tobytes() == packed(b).tobytes()


def test_a_row_is_the_same_alone_and_among_others():
    a, b = some(17, 40, 144)
    together = product(a, b)
    for rows in (1, 4, 5, 7, 16):
        assert product(a[:rows], b).tobytes() == together[:rows].tobytes()
    assert product(a[9:10], b).tobytes() == together[9:10].tobytes()


def test_each_number_is_one_chain_in_order():
    """1 is lost beside 2**24 where it is added alone, but not where 1 + 1 comes first."""
    a = np.ones((1, 3), np.float32)
    rising, falling = np.array([[1.0], [1.0], [2.0**24]]), np.array([[2.0**24], [1.0], [1.0]])
    for column, expected in ((rising, 2.0**24 + 2), (falling, 2.0**24)):
        assert product(a, np.repeat(column, 16, axis=1).astype(np.float32)).tolist() == [[expected] * 16]


def test_zeros_stay_in_padding_and_nan_shows():
    a, b = some(5, 16, 32)
    b[:, 20:] = 0
    assert not product(a, b)[:, 20:].any()
    a[2, 3] = np.nan
    assert np.isnan(product(a, b)[2]).all() and np.isfinite(product(a, b)[[0, 1, 3, 4]]).all()


def digest_of_products() -> str:
    return hashlib.sha256(b"".join(product(*some(*sizes)).tobytes() for sizes in SIZES)).hexdigest()


@pytest.mark.skipif(platform.machine() != "x86_64", reason="compiles for another processor of the x86-64 family")
def test_same_bytes_with_narrower_registers(tmp_path):
    narrow = {
        "NUMBA_CPU_NAME": "x86-64-v3",
        "NUMBA_CPU_FEATURES": "+avx,+avx2,+fma,+sse4.2,+bmi,+bmi2,+f16c,+popcnt",
        "NUMBA_CACHE_DIR": str(tmp_path),
        "PYTHONPATH": str(Path(__file__).parent),
    }
    command = [sys.executable, "-c", "import test_products; print(test_products.digest_of_products())"]
    found = subprocess.run(command, env=os.environ | narrow, check=True, capture_output=True, text=True)
    assert found.stdout.strip() == digest_of_products()
