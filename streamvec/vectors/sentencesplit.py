"""Where a sentence ends: a plain rule that looks at a mark, what stands before it and what follows.

A sentence ends at . ! ? or an ellipsis, with closing quotes or brackets behind it, that is followed by white space and
by a letter that is not lower case, or by an opening quote or bracket. A full stop does not end one behind a single
letter (J. Smith, U.S., e.g.) or an abbreviation that is listed below (Mr., Dr., cf.). The full stops of Chinese,
Japanese and Hindi end a sentence whatever follows.

A line that is empty ends a sentence, and so does any line break, as behind a title; but not in text whose lines are
wrapped: where at least a third of the breaks stand between a character that ends no sentence and a lower-case letter.
"""

import re

_ABBREVIATIONS = frozenset(
    re.findall(
        r"\w+",
        "mr mrs ms messrs mme mlle dr prof st rev hon gen col capt cpt lt sgt maj cmdr adm gov sen rep pres supt "
        "vs cf eg ie viz vol fig ed eds mt ft bros",
    )
)
_OPENING = "\"'“”„‘«»‹([{¿¡"
_CLOSING = "\"'”’»›)\\]}"
_END = re.compile(rf"(?<![.!?…؟])(?P<mark>[.!?…؟]++)[{_CLOSING}]*(?=\s)|[。！？｡।॥][{_CLOSING}」』）]*")
_BEFORE = re.compile(r"[^\W\d_]+$")
_NEXT = re.compile(r"\s*(\S?)")
_LINES = re.compile(r"\n")
_EMPTY_LINES = re.compile(r"\n[^\S\n]*\n\s*")
_BREAK = re.compile(r"(\S)[^\S\n]*\n[^\S\n]*(?=(\S))")
_WRAPPED = 1 / 3


def split_sentences(text: str) -> list[str]:
    """The sentences of *text*, in order, each on one line and without white space around it."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    between = _EMPTY_LINES if _is_wrapped(text) else _LINES
    found = [sentence for paragraph in between.split(text) for sentence in _sentences(paragraph)]
    return [whole for sentence in found if (whole := " ".join(sentence.split()))]


def _is_wrapped(text: str) -> bool:
    breaks = [(before, after) for before, after in _BREAK.findall(text)]
    within = sum(after.islower() and before not in ".!?…" for before, after in breaks)
    return within >= _WRAPPED * len(breaks) and within > 0 and any(one.isupper() for one in text)


def _sentences(paragraph: str) -> list[str]:
    found = []
    start = 0
    for end in _END.finditer(paragraph):
        if end["mark"] is None or _ends(paragraph, end):
            found.append(paragraph[start : end.end()])
            start = end.end()
    return [*found, paragraph[start:]]


def _ends(text: str, end: re.Match[str]) -> bool:
    following = _NEXT.match(text, end.end())[1]  # type: ignore[index]
    if not following:
        return True
    if not (following in _OPENING or (following.isalpha() and not following.islower())):
        return False
    if end["mark"] != ".":
        return True
    before = _BEFORE.search(text, max(0, end.start() - 20), end.start())
    if not before:
        return True
    word = before.group()
    return len(word) > 1 and word.lower() not in _ABBREVIATIONS
