"""Which installed fonts can write some words: matplotlib's own first, and what others know beside it."""

from collections.abc import Iterable

_OWN = "DejaVu Sans"  # comes with matplotlib
_USELESS = ("color", "last resort", "lastresort")  # bitmaps that cannot be scaled; boxes that tell a letter's block


def fonts_for(words: Iterable[str]) -> tuple[list[str], set[str]]:
    """(families in the order in which they are to be tried, characters that no installed font has)."""
    from matplotlib.font_manager import FontProperties, findfont, fontManager
    from matplotlib.ft2font import FT2Font

    missing = {letter for word in words for letter in word} - {" "}
    missing -= {chr(code) for code in FT2Font(findfont(FontProperties(family=_OWN))).get_charmap()}
    families = [_OWN]
    for entry in sorted(fontManager.ttflist, key=lambda font: (font.name, font.fname)):
        if not missing:
            break
        if entry.style != "normal" or entry.weight not in (400, "normal", "regular", "book"):
            continue
        if entry.name in families or any(mark in entry.name.lower() for mark in _USELESS):
            continue
        try:
            known = {chr(code) for code in FT2Font(entry.fname).get_charmap()}
        except (OSError, RuntimeError):  # a font that cannot be read is no help, and no harm
            continue
        if known & missing:
            families.append(entry.name)
            missing -= known
    return families, missing
