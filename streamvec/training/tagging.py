"""The tagger as a task: sentences in columns, a tag for each word, and scores as CoNLL's script gives them."""

from typing import Any

from streamvec.corpus.conll import Columns
from streamvec.corpus.examples import Examples
from streamvec.corpus.sources import inspect
from streamvec.corpus.taggedrows import TaggedRows
from streamvec.corpus.taglabels import TagLabels
from streamvec.corpus.tagscores import EntityScores, TagScorer
from streamvec.models.learner import Learner
from streamvec.models.network import KnownRows, Network
from streamvec.models.tagger import Tagger
from streamvec.models.taggerconfig import TaggerConfig
from streamvec.training.exampleids import Ids, Shape
from streamvec.training.labelledrows import Rows
from streamvec.training.options import LabelledOptions, pick
from streamvec.training.task import Scores, Task, answered

# U.N., then words and numbers with what stands within them, 's, and other signs one by one.
_WORDS = r"(?:[^\W\d_]\.){2,}|\w+(?:[-.,:/]\w+)*|'\w+|[^\w\s]"


def columns_of(options: LabelledOptions, tagged: bool = True) -> Columns:
    """Where words stand, and where tags; ValueError where --columns names what can be no column of a CoNLL file."""
    if not options.column_names:
        return Columns(tagged=tagged)
    if not all(name.isdigit() for name in options.column_names):
        raise ValueError(f"columns of a tagger must be two numbers, like 1,4, got {options.columns!r}")
    word, tag = map(int, options.column_names)
    return Columns(word, tag, tagged)


def tag_labels(ids: Ids) -> TagLabels:
    """The tags of a tagger."""
    assert isinstance(ids.labels, TagLabels)
    return ids.labels


def _shape(config: TaggerConfig) -> Shape:
    return Shape(words_are_given=True, is_spelled=config.char_hidden > 0, targets="tags")


def _rows(path: str, config: TaggerConfig, options: LabelledOptions) -> Rows:
    return TaggedRows(inspect(path), columns_of(options), options.max_length, config.scheme, options.encoding)


def _network(config: TaggerConfig, ids: Ids, known: KnownRows | None) -> Network:
    return Tagger(config, ids.words.size, ids.targets, known)


def score(learner: Learner, ids: Ids, examples: Examples) -> Scores:
    """Entity F1, precision, recall and accuracy; of plain tags the accuracy."""
    labels = tag_labels(ids)
    scorer = TagScorer(labels.is_plain)
    for batch, answers in answered(learner, examples):
        for start, (tags, _) in zip(batch.targets.starts, answers, strict=True):
            expected = batch.targets.values[start : start + len(tags)]
            scorer.add(labels.tags(expected), labels.tags(tags))
    found = scorer.scores()
    if labels.is_plain:
        return Scores(found.accuracy, "accuracy", {"accuracy": found.accuracy}, [f"accuracy {found.accuracy:.4f}"])
    return Scores(found.f1, "f1", said_of(found), table(found))


def said_of(found: EntityScores) -> dict[str, Any]:
    """The scores by name."""
    all_of_them = {name: getattr(found, name) for name in ("f1", "precision", "recall", "accuracy")}
    return {**all_of_them, "by_type": {kind: scores._asdict() for kind, scores in found.by_type.items()}}


def table(found: EntityScores) -> list[str]:
    """The scores as conlleval lays them out, in percent."""
    lines = [
        f"processed {found.tokens} tokens with {found.expected} phrases; found: {found.found} phrases; correct: "
        f"{found.correct}.",
        f"accuracy: {found.accuracy:7.2%}; precision: {found.precision:7.2%}; recall: {found.recall:7.2%}; FB1: "
        f"{100 * found.f1:6.2f}",
    ]
    width = max(map(len, found.by_type), default=0)
    for kind, scores in found.by_type.items():
        lines.append(
            f"{kind:>{width}}: precision: {scores.precision:7.2%}; recall: {scores.recall:7.2%}; FB1: "
            f"{100 * scores.f1:6.2f}  {scores.found}"
        )
    return lines


def _tokens(options: dict[str, Any]) -> dict[str, Any]:
    """Of a line of text, words are those that tagged sentences mostly have; columns are numbers."""
    columns_of(LabelledOptions(**pick(LabelledOptions, options)))
    if "tokens" in options or "token_pattern" in options:
        return options
    return {**options, "tokens": "regex", "token_pattern": _WORDS}


TAGGER = Task("tagger", TaggerConfig, _shape, _rows, _network, score, _tokens)
