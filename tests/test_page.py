"""The page of a map: what its file holds, and how it behaves in a browser, with words that try to break it."""

import base64
import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from chromium import Page, opened
from maps import HOSTILE, hostile_map

from streamvec import KeyedVectors
from streamvec.tasks.wordmap import neighbours
from streamvec.tasks.wordpage import NEAR, write_page

WORDS = 1500
ENTER, ESCAPE = "\ue007", "\ue00c"  # as WebDriver names keys


@pytest.fixture(scope="module")
def page_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "map.html"
    word_map, rows = hostile_map(WORDS)
    assert write_page(word_map, rows, path) == path.stat().st_size
    return path


def data_of(path: Path) -> dict:
    return json.loads(re.search(r'id="data">(.*?)</script>', path.read_text("utf-8"), re.DOTALL)[1])


def numbers(text: str, kind: str) -> np.ndarray:
    return np.frombuffer(base64.b64decode(text), kind)


def test_the_file_needs_nothing_else_and_words_are_data(page_file: Path) -> None:
    text = page_file.read_text("utf-8")
    outside = re.sub(r'(?s)<script type="application/json".*?</script>', "", text)
    assert not re.search(r"""(?:src|href)\s*=\s*(?!"data:,")|https?:|url\(|@import|\bfetch\(|XMLHttp""", outside)
    assert text.count("<script") == text.count("</script>") == 2
    assert "innerHTML" not in text and "insertAdjacentHTML" not in text and "eval(" not in text
    assert "<title>&lt;i&gt;hostile&lt;/i&gt;: 1,500 words</title>" in text
    assert data_of(page_file)["words"][: len(HOSTILE)] == HOSTILE


def test_the_file_is_the_same_each_time(page_file: Path, tmp_path: Path) -> None:
    write_page(*hostile_map(WORDS), tmp_path / "again.html")
    assert (tmp_path / "again.html").read_bytes() == page_file.read_bytes()


def test_numbers_of_the_page_are_those_of_the_vectors(page_file: Path) -> None:
    data = data_of(page_file)
    word_map, rows = hostile_map(WORDS)
    np.testing.assert_array_equal(numbers(data["counts"], "<f8"), word_map.counts)
    np.testing.assert_array_equal(numbers(data["ranks"], "<i4"), word_map.ranks)
    np.testing.assert_array_equal(numbers(data["groups"], "u1"), word_map.clusters)
    x, y = numbers(data["x"], "<u2").astype(float), numbers(data["y"], "<u2").astype(float)
    span = np.ptp(word_map.places, axis=0).max()
    scale = 65_535 / span
    np.testing.assert_allclose(x - x[0], (word_map.places[:, 0] - word_map.places[0, 0]) * scale, atol=1.01)
    np.testing.assert_allclose(y - y[0], -(word_map.places[:, 1] - word_map.places[0, 1]) * scale, atol=1.01)
    unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    cosines = unit.astype(np.float64) @ unit.T.astype(np.float64)
    np.fill_diagonal(cosines, -2)
    best = np.sort(cosines, axis=1)[:, ::-1][:, :NEAR]
    near = numbers(data["neighbours"], "<u2").reshape(WORDS, NEAR)
    np.testing.assert_allclose(np.take_along_axis(cosines, near.astype(int), 1), best, atol=1e-6)
    np.testing.assert_allclose(numbers(data["cosines"], "u1").reshape(WORDS, NEAR) / 100 - 1, best, atol=0.0051)


def test_neighbours_are_those_of_keyed_vectors_without_the_word_itself() -> None:
    word_map, rows = hostile_map(300)
    vectors = KeyedVectors.from_arrays(word_map.words, rows)
    found, similarities = neighbours(rows, 4)
    for row in range(0, 300, 17):
        expected = vectors.most_similar(word_map.words[row], topn=4)
        assert [word_map.words[other] for other in found[row]] == [word for word, _ in expected]
        np.testing.assert_allclose(similarities[row], [value for _, value in expected], rtol=1e-12)
    same = np.ones((20, 3), np.float32)
    found, _ = neighbours(same, 5)
    assert all(row not in found[row] for row in range(5)) and found.shape == (20, 5)
    assert neighbours(same[:1], 5)[0].shape == (1, 0)


