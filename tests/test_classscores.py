"""Scores of labels against counting them one by one, and against scikit-learn."""

import numpy as np
import pytest

from streamvec.corpus import classscores
from streamvec.corpus.classscores import ClassCounts, class_scores

LABELS = ["a", "b", "c", "never"]


def some(seed, size=60, unknown=False):
    draw = np.random.default_rng(seed)
    true = draw.integers(-1 if unknown else 0, 3, size).astype(np.int32)
    return true, np.where(draw.random(size) < 0.5, np.maximum(true, 0), draw.integers(0, 3, size))


def naive(true, predicted, labels):
    """(accuracy, macro F1, and (precision, recall, F1) of each label) by their definitions."""
    pairs, found = list(zip(true.tolist(), predicted.tolist(), strict=True)), []
    for label in range(len(labels)):
        both = sum(t == p == label for t, p in pairs)
        told, are = sum(p == label for _, p in pairs), sum(t == label for t, _ in pairs)
        precision, recall = both / told if told else None, both / are if are else None
        f1 = None if not told and not are else 0.0
        if both:
            f1 = 2 * precision * recall / (precision + recall)
        found.append((precision, recall, f1))
    met = [f1 for _, _, f1 in found if f1 is not None]
    return sum(t == p for t, p in pairs) / len(pairs), sum(met) / len(met), found


@pytest.mark.parametrize("unknown", [False, True])
@pytest.mark.parametrize("seed", range(3))
def test_scores_are_those_of_the_definitions(seed, unknown):
    true, predicted = some(seed, unknown=unknown)
    found = class_scores(LABELS, true, predicted)
    accuracy, macro, labels = naive(true, predicted, LABELS)
    assert found.accuracy == pytest.approx(accuracy) and found.micro_f1 == pytest.approx(accuracy)
    assert found.macro_f1 == pytest.approx(macro)
    for score, expected in zip(found.labels, labels, strict=True):
        assert (score.precision, score.recall, score.f1) == tuple(
            None if one is None else pytest.approx(one) for one in expected
        )
    assert found.unknown == (true == -1).sum() and (found.unknown > 0) == unknown
    assert found.examples == 60 and found.correct == (true == predicted).sum()
    for row in range(4):
        for column in range(4):
            assert found.confusion[row, column] == sum((true == row) & (predicted == column))


@pytest.mark.parametrize("unknown", [False, True])
def test_scores_are_those_of_scikit_learn(unknown):
    metrics = pytest.importorskip("sklearn.metrics", reason="scikit-learn is not installed")
    true, predicted = some(5, unknown=unknown)
    found = class_scores(LABELS, true, predicted)
    expected = metrics.precision_recall_fscore_support(true, predicted, labels=[0, 1, 2])
    got = [(one.precision, one.recall, one.f1, one.true) for one in found.labels[:3]]
    np.testing.assert_allclose(np.array(got).T, expected)
    assert found.macro_f1 == pytest.approx(metrics.f1_score(true, predicted, labels=[0, 1, 2], average="macro"))
    assert found.micro_f1 == pytest.approx(metrics.f1_score(true, predicted, average="micro"))
    assert found.accuracy == pytest.approx(metrics.accuracy_score(true, predicted))
    np.testing.assert_array_equal(found.confusion, metrics.confusion_matrix(true, predicted, labels=[0, 1, 2, 3]))


def test_an_unknown_label_is_wrong_whatever_was_predicted():
    found = class_scores(["a", "b"], np.array([0, -1, 1, 1]), np.array([0, 0, 1, 1]))
    assert (found.accuracy, found.unknown) == (0.75, 1)
    assert found.labels[0] == ("a", 0.5, 1.0, pytest.approx(2 / 3), 1, 2)
    assert found.labels[1] == ("b", 1.0, 1.0, 1.0, 2, 2)
    assert found.confusion.tolist() == [[1, 0], [0, 2]]


def test_labels_that_never_come_have_no_scores_and_no_part_in_the_mean():
    found = class_scores(LABELS, np.array([0, 0, 1]), np.array([0, 0, 2]))
    assert found.labels[3][1:] == (None, None, None, 0, 0)
    assert found.labels[1][1:] == (None, 0.0, 0.0, 1, 0) and found.labels[2][1:] == (0.0, None, 0.0, 0, 1)
    assert found.macro_f1 == pytest.approx(1 / 3)


def test_of_no_examples_there_are_no_shares():
    found = ClassCounts(LABELS).scores()
    assert (found.examples, found.accuracy, found.macro_f1, found.micro_f1) == (0, None, None, None)


def test_counting_in_parts_is_counting_all():
    true, predicted = some(7, unknown=True)
    counts = ClassCounts(LABELS)
    for start in range(0, 60, 7):
        counts.add(true[start : start + 7], predicted[start : start + 7])
    found, whole = counts.scores(), class_scores(LABELS, true, predicted)
    assert found.labels == whole.labels and found.unknown == whole.unknown
    np.testing.assert_array_equal(found.confusion, whole.confusion)


def test_a_matrix_of_too_many_labels_is_not_kept(monkeypatch):
    monkeypatch.setattr(classscores, "MOST_CONFUSED", 3)
    true, predicted = some(1)
    assert class_scores(LABELS[:3], true, predicted).confusion is not None
    found = class_scores(LABELS, true, predicted)
    assert found.confusion is None and found.accuracy == pytest.approx((true == predicted).mean())


def test_what_are_no_labels_is_refused():
    one = np.array([0, 1])
    with pytest.raises(ValueError, match=r"predicted must be within 0 \.\. 3, got -1 \.\. 1"):
        class_scores(LABELS, one, np.array([1, -1]))
    with pytest.raises(ValueError, match=r"true must be within -1 \.\. 3, got 0 \.\. 4"):
        class_scores(LABELS, np.array([4, 0]), one)
    with pytest.raises(ValueError, match=r"must be of one length, got \(2,\) and \(3,\)"):
        class_scores(LABELS, one, np.array([0, 1, 2]))
    with pytest.raises(ValueError, match="labels must be at least one name"):
        ClassCounts([])
