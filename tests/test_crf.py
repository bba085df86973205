"""The conditional random field against every path by hand; gradients against central differences."""

import naive_crf
import numpy as np
import pytest
from naive_recurrent import central_differences

from streamvec.kernels.crf import best_paths, loss_and_gradients, marginals, new_scratch

STEPS, TAGS = 4, 3
LENGTHS = [4, 0, 1, 2, 3]


def made(scale=1.0, tags=TAGS, lengths=LENGTHS, steps=STEPS, seed=1, columns=None):
    """(parameters, scores, tags, lengths) drawn at random, different for each seed."""
    draw = np.random.default_rng(seed)
    lanes = len(lengths)
    shapes = [(tags, tags), (tags,), (tags,), (steps, lanes, columns or tags)]
    transitions, first, last, scores = ((draw.normal(0, scale, shape)).astype(np.float32) for shape in shapes)
    return [transitions, first, last], scores, draw.integers(0, tags, (steps, lanes), np.int32), np.array(lengths)


def worked(parameters, scores, tags, lengths):
    """(losses, d_scores, d_transitions, d_first, d_last); unwritten stays NaN, what is added to begins at 1."""
    losses, d_scores = np.full(len(lengths), np.nan), np.full_like(scores, np.nan)
    added = [np.ones_like(one) for one in parameters]
    scratch = new_scratch(len(scores) + 1, len(parameters[1]))
    loss_and_gradients(*parameters, scores, tags, lengths, d_scores, *added, losses, scratch)
    return [losses, d_scores, *added]


def chances_of(parameters, scores, lengths):
    found = np.full_like(scores, np.nan)
    marginals(*parameters, scores, lengths, found, new_scratch(len(scores), len(parameters[1])))
    return found


def paths_of(parameters, scores, lengths):
    found = np.full(scores.shape[:2], -7, np.int32)
    best_paths(*parameters, scores, lengths, found, new_scratch(len(scores), len(parameters[1])))
    return found


def wide(parameters, scores):
    return [one.astype(np.float64) for one in parameters], scores.astype(np.float64)


@pytest.mark.parametrize("scale", [1, 300, 1e4])
@pytest.mark.parametrize("seed", range(5))
def test_losses_and_gradients(scale, seed):
    parameters, scores, tags, lengths = made(scale, seed=seed)
    ours, all_scores = wide(parameters, scores)

    def losses():
        each = zip(range(len(lengths)), lengths, strict=True)
        return [naive_crf.loss(*ours, all_scores[:n, lane], tags[:n, lane]) for lane, n in each]

    found, d_scores, *added = worked(parameters, scores, tags, lengths)
    np.testing.assert_allclose(found, losses(), rtol=1e-12, atol=1e-9)
    assert found[1] == 0
    epsilon = 1e-5 * max(1, scale / 100)  # beside scores of 10,000, smaller steps drown in rounding
    for gradient, array, begun in zip([d_scores, *added], [all_scores, *ours], [0, 1, 1, 1], strict=True):
        expected = central_differences(lambda: sum(losses()), array, epsilon)
        np.testing.assert_allclose(gradient - begun, expected, atol=2e-6 if scale == 1 else 1e-4)
    for lane, length in enumerate(lengths):
        assert not d_scores[length:, lane].any()


@pytest.mark.parametrize("scale", [1, 300, 1e4])
def test_chances_of_tags(scale):
    parameters, scores, _, lengths = made(scale, tags=4, seed=7)
    chances = chances_of(parameters, scores, lengths)
    ours, all_scores = wide(parameters, scores)
    for lane, length in enumerate(lengths):
        np.testing.assert_allclose(chances[:length, lane].sum(axis=1), 1, rtol=1e-6)
        assert not chances[length:, lane].any()
        if length:
            expected = naive_crf.marginals(*ours, all_scores[:length, lane])
            np.testing.assert_allclose(chances[:length, lane], expected, atol=1e-6)


@pytest.mark.parametrize("whole", [False, True], ids=["scores", "ties"])
def test_best_paths(whole):
    for seed in range(20):
        parameters, scores, _, lengths = made(seed=seed)
        if whole:
            parameters, scores = [np.round(one) for one in parameters], np.round(scores)
        paths = paths_of(parameters, scores, lengths)
        ours, all_scores = wide(parameters, scores)
        for lane, length in enumerate(lengths):
            assert not paths[length:, lane].any()
            if length:
                expected = naive_crf.best_path(*ours, all_scores[:length, lane])
                assert tuple(paths[:length, lane].tolist()) == expected


