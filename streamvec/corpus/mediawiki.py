"""A MediaWiki XML dump read as it streams: the articles, a document each, without markup, redirects and other pages.

One article is one document (a line): its paragraphs belong together, and a reader may begin at any article. The
parser is expat with nothing executed and nothing fetched: a dump that declares a document type or entities is refused.
"""

import re
from collections.abc import Iterator
from xml.parsers import expat

from streamvec.corpus.compression import PIECE, Readable
from streamvec.corpus.records import Records, records_of
from streamvec.corpus.wikitext import plain_text
from streamvec.errors import StreamvecError

_DEEPEST = 64  # elements within one another; a dump has no more than six
LONGEST_ARTICLE = 1 << 23  # characters; MediaWiki itself stops at 2 MB
_LONGEST_TAG = 1 << 21  # bytes; the parser reads one from its beginning again with each piece
_CAPTURED = frozenset({"title", "ns", "text", "model", "namespace"})
_LEFT_OUT_NAMESPACES = frozenset({"-2", "6", "14"})  # Media, File, Category
_LEFT_OUT_NAMES = frozenset({"media", "file", "image", "category"})  # these work in every language
_REDIRECT = re.compile(r"\s*#[^\W\d]+\s*:?\s*\[\[")  # "#REDIRECT [[...", in any language: for dumps that do not mark it


def read_mediawiki(stream: Readable, name: str, article: int) -> Iterator[Records]:
    """The articles of a dump (pages of namespace 0 that are no redirects) from number *article* on.

    Of a page with several revisions the last one counts. Raises StreamvecError, with the line, when the XML is damaged
    or cut short, declares entities, nests elements without end, or an article is longer than LONGEST_ARTICLE.
    """
    dump = _Dump(name)
    before = 0
    fed = 0
    ended = False
    while not ended:
        piece = stream.read(PIECE)
        ended = not piece
        fed += len(piece)
        dump.feed(piece, ended)
        if fed - dump.parser.CurrentByteIndex > _LONGEST_TAG:
            raise StreamvecError(f"{name}: a tag of more than {_LONGEST_TAG} bytes: this is not a MediaWiki dump")
        found, dump.articles = dump.articles, []
        first = max(0, article - before)
        if first < len(found):
            left_out = frozenset(dump.left_out)
            documents = [plain_text(text, left_out).encode("utf-8", "replace") for text in found[first:]]
            yield records_of(documents, list(range(before + first + 1, before + len(found) + 1)))
        before += len(found)


class _Dump:
    """The parser and what it knows of the page at hand."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.articles: list[str] = []  # wikitext, of pages that are complete
        self.left_out = set(_LEFT_OUT_NAMES)
        self._namespaces: dict[str, str] = {}  # name to key, for dumps whose pages do not state it
        self._key = ""
        self._parts: list[str] = []
        self._length = 0
        self._depth = 0
        self._new_page()
        self.parser = expat.ParserCreate()
        self.parser.buffer_text = True
        self.parser.buffer_size = 1 << 16
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.StartDoctypeDeclHandler = self._refuse
        self.parser.EntityDeclHandler = self._refuse

    def feed(self, piece: bytes, ended: bool) -> None:
        try:
            self.parser.Parse(piece, ended)
        except expat.ExpatError as problem:
            what = "cut short" if ended else "damaged"
            raise StreamvecError(f"{self.name}: {what}: {problem}: fetch the dump again") from problem

    def _refuse(self, *_: object) -> None:
        raise StreamvecError(f"{self.name}: declares entities, as no MediaWiki dump does: refused")

    def _new_page(self) -> None:
        self._title = ""
        self._namespace: str | None = None
        self._redirect = False
        self._model = ""
        self._text: str | None = None

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise StreamvecError(
                f"{self.name}: elements within elements, {self._depth} deep (line {self.parser.CurrentLineNumber}): "
                "this is not a MediaWiki dump"
            )
        if tag in _CAPTURED:
            self._key = attributes.get("key", "")
            self._parts = []
            self._length = 0
            if tag != "text" or (self._namespace in ("0", None) and not self._redirect):
                self.parser.CharacterDataHandler = self._characters
        elif tag == "page":
            self._new_page()
        elif tag == "redirect":
            self._redirect = True

    def _characters(self, text: str) -> None:
        self._length += len(text)
        if self._length > LONGEST_ARTICLE:
            raise StreamvecError(
                f"{self.name}: page {self._title!r} (line {self.parser.CurrentLineNumber}) has more than "
                f"{LONGEST_ARTICLE} characters: this is not a MediaWiki dump"
            )
        self._parts.append(text)

    def _end(self, tag: str) -> None:
        self._depth -= 1
        if tag == "page":
            self._end_page()
            return
        if tag not in _CAPTURED:
            return
        self.parser.CharacterDataHandler = None
        value = "".join(self._parts)
        self._parts = []
        if tag == "text":
            self._text = value
        elif tag == "title":
            self._title = value
        elif tag == "ns":
            self._namespace = value.strip()
        elif tag == "model":
            self._model = value.strip()
        elif tag == "namespace":
            self._namespaces[value.lower()] = self._key
            if self._key in _LEFT_OUT_NAMESPACES:
                self.left_out.add(value.lower())

    def _end_page(self) -> None:
        namespace = self._namespace
        if namespace is None:
            prefix, colon, _ = self._title.partition(":")
            namespace = self._namespaces.get(prefix.lower(), "0") if colon else "0"
        text = self._text
        self._text = None
        is_article = namespace == "0" and not self._redirect and self._model in ("", "wikitext")
        if is_article and text is not None and not _REDIRECT.match(text):
            self.articles.append(text)
