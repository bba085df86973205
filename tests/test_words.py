"""Training of word vectors as a function: the same bytes whatever the machine, and what is refused."""

import json
import math
import random

import pytest

import streamvec
from streamvec.errors import Interrupted, StreamvecError
from streamvec.training.run import Run
from streamvec.vectors.evaluation import evaluate_similarity


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """150,000 words about two topics that never mix: enough for three record batches."""
    path = tmp_path_factory.mktemp("corpus") / "two-topics.txt"
    rng = random.Random(5)
    topics = [[f"{name}{n}" for n in range(40)] for name in ("sea", "court")]
    with path.open("w") as file:
        for _ in range(7500):
            file.write(" ".join(rng.choices(topics[rng.randrange(2)] + ["and", "the"], k=20)) + "\n")
    return path


OPTIONS = {"dim": 24, "epochs": 3, "window": 3, "sample": 1e-2, "threads": 1, "memory": 400_000_000}


@pytest.fixture(scope="module")
def vectors(corpus, tmp_path_factory):
    return streamvec.train_skipgram(corpus, tmp_path_factory.mktemp("words-runs") / "run", **OPTIONS)


def test_neighbours_are_of_the_same_topic(vectors):
    for word in ("sea3", "court7"):
        topic = word.rstrip("0123456789")
        assert all(other.startswith(topic) for other, _ in vectors.most_similar(word, topn=8))


@pytest.mark.parametrize(
    "change", [{"threads": 2}, {"threads": 4}, {"memory": 3_000_000_000}, {"checkpoint_batches": 1}]
)
def test_same_bytes_whatever_the_machine_spends(vectors, corpus, tmp_path, change):
    streamvec.train_skipgram(corpus, tmp_path / "run", **OPTIONS | change)
    assert (tmp_path / "run" / "vectors.arrow").read_bytes() == vectors_file(vectors).read_bytes()


@pytest.mark.parametrize(
    "change", [{"seed": 2}, {"dim": 25}, {"negative": 4}, {"window": 4}, {"batch": 64}, {"sample": 0.0}]
)
def test_other_options_give_other_bytes(vectors, corpus, tmp_path, change):
    streamvec.train_skipgram(corpus, tmp_path / "run", **OPTIONS | change)
    assert (tmp_path / "run" / "vectors.arrow").read_bytes() != vectors_file(vectors).read_bytes()


def vectors_file(vectors):
    return vectors_file.path


@pytest.fixture(autouse=True, scope="module")
def _remember(vectors, tmp_path_factory):
    vectors_file.path = next(tmp_path_factory.getbasetemp().glob("words-runs*/run/vectors.arrow"))


def test_a_finished_run_stands_for_its_shards(vectors, corpus, tmp_path):
    first = vectors_file(vectors).parent
    streamvec.train_skipgram(first, tmp_path / "second", **OPTIONS)
    assert (tmp_path / "second" / "vectors.arrow").read_bytes() == vectors_file(vectors).read_bytes()
    assert (tmp_path / "second" / "shards" / "00000.arrow").stat().st_ino == (
        first / "shards" / "00000.arrow"
    ).stat().st_ino


def test_resume_of_a_finished_run_gives_its_vectors(vectors):
    again = streamvec.resume(vectors_file(vectors).parent)
    assert again.most_similar("sea3") == vectors.most_similar("sea3")


