"""Wikitext becomes the words a reader of the page would see; every pass takes time linear in the article.

What is left out: comments, references, formulas, galleries and the like, templates and tables (nested ones too),
links to files, categories and other languages, and all other tags, with their content kept.
"""

import html
import re
from array import array

# Elements whose content is no prose of the article.
_DROPPED = (
    "ref|references|math|chem|ce|gallery|timeline|score|hiero|imagemap|graph|mapframe|maplink|inputbox|syntaxhighlight"
    "|source|categorytree|templatestyles|indicator|templatedata|style|includeonly"
)
_ELEMENT = re.compile(rf"<!--|<(/?)({_DROPPED}|nowiki|pre)\b([^<>]*+)>", re.IGNORECASE)
_LITERAL = re.compile(r"<(?:nowiki|pre)\b", re.IGNORECASE)
_BRACE = re.compile(r"\{\{|\}\}|\n(?:[ \t:*#]*+\{\||[ \t]*+\|\}(?!\}))")
_LINK = re.compile(r"\[\[([^\[\]|]*+)(\|[^\[\]]*+)?+\]\]")
_EXTERNAL = re.compile(r"\[(?:(?:https?:|ftp:)?//|mailto:)[^\s\[\]<>]*+([^\[\]\n]*+)\]")
_HEADING = re.compile(r"\n=([^\n]*)=[ \t]*(?=\n)")
_LINE_START = re.compile(r"\n(?:[*#:;]++|-{4,}+)")
_QUOTES = re.compile(r"''++")
_SWITCH = re.compile(r"__[A-Z]{3,}+__")
_TAG = re.compile(r"</?+([A-Za-z][A-Za-z0-9]*+)\b[^<>]*+>")
_MEDIA = re.compile(r":.*\.(?:jpe?g|png|svg|gif|webp|tiff?|og[agv]|webm|mp[34]|wav|flac|pdf|djvu|mid)$", re.IGNORECASE)
_LANGUAGE = re.compile(r"(?:[a-z]{2,3}(?:-[a-z]+)*|simple):")
_NESTED_LINKS = 8  # rounds: a link in a caption in a caption is already rare
_BREAK = re.compile(r"br|p|div|li|[uod]l|d[dt]|t[rdh]|table|hr|blockquote|center|poem|h[1-6]", re.IGNORECASE)  # tags

# Markup within <nowiki> is hidden behind characters that Unicode keeps for a program's own use, and shown at the end.
_MARKUP = "[]{}|'=<>*:_-"
_HIDE = {ord(char): 0xFDD0 + place for place, char in enumerate(_MARKUP)}
_SHOW = {hidden: char for char, hidden in _HIDE.items()}
_NEITHER = dict.fromkeys(_SHOW)


def plain_text(wikitext: str, left_out: frozenset[str]) -> str:
    """The words of an article in one line, with single spaces between.

    *left_out* has the prefixes, in lower case, of links to be dropped: the names of the namespaces of files and
    categories in the wiki's language.
    """
    text = f"\n{wikitext}\n"
    hiding = "<" in text and _LITERAL.search(text) is not None
    if hiding:
        text = text.translate(_NEITHER)
    if "<" in text:
        text = _without_elements(text)
    if "{" in text:
        text = _without_braces(text)
    if "[[" in text:
        text = _without_links(text, left_out)
    if "[" in text:
        text = _EXTERNAL.sub(r"\1", text)
    if "=" in text:
        text = _HEADING.sub(lambda line: "\n" + line[1].strip("= \t"), text)
    text = _LINE_START.sub("\n", text)
    if "''" in text:
        text = _QUOTES.sub("", text)
    if "__" in text:
        text = _SWITCH.sub("", text)
    if "<" in text:
        text = _TAG.sub(lambda tag: " " if _BREAK.fullmatch(tag[1]) else "", text)
    if "&" in text:
        text = html.unescape(text)
    text = " ".join(text.split())
    return text.translate(_SHOW) if hiding else text


def _without_elements(text: str) -> str:
    """Comments and dropped elements go, with what is in them; the content of <nowiki> and <pre> loses its meaning."""
    # An element never closed is only a stray tag. Tags are looked for twice, not kept: there may be millions.
    last_end = {tag[2].lower(): tag.start() for tag in _ELEMENT.finditer(text) if tag[1]}
    kept: list[str] = []
    place = 0
    opened = ""  # the element being passed over
    for tag in _ELEMENT.finditer(text):
        if tag.start() < place:
            continue  # within a comment
        name = (tag[2] or "").lower()
        if opened:
            if name == opened and tag[1]:
                if opened in ("nowiki", "pre"):
                    kept.append(text[place : tag.start()].translate(_HIDE))
                opened = ""
                place = tag.end()
            continue
        kept.append(text[place : tag.start()])
        place = tag.end()
        if not name:
            end = text.find("-->", place)
            place = len(text) if end < 0 else end + 3
        elif not tag[1] and not tag[3].endswith("/") and last_end.get(name, -1) > tag.start():
            opened = name
    kept.append(text[place:])
    return "".join(kept)


def _without_braces(text: str) -> str:
    """Templates and tables go, however they are nested; braces that nothing closes are left as they are."""
    spans: list[tuple[int, int]] = []  # closed, in order, none within another
    open_marks = array("q")  # twice where it begins, and 1 more for a table: there may be millions
    waiting = {"{{": 0, "{|": 0}
    for token in _BRACE.finditer(text):
        mark = token[0][-2:]
        if mark in waiting:
            open_marks.append(2 * (token.end() - 2) + (mark == "{|"))
            waiting[mark] += 1
        else:
            opener = "{{" if mark == "}}" else "{|"
            if not waiting[opener]:
                continue
            while True:
                start, is_table = divmod(open_marks.pop(), 2)
                found = "{|" if is_table else "{{"
                waiting[found] -= 1
                if found == opener:
                    break
            while spans and spans[-1][0] >= start:
                spans.pop()
            spans.append((start, token.end()))
    kept = []
    place = 0
    for start, end in spans:
        kept.append(text[place:start])
        place = end
    kept.append(text[place:])
    return "".join(kept)


def _without_links(text: str, left_out: frozenset[str]) -> str:
    """Links become their labels, from the innermost out; links to files and categories go with their captions."""

    def shown(link: re.Match[str]) -> str:
        target, label = link[1], link[2]
        prefix, colon, _ = target.partition(":")
        if colon:
            if not prefix.strip():
                target = target.strip()[1:]  # [[:Category:Birds]] is an ordinary link
            elif prefix.strip().lower() in left_out or _MEDIA.search(target) or _LANGUAGE.match(target):
                return ""
        return label[1:] if label and len(label) > 1 else target

    for _ in range(_NESTED_LINKS):
        text, count = _LINK.subn(shown, text)
        if not count or "[[" not in text:
            break
    return text