# --- In a browser: each of these begins with a page at rest, with nothing chosen and all words in sight.


def loads_without_network_or_complaints(page: Page) -> None:
    assert page.state()["n"] == WORDS and page.state()["points"] == WORDS
    assert page.complaints() == []
    (address,) = page.requests()
    assert address.startswith("file://")
    assert page.run("return document.title") == f"<i>hostile</i>: {WORDS:,} words"


def hostile_words_are_inert(page: Page) -> None:
    type_in = "search.focus(); search.value = arguments[0]; search.dispatchEvent(new Event('input'))"
    for number, word in enumerate(HOSTILE):
        page.run(type_in, word.split("\n")[0])  # a box of one line takes no more
        options = page.run("return [...document.querySelectorAll('#matches [role=option]')].map((o) => +o.dataset.i)")
        if word.strip(" \n\ufeff"):
            assert number in options, word
            page.run("document.querySelector(`#match-${arguments[0]}`).click()", number)
            page.settled()
            (shown,) = page.texts("#word")
            assert page.state()["chosen"] == number
            assert not re.search(r"[\x00-\x1f\u202e\u2028\u2029\ufeff]", shown)
    assert page.texts("#word") == ["ＦＵＬＬ"]
    assert page.run("return window.hacked ?? null") is None
    assert page.run("return document.querySelectorAll('img, svg, b, i:not(#neighbours i)').length") == 0
    assert page.complaints() == [] and page.requests() == []


def the_policy_lets_nothing_else_run(page: Page) -> None:
    page.run("const s = document.createElement('script'); s.textContent = 'window.hacked = 9'; document.body.append(s)")
    page.run("const i = new Image(); i.src = 'https://example.invalid/x.png'; document.body.append(i)")
    page.settled()
    assert page.run("return window.hacked ?? null") is None
    assert len([line for line in page.complaints() if "Content Security Policy" in line]) >= 2
    page.run("document.querySelectorAll('body > img').forEach((one) => one.remove())")
    page.requests()


def hovering_shows_the_word_and_its_count(page: Page) -> None:
    number = len(HOSTILE) + 3
    place = page.run("return wordMap.place(arguments[0])", number)
    page.mouse("mouseMoved", place["x"], place["y"])
    page.settled()
    hovered = page.state()["hovered"]
    assert hovered >= 0
    near = page.run("return wordMap.place(arguments[0])", hovered)
    assert np.hypot(near["x"] - place["x"], near["y"] - place["y"]) < 16
    assert page.texts("#tip-word") == [page.run("return JSON.parse(data.textContent).words[arguments[0]]", hovered)]
    assert page.texts("#tip-about") == [f"{(WORDS - hovered) * 1000:,} times, rank {hovered + 1:,}"]
    page.mouse("mouseMoved", 600, 2)
    page.settled()
    assert page.state()["hovered"] == -1 and page.run("return tip.hidden")


def searching_completes_and_flies(page: Page) -> None:
    page.driver.find_element("id", "search").send_keys("word123")
    shown = page.texts("#matches bdi")
    assert shown[0] == "word123" and set(shown[1:]) == {f"word123{digit}" for digit in range(10)} - {"word1239"}
    page.driver.find_element("id", "search").send_keys("\ue015\ue015" + ENTER)  # down, down
    state = page.settled()
    assert page.texts("#word") == [shown[2]]
    assert state["scale"] > 0.02
    place = page.run("return wordMap.place(wordMap.state().chosen)")
    assert 282 < place["x"] < 1200 and 0 < place["y"] < 800


def what_is_not_there_is_said(page: Page) -> None:
    page.driver.find_element("id", "search").send_keys("<b>nothing" + ENTER)
    assert page.texts("#matches li") == [f"“<b>nothing” is not among these {WORDS:,} words."]
    assert page.state()["chosen"] == -1


