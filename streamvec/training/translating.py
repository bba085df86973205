"""The translator as a task: a text and its translation a line, or a label and what is to be written of it.

Texts are compared as the model's own tokens: lower-cased where these are. Words are put together with spaces between,
so that BLEU's rule divides them again; what is compared is a translation word by word, for a reference's unknown words
are not known, and no translation has one.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from streamvec.corpus.bleu import Bleu
from streamvec.corpus.examples import Examples
from streamvec.corpus.lines import Lines
from streamvec.corpus.sources import inspect
from streamvec.corpus.tsv import TsvRows
from streamvec.corpus.wordids import WordIds
from streamvec.models.learner import Learner
from streamvec.models.network import KnownRows, Network
from streamvec.models.translator import Translator
from streamvec.models.translatorconfig import TranslatorConfig
from streamvec.training.exampleids import Ids, Shape
from streamvec.training.labelledrows import Rows
from streamvec.training.lmtext import WORDS
from streamvec.training.options import LabelledOptions
from streamvec.training.task import Scores, Task, answered
from streamvec.training.tasktraining import mean_loss

_TOKENS: dict[str, dict[str, Any]] = {
    "word": {"tokens": "regex", "token_pattern": WORDS},
    "char": {"tokens": "characters", "keep_case": True, "min_count": 1},
}
_UNKNOWN = "\ufffd"  # stands for an unknown word of a reference: one token to BLEU, and in no translation


def _shape(config: TranslatorConfig) -> Shape:
    return Shape(words_are_given=config.from_label, is_spelled=False, targets="words")


def _rows(path: str, config: TranslatorConfig, options: LabelledOptions) -> Rows:
    lines = Lines(inspect(path), options.encoding)
    return TsvRows(lines, path, ("source", "target"), (0, 1), options.column_names)


def _tokens(options: dict[str, Any]) -> dict[str, Any]:
    """The options with what a token is, where that is not said: it follows from the level."""
    if options.get("tokens") == "text":
        raise ValueError("tokens of a translator must end with its text, which text does not tell: give characters")
    usual = _TOKENS.get(options.get("level", "word"), {})
    if "tokens" in options or "token_pattern" in options:
        usual = {name: value for name, value in usual.items() if name not in ("tokens", "token_pattern")}
    return {**usual, **options}


def _network(config: TranslatorConfig, ids: Ids, known: KnownRows | None) -> Network:
    assert ids.target_words is not None
    symbols = ids.target_words.symbols
    return Translator(config, ids.words.size, ids.targets, symbols.end, symbols.unknown, known, ids.longest_target)


def written(target_words: WordIds, tokens: Sequence[int] | np.ndarray) -> str:
    """Ids of the target as text: words with spaces between, and none before a full stop or comma; characters as they
    are. An unknown word is U+FFFD."""
    symbols = target_words.symbols
    names = symbols.names.take(pa.array(np.asarray(tokens, np.int64))).to_pylist()
    unknown = symbols.names[symbols.unknown].as_py()
    words = [_UNKNOWN if name == unknown else name for name in names]
    between = target_words.tokenizer.between
    text = between.join(words)
    if between:
        for mark in (".", ","):
            text = text.replace(f" {mark}", mark)
    return text


def score(learner: Learner, ids: Ids, examples: Examples) -> Scores:
    """BLEU, and the share of translations that are their reference: the first judges words, the second characters, and
    the loss what is written of a label."""
    words, config = ids.target_words, learner.config
    assert words is not None and isinstance(config, TranslatorConfig)
    bleu = Bleu("13a" if words.tokenizer.between else "char")
    exact = lines = 0
    for batch, answers in answered(learner, examples):
        references = np.split(batch.targets.values, np.cumsum(batch.targets.lengths)[:-1])
        for reference, answer in zip(references, answers, strict=True):
            bleu.add(written(words, answer.tokens), written(words, reference[:-1]))
            exact += np.array_equal(answer.tokens, reference[:-1])
            lines += 1
    found, share = bleu.score(), exact / max(1, lines)
    said: dict[str, Any] = {"bleu": found.bleu, "exact_match": share, "examples": lines}
    said |= {"brevity_penalty": found.brevity_penalty, "precisions": list(found.precisions)}
    judged, name = (found.bleu, "bleu") if words.tokenizer.between else (share, "exact_match")
    if config.from_label:
        judged, name = -(mean_loss(learner, examples) or 0.0), "loss"
    precisions = " / ".join(f"{each:.1f}" for each in found.precisions)
    line = (
        f"BLEU {found.bleu:.2f} ({precisions}, brevity penalty {found.brevity_penalty:.3f}), "
        f"exact matches {share:.4f}, {lines:,} examples"
    )
    return Scores(judged, name, said, [line])


TRANSLATOR = Task("translator", TranslatorConfig, _shape, _rows, _network, score, _tokens)
