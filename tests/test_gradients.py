"""How far back gradients reach: norms against central differences, what is kept in a RUN, and the picture."""

import json
import shutil
from importlib.util import find_spec

import numpy as np
import pytest
from naive_recurrent import central_differences, step
from stopping import stopped_after
from test_stack import pad, plain

import streamvec as sv
from streamvec.corpus.lanes import LaneBatch
from streamvec.errors import Interrupted, StreamvecError
from streamvec.models.cells import CELLS
from streamvec.models.languagemodel import LanguageModel
from streamvec.models.lmconfig import LmConfig
from streamvec.models.shape import Shape, padded
from streamvec.models.stack import Stack
from streamvec.models.step import Position
from streamvec.tasks.gradientplot import Line, draw_gradients
from streamvec.training.checking import DAMAGED, NO_CHECKSUM
from streamvec.training.gradients import GradientReport, read_curves
from streamvec.training.info import info
from streamvec.training.metrics import Metrics
from streamvec.training.verify import verify

STEPS = 4
OPTIONS = {
    "level": "word", "cell": "lstm", "hidden": 8, "layers": 2, "batch": 18, "bptt": 5, "epochs": 2, "min_count": 2,
    "optimizer": "adam", "dropout": 0.2, "seed": 3,
}  # fmt: skip


def last_output(cell, xs, parameters, layers, state, bumps):
    """h of the last layer after the last step, of one sequence; *bumps* [layers, 2, steps, hidden] are added to every h
    and c, and whatever follows follows from the sums."""
    (h, c), bump = state, bumps
    h, c = h.copy(), c.copy()
    for number, x in enumerate(xs):
        for layer in range(layers):
            h[layer], c[layer] = step(cell, x, h[layer], c[layer], parameters[f"{layer}.forward"])
            if cell == "lstm":
                squashed = np.tanh(c[layer])
                gate = np.divide(h[layer], squashed, out=np.zeros_like(squashed), where=squashed != 0)  # padding: 0
                c[layer] += bump[layer, 1, number]
                h[layer] = gate * np.tanh(c[layer])
            h[layer] += bump[layer, 0, number]
            x = h[layer]
    return x


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("layers", [1, 2])
def test_norms_by_distance_are_those_of_central_differences(cell, layers):
    shape, lanes = Shape(cell, 3, 5, layers), 3
    parameters, draw = plain(shape, 1), np.random.default_rng(4)
    xs, weights = draw.normal(0, 1, (STEPS, lanes, 3)), draw.normal(0, 1, (lanes, 5))
    wide, d_out = np.zeros((STEPS, lanes, 16), np.float32), np.zeros((STEPS, lanes, 16), np.float32)
    wide[:, :, :3], d_out[-1, :, :5] = xs, weights
    stack, arrays = Stack(shape, STEPS + 2, lanes), pad(shape, parameters)  # with room for more steps than there are
    stack.forward(arrays, wide)
    found = {}
    stack.backward(arrays, {name: np.zeros_like(array) for name, array in arrays.items()}, d_out, found)
    assert {name[-1] for name in found} == ({"h", "c"} if cell == "lstm" else {"h"})
    zeros, bumps = (np.zeros((layers, 5)), np.zeros((layers, 5))), np.zeros((layers, 2, STEPS, 5))
    for lane in range(lanes):
        run = last_output, cell, xs[:, lane], parameters, layers, zeros, bumps
        expected = central_differences(lambda run=run, lane=lane: run[0](*run[1:]) @ weights[lane], bumps)
        for name, norms in found.items():
            layer, which = int(name.split(".")[0]), "hc".index(name[-1])
            wanted = np.linalg.norm(expected[layer, which], axis=1)[::-1]
            np.testing.assert_allclose(norms[:, lane], wanted, rtol=1e-4, atol=1e-6, err_msg=name)