def test_held_out_loss_is_recorded_each_epoch(corpus, tmp_path):
    streamvec.train_skipgram(corpus, tmp_path / "run", **OPTIONS | {"holdout": 0.1})
    lines = (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()
    losses = [json.loads(line)["heldout_loss"] for line in lines if "heldout_loss" in line]
    assert len(losses) == 3 and losses[2] < losses[0] < 6 * 0.7


def test_divergence_names_the_batch(corpus, tmp_path, monkeypatch):
    from streamvec.models.skipgram import SkipGram

    true_step = SkipGram.step

    def poisoned(self, batch, position):
        if position == (1, 1):
            self.arrays["inputs"][:5] = float("nan")
        return true_step(self, batch, position)

    monkeypatch.setattr(SkipGram, "step", poisoned)
    with pytest.raises(StreamvecError, match=r"diverged in epoch 2, batch 1: the loss is nan.*last good checkpoint"):
        streamvec.train_skipgram(corpus, tmp_path / "run", **OPTIONS | {"checkpoint_batches": 1, "sample": 0.0})
    assert not (tmp_path / "run" / "vectors.arrow").exists()
    monkeypatch.undo()
    streamvec.resume(tmp_path / "run", threads=2)
    streamvec.train_skipgram(corpus, tmp_path / "plain", **OPTIONS | {"sample": 0.0})
    assert (tmp_path / "run" / "vectors.arrow").read_bytes() == (tmp_path / "plain" / "vectors.arrow").read_bytes()


def test_an_existing_run_is_refused_and_overwritten_on_request(corpus, tmp_path):
    small = OPTIONS | {"epochs": 1}
    streamvec.train_skipgram(corpus, tmp_path / "run", **small)
    with pytest.raises(StreamvecError, match=r"exists already: go on with `streamvec resume .*--overwrite"):
        streamvec.train_skipgram(corpus, tmp_path / "run", **small)
    assert streamvec.train_skipgram(corpus, tmp_path / "run", overwrite=True, **small | {"dim": 8}).dim == 8


def test_overwrite_keeps_the_old_run_until_the_new_one_is_known_to_come(corpus, tmp_path):
    run, small = tmp_path / "run", OPTIONS | {"epochs": 1}
    streamvec.train_skipgram(corpus, run, **small)
    before = (run / "vectors.arrow").read_bytes()
    empty = tmp_path / "empty.txt"
    empty.write_text("")
    for inputs in (empty, run, run / "run.json"):
        with pytest.raises(StreamvecError, match=r"no words|lies in"):
            streamvec.train_skipgram(inputs, run, overwrite=True, **small)
        assert (run / "vectors.arrow").read_bytes() == before
    (run / "thesis.txt").write_text("mine")
    with pytest.raises(StreamvecError, match=r"thesis.txt: is not a RUN's"):
        streamvec.train_skipgram(corpus, run, overwrite=True, **small)
    (run / "thesis.txt").unlink()
    with pytest.raises(StreamvecError, match="needs"):
        streamvec.train_skipgram(corpus, run, overwrite=True, **OPTIONS | {"dim": 2_000_000})
    assert (tmp_path / "run.replaced" / "vectors.arrow").read_bytes() == before


def test_text_options_that_shards_were_not_made_with_are_refused(vectors, tmp_path):
    first = vectors_file(vectors).parent
    with pytest.raises(StreamvecError, match=r"made with min_count=5, not 50: leave --min-count out"):
        streamvec.train_skipgram(first, tmp_path / "run", **OPTIONS | {"min_count": 50})
    assert not (tmp_path / "run").exists()


def test_a_folder_that_is_no_run_is_never_removed(corpus, tmp_path):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "cat.jpg").write_bytes(b"cat")
    with pytest.raises(StreamvecError, match="not a RUN"):
        streamvec.train_skipgram(corpus, tmp_path / "photos", overwrite=True, **OPTIONS)
    assert (tmp_path / "photos" / "cat.jpg").read_bytes() == b"cat"


def test_what_a_kill_in_the_first_moment_leaves_is_no_hindrance(corpus, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "run.json.partial").write_bytes(b"{")
    (tmp_path / "run" / "lock").write_bytes(b"1\n")
    assert streamvec.train_skipgram(corpus, tmp_path / "run", **OPTIONS | {"epochs": 1}).dim == 24


def test_of_two_that_begin_at_once_one_is_refused(corpus, tmp_path):
    run = tmp_path / "run"
    Run.create(run, "skipgram", {"config": {}, "text": {}}, [])
    before = (run / "run.json").read_bytes()
    with pytest.raises(StreamvecError, match="has just begun a RUN here"):  # both had found the place empty
        Run.create(run, "skipgram", {"config": {"dim": 5}, "text": {}}, [])
    assert (run / "run.json").read_bytes() == before


