"""The trials that were proposed, by their numbers, and which of them are under way."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from typing import TypeAlias

from campaigns.fidelity import FULL
from campaigns.values import Candidate

Keys: TypeAlias = frozenset[tuple[object, ...]]
"""Of candidates; see ``Candidate.key``."""


_TRIES = 2
"""Trials that a candidate gets whose trials fail for a fault that is not its own."""


class ProposedCandidates:
    """All trials of a campaign, each with its fidelity; imported ones count, but nobody proposed them.

    A candidate counts as tried once a trial of it has told something, or when several were lost to faults of the lab:
    where the lab is broken, no candidate is tried without end.
    """

    def __init__(self) -> None:
        self._trials: list[tuple[Candidate, str]] = []
        self._under_way: set[int] = set()
        self._lost: set[int] = set()
        self._imported: set[int] = set()
        self._dropped: set[int] = set()

    def __len__(self) -> int:
        return len(self._trials)

    def add(self, candidate: Candidate, fidelity: str, *, imported: bool = False) -> int:
        """Take note of a trial that is under way from now on, and return its number."""
        self._trials.append((candidate, fidelity))
        self._under_way.add(len(self) - 1)
        if imported:
            self._imported.add(len(self) - 1)
        return len(self) - 1

    def end(self, number: int, *, lost: bool = False) -> None:
        """Take note that a trial has ended; ``lost``, for a fault that is not its candidate's."""
        self._under_way.discard(number)
        if lost:
            self._lost.add(number)

    def drop(self, number: int) -> None:
        """Take a candidate for one that was not tried, although it was imported."""
        self._dropped.add(number)

    @property
    def under_way(self) -> tuple[int, ...]:
        """The numbers of the trials under way, at any fidelity."""
        return tuple(sorted(self._under_way))

    @property
    def pending(self) -> list[Candidate]:
        """The candidates under way at full fidelity."""
        return [self._trials[i][0] for i in self.under_way if self._trials[i][1] == FULL]

    @property
    def ended(self) -> Keys:
        """The keys of the candidates whose trials at full fidelity have ended."""
        return self._tried(FULL, self._under_way)

    @property
    def imported(self) -> Keys:
        """The keys of the candidates that were measured elsewhere."""
        return frozenset(self._trials[number][0].key() for number in self._imported - self._dropped)

    def own(self, before: int | None = None) -> int:
        """Return how many trials were proposed, all of them or those with a number below ``before``."""
        count = len(self) if before is None else min(before, len(self))
        return count - sum(number < count for number in self._imported)

    def seen(self, fidelity: str) -> Keys:
        """Return the keys of all candidates that were tried, or are under way, at a fidelity."""
        return self._tried(fidelity, frozenset())

    def lost(self, candidate: Candidate, fidelity: str) -> tuple[int, ...]:
        """Return the numbers of a candidate's trials at a fidelity that were lost to faults of the lab."""
        key = candidate.key()
        return tuple(
            i for i in sorted(self._lost) if self._trials[i][1] == fidelity and self._trials[i][0].key() == key
        )

    def _tried(self, fidelity: str, without: Collection[int]) -> Keys:
        there = ((i, c) for i, (c, name) in enumerate(self._trials) if name == fidelity and i not in self._dropped)
        trials = [(i, candidate.key()) for i, candidate in there if i not in without]
        lost = Counter(key for i, key in trials if i in self._lost)
        return frozenset(key for i, key in trials if i not in self._lost or lost[key] >= _TRIES)

    def count(self, fidelity: str) -> int:
        """Return how many trials were proposed at a fidelity."""
        return sum(name == fidelity for _, name in self._trials)
