"""The kinds of models by name, and the options of each."""

from streamvec.models.gloveconfig import GloveConfig
from streamvec.models.lmconfig import LmConfig
from streamvec.models.wordconfig import CbowConfig, SkipGramConfig

WordConfig = SkipGramConfig | GloveConfig
Config = WordConfig | LmConfig
CONFIGS: dict[str, type[SkipGramConfig] | type[GloveConfig] | type[LmConfig]] = {
    "skipgram": SkipGramConfig,
    "cbow": CbowConfig,
    "glove": GloveConfig,
    "lm": LmConfig,
}