def test_a_run_in_use_is_refused(corpus, tmp_path):
    from streamvec.disk.lock import locked

    Run.create(tmp_path / "run", "skipgram", {"config": {}, "text": {}}, [])
    with locked(tmp_path / "run"), pytest.raises(StreamvecError, match="in use by another streamvec"):
        streamvec.resume(tmp_path / "run")


def test_a_model_beyond_the_memory_is_refused_with_what_would_fit(corpus, tmp_path):
    with pytest.raises(StreamvecError, match=r"raise --memory to [\d,]+MB, lower --dim to \d+, or .*--max-vocab \d"):
        streamvec.train_skipgram(corpus, tmp_path / "run", **OPTIONS | {"dim": 2_000_000})


@pytest.mark.parametrize(
    ("text", "message"),
    [("", "empty|no words|no tokens|no document"), ("one two three\n", "min_count|min-count|occurs")],
)
def test_text_without_words_leaves_nothing(tmp_path, text, message):
    (tmp_path / "text.txt").write_text(text)
    with pytest.raises(StreamvecError, match=message):
        streamvec.train_skipgram(tmp_path / "text.txt", tmp_path / "run", **OPTIONS)
    assert not (tmp_path / "run").exists()


def stopped_run(corpus, folder, when):
    """A RUN stopped when its file *when* is there."""
    with pytest.raises(Interrupted, match="go on with: streamvec resume"):
        streamvec.train_skipgram(corpus, folder, stop=(folder / when).exists, **OPTIONS)


def test_changed_input_is_not_gone_on_with(corpus, tmp_path):
    text = tmp_path / "text.txt"
    text.write_bytes(corpus.read_bytes())
    stopped_run(text, tmp_path / "run", when="run.json")
    text.write_bytes(text.read_bytes() + b"and one more line\n")
    with pytest.raises(StreamvecError, match=r"text.txt: changed since .* was begun"):
        streamvec.resume(tmp_path / "run")


def test_input_is_not_needed_once_the_shards_are_there(vectors, corpus, tmp_path):
    text = tmp_path / "text.txt"
    text.write_bytes(corpus.read_bytes())
    stopped_run(text, tmp_path / "run", when="shards/index.json")
    assert (tmp_path / "run" / "shards" / "index.json").exists()
    text.unlink()
    streamvec.resume(tmp_path / "run")
    assert (tmp_path / "run" / "vectors.arrow").read_bytes() == vectors_file(vectors).read_bytes()


def test_unknown_options_are_named(corpus, tmp_path):
    with pytest.raises(ValueError, match="size"):
        streamvec.train_skipgram(corpus, tmp_path / "run", size=100)


@pytest.mark.parametrize("objective", ["ns", "hs"])
def test_cbow_learns_the_topics_too(corpus, tmp_path, objective):
    options = OPTIONS | {"objective": objective, "epochs": 5, "learning_rate": 0.1}
    vectors = streamvec.train_cbow(corpus, tmp_path / "run", **options)
    assert vectors.info["kind"] == "cbow" and vectors.info["objective"] == objective
    assert all(other.startswith("sea") for other, _ in vectors.most_similar("sea3", topn=8))
    assert streamvec.resume(tmp_path / "run").most_similar("sea3") == vectors.most_similar("sea3")


def test_the_loss_of_an_epoch_is_the_same_after_going_on_within_it(tmp_path):
    text = tmp_path / "text.txt"
    text.write_text(
        "".join(f"sea{n % 7} wave{n % 5} salt{n % 3} foam{n % 11} wind{n % 2} tide{n % 13}\n" * 40 for n in range(700))
    )
    options = OPTIONS | {"epochs": 2, "checkpoint_batches": 1, "sample": 0.0}
    streamvec.train_skipgram(text, tmp_path / "whole", **options)
    calls = iter(range(100))
    with pytest.raises(Interrupted, match="in epoch"):
        streamvec.train_skipgram(
            text, tmp_path / "run", stop=lambda: _begun(tmp_path / "run") and next(calls) == 3, **options
        )
    streamvec.resume(tmp_path / "run")
    losses = []
    for name in ("whole", "run"):
        records = [json.loads(line) for line in (tmp_path / name / "metrics.jsonl").read_text().splitlines()]
        losses.append([record["epoch_loss"] for record in records if "epoch_loss" in record])
    assert len(losses[0]) == 2 and losses[0] == losses[1]


