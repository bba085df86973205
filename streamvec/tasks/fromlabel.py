"""One to many: what the decoder of a translator writes when it has read a label, or a text, drawn token by token."""

from collections.abc import Iterator

import numpy as np

from streamvec.corpus.tsv import Row
from streamvec.errors import StreamvecError
from streamvec.models.translator import Translator
from streamvec.tasks.generation import Sampling, generate
from streamvec.tasks.trained import TrainedTask

_FEW = 50  # words of which all are named where another was asked for


def write(trained: TrainedTask, source: str, sampling: Sampling, length: int) -> Iterator[str]:
    """A text for *source*, in tokens, each with what stands before it; up to *length* of them, or until it ends.

    StreamvecError where *source* has a word that is not known, or none.
    """
    ids, words = trained.ids.of([Row(source, "")], untold=True).words, trained.ids.target_words
    assert words is not None
    refuse_unknown(trained, source, ids.values)
    network = trained.network()
    assert isinstance(network, Translator)
    decoder, symbols = network.decoder(trained.learner.parameters, ids), words.symbols
    never = [symbols.unknown]
    for number, token in enumerate(generate(decoder, [], sampling, length, symbols.begin, symbols.end, never)):
        yield (words.tokenizer.between if number else "") + symbols.names[token].as_py()


def refuse_unknown(trained: TrainedTask, source: str, ids: np.ndarray) -> None:
    """StreamvecError where *source*, whose words have *ids*, has a word that is not known, or none."""
    words, folder = trained.ids.words, trained.run.folder
    tokens = source.split(" ") if trained.ids.shape.words_are_given else words.tokenizer.tokens(source)
    if not "".join(tokens).strip():
        raise StreamvecError(f"{folder}: it writes of what it reads, and that is empty: give it a label (--prompt)")
    unknown = [token for token, known in zip(tokens, ids.tolist(), strict=False) if known == words.symbols.unknown]
    if not unknown:
        return
    names = words.symbols.names.slice(words.symbols.shift)
    hint = f"it knows {', '.join(sorted(names.to_pylist()))}" if len(names) <= _FEW else "give one that it has met"
    raise StreamvecError(f"{folder}: does not know {unknown[0]!r}: {hint}")