def test_a_transition_that_all_but_one_tag_forbids_is_not_lost():
    """exp(-9,000) is 0: that tag 1 follows tag 1 alone must come from the formula itself."""
    transitions = np.array([[0, -9000], [-9000, 0]], np.float32)
    first, last = np.array([0, -9000], np.float32), np.array([-20000, 0], np.float32)
    parameters, scores = [transitions, first, last], np.zeros((3, 1, 2), np.float32)
    tags, lengths = np.ones((3, 1), np.int32), np.array([3])
    losses, d_scores, d_transitions, *_ = worked(parameters, scores, tags, lengths)
    expected = naive_crf.loss(*wide(parameters, scores)[0], scores[:, 0].astype(np.float64), [1, 1, 1])
    np.testing.assert_allclose(losses, [expected], rtol=1e-12)  # 4 paths with one change of tags: log 4 - log 1
    chances = chances_of(parameters, scores, lengths)
    by_hand = naive_crf.marginals(*wide(parameters, scores)[0], scores[:, 0].astype(np.float64))
    np.testing.assert_allclose(chances[:, 0], by_hand, atol=1e-6)
    np.testing.assert_allclose(d_scores[:, 0, 0], by_hand[:, 0], atol=1e-6)
    assert np.isfinite(d_transitions).all()


def test_long_sequences_with_many_tags_stay_exact():
    """Every path of 2,000 steps cannot be listed: the expected counts must agree with each other."""
    steps, count = 2000, 23
    parameters, scores, tags, lengths = made(20, count, [steps, 1500], steps)
    losses, d_scores, d_transitions, d_first, _ = worked(parameters, scores, tags, lengths)
    chances = chances_of(parameters, scores, lengths)
    assert (losses > 0).all()
    for lane, length in enumerate(lengths):
        np.testing.assert_allclose(chances[:length, lane].sum(axis=1), 1, atol=1e-5)
    gold = np.zeros_like(scores)
    for lane, length in enumerate(lengths):
        gold[np.arange(length), lane, tags[:length, lane]] = 1
    np.testing.assert_allclose(d_scores, chances - gold, atol=1e-6)
    into = np.array([d_scores[1:, lane].sum(axis=0) for lane in range(2)]).sum(axis=0)
    np.testing.assert_allclose((d_transitions - 1).sum(axis=0), into, atol=1e-2)
    np.testing.assert_allclose(d_first - 1, d_scores[0].sum(axis=0), atol=1e-6)
    best = paths_of(parameters, scores, lengths)
    better = worked(parameters, scores, best, lengths)[0]
    assert (better < losses).all()


def test_columns_behind_the_tags_are_not_read():
    parameters, scores, tags, lengths = made()
    padded = np.full((*scores.shape[:2], 16), np.nan, np.float32)
    padded[..., :TAGS] = scores
    plain, other = worked(parameters, scores, tags, lengths), worked(parameters, padded, tags, lengths)
    assert not other[1][..., TAGS:].any()
    other[1] = np.ascontiguousarray(other[1][..., :TAGS])
    assert [one.tobytes() for one in plain] == [one.tobytes() for one in other]
    assert paths_of(parameters, scores, lengths).tobytes() == paths_of(parameters, padded, lengths).tobytes()
    chances = chances_of(parameters, padded, lengths)
    assert not chances[..., TAGS:].any()
    assert (chances[..., :TAGS] == chances_of(parameters, scores, lengths)).all()


def test_bytes_are_equal_twice_and_whatever_the_lanes_beside():
    parameters, scores, tags, lengths = made()
    once, again = worked(parameters, scores, tags, lengths), worked(parameters, scores, tags, lengths)
    assert [one.tobytes() for one in once] == [one.tobytes() for one in again]
    alone = worked(parameters, scores[:, 3:4].copy(), tags[:, 3:4].copy(), lengths[3:4])
    assert alone[0][0] == once[0][3] and (alone[1][:, 0] == once[1][:, 3]).all()


def test_a_score_that_is_not_a_number_shows_in_the_loss():
    parameters, scores, tags, lengths = made()
    for bad in (np.nan, np.inf):
        scores[2, 0, 1] = bad
        losses = worked(parameters, scores, tags, lengths)[0]
        assert not np.isfinite(losses[0]) and np.isfinite(losses[1:]).all()
