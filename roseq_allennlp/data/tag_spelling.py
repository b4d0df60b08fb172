"""Tags as files spell them: invisible characters around them, and spellings of other tools."""

import difflib
import functools
import json
import re
import unicodedata
from collections.abc import Collection
from typing import Optional

INVISIBLE = "tags with invisible characters around them, which are left out"
_PREFIXES = "BIESLUMW"
# What is seen of the tag, the tag of this package, and what the spelling is.
_SPELLINGS: tuple[tuple[str, str, str], ...] = (
    (rf"(?P<prefix>[{_PREFIXES.lower()}])-(?P<type>.+)", "{upper}-{type}", "a prefix in lower case"),
    (rf"(?P<prefix>[{_PREFIXES}])[_.:/|+\u2010-\u2015\u2212](?P<type>.+)", "{prefix}-{type}", "a prefix without `-`"),
    (rf"(?P<prefix>[{_PREFIXES.lower()}])[_.:/|](?P<type>.+)", "{upper}-{type}", "a prefix in lower case without `-`"),
    (rf"(?P<type>.+)[-_.:/|](?P<prefix>[{_PREFIXES}])", "{prefix}-{type}", "a prefix after its type"),
    (rf"(?P<prefix>[{_PREFIXES}])-?", "{prefix}-ENTITY", "a prefix without a type"),
    (r"-", "O", "an O of another spelling, or spaCy's unknown tag (`?` in place of `O`, in a file without an O)"),
    (r"[o0_]", "O", "an O of another spelling"),
    (r"(?P<type>[^\W\d_][\w-]*)", "I-{type}", "a type without a prefix"),
)


@functools.lru_cache(maxsize=4096)
def visible(tag: str) -> str:
    """The tag without white space, control and zero-width characters around it and around its type."""
    return "-".join(_stripped(part) for part in _stripped(tag).split("-", 1))


def shown_tag(text: str) -> str:
    """A tag or type as Python writes it, and nothing in it invisible."""
    return "".join(ascii(character)[1:-1] if _is_invisible(character) else character for character in repr(text))


def _stripped(text: str) -> str:
    seen = [index for index, character in enumerate(text) if not _is_invisible(character)]
    return text[seen[0] : seen[-1] + 1] if seen else ""


def _is_invisible(character: str) -> bool:
    # Separators, controls and what only formats; the others are selectors of variants, joiners and fillers.
    return unicodedata.category(character) in ("Zs", "Zl", "Zp", "Cc", "Cf") or bool(
        re.match("[\u034f\u115f\u1160\u2800\u3164\uffa0\ufe00-\ufe0f]", character)
    )


def spelling_of(tag: str) -> Optional[str]:
    """What another spelling of tags this is, and the option that reads it; `None` for none that is known."""
    if (known := _read(tag)) is None:
        return None
    option = json.dumps({tag: known[0]}, ensure_ascii=False)
    return f"It is {known[1]}, which `tag_map: {option}` reads, with an entry for each such tag"


def meaning_of(tag: str) -> Optional[str]:
    """The tag that another spelling stands for; `None` for none that is known."""
    known = _read(tag)
    return None if known is None else known[0]


def _read(tag: str) -> Optional[tuple[str, str]]:
    """The tag, and the kind of spelling."""
    for pattern, meaning, kind in _SPELLINGS:
        if match := re.fullmatch(pattern, tag):
            groups = match.groupdict()
            return meaning.format(**groups, upper=groups.get("prefix", "").upper()), kind
    return None


def with_close_ones(types: Collection[str], known: Collection[str]) -> str:
    """Types as Python writes them, each with a known one that is spelled much like it."""
    lower = {label.lower(): label for label in known}
    parts = []
    for label in sorted(types):
        close = difflib.get_close_matches(label.lower(), lower, 1)
        shown = shown_tag(label)
        parts.append(f"{shown} ({lower[close[0]]!r} is close)" if close else shown)
    return ", ".join(parts)
