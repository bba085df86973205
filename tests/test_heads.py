"""The heads of language models against a naive softmax in float64; gradients against central differences."""

import numpy as np
import pytest
from naive_recurrent import central_differences, log_chances

from streamvec.kernels.team import Team
from streamvec.models import adaptivehead
from streamvec.models.adaptivehead import AdaptiveHead
from streamvec.models.blas import one_thread_a_product
from streamvec.models.head import Given
from streamvec.models.softmaxhead import SoftmaxHead

COLUMNS, SCALE = 16, 0.25
# V and cuts: of a softmax over every word in 1, 2 and 3 blocks; of an adaptive one with 1 to 3 clusters.
SIZES = [(7, ()), (512, ()), (1100, ()), (40, (10,)), (1300, (600, 1200)), (60, (1, 2, 50))]


def made(words, cuts, most, threads=1):
    """A head with random parameters in float32, and the same in float64."""
    team = Team(threads)
    head = AdaptiveHead([*cuts, words], COLUMNS, most, team) if cuts else SoftmaxHead(words, COLUMNS, most, team)
    draw = np.random.default_rng(words)
    parameters = {name: draw.normal(0, 0.4, shape).astype(np.float32) for name, shape in head.shapes().items()}
    return head, team, parameters, {name: array.astype(np.float64) for name, array in parameters.items()}


def asked(words, count, seed=2):
    """Hidden vectors and the words that follow them."""
    draw = np.random.default_rng(seed)
    return draw.normal(0, 1, (count, COLUMNS)).astype(np.float32), draw.integers(0, words, count).astype(np.int32)


def worked(head, team, parameters, hidden, targets, trains=True):
    """(losses, gradients by parameters, by hidden vectors) that the team finds; what it does not write stays NaN."""
    gradients = {name: np.full_like(array, np.nan) for name, array in parameters.items()} if trains else None
    head.begin(targets)
    with one_thread_a_product():
        team.run(lambda thread: head.work(Given(parameters, gradients, hidden, targets, SCALE), thread))
    by_hidden = head.d_hidden(0, len(targets)) if trains else None
    return head.losses[: len(targets)].copy(), gradients, by_hidden


def naive(p, cuts, words, hidden, targets):
    return -log_chances(p, hidden, False, [*cuts, words] if cuts else ())[np.arange(len(targets)), targets]


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize(("words", "cuts"), SIZES)
def test_losses_and_gradients_by_hidden_vectors(words, cuts, threads):
    head, team, parameters, p = made(words, cuts, 50, threads)
    for count in (37, 50, 1):  # a smaller batch after a larger one takes nothing from it
        hidden, targets = asked(words, count)
        wide = hidden.astype(np.float64)
        losses, _, by_hidden = worked(head, team, parameters, hidden, targets)
        np.testing.assert_allclose(losses, naive(p, cuts, words, wide, targets), rtol=2e-5)
        some = wide[:2].copy()
        expected = central_differences(lambda: naive(p, cuts, words, some, targets[:2]).sum() * SCALE, some)  # noqa: B023
        np.testing.assert_allclose(by_hidden[:2], expected, atol=1e-5)
        only, nothing, _ = worked(head, team, parameters, hidden, targets, trains=False)
        assert nothing is None and (only == losses).all()
    team.close()


@pytest.mark.parametrize(("words", "cuts"), [(7, ()), (530, ()), (40, (10,)), (60, (1, 2, 50))])
def test_gradients_by_parameters(words, cuts):
    head, team, parameters, p = made(words, cuts, 30)
    hidden, targets = asked(words, 30)
    _, gradients, _ = worked(head, team, parameters, hidden, targets)
    wide, draw = hidden.astype(np.float64), np.random.default_rng(5)
    for name, array in p.items():  # the slope in some directions, each of which all numbers have a part in
        assert np.isfinite(gradients[name]).all()
        for _ in range(8):
            direction = draw.normal(0, 1, array.shape)
            moved = [
                naive({**p, name: array + sign * 1e-5 * direction}, cuts, words, wide, targets).sum()
                for sign in (1, -1)
            ]
            slope = SCALE * (moved[0] - moved[1]) / 2e-5
            size = np.linalg.norm(gradients[name]) + 1
            assert (gradients[name] * direction).sum() == pytest.approx(slope, abs=1e-5 * size * np.sqrt(array.size))


@pytest.mark.parametrize(("words", "cuts"), SIZES)
def test_chances_add_up_to_1_and_agree_with_losses(words, cuts):
    head, team, parameters, _ = made(words, cuts, 20)
    hidden, targets = asked(words, 20)
    losses, _, _ = worked(head, team, parameters, hidden, targets)
    for row in range(20):
        logs = head.log_chances(parameters, hidden[row])
        assert logs.shape == (words,) and np.exp(logs).sum() == pytest.approx(1, abs=1e-5)
        assert -logs[targets[row]] == pytest.approx(losses[row], rel=2e-5)


def test_a_cluster_that_no_row_is_of_has_gradients_of_zero():
    head, team, parameters, p = made(60, (20, 40), 10, 2)
    hidden, _ = asked(60, 10)
    for targets, idle in ((np.arange(10), (0, 1)), (np.arange(20, 30), (1,)), (np.arange(45, 55), (0,))):
        targets = targets.astype(np.int32)
        losses, gradients, by_hidden = worked(head, team, parameters, hidden, targets)
        np.testing.assert_allclose(losses, naive(p, (20, 40), 60, hidden.astype(np.float64), targets), rtol=2e-5)
        assert np.isfinite(by_hidden).all()
        for number in (0, 1):
            parts = [gradients[f"tail.{number}{part}"] for part in ("", ".b", ".down")]
            assert all(part.any() == (number not in idle) for part in parts)
    team.close()


@pytest.mark.parametrize("threads", [1, 2])
def test_more_rows_than_a_cluster_scores_at_once(monkeypatch, threads):
    found = []
    for room in (adaptivehead._ROOM, 1):  # all at once, and 16 at a time
        monkeypatch.setattr(adaptivehead, "_ROOM", room)
        head, team, parameters, _ = made(900, (3, 400), 100, threads)
        assert (head._tails[0].most == 16) == (room == 1)
        hidden, targets = asked(900, 100)
        assert (targets >= 400).sum() > 40
        losses, gradients, by_hidden = worked(head, team, parameters, hidden, targets)
        found.append({"losses": losses, "hidden": by_hidden, **gradients})
        team.close()
    for name, whole in found[0].items():
        np.testing.assert_allclose(found[1][name], whole, atol=2e-6, err_msg=name)


def test_rare_words_have_smaller_projections_and_cuts_must_rise():
    team = Team(1)
    shapes = AdaptiveHead([100, 200, 300], 256, 4, team).shapes()
    assert shapes["output"] == (102, 256) and shapes["tail.0"] == (100, 64) and shapes["tail.1"] == (100, 16)
    for cuts in ([5, 5, 9], [7, 3, 9], [0, 9]):
        with pytest.raises(ValueError, match="cuts must rise from at least 1 on"):
            AdaptiveHead(cuts, 16, 4, team)


@pytest.mark.parametrize("where", ["output", "tail.0", "tail.0.down"])
def test_a_number_that_is_none_is_not_lost(where):
    head, team, parameters, _ = made(40, (10,), 20)
    parameters[where][5 if where != "tail.0.down" else 0, 3] = np.nan
    hidden, targets = asked(40, 20)
    with np.errstate(invalid="ignore"):
        assert np.isnan(worked(head, team, parameters, hidden, targets)[0].sum())
