"""The data blocks of a CIF, and what stands in one; tags in lower case, with ``_`` for the dots of newer ones."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from gemmi import cif

from surrogates.pools.cif.number import CifNumber, parse_number
from surrogates.pools.cif.problems import UnreadableError

_BLOCK = re.compile(r"^[ \t]*data_(\S*)", flags=re.MULTILINE | re.IGNORECASE)
_FIELD = re.compile(r"^;.*?^;", flags=re.MULTILINE | re.DOTALL)
_WHERE = re.compile(r"string:(\d+)(?::\d+\(\d+\))?(?: in \S+)?: ?")
_SIGNS = str.maketrans({"\u2212": "-", "\u2013": "-", "\u2011": "-", "\u00a0": " ", "\u00bd": "1/2", "\u00bc": "1/4"})
_LIST = re.compile(r"^([^'\"\n;#]*\s)(\[[^\[\]'\"\n]*\])(?=\s*$)", flags=re.MULTILINE)  # as magnetic files have for k
_MISSING = ("?", ".", "")


@dataclass(frozen=True, slots=True)
class Block:
    """A data block.

    Attributes:
        columns: the values under each tag, one unless it stands in a loop.
    """

    columns: dict[str, list[str]]

    def values(self, *tags: str) -> list[str]:
        """Return the values under the first of the tags that is there; none where there is none."""
        return next((self.columns[tag] for tag in tags if tag in self.columns), [])

    def word(self, tag: str) -> str | None:
        """Return the one value under a tag; None where there is none, or it is ``?`` or ``.``.

        Raises:
            UnreadableError: there are several.
        """
        known = self.words(tag)
        if len(known) > 1:
            raise UnreadableError(f"has several values of {tag}: {', '.join(known[:5])}; leave one")
        return known[0] if known else None

    def words(self, *tags: str) -> list[str]:
        """Return the different values that are known under tags of one meaning."""
        given = dict.fromkeys(value for tag in tags for value in self.columns.get(tag, ()))
        return [value for value in given if value not in _MISSING]


def blocks(text: str) -> list[tuple[str, str]]:
    """Return name and text of each data block that holds atoms."""
    plain = _FIELD.sub(lambda field: re.sub(r"[^\n]", " ", field[0]), text) if "\n;" in text else text
    starts = list(_BLOCK.finditer(plain))
    ends = [*(start.start() for start in starts), len(text)][1:]
    parts = [(start[1], slice(start.start(), end)) for start, end in zip(starts, ends, strict=False)]
    held = [(name, text[part]) for name, part in parts if "_atom_site" in plain[part].lower()]
    return held if len(held) < 2 else [(name, part) for name, part in held if _has_places(part)]


def _has_places(text: str) -> bool:
    """Return whether a block holds the place of an atom, rather than a form that was not filled in."""
    try:
        block = parse(text)
    except UnreadableError:
        return True  # what is wrong with it is told when it is read
    return bool(block.words(*(f"_atom_site_{kind}_{axis}" for kind in ("fract", "cartn") for axis in "xyz")))


def has_blocks(text: str) -> bool:
    """Return whether a text has the heads of data blocks."""
    return bool(_BLOCK.search(text))


def parse(text: str) -> Block:
    """Return what stands in the text of one data block.

    Raises:
        UnreadableError: it breaks the rules of CIF; the message names the line.
    """
    ascii_text = _LIST.sub(r"\1'\2'", text).translate(_SIGNS).encode("ascii", "replace").decode("ascii")
    try:
        (found, *_) = cif.read_string(ascii_text, check_level=0)
    except (ValueError, RuntimeError) as error:
        where = _WHERE.match(str(error))
        words = _WHERE.sub("", str(error)) if where else str(error)
        line = f"in line {where[1]} of its data block: " if where else ""
        newer = "; it says that it is CIF 2.0, of which lists and triple quotes are not read" if _newer(text) else ""
        raise UnreadableError(f"cannot be read as CIF, {line}{words}{newer}") from error
    return Block(_columns(found))


def claimed(block: Block, tag: str) -> CifNumber | None:
    """Return a number that a file says of the whole crystal; None where it says none that can be read."""
    word = block.word(tag)
    try:
        return None if word is None else parse_number(word.split()[0], tag)
    except UnreadableError:
        return None


def _newer(text: str) -> bool:
    return "CIF_2" in text[:200] or "'''" in text or '"""' in text


def _columns(found: cif.Block) -> dict[str, list[str]]:
    columns: dict[str, list[str]] = {}
    for item in found:
        pair, loop = cast(Sequence[str] | None, item.pair), item.loop
        if pair is not None:
            _add(columns, pair[0], [pair[1]])
        elif loop is not None:
            tags, values = loop.tags, loop.values
            for place, tag in enumerate(tags):
                _add(columns, tag, values[place :: len(tags)])
    return columns


def _add(columns: dict[str, list[str]], tag: str, raw: list[str]) -> None:
    name = tag.lower().replace(".", "_")
    values = [" ".join(cif.as_string(value).split()) if value[:1] in "'\";" else value for value in raw]
    if columns.setdefault(name, values) != values and not name.startswith(("_journal", "_publ", "_audit", "_citation")):
        raise UnreadableError(f"has {tag} twice, with different values; leave one")
