"""Lanes of shards against all documents end to end, divided by hand."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamvec.corpus.lanes import Lanes
from streamvec.corpus.shards import TokenBatch
from streamvec.corpus.symbols import Symbols
from streamvec.errors import StreamvecError

END, UNKNOWN, SHIFT = 1, 0, 2
SYMBOLS = Symbols(None, UNKNOWN, END, SHIFT, END)
DOCUMENTS = st.lists(st.lists(st.integers(-3, 50), min_size=1, max_size=9), min_size=1, max_size=30)


def shards_of(documents: list[list[int]], each: int, cuts: set[int]) -> SimpleNamespace:
    batches = []
    for first in range(0, len(documents), each):
        some = documents[first : first + each]
        offsets = np.cumsum([0, *map(len, some)]).astype(np.int32)
        batches.append(TokenBatch(np.array([word for one in some for word in one], np.int32), offsets))
    cuts = {number for number in cuts if number < len(batches) - 1}
    sizes = np.array([(len(batch.offsets) - 1, len(batch.values)) for batch in batches])
    return SimpleNamespace(batch=batches.__getitem__, cuts=cuts, folder=Path("shards"), sizes=sizes.copy)


def stream_of(documents: list[list[int]], each: int, cuts: set[int]) -> list[int]:
    stream: list[int] = []
    batches = -(-len(documents) // each)
    for number, document in enumerate(documents):
        stream += [word + SHIFT if word >= 0 else UNKNOWN for word in document]
        goes_on = number % each == each - 1 and number // each in cuts and number // each < batches - 1
        stream += [] if goes_on else [END]
    return stream


@given(DOCUMENTS, st.integers(1, 5), st.integers(1, 4), st.integers(1, 7), st.sets(st.integers(0, 5)))
@settings(max_examples=200, deadline=None)
def test_lanes_are_stretches_of_the_stream(
    documents: list[list[int]], each: int, lanes: int, steps: int, cuts: set[int]
) -> None:
    stream, shards = stream_of(documents, each, cuts), shards_of(documents, each, cuts)
    length = (len(stream) - 1) // lanes
    if length < 1:
        with pytest.raises(StreamvecError, match="smaller --batch"):
            Lanes(shards, SYMBOLS, lanes, steps)
        return
    found = Lanes(shards, SYMBOLS, lanes, steps)
    batches = [found.at(0, number) for number in range(found.batches)]
    inputs = np.concatenate([batch.inputs for batch in batches])
    targets = np.concatenate([batch.targets for batch in batches])
    assert inputs.shape == (length, lanes) and [batch.begins for batch in batches] == [True] + [False] * (
        len(batches) - 1
    )
    for lane in range(lanes):
        assert inputs[:, lane].tolist() == stream[lane * length : (lane + 1) * length]
        assert targets[:, lane].tolist() == stream[lane * length + 1 : (lane + 1) * length + 1]
    again = found.at(1, found.batches - 1)  # any step can be entered again
    assert (again.inputs == batches[-1].inputs).all()