def neighbours_are_listed_highlighted_and_can_be_clicked(page: Page) -> None:
    page.driver.find_element("id", "search").send_keys("word7" + ENTER)
    page.settled()
    word_map, rows = hostile_map(WORDS)
    vectors = KeyedVectors.from_arrays(word_map.words, rows)
    expected = vectors.most_similar("word7", topn=NEAR)
    listed = page.run("return [...document.querySelectorAll('#neighbours button')].map((b) => +b.dataset.i)")
    assert [word_map.words[number] for number in listed] == [word for word, _ in expected]
    assert page.texts("#neighbours span") == [f"{round((value + 1) * 100) / 100 - 1:.2f}" for _, value in expected]
    named = {box["i"] for box in page.run("return wordMap.names()")}
    assert page.state()["chosen"] in named
    page.run("document.querySelectorAll('#neighbours button')[2].click()")
    page.settled()
    assert page.state()["chosen"] == listed[2]
    page.driver.find_element("id", "close").click()
    assert page.state()["chosen"] == -1 and page.run("return panel.hidden")


def names_never_overlap_and_grow_with_the_zoom(page: Page) -> None:
    shown: list[set[int]] = []
    for _ in range(7):
        page.settled()
        boxes = page.run("return wordMap.names()")
        for place, box in enumerate(boxes):
            for other in boxes[:place]:
                apart = box["right"] <= other["left"] or box["left"] >= other["right"]
                assert apart or box["bottom"] <= other["top"] or box["top"] >= other["bottom"], (box, other)
        shown.append({box["i"] for box in boxes})
        page.driver.find_element("id", "in").click()
    assert len(shown[0]) > 20
    middle = page.run(
        "return [...Array(wordMap.state().n).keys()].filter((i) => { const p = wordMap.place(i);"
        " return p.x > 0 && p.x < 1000 && p.y > 10 && p.y < 790 })"
    )
    page.settled()
    in_sight = {box["i"] for box in page.run("return wordMap.names()")}
    assert len(in_sight) / max(1, len(middle)) > 3 * len(shown[0]) / WORDS
    assert shown[0] & set(middle) <= in_sight  # what had a name keeps it


def dragging_wheel_and_keys_move_the_map(page: Page) -> None:
    before = page.state()
    page.mouse("mousePressed", 600, 400, button="left", clickCount=1, buttons=1)
    page.mouse("mouseMoved", 640, 420, button="left", buttons=1)
    page.mouse("mouseMoved", 700, 430, button="left", buttons=1)
    page.mouse("mouseReleased", 700, 430, button="left", clickCount=1)
    after = page.settled()
    assert after["x"] == pytest.approx(before["x"] - 100 / before["scale"])
    assert after["y"] == pytest.approx(before["y"] - 30 / before["scale"])
    assert after["chosen"] == -1  # a drag is no click
    page.mouse("mouseWheel", 300, 200, deltaX=0, deltaY=-300)
    zoomed = page.settled()
    assert zoomed["scale"] > 1.4 * after["scale"]
    under = after["x"] + (300 - 600) / after["scale"], after["y"] + (200 - 400) / after["scale"]
    assert under[0] == pytest.approx(zoomed["x"] + (300 - 600) / zoomed["scale"])
    assert under[1] == pytest.approx(zoomed["y"] + (200 - 400) / zoomed["scale"])
    page.driver.find_element("id", "map").send_keys("+")
    assert page.settled()["scale"] == pytest.approx(1.6 * zoomed["scale"], rel=1e-6)
    page.driver.find_element("id", "map").send_keys("/")
    assert page.run("return document.activeElement.id") == "search"


