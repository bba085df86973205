"""Attention against loops in float64, and its gradients against central differences."""

import numpy as np
import pytest
from naive_recurrent import central_differences

from streamvec.models.attention import COMBINE, SCORE, Attention
from streamvec.models.shape import Shape, padded

ENCODER, DECODER, UNITS = Shape("gru", 2, 3, 1, True), Shape("gru", 2, 4, 1), 5
STEPS, LENGTHS = 3, np.array([4, 1, 2])
MEMORY, QUERIES = 6, 4  # units, unpadded
MEMORY_PLACES, QUERY_PLACES = np.array([0, 1, 2, 16, 17, 18]), np.arange(4)


def naive(p, queries, memory, lengths):
    """(what goes on, the weights) [steps, lanes, n], unpadded."""
    steps, lanes = queries.shape[:2]
    out, weights = np.zeros((steps, lanes, UNITS)), np.zeros((steps, lanes, len(memory)))
    for t in range(steps):
        for lane in range(lanes):
            states = memory[: lengths[lane], lane]
            scores = np.array([queries[t, lane] @ (state @ p[SCORE]) for state in states])
            part = np.exp(scores) / np.exp(scores).sum()
            context = sum((w * state for w, state in zip(part, states, strict=True)), np.zeros(MEMORY))
            out[t, lane] = np.tanh(np.concatenate([context, queries[t, lane]]) @ p[COMBINE])
            weights[t, lane, : lengths[lane]] = part
    return out, weights


PLACES = {
    SCORE: np.ix_(MEMORY_PLACES, QUERY_PLACES),
    COMBINE: np.ix_(np.concatenate([MEMORY_PLACES, 32 + QUERY_PLACES]), np.arange(UNITS)),
}


def wide(x, places, columns):
    found = np.zeros((*x.shape[:2], columns), np.float32)
    found[:, :, places] = x
    return found


def some(seed=1, spread=0.8):
    """An attention, its parameters padded and plain, and plain queries and memory."""
    draw, attention = np.random.default_rng(seed), Attention(ENCODER, DECODER, UNITS)
    arrays = {name: np.zeros(shape, np.float32) for name, shape in attention.shapes().items()}
    p = {}
    for name, array in arrays.items():
        p[name] = draw.normal(0, spread, array[PLACES[name]].shape)
        array[PLACES[name]] = p[name]
    queries = draw.normal(0, 1, (STEPS, len(LENGTHS), QUERIES))
    memory = draw.normal(0, 1, (LENGTHS.max(), len(LENGTHS), MEMORY))
    return attention, arrays, p, queries, memory


def padded_inputs(queries, memory):
    return wide(queries, QUERY_PLACES, DECODER.outputs), wide(memory, MEMORY_PLACES, ENCODER.outputs)


def test_what_goes_on_and_the_weights_are_those_of_the_loops():
    attention, arrays, p, queries, memory = some()
    found = attention.forward(arrays, *padded_inputs(queries, memory), LENGTHS)
    expected, weights = naive(p, queries, memory, LENGTHS)
    assert found.shape == (STEPS, len(LENGTHS), padded(UNITS)) and found.dtype == np.float32
    np.testing.assert_allclose(found[:, :, :UNITS], expected, atol=2e-6)
    assert not found[:, :, UNITS:].any()
    np.testing.assert_allclose(attention.weights, weights, atol=2e-6)
    np.testing.assert_allclose(attention.weights.sum(axis=2), 1, atol=1e-6)


def test_gradients_are_central_differences():
    attention, arrays, p, queries, memory = some()
    by_out = np.random.default_rng(9).normal(0, 1, (STEPS, len(LENGTHS), UNITS))

    def loss():
        return (naive(p, queries, memory, LENGTHS)[0] * by_out).sum()

    attention.forward(arrays, *padded_inputs(queries, memory), LENGTHS)
    gradients = {name: np.full_like(array, np.nan) for name, array in arrays.items()}
    d_queries, d_memory = attention.backward(arrays, gradients, wide(by_out, np.arange(UNITS), padded(UNITS)))
    for name, places in PLACES.items():
        expected = np.zeros(arrays[name].shape)
        expected[places] = central_differences(loss, p[name])
        np.testing.assert_allclose(gradients[name], expected, atol=2e-5, err_msg=name)
    expected = wide(central_differences(loss, queries), QUERY_PLACES, DECODER.outputs)
    np.testing.assert_allclose(d_queries, expected, atol=2e-5)
    expected = wide(central_differences(loss, memory), MEMORY_PLACES, ENCODER.outputs)
    np.testing.assert_allclose(d_memory, expected, atol=2e-5)
    assert np.abs(d_memory).max() > 0.1 and np.abs(gradients[SCORE]).max() > 0.1


