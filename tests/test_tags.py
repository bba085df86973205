"""Schemes of tags and scores of entities, against seqeval and by hand."""

import random
import warnings

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from seqeval.metrics import accuracy_score, classification_report
from seqeval.metrics.sequence_labeling import get_entities
from seqeval.scheme import BILOU, IOB1, IOB2, IOBES, Entities

from streamvec.corpus import tags as tags_module
from streamvec.corpus.conll import Sentence
from streamvec.corpus.tags import PLAIN, Span, TagSet, convert, scheme_of, spans, split_tag, tag_names
from streamvec.corpus.tagscores import Scores, TagScorer
from streamvec.errors import StreamvecError

THEIRS = {"IOB1": IOB1, "IOB2": IOB2, "BIOES": IOBES, "BILOU": BILOU}
TYPES = ("PER", "LOC", "B-X")
ANY = st.lists(st.sampled_from(["O", *(f"{letter}-{kind}" for letter in "BIES" for kind in TYPES)]), max_size=12)
PAIRS = st.lists(st.lists(st.tuples(*[st.sampled_from(["O", "B-PER", "I-PER", "I-LOC", "E-PER", "S-LOC"])] * 2)))
ENTITIES = st.lists(st.tuples(st.integers(0, 2), st.integers(1, 4), st.sampled_from(TYPES)), max_size=6)


def laid_out(entities: list[tuple[int, int, str]]) -> tuple[list[Span], int]:
    """Entities, each behind some words that are none, and how many words there are."""
    found, place = [], 0
    for gap, length, kind in entities:
        place += gap + length
        found.append(Span(kind, place - length, place - 1))
    return found, place + 1


def by_hand(entities: list[Span], words: int, scheme: str) -> list[str]:
    tags = ["O"] * words
    for kind, first, last in entities:
        behind_same = any(one.type == kind and one.last == first - 1 for one in entities)
        for place in range(first, last + 1):
            letter = "I"
            if place == first and (scheme != "IOB1" or behind_same):
                letter = "B"
            if scheme in ("BIOES", "BILOU") and place == last:
                single, end = scheme[4] if scheme == "BIOES" else "U", "E" if scheme == "BIOES" else "L"
                letter = single if first == last else end
            tags[place] = f"{letter}-{kind}"
    return tags


def sentence(*tags: str, line: int = 1) -> Sentence:
    return Sentence(["w"] * len(tags), list(tags), "eng.train", list(range(line, line + len(tags))))


@given(ANY)
@settings(max_examples=500, deadline=None)
def test_spans_of_any_sequence_are_those_of_conlleval(tags: list[str]) -> None:
    assert [tuple(one) for one in spans(tags)] == get_entities(tags)
    other = [{"E": "L", "S": "U"}.get(tag[0], tag[0]) + tag[1:] for tag in tags]
    assert spans(other) == spans(tags)


@given(ENTITIES, st.sampled_from(sorted(THEIRS)), st.sampled_from(sorted(THEIRS)))
@settings(max_examples=500, deadline=None)
def test_every_scheme_becomes_every_other(entities: list[tuple[int, int, str]], one: str, other: str) -> None:
    found, words = laid_out(entities)
    tags = by_hand(found, words, one)
    assert spans(tags) == found
    assert convert(tags, other) == by_hand(found, words, other)
    assert convert(convert(tags, other), one) == tags
    strict = Entities([tags], THEIRS[one]).entities[0]
    assert [(each.tag, each.start, each.end - 1) for each in strict] == found


@given(st.lists(ENTITIES, min_size=1), st.sampled_from(sorted(THEIRS)))
@settings(max_examples=300, deadline=None)
def test_sequences_in_a_scheme_need_no_repair(many: list[list[tuple[int, int, str]]], scheme: str) -> None:
    sentences = [sentence(*by_hand(*laid_out(entities), scheme)) for entities in many]
    told = scheme_of(sentences, scheme)
    assert (told.scheme, told.repaired, told.first_repaired) == (scheme, 0, "")
    guessed = scheme_of(sentences)
    assert guessed.repaired == 0
    names = tag_names(told, scheme)
    assert len(set(names)) == len(names) == 1 + len(told.types) * (2 if scheme in ("IOB1", "IOB2") else 4)
    assert set(told.counts) <= set(names)
    for one in sentences:
        for other in THEIRS:
            assert set(convert(one.tags, other)) <= set(tag_names(told, other))