def two_fingers_zoom_and_one_taps(page: Page) -> None:
    before = page.state()["scale"]
    page.cdp("Emulation.setTouchEmulationEnabled", enabled=True, maxTouchPoints=2)
    for kind, gap in (("touchStart", 40), ("touchMove", 60), ("touchMove", 80)):
        points = [{"x": 600 - gap, "y": 400, "id": 0}, {"x": 600 + gap, "y": 400, "id": 1}]
        page.cdp("Input.dispatchTouchEvent", type=kind, touchPoints=points)
    page.cdp("Input.dispatchTouchEvent", type="touchEnd", touchPoints=[])
    assert page.settled()["scale"] == pytest.approx(2 * before, rel=0.05)
    place = page.run("return wordMap.place(200)")
    if 300 < place["x"] < 900 and 200 < place["y"] < 600:
        page.cdp("Input.dispatchTouchEvent", type="touchStart", touchPoints=[{"x": place["x"], "y": place["y"]}])
        page.cdp("Input.dispatchTouchEvent", type="touchEnd", touchPoints=[])
        assert page.settled()["chosen"] >= 0
    page.cdp("Emulation.setTouchEmulationEnabled", enabled=False)


def colours_tell_clusters_or_frequency(page: Page) -> None:
    assert page.state()["colour"] == "cluster"
    assert page.texts("#legend .group") == [f"<b>topic {topic}</b>" for topic in range(5)]
    page.run("document.querySelectorAll('#legend .group')[1].click()")
    assert page.settled()["group"] == 1
    word_map, _ = hostile_map(WORDS)
    assert {int(word_map.clusters[box["i"]]) for box in page.run("return wordMap.names()")} == {1}
    page.driver.find_element("css selector", "[data-colour=frequency]").click()
    assert page.settled()["colour"] == "frequency" and page.state()["group"] == -1
    assert page.texts("#legend .ends span") == ["1,500,000 times", "1,000 times"]
    page.driver.find_element("css selector", "[data-colour=cluster]").click()
    assert page.settled()["colour"] == "cluster"


def light_and_dark_follow_the_system_and_the_button(page: Page) -> None:
    for theme, other in (("dark", "light"), ("light", "dark")):
        page.cdp("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": theme}])
        assert page.settled()["theme"] == theme
        page.driver.find_element("id", "theme").click()
        assert page.settled()["theme"] == other
    page.cdp("Emulation.setEmulatedMedia", features=[])


def a_narrow_window_cuts_nothing_off(page: Page) -> None:
    page.cdp("Emulation.setDeviceMetricsOverride", width=400, height=700, deviceScaleFactor=2, mobile=True)
    page.settled()
    page.driver.find_element("id", "search").send_keys("word5" + ENTER)
    page.settled()
    boxes = page.run(
        "return ['find', 'tools', 'panel'].map((id) => { const b = document.getElementById(id).getBoundingClientRect();"
        " return [b.left, b.top, b.right, b.bottom] })"
    )
    for left, top, right, bottom in boxes:
        assert left >= 0 and top >= 0 and right <= 400 and bottom <= 700
    place = page.run("return wordMap.place(wordMap.state().chosen)")
    assert 0 < place["x"] < 400 and 50 < place["y"] < boxes[2][1]
    page.cdp("Emulation.setDeviceMetricsOverride", width=1200, height=800, deviceScaleFactor=1, mobile=False)


STEPS: list[Callable[[Page], None]] = [
    loads_without_network_or_complaints,
    hostile_words_are_inert,
    hovering_shows_the_word_and_its_count,
    searching_completes_and_flies,
    what_is_not_there_is_said,
    neighbours_are_listed_highlighted_and_can_be_clicked,
    names_never_overlap_and_grow_with_the_zoom,
    dragging_wheel_and_keys_move_the_map,
    two_fingers_zoom_and_one_taps,
    colours_tell_clusters_or_frequency,
    light_and_dark_follow_the_system_and_the_button,
    a_narrow_window_cuts_nothing_off,
    the_policy_lets_nothing_else_run,
]


def test_the_page_in_a_browser(page_file: Path, subtests: pytest.Subtests) -> None:
    """One browser for all of them: to start it takes longer than to ask it."""
    with opened(page_file.as_uri()) as page:
        page.cdp("Emulation.setEmulatedMedia", features=[{"name": "prefers-reduced-motion", "value": "reduce"}])
        for step in STEPS:
            page.run(
                "document.activeElement.blur(); search.value = ''; matches.hidden = true;"
                "document.getElementById('close').click(); document.getElementById('all').click()"
            )
            page.settled()
            with subtests.test(step.__name__):
                step(page)
        assert page.complaints() == []
