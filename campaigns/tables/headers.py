"""Heads of the columns of tables: names, and units, as labs write them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from campaigns.errors import TableError
from campaigns.units import is_unit

_SD = (
    "sd",
    "std",
    "stdev",
    "std dev",
    "standard deviation",
    "sigma",
    "σ",
    "stderr",
    "std err",
    "std error",
    "standard error",
    "sem",
    "error",
    "err",
    "uncertainty",
    "standard uncertainty",
    "±",
    "+/-",
)


_NO_UNITS = frozenset(
    ("set", "setpoint", "set point", "set value", "setting", "target", "nominal", "programmed", "actual", "measured")
) | {"mean", "average", "avg"}
"""What stands in brackets behind a name and is no unit: which of several values it is."""
_UNITS = r"(?:(.*) )?(?:units?|uom|einheit(?:en)?|unité|unidad)|(?:units?|einheit) (?:(?:of|for|von) )?(.*)"
"""Heads of columns that state units, in small letters."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table.

    Attributes:
        place: from 0.
        head: its head as it stands there.
        unit: what head or row of units state; empty where they state none.
    """

    place: int
    head: str
    unit: str = ""

    @property
    def letter(self) -> str:
        """What a spreadsheet program calls the column: A, B, ... Z, AA, ..."""
        place, text = self.place + 1, ""
        while place:
            place, rest = divmod(place - 1, 26)
            text = chr(ord("A") + rest) + text
        return text


def uncommented(cells: Sequence[str]) -> tuple[str, ...]:
    """Return heads without the mark of a comment before the first, as numerical programs write them."""
    heads = [" ".join(cell.split()) for cell in cells]  # spreadsheets break lines in heads
    return (heads[0].lstrip("# "), *heads[1:])


def columns_of(cells: Sequence[str], numbers: Sequence[str], texts: Sequence[str]) -> dict[str, Column]:
    """Return the columns that are looked for.

    Raises:
        TableError: one of them stands there twice.
    """
    found: dict[str, Column] = {}
    heads = uncommented(cells)
    for name, places in matched_columns(heads, [*numbers, *texts]).items():
        there = [Column(place, heads[place], bare_unit(unit) if name in numbers else "") for place, unit in places]
        if len(there) > 1:
            told = " and ".join(f"{column.letter} ({column.head!r})" for column in there)
            raise TableError(f"columns {told} are both {name!r}; remove or rename all but one")
        found[name] = there[0]
    return found


def matched_columns(heads: Sequence[str], wanted: Sequence[str]) -> dict[str, list[tuple[int, str]]]:
    """Return name to the places and units of its columns; a head that is a name itself comes before all others."""
    exact = {name: [(i, "") for i, head in enumerate(heads) if head == name] for name in wanted}
    split = [split_head(head, wanted) for head in heads]
    found = {name: exact[name] or [(i, unit) for i, (own, unit) in enumerate(split) if own == name] for name in wanted}
    for name in wanted:  # a name that is written in another way: only where none is written as it is
        if exact[name] and any(own == name for own, _ in split):
            twice = ((i, unit) for i, (own, unit) in enumerate(split) if own == name and is_unit(unit))
            found[name] = sorted({*exact[name], *twice})
        if not found[name]:
            likes = [_like(own) for own, _ in split]
            taken = {i for places in found.values() for i, _ in places}
            alike = [other for other in wanted if _like(other) & _like(name)]
            if alike == [name]:
                found[name] = [
                    (i, split[i][1]) for i, like in enumerate(likes) if like & _like(name) and i not in taken
                ]
    return {name: places for name, places in found.items() if places}


def split_head(head: str, wanted: Sequence[str]) -> tuple[str, str]:
    """Return name and unit of a head: 'a [K]', 'a (K)', and where a is looked for 'a / K', 'a, K', 'a in K', 'a_K'."""
    if head in wanted:
        return head, ""
    for pattern in (
        r"(.*?)\s*\[([^\[\]]*)\]",
        r"(.*?)\s*<([^<>]*)>",
        r"(.*?)\s*\{([^{}]*)\}",
        r"(.*?)\s*\(((?:[^()]|\([^()]*\))*)\)",
    ):
        if match := re.fullmatch(pattern, head):
            unit = match[2].strip()
            if match[1].casefold() in _SD:  # sd(capacity)
                return head, ""
            return match[1].strip(), "" if unit.casefold() in _NO_UNITS else unit
    likes = set().union(*map(_like, wanted)) if wanted else set()
    if match := re.fullmatch(r"(.*?)\s*[\[(]([^\[\]()]*)[\])]\s*(\S.*)", head):  # capacity [mAh/g] sd
        name = f"{match[1]} {match[3]}"
        if _like(name) & likes:
            return name, match[2].strip()
    for mark in ("/", ",", " in ", "_", " "):
        name, _, unit = head.rpartition(mark) if mark in ("_", " ") else head.partition(mark)
        if name and unit and _like(name.strip()) & likes and (mark in "/," or is_unit(unit)):
            return name.strip(), re.sub(r"^\((.*)\)$", r"\1", unit.strip())
    return head, ""


def _like(name: str) -> set[str]:
    """Return what is taken for the same name: without regard to case, blanks, and how an uncertainty is called."""
    plain = re.sub(r"[\s_-]+", " ", name.strip().casefold())
    for word in _SD:
        if plain.endswith(f" {word}"):
            plain = f"{plain.removesuffix(word).strip()} sd"
        elif plain.startswith((f"{word} ", f"{word}(")) and word != "uncertainty":
            plain = f"{plain.removeprefix(word).strip(' ()').removeprefix('of ')} sd"
    return {plain}


def bare_unit(cell: str) -> str:
    """Return a unit without the brackets in which it may stand below a head."""
    unit = re.sub(r"^(?:\[(.*)\]|\((.*)\)|<(.*)>|\{(.*)\})$", r"\1\2\3\4", cell.strip()).strip()
    if (match := re.fullmatch(r"(?:in\s+|/\s*)(\S.*)", unit)) and is_unit(match[1]):
        unit = match[1]
    return "1" if unit in ("-", "–", "—") else unit  # a number without dimension


def columns_of_units(heads: Sequence[str], columns: Mapping[str, Column], numbers: Sequence[str]) -> dict[str, int]:
    """Return name to the place of the column with the units of its numbers: 'a unit', or 'unit' on the right of 'a'."""
    found: dict[str, int] = {}
    taken = {column.place: name for name, column in columns.items()}
    for place, head in enumerate(uncommented(heads)):
        plain = re.sub(r"[\s_()\[\]-]+", " ", head.casefold()).strip()
        if place in taken or not (match := re.fullmatch(_UNITS, plain)):
            continue
        named = match[1] or match[2]
        names = [name for name in columns if name in numbers and named and _like(name) == _like(named)]
        if not named:
            left = taken.get(place - 1, "")
            of = next((name for name in columns if f"{name} sd" == left and columns[name].place == place - 2), left)
            names = [name for name in (left, of) if name in numbers]
        found |= dict.fromkeys(names, place)
    return found