@pytest.mark.parametrize(
    "more", [{"cell": "gru"}, {"cell": "lstm", "tied": True}, {"cell": "rnn", "output": "adaptive"}]
)
def test_a_language_model_gives_the_norms_of_its_last_loss_and_stays_as_it_is(more):
    config = LmConfig(hidden=5, layers=2, batch=18, bptt=STEPS, dropout=0.5, cutoffs="4,7", seed=2, **more)
    words, draw = 11, np.random.default_rng(0)
    model = LanguageModel(config, words, 3, threads=2)
    for name, array in model.parameters.items():  # larger, and such that what pads them stays zero
        array *= 1 if name.endswith(".b") else 4
    first, batch = (
        LaneBatch(*draw.integers(0, words, (2, STEPS, 18)).astype(np.int32), begins) for begins in (True, False)
    )
    model.loss([first])  # the states that are carried on
    before = {name: array.copy() for name, array in model.arrays.items()}
    found = model.gradients_by_distance(batch, Position(0, 1))
    for name, array in model.arrays.items():
        np.testing.assert_array_equal(array, before[name])
    plain_ones = {name: array.astype(np.float64) for name, array in model.parameters.items()}
    stacked = {
        f"{layer}.forward": {part: plain_ones.get(f"{layer}.forward.{part}", 0) for part in "WUbd"} for layer in (0, 1)
    }
    many, hidden, names = 2 if config.cell == "lstm" else 1, padded(5), ["h", "c"]
    held = [before[f"state.{number}"].astype(np.float64) for number in range(2 * many)]
    expected = np.zeros((18, 2, 2, STEPS, hidden))
    for lane in range(18):
        h, c = np.stack(held[::many])[:, lane], np.stack(held[many - 1 :: many])[:, lane]
        xs = plain_ones["embedding"][batch.inputs[:, lane]]
        bumps, target = np.zeros((2, 2, STEPS, hidden)), int(batch.targets[-1, lane])

        def loss(xs=xs, h=h, c=c, bumps=bumps, target=target):
            return naive_loss(plain_ones, last_output(config.cell, xs, stacked, 2, (h, c), bumps), target, config)

        for place in np.ndindex(2, many, STEPS):
            expected[(lane, *place)] = central_differences(loss, bumps[place])
    wanted = np.linalg.norm(expected, axis=-1).mean(axis=0)[:, :, ::-1]
    assert set(found) == {(layer, state) for layer in (0, 1) for state in names[:many]}
    for (layer, state), norms in found.items():
        np.testing.assert_allclose(norms, wanted[layer, names.index(state)], rtol=2e-4)


def naive_loss(parameters, hidden, target, config):
    """-log p(target) by one hidden vector."""

    def log_softmax(scores):
        return scores - scores.max() - np.log(np.exp(scores - scores.max()).sum())

    weights = parameters["embedding" if config.tied else "output"]
    head = log_softmax(weights @ hidden + parameters["output.b"])
    if config.output != "adaptive" or target < 4:
        return -head[target]
    number, first = (0, 4) if target < 7 else (1, 7)
    small = hidden @ parameters[f"tail.{number}.down"]
    within = log_softmax(parameters[f"tail.{number}"] @ small + parameters[f"tail.{number}.b"])
    return -head[4 + number] - within[target - first]


def test_five_batches_of_an_epoch_are_looked_at_or_all_of_few(tmp_path):
    class Flat:
        def gradients_by_distance(self, batch, position):
            return {(0, "h"): np.array([1.23456789, np.inf])}

    for whole, wanted in ((100, [10, 30, 50, 70, 90]), (5, [0, 1, 2, 3, 4]), (3, [0, 1, 2]), (0, [0])):
        log = Metrics(tmp_path / f"{whole}.jsonl")
        report = GradientReport(Flat(), log, whole)
        for batch in range(whole + 1):
            report.look(None, Position(2, batch))
        records = [json.loads(line) for line in log.path.read_text().splitlines()]
        assert [record["batch"] for record in records] == wanted
        assert records[0] == {"epoch": 2, "batch": wanted[0], "layer": 0, "state": "h", "norms": [1.23457, None]}


@pytest.fixture(scope="module")
def reported(corpus, tmp_path_factory):
    """A finished RUN that reports gradients."""
    run = tmp_path_factory.mktemp("gradients") / "lstm-run"
    sv.train_lm(corpus, run, report_gradients=True, threads=1, **OPTIONS)
    return run


def test_the_training_is_the_same_and_so_is_the_report_for_any_threads(corpus, tmp_path, reported):
    sv.train_lm(corpus, tmp_path / "without", threads=1, **OPTIONS)
    sv.train_lm(corpus, tmp_path / "two", report_gradients=True, threads=2, **OPTIONS)
    assert not (tmp_path / "without" / "gradients.jsonl").exists()
    for name in ("without", "two"):
        assert (tmp_path / name / "vectors.arrow").read_bytes() == (reported / "vectors.arrow").read_bytes()
        arrays = [path / "arrays.safetensors" for path in (tmp_path / name / "checkpoints").iterdir()]
        for path in arrays:
            assert path.read_bytes() == (reported / path.relative_to(tmp_path / name)).read_bytes()
        assert arrays
    assert (tmp_path / "two" / "gradients.jsonl").read_bytes() == (reported / "gradients.jsonl").read_bytes()
    records = [json.loads(line) for line in (reported / "gradients.jsonl").read_text().splitlines()]
    assert len(records) == 2 * 5 * 2 * 2  # epochs, batches, layers, states
    assert all(len(record["norms"]) == 5 and min(record["norms"]) > 0 for record in records)


