"""Soft debiasing: one linear map for all words, between keeping every inner product and emptying the bias subspace.

With W all words and N the neutral ones (as columns, of length 1) and B the subspace, T minimises

    |(T W)^T (T W) - W^T W|^2 + lambda |(T N)^T (T B)|^2          (Bolukbasi et al. 2016, section 6, step 2b)

and a word becomes T w / |T w|. Only X = T^T T matters, which is positive semidefinite, and of W only A = W W^T, dim x
dim: that is the paper's trick by a singular value decomposition. With M = N N^T, Y = A^1/2 X A^1/2,
P = A^-1/2 M A^-1/2 and F = A^-1/2 B, what is minimised is

    |Y - A|^2 + lambda tr(F^T Y P Y F),

whose gradient vanishes where Y = A - lambda/2 (P Z F^T + F Z^T P) with Z = Y F: dim x k linear equations for Z, k
being the number of components. X - 1 then has a rank of at most 2 k, and T differs from the identity in as many
directions: applying it costs as much as a few inner products.

Should that Y not be positive semidefinite, the best one that is comes from accelerated projected gradients.
"""

from dataclasses import dataclass

import numpy as np

from streamvec.errors import StreamvecError
from streamvec.vectors.bias import along
from streamvec.vectors.onethread import one_blas_thread

_UNKNOWNS = 6000  # linear equations at most: 300 MB
_STEPS = 100_000  # of projected gradients
_SAME = 1e-12  # relative: what is nearer is the same


@dataclass(frozen=True)
class SoftTransform:
    """T = 1 + sum over j of (stretch_j - 1) axis_j axis_j^T; symmetric."""

    axes: np.ndarray  # float64[m, dim], orthonormal
    stretches: np.ndarray  # float64[m], 0 and more

    def apply(self, units: np.ndarray) -> np.ndarray:
        """float64[n, dim]: T w / |T w| of each row; each is computed on its own."""
        out = units.copy()
        for part, axis, stretch in zip(along(units, self.axes).T, self.axes, self.stretches, strict=True):
            out += ((stretch - 1.0) * part)[:, None] * axis
        lengths = np.sqrt((out * out).sum(axis=1))
        out /= np.where(lengths > 0, lengths, 1.0)[:, None]
        return out

    @property
    def matrix(self) -> np.ndarray:
        """T, float64[dim, dim]."""
        out: np.ndarray = np.eye(self.axes.shape[1]) + (self.axes.T * (self.stretches - 1.0)) @ self.axes
        return out


class GramMatrix:
    """The sum of w w^T over rows, exactly the same in whichever blocks they come and on any number of threads.

    Each number is rounded to a multiple of 2^-24, as fine as float32 has it, and divided into multiples of 2^-12 and a
    rest: the products of these are whole multiples of so small a number that float64 adds 100 million of them up
    without rounding.
    """

    def __init__(self, dim: int) -> None:
        self._parts = np.zeros((3, dim, dim))

    def add(self, units: np.ndarray) -> None:
        """Adds rows float64[n, dim] of length 1 at most."""
        fine = np.rint(units * 2.0**24)
        high = np.rint(fine * 2.0**-12)
        low = fine - high * 2.0**12
        for part, (one, other) in zip(self._parts, ((high, high), (high, low), (low, low)), strict=True):
            part += one.T @ other  # whole numbers below 2^53: no rounding, so the order does not matter

    @property
    def total(self) -> np.ndarray:
        """float64[dim, dim]."""
        high, mixed, low = self._parts
        out: np.ndarray = high * 2.0**-24 + (mixed + mixed.T) * 2.0**-36 + low * 2.0**-48
        return out


def soft_transform(gram: np.ndarray, neutral: np.ndarray, basis: np.ndarray, strength: float) -> SoftTransform:
    """T for A = *gram*, M = *neutral* (float64[dim, dim]), B = *basis* float64[k, dim] and lambda = *strength*.

    In directions in which no word lies, T is the identity. Raises ValueError for a lambda below 0, StreamvecError
    where there are too many components.
    """
    if not (strength >= 0 and np.isfinite(strength)):
        raise ValueError(f"lambda must be at least 0 and finite, got {strength}")
    if basis.size > _UNKNOWNS:
        raise StreamvecError(
            f"soft debiasing of {len(basis)} components of {basis.shape[1]} numbers needs too much memory: "
            f"give at most {_UNKNOWNS // basis.shape[1]}"
        )
    with one_blas_thread():
        values, axes = np.linalg.eigh(gram)
        used = values > 1e-10 * max(values[-1], 1e-300)
        axes, roots = axes[:, used], np.sqrt(values[used])  # A^1/2 is a diagonal of these along these axes
        target = np.diag(values[used])
        pull = axes.T @ neutral @ axes / np.outer(roots, roots)
        reach = axes.T @ basis.T / roots[:, None]
        best = _stationary(target, pull, reach, strength)
        if np.linalg.eigvalsh(best)[0] < -_SAME * values[-1]:
            best = _projected_gradients(target, pull, reach, strength, best)
        change = axes @ (best / np.outer(roots, roots) - np.eye(len(roots))) @ axes.T  # X - 1
        shifts, directions = np.linalg.eigh((change + change.T) / 2)
    moved = np.abs(shifts) > 1e-9
    return SoftTransform(np.ascontiguousarray(directions.T[moved]), np.sqrt(np.maximum(1.0 + shifts[moved], 0.0)))


def _stationary(target: np.ndarray, pull: np.ndarray, reach: np.ndarray, strength: float) -> np.ndarray:
    """Y where the gradient vanishes; target A, pull P float64[d, d], reach F float64[d, k]."""
    dim, number = reach.shape
    # Z + lambda/2 (P Z F^T F + F Z^T P F) = A F, by rows of Z
    equations = np.kron(pull, reach.T @ reach) + np.einsum("ib,ja->iajb", reach, pull @ reach).reshape(
        dim * number, dim * number
    )
    equations *= strength / 2
    equations[np.diag_indices(dim * number)] += 1.0
    inner = np.linalg.solve(equations, (target @ reach).ravel()).reshape(dim, number)
    side = pull @ inner @ reach.T
    out: np.ndarray = target - strength / 2 * (side + side.T)
    return out


def _projected_gradients(
    target: np.ndarray, pull: np.ndarray, reach: np.ndarray, strength: float, start: np.ndarray
) -> np.ndarray:
    """The best positive semidefinite Y: Nesterov's method for a strongly convex function, each step projected."""
    square = reach @ reach.T
    steepest = 1.0 + strength * float(np.linalg.eigvalsh(pull)[-1] * np.linalg.eigvalsh(square)[-1])
    momentum = (np.sqrt(steepest) - 1) / (np.sqrt(steepest) + 1)
    now = before = _semidefinite(start)
    for _ in range(_STEPS):
        ahead = now + momentum * (now - before)
        side = pull @ ahead @ square
        gradient = ahead - target + strength / 2 * (side + side.T)  # half of it
        before, now = now, _semidefinite(ahead - gradient / steepest)
        if np.abs(now - before).max() <= _SAME * np.abs(now).max():
            return now
    raise StreamvecError(f"soft debiasing does not converge with a lambda of {strength:g}: give a smaller one")


def _semidefinite(matrix: np.ndarray) -> np.ndarray:
    values, axes = np.linalg.eigh((matrix + matrix.T) / 2)
    out: np.ndarray = (axes * np.maximum(values, 0.0)) @ axes.T
    return out
