"""The kinds of word vectors by name, and the options of each."""

from streamvec.models.gloveconfig import GloveConfig
from streamvec.models.wordconfig import CbowConfig, SkipGramConfig

WordConfig = SkipGramConfig | GloveConfig
CONFIGS: dict[str, type[SkipGramConfig] | type[GloveConfig]] = {
    "skipgram": SkipGramConfig,
    "cbow": CbowConfig,
    "glove": GloveConfig,
}
