"""MediaWiki dumps: which pages are articles, and what a reader would see of them."""

import bz2
import io
from pathlib import Path
from xml.sax.saxutils import escape

import pytest

from streamvec.corpus import mediawiki
from streamvec.corpus.blocks import Place, read_blocks
from streamvec.corpus.estimate import estimate_text_bytes
from streamvec.corpus.mediawiki import read_mediawiki
from streamvec.corpus.sources import resolve
from streamvec.corpus.wikitext import plain_text
from streamvec.errors import StreamvecError

HEAD = (
    '<mediawiki xmlns="http://www.mediawiki.org/xml/export-0.11/" version="0.11" xml:lang="de">\n<siteinfo>'
    '<sitename>W</sitename><namespaces><namespace key="0" case="first-letter" />'
    '<namespace key="1">Diskussion</namespace><namespace key="6">Datei</namespace>'
    '<namespace key="14">Kategorie</namespace></namespaces></siteinfo>\n'
)
LEFT_OUT = frozenset({"file", "image", "category"})


def page(title: str, text: str, ns: str = "<ns>0</ns>", extra: str = "", model: str = "wikitext") -> str:
    return (
        f"<page><title>{escape(title)}</title>{ns}<id>1</id>{extra}<revision><id>2</id><contributor><username>text"
        f"</username></contributor><comment>no text</comment><model>{model}</model><format>text/x-wiki</format>"
        f'<text bytes="1" xml:space="preserve">{escape(text)}</text></revision></page>\n'
    )


def dump(*pages: str) -> bytes:
    return (HEAD + "".join(pages) + "</mediawiki>").encode()


def articles(data: bytes, article: int = 0) -> list[str]:
    return [
        line
        for part in read_mediawiki(io.BytesIO(data), "d.xml", article)
        for line in part.data.decode().split("\n")[:-1]
    ]


@pytest.mark.parametrize(
    ("wikitext", "words"),
    [
        ("'''Bold''' and ''italic'' and '''''both'''''", "Bold and italic and both"),
        ("[[dog]]s, [[Rome|the city]], [[Foo|]], [[:Category:Birds]]", "dogs, the city, Foo, Category:Birds"),
        ("a [[File:x.jpg|thumb|A [[dog|hound]] in [[Rome]]]] b", "a b"),
        ("a [[Bild:Some Thing.JPG|mini|Text]] b [[image:y|z]]", "a b"),
        ("a [[Category:Birds|*]] [[de:Vogel]] [[zh-yue:x]]", "a"),
        ("[[wikt:dog|dog]] [[Help:Contents]]", "dog Help:Contents"),
        ("a {{x|{{y|{{z}}}}|b=[[c]]}} d", "a d"),
        ("a\n{| class=x\n| b || {{c}}\n|-\n{| nested\n| d\n|}\n|}\ne", "a e"),
        (":{|\n| b\n|}\nc {| d |} e", "c {| d |} e"),
        ("open {{ [[a|b]] {{x}} end", "open {{ b end"),
        ("a }} b\n|} c", "a }} b |} c"),
        ("x<ref>hidden</ref> y<ref name=a /> z<ref name='b'>{{c}} [[d]]</ref>!", "x y z!"),
        ("x <ref>never closed [[a]]", "x never closed a"),
        ("x <!-- <ref> --> y </ref> z <!-- never closed", "x y z"),
        (
            "a <math>x^2</math> <MATH>y</MATH> <gallery>\nFile:x\n</gallery> b <source lang=c>i</source>",
            "a b",
        ),
        ("<nowiki>[[x]] ''y'' {{z}} &lt;</nowiki> [[a|b]]", "[[x]] ''y'' {{z}} < b"),
        ("<pre>\n* {{x}}\n</pre>", "* {{x}}"),
        ("<nowiki/>a", "a"),
        ("== Head ==\ntext\n=== Sub = x ===\n a = b\n", "Head text Sub = x a = b"),
        ("* one\n** two\n#three\n:;four\n----\nfive", "one two three four five"),
        ("[http://a.org/x some label] [https://b.org] [//c.org d] [mailto:e f] [1]", "some label d f [1]"),
        ("H<sub>2</sub>O a<br/>b <span class='x'>c</span><div>d</div>e <small>f</small>", "H2O a b c d e f"),
        ("&amp;&nbsp;&eacute; &lt;b&gt; &#45; 3 < 4", "& é <b> - 3 < 4"),
        ("__NOTOC__ a __x__", "a __x__"),
        ("[[한국|대한민국]]의 '''수도'''", "대한민국의 수도"),
        ("", ""),
    ],
)
def test_what_a_reader_would_see(wikitext: str, words: str) -> None:
    assert plain_text(wikitext, LEFT_OUT) == words


