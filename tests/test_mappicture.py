"""Maps as pictures: names that do not overlap as they are drawn, the same bytes each time, letters of every kind."""

import itertools
from pathlib import Path

import numpy as np
import pytest
from maps import HOSTILE, hostile_map, topical_vectors

from streamvec.errors import StreamvecError
from streamvec.tasks.mappicture import draw_map, fonts_of, map_figure
from streamvec.tasks.mapwords import most_frequent
from streamvec.tasks.pictures import GROUPS, group_colours, visible
from streamvec.tasks.wordmap import MapOptions, WordMap, make_map

pytest.importorskip("matplotlib", reason="matplotlib is not installed: pip install 'streamvec[plot]'")


def small_map(words: int = 120, colour: str = "frequency") -> WordMap:
    vectors = topical_vectors(words)
    return make_map(vectors, most_frequent(vectors, words), MapOptions(method="pca", colour=colour))


@pytest.mark.parametrize("words", [1, 2, 120, 600])
@pytest.mark.parametrize("colour", ["frequency", "cluster"])
def test_names_as_drawn_neither_overlap_nor_leave_the_picture(words: int, colour: str) -> None:
    word_map = small_map(words, colour)
    with fonts_of(word_map) as missing:
        figure, labels = map_figure(word_map)
        assert not missing
        (ax,) = figure.axes
        boxes = [text.get_window_extent() for text in ax.texts]
    assert {text.get_text() for text in ax.texts} == {word_map.words[label.point] for label in labels}
    assert len(boxes) == len(labels) >= min(words, 60)
    for a, b in itertools.combinations(boxes, 2):
        assert a.x1 <= b.x0 or a.x0 >= b.x1 or a.y1 <= b.y0 or a.y0 >= b.y1
    inside = figure.bbox
    (legend,) = figure.legends
    for box in boxes:
        assert box.x0 >= 0 and box.y0 >= legend.get_window_extent().y1 - 1
        assert box.x1 <= inside.x1 and box.y1 <= inside.y1
    assert legend.get_window_extent().x0 >= 0 and legend.get_window_extent().x1 <= inside.x1


@pytest.mark.parametrize(("ending", "begins"), [(".png", b"\x89PNG"), (".svg", b"<?xml"), (".pdf", b"%PDF")])
def test_pictures_are_the_same_each_time(tmp_path: Path, ending: str, begins: bytes) -> None:
    word_map = small_map()
    for name in ("one", "two"):
        drawn = draw_map(word_map, tmp_path / (name + ending))
        assert drawn.labels > 60 and drawn.missing == 0
    first = (tmp_path / f"one{ending}").read_bytes()
    assert first.startswith(begins) and len(first) > 10_000
    assert first == (tmp_path / f"two{ending}").read_bytes()


def test_words_of_every_kind_are_drawn_and_missing_letters_counted(tmp_path: Path) -> None:
    word_map, _ = hostile_map(40)
    never = word_map._replace(words=[*word_map.words[:-1], "\U0010fffd"])  # a private character that no font has
    drawn = draw_map(never, tmp_path / "map.svg")
    assert 1 <= drawn.missing <= len(HOSTILE) + 1
    with pytest.raises(StreamvecError, match=r"pictures end in \.png, \.svg, \.pdf"):
        draw_map(word_map, tmp_path / "map.gif")


def test_what_cannot_be_seen_is_written_out() -> None:
    assert (
        visible("a\tb\x00") == "a\\u0009b\\u0000" and visible("\u202egnp") == "\\u202egnp" and visible(" ") == "\\u0020"
    )
    assert visible("👩‍👧 東京 new york") == "👩‍👧 東京 new york"


def test_colours_of_many_groups_differ() -> None:
    assert group_colours(3) == list(GROUPS[:3])
    many = group_colours(64)
    assert len(set(many)) == 64 and all(len(colour) == 7 for colour in many)


def test_options_are_checked() -> None:
    for wrong, said in (
        ({"method": "umap"}, "method must be tsne or pca"),
        ({"clusters": 65}, "clusters must be from 1 to 64, got 65"),
        ({"perplexity": 10, "method": "pca"}, "perplexity is of tsne"),
        ({"perplexity": 0.2}, "perplexity must be at least 1"),
        ({"seed": -1}, "seed must be at least 0"),
    ):
        with pytest.raises(ValueError, match=said):
            MapOptions(**wrong)


def test_clusters_have_the_names_of_their_words() -> None:
    pytest.importorskip("sklearn", reason="scikit-learn is not installed: pip install 'streamvec[plot]'")
    vectors = topical_vectors(200)
    word_map = make_map(vectors, most_frequent(vectors, 200), MapOptions(method="pca", clusters=5))
    assert word_map.clusters is not None and len(word_map.cluster_names) == 5
    for number, name in enumerate(word_map.cluster_names):
        words = {word_map.words[row] for row in np.flatnonzero(word_map.clusters == number)}
        assert set(name.split(", ")) <= words and len({word.split("w")[0] for word in name.split(", ")}) == 1
