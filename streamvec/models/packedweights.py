"""The recurrent weights of a stack in the order that products of few rows take, made once a step for all groups."""

from collections.abc import Mapping

import numpy as np

from streamvec.kernels.memory import aligned_zeros
from streamvec.kernels.products import pack, pack_transposed
from streamvec.models.shape import Shape


class PackedWeights:
    """Of each U of a stack, by its name: *forward*, and where it is trained *back*, the transpose; float32[numbers]."""

    def __init__(self, shape: Shape, is_trained: bool) -> None:
        sizes = {name: size[0] * size[1] for name, size in shape.parameters().items() if name.endswith(".U")}
        self.forward: Mapping[str, np.ndarray] = {name: aligned_zeros((size,)) for name, size in sizes.items()}
        self.back: Mapping[str, np.ndarray] = (
            {name: aligned_zeros((size,)) for name, size in sizes.items()} if is_trained else {}
        )

    def fill(self, parameters: Mapping[str, np.ndarray], thread: int, threads: int) -> None:
        """One thread's share of packing what *parameters* hold now."""
        jobs = [(pack, name, out) for name, out in self.forward.items()]
        jobs += [(pack_transposed, name, out) for name, out in self.back.items()]
        for job, name, out in jobs[thread::threads]:
            job(parameters[name], out)