@pytest.mark.parametrize(
    ("tags", "scheme"),
    [
        (["I-PER", "I-PER", "O", "I-LOC", "B-LOC"], "IOB1"),
        (["I-PER", "O"], "IOB1"),
        (["B-PER", "I-PER", "O", "B-LOC"], "IOB2"),
        (["B-PER", "B-LOC"], "IOB2"),
        (["O", "O"], "IOB2"),
        (["S-PER", "O"], "BIOES"),
        (["B-PER", "I-PER", "E-PER"], "BIOES"),
        (["B-PER", "L-PER", "U-LOC"], "BILOU"),
        (["B", "I", "O", "B"], "IOB2"),
        (["NOUN", "VERB", "X"], PLAIN),
        (["PRP$", "-LRB-", "I", ":", "O"], PLAIN),
        (["B", "I"], PLAIN),
    ],
)
def test_schemes_are_recognised(tags: list[str], scheme: str) -> None:
    found = scheme_of([sentence(*tags)])
    assert (found.scheme, found.repaired) == (scheme, 0)
    assert scheme == PLAIN or convert(tags, scheme) == tags


def test_what_cannot_stand_is_repaired_and_counted() -> None:
    good = sentence("B-PER", "I-PER", "O", "B-LOC", "O", "B-LOC")
    broken = sentence("O", "I-PER", "I-PER", "I-LOC", line=8)
    found = scheme_of([good, broken])
    assert found == TagSet(
        "IOB2",
        {"I-PER": 3, "O": 3, "B-LOC": 2, "B-PER": 1, "I-LOC": 1},
        ("LOC", "PER"),
        2,
        "eng.train: line 9: 'I-PER' stands for 'B-PER'",
    )
    assert convert(broken.tags, "IOB2") == ["O", "B-PER", "I-PER", "B-LOC"]
    assert scheme_of([good, broken], "IOB1").repaired == 3
    assert convert(["B-PER", "O", "E-LOC"], "BIOES") == ["S-PER", "O", "S-LOC"]
    assert tag_names(found, "BIOES") == ("O", "B-LOC", "S-LOC", "I-LOC", "E-LOC", "B-PER", "S-PER", "I-PER", "E-PER")
    assert tag_names(found, "IOB1") == ("O", "B-LOC", "I-LOC", "B-PER", "I-PER")


def test_plain_tags() -> None:
    tags = ["VERB", "NOUN", "NOUN", "B"]
    found = scheme_of([sentence(*tags)])
    assert found == TagSet(PLAIN, {"NOUN": 2, "B": 1, "VERB": 1}, (), 0, "")
    assert tag_names(found, PLAIN) == ("NOUN", "B", "VERB")
    assert convert(tags, PLAIN) == tags
    assert scheme_of([sentence("B-PER", "X-LOC")], PLAIN).scheme == PLAIN
    with pytest.raises(ValueError, match="scheme must be that of entities where there are any, got BIOES for plain"):
        tag_names(found, "BIOES")


def test_unknown_tags_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for wrong in ("X-FOO", "PER", "B-", "-PER", "", "BB-PER", "O-PER"):
        with pytest.raises(
            StreamvecError, match=r"^eng.train: line 5: tag '.*' is of no known scheme: expected O, or B"
        ):
            scheme_of([sentence("B-PER", "O"), sentence("O", wrong, line=4)])
    with pytest.raises(StreamvecError, match="tag 'X-FOO' is of no known scheme"):
        spans(["O", "X-FOO"])
    assert split_tag("I-a-b") == ("I", "a-b") and split_tag("O") == ("O", "") and split_tag("B") == ("B", "")
    with pytest.raises(ValueError, match="scheme must be one of IOB2, IOB1, BIOES, BILOU, plain, got 'IOB'"):
        convert(["O"], "IOB")
    with pytest.raises(ValueError, match="scheme must be one of"):
        scheme_of([sentence("O")], "iob2")
    with pytest.raises(StreamvecError, match="no tags: there is no sentence in the files"):
        scheme_of([])
    monkeypatch.setattr(tags_module, "MOST_TAGS", 2)
    with pytest.raises(
        StreamvecError, match=r"eng.train: line 3: more than 2 different tags, such as 'c': name the col"
    ):
        scheme_of([sentence("a", "b", "c")])


