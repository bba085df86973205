"""``streamvec plot VECTORS``: as a person calls it."""

import json
from pathlib import Path

import pytest
from maps import topical_vectors


@pytest.fixture(scope="module")
def vectors(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("vectors") / "topics.arrow"
    topical_vectors(150).save(path)
    return path


def test_a_page_is_the_same_on_one_thread_and_two(streamvec, tmp_path, vectors) -> None:
    pytest.importorskip("openTSNE", reason="openTSNE is not installed: pip install 'streamvec[plot]'")
    pages = []
    for threads in ("1", "2"):
        env = {f"{name}_NUM_THREADS": threads for name in ("OMP", "OPENBLAS", "MKL")}
        ended = streamvec("plot", vectors, "-o", tmp_path / "map.html", env=env)
        assert ended.returncode == 0, ended.stderr
        assert ended.stdout == f"{tmp_path / 'map.html'}: 150 words, 0.1 MB: open it in a browser\n"
        assert "t-SNE, 100%" in ended.stderr
        pages.append((tmp_path / "map.html").read_bytes())
    assert pages[0] == pages[1] and b'"method":"t-SNE"' in pages[0]
    other = streamvec("plot", vectors, "-o", tmp_path / "map.html", "--seed", "2")
    assert other.returncode == 0 and (tmp_path / "map.html").read_bytes() != pages[0]


def test_a_picture_and_what_is_in_it(streamvec, tmp_path, vectors) -> None:
    (tmp_path / "words.txt").write_text("\n".join([*list(topical_vectors(150).words)[:40], "nowhere"]))
    options = ["--words", tmp_path / "words.txt", "--method", "pca", "--clusters", "3"]
    ended = streamvec("plot", vectors, "-o", tmp_path / "map.png", *options, "--json")
    assert ended.returncode == 0, ended.stderr
    assert "1 of 41 words have no vector and are left out: nowhere" in ended.stderr
    records = [json.loads(line) for line in ended.stdout.splitlines()]
    assert len(records) == 40 and set(records[0]) == {"word", "rank", "count", "x", "y", "cluster"}
    assert {record["cluster"] for record in records} == {0, 1, 2} and records[0]["count"] == 450
    assert (tmp_path / "map.png").read_bytes().startswith(b"\x89PNG")
    word = records[3]["word"]
    near = streamvec("plot", vectors, "-o", tmp_path / "near.svg", "--around", word, "-n", "5", "--method", "pca")
    assert near.stdout == f"{tmp_path / 'near.svg'}: 6 words, 6 of them named\n"


def test_without_the_extra_the_page_is_drawn_all_the_same(streamvec, tmp_path, vectors) -> None:
    for module in ("openTSNE", "sklearn", "matplotlib"):
        (tmp_path / "hide" / module).mkdir(parents=True)
        (tmp_path / "hide" / module / "__init__.py").write_text("raise ImportError('hidden')")
    env = {"PYTHONPATH": str(tmp_path / "hide")}
    ended = streamvec("plot", vectors, "-o", tmp_path / "map.html", "--method", "pca", env=env)
    assert ended.returncode == 0, ended.stderr
    assert "clusters need scikit-learn" in ended.stderr and "Traceback" not in ended.stderr
    assert '"groups":null' in (tmp_path / "map.html").read_text()
    for options, said in (([], "t-SNE needs openTSNE"), (["--method", "pca"], "drawing needs matplotlib")):
        ended = streamvec("plot", vectors, "-o", tmp_path / "map.png", "--colour", "frequency", *options, env=env)
        assert ended.returncode == 1 and said in ended.stderr and "pip install 'streamvec[plot]'" in ended.stderr
        assert not (tmp_path / "map.png").exists()


@pytest.mark.parametrize(
    ("options", "status", "said"),
    [
        (["-o", "map.gif"], 1, "map.gif: pictures end in .png, .svg, .pdf, .html"),
        (["-o", "m.png", "--top", "5", "--around", "x"], 2, "choose words in one way"),
        (["-o", "m.png", "-n", "5"], 2, "-n is how many neighbours of --around WORD"),
        (["-o", "m.png", "--around", "nowhere"], 1, "'nowhere' is not among the words"),
        (["-o", "m.png", "--words", "nowhere.txt"], 1, "nowhere.txt: no such file"),
        (["-o", "m.png", "--perplexity", "500"], 2, "perplexity must be from 1 to a third"),
        (["-o", "m.png", "--perplexity", "5", "--method", "pca"], 2, "perplexity is of tsne"),
        (["-o", "m.png", "--gradients", "--seed", "3"], 2, "--seed is of maps of words"),
        (["-o", "m.png", "--gradients", "--learning-curve"], 2, "give --gradients or --learning-curve"),
        (["other", "-o", "m.png"], 2, "a map is of one VECTORS, got 2"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_what_is_wrong_is_one_line(streamvec, tmp_path, monkeypatch, vectors, options, status, said) -> None:
    monkeypatch.chdir(tmp_path)
    ended = streamvec("plot", vectors, *options)
    lines = [line for line in ended.stderr.splitlines() if "error" in line]
    assert ended.returncode == status and len(lines) == 1 and said in lines[0], ended.stderr
    assert not list(tmp_path.iterdir())
