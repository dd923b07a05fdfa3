"""What a source gives: entries that are still text."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from surrogates.pools.build_report import BadEntry, Place


@dataclass(frozen=True, slots=True)
class Item:
    """One entry as it stands in a source.

    Attributes:
        place: where it stands.
        content: CIF, POSCAR or JSON as text, or a packed cell.
        id: what the source calls it; None where it has no name.
        values: its numeric properties, in the order of the configuration.
        provenance: what else is known of its origin.
        notes: what the source says of it that was not taken as it stands.
    """

    place: Place
    content: str | bytes
    id: str | None = None
    values: tuple[float, ...] = ()
    provenance: dict[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PoolFiles:
    """The entries of a pool's files.

    Attributes:
        total: how many there are, for the progress.
        items: the entries, and those that cannot be used at first sight, in order.
    """

    total: int
    items: Iterator[Item | BadEntry]


def name_of(value: object, key: str) -> str:
    """Return the id that stands in a source.

    Raises:
        ValueError: it is empty, cannot be printed, or is not in UTF-8.
    """
    text = str(value).strip() if isinstance(value, str | int) and not isinstance(value, bool) else ""
    if "\ufffd" in text:
        raise ValueError(f"got {value!r} as {key}, which is no text in UTF-8; save the file in UTF-8")
    if not text or not text.isprintable():
        raise ValueError(f"got {value!r} as {key}, which names the entry; allowed: text that can be printed")
    return text