@given(PAIRS)
@settings(max_examples=300, deadline=None)
def test_scores_are_those_of_seqeval(pairs: list[list[tuple[str, str]]]) -> None:
    expected = [[one for one, _ in some] for some in pairs]
    found = [[other for _, other in some] for some in pairs]
    scorer = TagScorer()
    for one, other in zip(expected, found, strict=True):
        scorer.add(one, other)
    scores = scorer.scores()
    kinds = {kind for tags in [*expected, *found] for kind, *_ in get_entities(tags)}
    assert list(scores.by_type) == sorted(kinds)
    assert scores.tokens == sum(map(len, expected))
    if scores.tokens:
        assert scores.accuracy == accuracy_score(expected, found)
    if not kinds:
        assert scores[:3] == (0, 0, 0)
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = classification_report(expected, found, output_dict=True, zero_division=0)
    ours: dict[str, Scores] = {**scores.by_type}
    ours["micro avg"] = Scores(*scores[:3], scores.expected, scores.found, scores.correct)
    for name, one in ours.items():
        report = theirs[name]
        assert one[:4] == pytest.approx(
            (report["precision"], report["recall"], report["f1-score"], report["support"]), abs=1e-12
        )


def test_scores_of_valid_sequences_are_those_of_strict_mode_too() -> None:
    draw = random.Random(1)
    for scheme, theirs in THEIRS.items():
        sentences = []
        for _ in range(60):
            entities = [(draw.randrange(3), draw.randrange(1, 4), draw.choice(TYPES)) for _ in range(draw.randrange(5))]
            expected, words = laid_out(entities)
            found = [one for one in expected if draw.random() < 0.8]
            found = [Span(draw.choice(TYPES), *one[1:]) if draw.random() < 0.2 else one for one in found]
            sentences.append((by_hand(expected, words, scheme), by_hand(found, words, scheme)))
        scorer = TagScorer()
        for one, other in sentences:
            scorer.add(one, other)
        report = classification_report(
            *map(list, zip(*sentences, strict=True)), output_dict=True, mode="strict", scheme=theirs
        )
        assert 0 < scorer.scores().f1 < 1
        assert scorer.scores().f1 == pytest.approx(report["micro avg"]["f1-score"], abs=1e-12)
        for kind, scores in scorer.scores().by_type.items():
            assert scores.f1 == pytest.approx(report[kind]["f1-score"], abs=1e-12)


def test_scores_by_hand() -> None:
    scorer = TagScorer()
    scorer.add(["B-PER", "I-PER", "O", "B-LOC"], ["B-PER", "I-PER", "B-LOC", "O"])
    scorer.add(["O", "B-LOC"], ["O", "B-LOC"])
    scores = scorer.scores()
    assert scores.by_type == {"LOC": Scores(0.5, 0.5, 0.5, 2, 2, 1), "PER": Scores(1, 1, 1, 1, 1, 1)}
    assert scores[:3] == pytest.approx((2 / 3, 2 / 3, 2 / 3)) and (scores.accuracy, scores.tokens) == (4 / 6, 6)
    assert (scores.expected, scores.found, scores.correct) == (3, 3, 2)
    with pytest.raises(ValueError, match="found must have a tag for each of the 2 words, got 1"):
        scorer.add(["O", "O"], ["O"])


def test_plain_tags_have_an_accuracy_alone() -> None:
    scorer = TagScorer(plain=True)
    scorer.add(["NOUN", "VERB", "X-Y"], ["NOUN", "NOUN", "X-Y"])
    assert scorer.scores().accuracy == 2 / 3 and scorer.scores().by_type == {}
