"""Which head a language model has: what its options say, and whether it is trained or only measured."""

import numpy as np

from streamvec.kernels.team import Team
from streamvec.models.adaptivehead import AdaptiveHead
from streamvec.models.exactsoftmax import ExactSoftmax
from streamvec.models.head import Head
from streamvec.models.lmconfig import LmConfig
from streamvec.models.sampledhead import SampledHead
from streamvec.models.sampler import Sampler
from streamvec.models.softmaxhead import SoftmaxHead


def head_of(
    config: LmConfig, words: int, most: int, team: Team, is_trained: bool, counts: np.ndarray | None = None
) -> Head:
    """The head over *words* words for up to *most* hidden vectors at once.

    counts: int64[words], how often each occurs; ValueError where they are missing and words are sampled by them.
    """
    columns, weights = config.shape.outputs, "embedding" if config.tied else "output"
    cuts = config.cuts_of(words)
    if cuts:
        return AdaptiveHead([*cuts, words], columns, most, team)
    if not is_trained:
        return ExactSoftmax(words, columns, most, team, weights)
    if config.output in ("sampled", "nce"):
        if counts is None or len(counts) != words:
            raise ValueError(f"counts must be those of {words} words with the output {config.output}")
        sampler = Sampler(counts, config.noise_power, config.samples, config.seed)
        return SampledHead(words, columns, most, team, sampler, config.output, weights)
    return SoftmaxHead(words, columns, most, team, weights)