def test_after_a_stop_and_a_kill_the_report_is_the_same(corpus, tmp_path, reported):
    run = tmp_path / "run"
    with pytest.raises(Interrupted):
        looked = lambda: (run / "gradients.jsonl").exists() and stop()  # noqa: E731
        stop = stopped_after(40)
        sv.train_lm(corpus, run, report_gradients=True, threads=1, stop=looked, checkpoint_batches=25, **OPTIONS)
    log = run / "gradients.jsonl"
    kept = log.read_bytes()
    assert 0 < len(kept) < (reported / "gradients.jsonl").stat().st_size
    newest = max((run / "checkpoints").iterdir())
    epoch, batch = map(int, newest.name.split("-"))
    later = {"epoch": epoch, "batch": batch, "layer": 0, "state": "h", "norms": [1.0]}  # of the step to be made next
    log.write_bytes(kept + json.dumps(later).encode() + b'\n{"epoch":')
    sv.resume(run, threads=1)
    assert log.read_bytes() == (reported / "gradients.jsonl").read_bytes()
    assert (run / "vectors.arrow").read_bytes() == (reported / "vectors.arrow").read_bytes()


def test_verify_and_info_know_the_report(tmp_path, reported):
    run = tmp_path / "run"
    shutil.copytree(reported, run)
    log = run / "gradients.jsonl"
    assert {one.path.name: one.state for one in verify(run)}["gradients.jsonl"] == NO_CHECKSUM
    assert info(run)["gradients"] == str(log)
    log.write_bytes(b"nonsense\n" + log.read_bytes())
    assert {one.path.name: one.state for one in verify(run)}["gradients.jsonl"] == DAMAGED
    with pytest.raises(StreamvecError, match="run streamvec verify"):
        read_curves(run)
    log.unlink()
    with pytest.raises(StreamvecError, match="not there yet, or gone"):
        read_curves(run)


def test_curves_are_means_over_the_last_epoch(reported):
    records = [json.loads(line) for line in (reported / "gradients.jsonl").read_text().splitlines()]
    curves = read_curves(reported)
    assert [(curve.layer, curve.state) for curve in curves] == [(0, "c"), (0, "h"), (1, "c"), (1, "h")]
    for curve in curves:
        wanted = [one["norms"] for one in records if (one["layer"], one["state"]) == curve[1:3] and one["epoch"] == 1]
        assert len(wanted) == 5 and curve.epoch == 1 and curve.cell == "lstm"
        np.testing.assert_allclose(curve.norms, np.mean(wanted, axis=0))


def test_plot_draws_a_picture(streamvec, tmp_path, reported):
    pytest.importorskip("matplotlib", reason="matplotlib is not installed: pip install 'streamvec[plot]'")
    out = tmp_path / "gradients.png"
    ended = streamvec("plot", reported, reported, "--gradients", "-o", out, "--json")
    assert ended.returncode == 0, ended.stderr
    data = out.read_bytes()
    assert data.startswith(b"\x89PNG\r\n\x1a\n") and len(data) > 10_000
    shown = [json.loads(line) for line in ended.stdout.splitlines()]
    assert len(shown) == 8 and {"run", "cell", "layer", "state", "epoch", "norms"} == set(shown[0])
    said = streamvec("plot", reported, "--gradients", "-o", tmp_path / "one.svg")
    assert said.stdout == f"{tmp_path / 'one.svg'}: 4 lines of 1 RUN\n"
    svg = (tmp_path / "one.svg").read_text()
    assert svg.startswith("<?xml")


def test_plot_says_what_it_can_do(streamvec, tmp_path, reported, finished_run):
    ended = streamvec("plot", reported, "-o", tmp_path / "map.png", "--gradients", "--learning-curve")
    assert ended.returncode == 2 and "give --gradients or --learning-curve" in ended.stderr
    ended = streamvec("plot", finished_run, "--gradients", "-o", tmp_path / "map.png")
    assert ended.returncode == 1 and "no steps in time" in ended.stderr
    ended = streamvec("plot", reported, "--gradients", "-o", tmp_path / "map.bmp")
    assert ended.returncode == 1 and ".png, .svg, .pdf" in ended.stderr
    assert not list(tmp_path.iterdir())


def test_where_matplotlib_is_missing_it_is_said(streamvec, tmp_path, reported):
    (tmp_path / "hide" / "matplotlib").mkdir(parents=True)
    (tmp_path / "hide" / "matplotlib" / "__init__.py").write_text("raise ImportError('hidden')")
    env = {"PYTHONPATH": str(tmp_path / "hide")}
    ended = streamvec("plot", reported, "--gradients", "-o", tmp_path / "g.png", env=env)
    assert ended.returncode == 1 and ended.stderr.count("\n") == 1
    assert "pip install 'streamvec[plot]'" in ended.stderr


def test_what_is_all_zero_is_not_drawn(tmp_path):
    if find_spec("matplotlib") is None:
        pytest.skip("matplotlib is not installed: pip install 'streamvec[plot]'")
    flat = Line(0, "rnn-relu", 0, "h", np.array([0.0, np.nan]))
    with pytest.raises(StreamvecError, match="nothing to draw"):
        draw_gradients([flat], tmp_path / "g.png")
    draw_gradients([flat, flat._replace(norms=np.array([0.0, 1e-3]))], tmp_path / "g.png")
    assert (tmp_path / "g.png").exists()
