"""What language models begin with: layers of both directions, and an output that knows how often each token comes."""

import json
from importlib.resources import as_file, files

import numpy as np
import pytest
from test_stack import places_of

import streamvec as sv
from streamvec.corpus.compression import zstd
from streamvec.models.cells import CELLS
from streamvec.models.languagemodel import LanguageModel
from streamvec.models.learning import OPTIMIZERS
from streamvec.models.lmconfig import LmConfig
from streamvec.models.lmstart import start_layer
from streamvec.models.shape import Shape

COUNTS = np.array([0, 50, 20, 10, 10, 5, 3, 2, 1, 1])


@pytest.mark.parametrize("cell", CELLS)
def test_layers_of_both_directions_begin_alike(cell):
    shape = Shape(cell, 5, 20, 2, bidirectional=True)
    for number, (name, size) in enumerate(shape.parameters().items()):
        array = np.zeros(size, np.float32)
        start_layer(shape, name, array, number)
        layer, part = name.rpartition(".")[::2]
        places = places_of(shape, layer, part)
        inner = array[places]
        if part in "WU":
            assert (inner != 0).all() and np.unique(inner).size > 0.9 * inner.size
        else:
            expected = np.zeros(inner.size)
            expected[20:40] = cell == "lstm" and part == "b"  # forget gates are open
            np.testing.assert_array_equal(inner, expected)
        array[places] = 0
        assert not array.any()  # padding


@pytest.mark.parametrize("output", ["softmax", "adaptive", "nce"])
def test_rnn_relu_begins_with_what_is_known_of_the_counts(output):
    config = LmConfig(cell="rnn-relu", hidden=8, layers=1, batch=2, bptt=3, output=output, cutoffs="3,6", samples=4)
    model = LanguageModel(config, COUNTS.size, 5, counts=COUNTS)
    for name in model.parameters:
        if name in ("output", "tail.0", "tail.1"):
            model.parameters[name][:] = 0
    reader = model.reader(1)
    chances = np.exp(reader.read(1).astype(np.float64))
    expected = np.maximum(COUNTS, 1)
    np.testing.assert_allclose(chances, expected / expected.sum(), rtol=1e-5)
    if output == "nce":  # its scores are taken for log(V p) without a sum
        assert np.exp(model.parameters["output.b"].astype(np.float64)).sum() == pytest.approx(COUNTS.size, rel=1e-5)
    other = LanguageModel(LmConfig(cell="rnn", hidden=8, layers=1, batch=2, bptt=3), COUNTS.size, 5, counts=COUNTS)
    assert not other.parameters["output.b"].any()


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("cell", CELLS)
def test_each_cell_learns_a_small_text_at_its_usual_rate(tmp_path, cell, optimizer):
    with as_file(files("streamvec") / "data" / "novels-en.txt.zst") as path, zstd.open(path) as novels:
        (tmp_path / "text.txt").write_bytes(novels.read(100_000))
    options = {"cell": cell, "level": "char", "hidden": 64, "layers": 1, "threads": 1}
    options["epochs"] = 2 if cell == "gru-simple" else 1
    for seed in (1, 2) if cell == "rnn-relu" else (1,):
        run = tmp_path / f"run{seed}"
        sv.train_lm(tmp_path / "text.txt", run, optimizer=optimizer, seed=seed, **options)
        record = json.loads((run / "metrics.jsonl").read_text().splitlines()[-1])
        assert record["epoch_loss"] < 3.1  # that of the counts alone
