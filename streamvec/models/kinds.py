"""The kinds of models by name, and the options of each."""

from typing import Any

from streamvec.models.gloveconfig import GloveConfig
from streamvec.models.wordconfig import CbowConfig, SkipGramConfig

WordConfig = SkipGramConfig | GloveConfig
CONFIGS: dict[str, type[SkipGramConfig] | type[GloveConfig]] = {
    "skipgram": SkipGramConfig,
    "cbow": CbowConfig,
    "glove": GloveConfig,
}


def config_of(kind: str) -> Any:
    """The options of a kind; those of language models are read when they are wanted, as their kernels come along."""
    if kind == "lm":
        from streamvec.models.lmconfig import LmConfig

        return LmConfig
    return CONFIGS[kind]
