"""BLEU against its definition, counted one by one, and against sacrebleu."""

import math

import numpy as np
import pytest

from streamvec.corpus.bleu import TOKENISERS, Bleu, tokens_13a

LINES = [
    ("The cat sat on the mat.", "The cat sat on the mat."),
    ("There is a cat on the mat", "The cat is on the mat, isn't it?"),
    ("the the the the the", "the cat"),
    ("It cost $1,234.50 -- 3-4 times more!", "It cost 1,234.50 dollars: 3-4 times more."),
    ("&quot;Yes&quot; &amp;lt; he said", '"Yes" < he said.'),
    ("", "Nothing was said"),
    ("Il a dit « oui », n'est-ce pas ?", "Il a dit « oui », n'est-ce pas ?"),
    ("e.g. the U.S.A. and 5. or .5,6.,", "e.g. the U.S. and 5. or .5,6"),
    ("  two   spaces ", "two spaces"),
    ("一二三四五", "一二三五"),
]


def score_of(lines, tokeniser="13a"):
    bleu = Bleu(tokeniser)
    for translation, reference in lines:
        bleu.add(translation, reference)
    return bleu.score()


def naive(lines):
    """BLEU of lines split at spaces, without smoothing: Papineni et al. 2002, equations of section 2.3."""
    logs = 0.0
    for n in range(1, 5):
        found = among = 0
        for translation, reference in lines:
            ours, theirs = (
                [words[i : i + n] for i in range(len(words) - n + 1)]
                for words in (translation.split(), reference.split())
            )
            among += len(ours)
            for gram in ours:
                if gram in theirs:
                    theirs.remove(gram)
                    found += 1
        logs += math.log(found / among) / 4
    c, r = (sum(len(line[side].split()) for line in lines) for side in (0, 1))
    return 100 * math.exp(min(0, 1 - r / c)) * math.exp(logs)


def random_lines(seed, lines=30):
    draw = np.random.default_rng(seed)
    words = np.array(["a", "b", "d."])
    return [tuple(" ".join(words[draw.integers(0, 3, draw.integers(1, 9))]) for _ in range(2)) for _ in range(lines)]


@pytest.mark.parametrize("seed", range(4))
def test_bleu_is_that_of_the_definition(seed):
    lines = random_lines(seed)
    assert score_of(lines, "none").bleu == pytest.approx(naive(lines))


def test_a_worked_example():
    found = score_of([("a b c d e", "a b c x e f")], "none")
    assert found.precisions == pytest.approx((80, 50, 100 / 3, 25))  # 4/5, 2/4, 1/3, and half of 1/2
    assert found.brevity_penalty == pytest.approx(math.exp(1 - 6 / 5))
    assert found.bleu == pytest.approx(found.brevity_penalty * (80 * 50 * 100 / 3 * 25) ** 0.25)
    assert (found.tokens, found.reference_tokens, found.lines, found.exact) == (5, 6, 1, 0)


@pytest.mark.parametrize("tokeniser", sorted(TOKENISERS))
def test_bleu_is_that_of_sacrebleu(tokeniser):
    sacrebleu = pytest.importorskip("sacrebleu", reason="sacrebleu is not installed")
    texts = [LINES, LINES[:1], LINES[5:6], LINES[2:3], LINES[1:3], LINES[8:9], random_lines(9)[:2]]
    for lines in texts:
        expected = sacrebleu.corpus_bleu(
            [line[0] for line in lines], [[line[1] for line in lines]], tokenize=tokeniser, force=True
        )
        found = score_of(lines, tokeniser)
        assert found.bleu == pytest.approx(expected.score, abs=1e-9)
        assert found.precisions == pytest.approx(expected.precisions)
        assert found.brevity_penalty == pytest.approx(expected.bp)
        assert (found.tokens, found.reference_tokens) == (expected.sys_len, expected.ref_len)


def test_tokens_are_those_of_sacrebleu():
    tokenizer_13a = pytest.importorskip("sacrebleu.tokenizers.tokenizer_13a", reason="sacrebleu is not installed")
    theirs, draw = tokenizer_13a.Tokenizer13a(), np.random.default_rng(3)
    characters = [*"".join(map(chr, range(32, 127))), *"aab01 ..,,--'&é一«\t\n", "&amp;", "&lt;", "<skipped>", "&quot;"]
    for _ in range(1500):
        line = "".join(draw.choice(characters, 12))
        assert tokens_13a(line) == theirs(line).split(), line


def test_punctuation_stands_alone_but_within_numbers():
    assert tokens_13a("It's 1,234.5 (or 3-4), well-known.") == [
        *("It's", "1,234.5", "(", "or", "3", "-", "4", ")", ",", "well-known", ".")
    ]


def test_exact_matches_are_counted_but_for_white_space():
    found = score_of(LINES)
    assert (found.exact, found.lines, found.exact_match) == (3, 10, 0.3)


def test_nothing_scores_nothing():
    empty = Bleu().score()
    assert (empty.bleu, empty.exact_match, empty.lines) == (0, 0, 0)
    assert score_of([("", "a b c d")]).bleu == 0
    assert score_of([("x y z w", "a b c d")]).bleu == 0
    assert score_of([("a b c", "a b c")]).bleu == 0  # there are no 4-grams; sacrebleu says so, too


def test_an_unknown_tokeniser_is_refused():
    with pytest.raises(ValueError, match="tokeniser must be 13a or none or char, got 'intl'"):
        Bleu("intl")
