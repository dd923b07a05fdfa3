"""The trials that were proposed, by their numbers, and which of them are under way."""

from __future__ import annotations

from typing import TypeAlias

from campaigns.fidelity import FULL
from campaigns.values import Candidate

Keys: TypeAlias = frozenset[tuple[object, ...]]
"""Of candidates; see ``Candidate.key``."""


class Proposed:
    """All trials of a campaign, each with its fidelity."""

    def __init__(self) -> None:
        self._trials: list[tuple[Candidate, str]] = []
        self._under_way: set[int] = set()

    def __len__(self) -> int:
        return len(self._trials)

    def add(self, candidate: Candidate, fidelity: str) -> int:
        """Take note of a trial that is under way from now on, and return its number."""
        self._trials.append((candidate, fidelity))
        self._under_way.add(len(self) - 1)
        return len(self) - 1

    def end(self, number: int) -> None:
        """Take note that a trial has ended."""
        self._under_way.discard(number)

    def reopen(self, number: int) -> None:
        """Take a trial that had ended for one under way again."""
        self._under_way.add(number)

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
        trials = enumerate(self._trials)
        return frozenset(c.key() for i, (c, name) in trials if name == FULL and i not in self._under_way)

    def seen(self, fidelity: str) -> Keys:
        """Return the keys of all candidates that were proposed at a fidelity."""
        return frozenset(candidate.key() for candidate, name in self._trials if name == fidelity)

    def count(self, fidelity: str) -> int:
        """Return how many trials were proposed at a fidelity."""
        return sum(name == fidelity for _, name in self._trials)