def test_what_is_behind_a_lane_s_length_changes_nothing_and_gets_no_gradient():
    attention, arrays, _, queries, memory = some()
    behind = np.arange(len(memory))[:, None] >= LENGTHS
    results = []
    for filled in (0.0, 1000.0):
        memory[behind] = filled
        out = attention.forward(arrays, *padded_inputs(queries, memory), LENGTHS).copy()
        gradients = {name: np.full_like(array, np.nan) for name, array in arrays.items()}
        d_queries, d_memory = attention.backward(arrays, gradients, np.ones_like(out))
        assert not d_memory[behind].any() and not attention.weights.transpose(0, 2, 1)[:, behind].any()
        results.append([out, d_queries, d_memory, *gradients.values()])
    for first, second in zip(*results, strict=True):
        np.testing.assert_array_equal(first, second)


def test_one_step_at_a_time_gives_what_all_steps_give():
    attention, arrays, _, queries, memory = some()
    padded_queries, padded_memory = padded_inputs(queries, memory)
    whole = attention.forward(arrays, padded_queries, padded_memory, LENGTHS).copy()
    weights = attention.weights.copy()
    attention.remember(arrays, padded_memory, LENGTHS)
    for t in range(STEPS):
        np.testing.assert_allclose(attention.attend(arrays, padded_queries[t : t + 1])[0], whole[t], atol=1e-6)
        np.testing.assert_allclose(attention.weights[0], weights[t], atol=1e-6)


def test_hypotheses_about_one_source_can_be_steps():
    attention, arrays, p, queries, memory = some()
    padded_queries, padded_memory = padded_inputs(queries, memory)
    attention.remember(arrays, padded_memory[:, :1], LENGTHS[:1])
    found = attention.attend(arrays, np.ascontiguousarray(padded_queries.reshape(-1, 1, DECODER.outputs)))
    expected, _ = naive(p, queries.reshape(-1, 1, QUERIES), memory[:, :1], LENGTHS[:1])
    np.testing.assert_allclose(found[:, :, :UNITS], expected, atol=2e-6)


def test_a_lane_without_any_position_has_a_context_of_zeros():
    attention, arrays, p, queries, memory = some()
    lengths = np.array([4, 0, 2])
    found = attention.forward(arrays, *padded_inputs(queries, memory), lengths)
    expected, _ = naive(p, queries, memory, lengths)
    np.testing.assert_allclose(found[:, :, :UNITS], expected, atol=2e-6)
    gradients = {name: np.full_like(array, np.nan) for name, array in arrays.items()}
    d_queries, d_memory = attention.backward(arrays, gradients, np.ones_like(found))
    assert np.isfinite(d_queries).all() and not d_memory[:, 1].any()


def test_large_scores_stay_finite():
    attention, arrays, _, queries, memory = some(spread=300)
    found = attention.forward(arrays, *padded_inputs(queries * 100, memory), LENGTHS)
    assert np.isfinite(found).all() and attention.weights.max() == pytest.approx(1)


def test_the_room_is_used_again_for_other_shapes():
    attention, arrays, p, queries, memory = some()
    for steps, lanes, positions in ((3, 3, 4), (1, 2, 2), (3, 3, 4)):
        lengths = np.minimum(LENGTHS[:lanes], positions)
        given = queries[:steps, :lanes], memory[:positions, :lanes]
        found = attention.forward(arrays, *padded_inputs(*given), lengths)
        np.testing.assert_allclose(found[:, :, :UNITS], naive(p, *given, lengths)[0], atol=2e-6)


def test_it_begins_with_small_weights_and_zeros_where_it_is_padded():
    attention = Attention(ENCODER, DECODER, UNITS)
    arrays = {name: np.zeros(shape, np.float32) for name, shape in attention.shapes().items()}
    attention.start(arrays, 11)
    for name, array in arrays.items():
        filled = array[PLACES[name]]
        reach = np.sqrt(6 / sum(filled.shape))
        assert filled.all() and len(np.unique(filled)) == filled.size and np.abs(filled).max() < reach
        assert np.count_nonzero(array) == filled.size
    again = {name: np.zeros_like(array) for name, array in arrays.items()}
    attention.start(again, 11)
    assert all((again[name] == arrays[name]).all() for name in arrays)
