"""What was found while a pool was made: entries that cannot be used, duplicates, lattices that were not set."""

from __future__ import annotations

from dataclasses import dataclass

from campaigns.errors import CampaignError, Problem

_SHOWN = 10


@dataclass(frozen=True, slots=True)
class Place:
    """Where an entry stands.

    Attributes:
        file: name of the file, within its folder where there are several.
        row: number of the entry in the file, from 1; ASE's own number in a database; None for a file of one entry.
    """

    file: str
    row: int | None = None

    def __str__(self) -> str:
        return self.file if self.row is None else f"{self.file} row {self.row}"


@dataclass(frozen=True, slots=True)
class BadEntry:
    """An entry that cannot be used, and why."""

    place: Place
    reason: str

    def __str__(self) -> str:
        return f"{self.place}: {self.reason}"


@dataclass(frozen=True, slots=True)
class Duplicate:
    """An entry with the same crystal as one before it.

    Attributes:
        place: where it stands.
        id: the id that it would have had.
        kept: id of the entry that stays in the pool.
    """

    place: Place
    id: str
    kept: str


@dataclass(frozen=True, slots=True)
class Unsettled:
    """An entry whose lattice was to be set and stays as it was given.

    Attributes:
        place: where it stands.
        reason: why no lattice was found.
    """

    place: Place
    id: str
    reason: str

    def __str__(self) -> str:
        return f"{self.place}, {self.id}: {self.reason}"


@dataclass(frozen=True, slots=True)
class Note:
    """What was not taken as it stands in an entry, or was taken on trust.

    Attributes:
        place: where it stands.
        text: what was read as what.
    """

    place: Place
    id: str
    text: str

    def __str__(self) -> str:
        return f"{self.place}, {self.id}: {self.text}"


@dataclass(frozen=True, slots=True)
class Findings:
    """What was found while a pool was made, in the order of the source.

    Attributes:
        read: number of entries in the source.
        bad: those that cannot be used.
        duplicates: those that were folded into an earlier one.
        unsettled: those that have the lattice that they were given, though it was to be set.
        notes: what was read otherwise than it stands, such as 0.333 as a third.
    """

    read: int = 0
    bad: tuple[BadEntry, ...] = ()
    duplicates: tuple[Duplicate, ...] = ()
    unsettled: tuple[Unsettled, ...] = ()
    notes: tuple[Note, ...] = ()


class RefusedError(CampaignError):
    """A pool is refused for its bad entries; ``bad`` lists them all, the message the first ten."""

    def __init__(self, what: str, bad: tuple[BadEntry, ...], source: str = "campaign") -> None:
        self.what, self.bad = what, bad
        left = len(bad) - _SHOWN
        more = [f"and {left} more; 'athanor pool check FILE' lists them all"] if left > 0 else []
        super().__init__(pool_error(f"{what}:", *(str(each) for each in bad[:_SHOWN]), *more).problems, source)


def pool_error(*messages: str) -> CampaignError:
    """Return the error for a pool that cannot be used, one problem per message."""
    return CampaignError([Problem("space.pool", message) for message in messages])