def _begun(run):
    return any(run.glob("checkpoints/*/state.json"))


@pytest.mark.parametrize("kind", ["skipgram", "cbow"])
def test_a_full_softmax_through_the_whole_thread_and_gone_on_with(corpus, tmp_path, kind):
    train = {"skipgram": streamvec.train_skipgram, "cbow": streamvec.train_cbow}[kind]
    options = OPTIONS | {"objective": "softmax", "epochs": 4, "holdout": 0.1, "learning_rate": 0.1}
    vectors = train(corpus, tmp_path / "run", **options)
    assert all(other.startswith("sea") for other, _ in vectors.most_similar("sea3", topn=8))
    records = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    found = [record for record in records if "heldout_perplexity" in record]
    assert len(found) == 4 and found[-1]["heldout_perplexity"] < found[0]["heldout_perplexity"] < len(vectors)
    assert found[-1]["heldout_perplexity"] == pytest.approx(math.exp(found[-1]["heldout_loss"]))
    with pytest.raises(Interrupted):
        train(
            corpus,
            tmp_path / "other",
            stop=lambda: _begun(tmp_path / "other"),
            **options | {"checkpoint_batches": 1},
        )
    streamvec.resume(tmp_path / "other", threads=2)
    assert (tmp_path / "run" / "vectors.arrow").read_bytes() == (tmp_path / "other" / "vectors.arrow").read_bytes()


PATIENT = {"epochs": 40, "holdout": 0.2, "patience": 2, "learning_rate": 0.05, "final_learning_rate": 0.05, "dim": 8}


def test_patience_stops_early_and_takes_the_best_epoch(corpus, tmp_path):
    run = tmp_path / "run"
    vectors = streamvec.train_skipgram(corpus, run, **OPTIONS | PATIENT)
    records = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    losses = [record["heldout_loss"] for record in records if "heldout_loss" in record]
    best = losses.index(min(losses)) + 1
    assert len(losses) == best + 2 < 40
    streamvec.train_skipgram(corpus, tmp_path / "short", **OPTIONS | PATIENT | {"epochs": best, "patience": 0})
    expected = streamvec.KeyedVectors.load(tmp_path / "short")
    assert (vectors[["sea1", "court1"]] == expected[["sea1", "court1"]]).all()


@pytest.mark.parametrize("after", [1, 3])
def test_patience_is_the_same_after_going_on(corpus, tmp_path, after):
    options = OPTIONS | PATIENT | {"checkpoint_batches": 1}
    streamvec.train_skipgram(corpus, tmp_path / "whole", **options)
    run = tmp_path / "run"

    def stop():
        path = run / "metrics.jsonl"
        return path.exists() and path.read_text().count("heldout_loss") >= after

    with pytest.raises(Interrupted):
        streamvec.train_skipgram(corpus, run, stop=stop, **options)
    streamvec.resume(run)
    assert (run / "vectors.arrow").read_bytes() == (tmp_path / "whole" / "vectors.arrow").read_bytes()


def test_similarity_sets_are_scored_after_each_epoch(corpus, tmp_path):
    pairs = tmp_path / "pairs.tsv"
    pairs.write_text("sea1\tsea2\t9\nSea3\tsea4\t8\nsea1\tcourt1\t1\ncourt2\tsea2\t2\nsea1\tnowhere\t5\n")
    vectors = streamvec.train_skipgram(corpus, tmp_path / "run", evaluate=[pairs], **OPTIONS)
    records = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    scores = [record["similarity"]["pairs.tsv"] for record in records if "similarity" in record]
    assert len(scores) == 3 and scores[-1] > 0.7
    assert scores[-1] == pytest.approx(evaluate_similarity(vectors, pairs).spearman)
    pairs.write_text("sea1 sea2 9\nsea1 sea3 many\n")
    with pytest.raises(StreamvecError, match=r"pairs.tsv.*2"):
        streamvec.train_skipgram(corpus, tmp_path / "other", evaluate=[pairs], **OPTIONS)
    assert not (tmp_path / "other").exists()