@pytest.mark.parametrize(
    "wikitext",
    ["<ref>" * 50_000, "{{" * 50_000, "\n{|" * 50_000, "[[a|" * 50_000, "[http://" + "a" * 200_000,
     "\n=" + "a =" * 50_000,
     "<" * 200_000, "<!--" * 50_000, "{{" * 50_000 + "}}" * 50_000, "[[" * 50_000 + "]]" * 50_000, "<a" * 100_000,
     "\n" + " " * 200_000 + "|", "_" * 200_000, "[[a:" + ".jpg" * 50_000 + "x]]", "<ref " * 50_000, "&" * 100_000],
)  # fmt: skip
@pytest.mark.timeout(60)
def test_no_article_takes_long(wikitext: str) -> None:
    """Quadratic passes would take minutes on these."""
    assert len(plain_text(wikitext, LEFT_OUT)) <= len(wikitext)


def test_only_articles_are_read() -> None:
    data = dump(
        page("One", "first"),
        page("Diskussion:One", "talk", "<ns>1</ns>"),
        page("Uno", "#REDIRECT [[One]]", extra='<redirect title="One" />'),
        page("Eins", "#WEITERLEITUNG [[One]]"),
        page("Style.css", "a {b}", model="css"),
        page("Old: title", "second", ns=""),
        page("Diskussion:Old", "talk", ns=""),
        page("Empty", "{{only}}"),
        page("Three & four", "a [[Datei:x]] b [[Kategorie:c]] &amp; <b>"),
    )
    assert articles(data) == ["first", "second", "", "a b &"]


def test_the_last_revision_counts() -> None:
    old = page("One", "old").replace("</page>\n", "<revision><text>new</text></revision></page>")
    assert articles(dump(old, page("Two", "x"))) == ["new", "x"]


def test_pieces_of_reading_and_the_start_make_no_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    data = dump(*(page(f"T{n}", f"한국어 {n} [[a|b]]" + " x" * n, f"<ns>{n % 3}</ns>") for n in range(30)))
    whole = articles(data)
    assert len(whole) == 10
    for piece in (1, 100, 5000):
        monkeypatch.setattr(mediawiki, "PIECE", piece)
        for start in (0, 1, 7, 10):
            assert articles(data, start) == whole[start:]


@pytest.mark.parametrize("name", ["d.xml", "d.xml.bz2", "no-suffix"])
def test_blocks_can_be_entered_at_any_article(tmp_path: Path, name: str) -> None:
    data = dump(*(page(f"T{n}", f"article {n}" * (n % 4)) for n in range(12)))
    cut = data.index(b"<page>")
    (tmp_path / name).write_bytes(bz2.compress(data[:cut]) + bz2.compress(data[cut:]) if "bz2" in name else data)
    sources = resolve([str(tmp_path / name)])
    assert sources[0].kind == "mediawiki"
    blocks = list(read_blocks(sources, block_bytes=25))
    assert [block.place for block in blocks[:2]] == [Place(0, 0), Place(0, 2)]
    for block in blocks:
        again = list(read_blocks(sources, start=block.place, number=block.number, block_bytes=25))
        assert again == blocks[block.number :]


def test_a_dump_cut_short_or_damaged_is_noticed() -> None:
    data = dump(page("One", "first"), page("Two", "second"))
    for length in range(0, len(data) - 1, 37):
        with pytest.raises(StreamvecError, match=r"d\.xml: cut short: .*fetch the dump again"):
            articles(data[:length])
    with pytest.raises(StreamvecError, match=r"d\.xml: damaged: .*line 3"):
        articles(data.replace(b"</title>", b"</titel>", 1))


@pytest.mark.parametrize(
    "doctype",
    ['<!DOCTYPE m [<!ENTITY a "aaaaaaaa"><!ENTITY b "&a;&a;&a;">]>', '<!DOCTYPE m SYSTEM "file:///etc/passwd">',
     '<!DOCTYPE m [<!ENTITY % x SYSTEM "http://localhost/x"> %x;]>'],
)  # fmt: skip
def test_entities_are_refused(doctype: str) -> None:
    data = doctype.encode() + dump(page("One", "x")).replace(b">x<", b">&b;<")
    with pytest.raises(StreamvecError, match=r"d\.xml: declares entities.*refused"):
        articles(data)


def test_an_endless_article_or_tag_is_refused_before_it_fills_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mediawiki, "LONGEST_ARTICLE", 1000)
    monkeypatch.setattr(mediawiki, "_LONGEST_TAG", 1000)
    monkeypatch.setattr(mediawiki, "PIECE", 100)
    with pytest.raises(StreamvecError, match=r"page 'Long' \(line 3\) has more than 1000 characters"):
        articles(dump(page("Long", "x" * 2000)))
    with pytest.raises(StreamvecError, match="a tag of more than 1000 bytes"):
        articles(dump(page("One", "x", extra=f'<redirect title="{"y" * 3000}" />')))


def test_the_estimate_is_near_the_truth(tmp_path: Path) -> None:
    text = "some words of [[an article|prose]] and {{a template|of|some|length}} " * 20
    (tmp_path / "d.xml.bz2").write_bytes(bz2.compress(dump(*(page(f"T{n}", f"{n} {text}") for n in range(2000)))))
    source = resolve([str(tmp_path / "d.xml.bz2")])[0]
    truth = sum(len(block.data) for block in read_blocks([source]))
    estimate = estimate_text_bytes(source)
    assert estimate is not None
    assert abs(estimate / truth - 1) < 0.2
