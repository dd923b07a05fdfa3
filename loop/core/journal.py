"""The journal of a campaign: what was changed while it went on."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from campaigns.amendments import CampaignChange, Change, SetWeights


@dataclass(frozen=True, slots=True)
class Amendment:
    """A line of the journal: what was changed while the campaign lived.

    Attributes:
        number: from 1, in the order in which they were written.
        written: seconds since the epoch.
        author: who wrote it.
        first: number of the first trial that it holds for, or of the one that it asks for or settles; None until a run
            has taken it over.
        refused: why it is not taken over; empty when nothing speaks against it.
    """

    number: int
    written: float
    author: str
    reason: str
    change: Change
    first: int | None = None
    refused: str = ""

    @property
    def waiting(self) -> bool:
        """Whether a run has yet to take it over."""
        return self.first is None and not self.refused


def changes_of(amendments: Iterable[Amendment]) -> list[CampaignChange]:
    """Return what some amendments change in the campaign, as they were taken over, but for those that were refused."""
    held = (a for a in amendments if not a.refused)
    order = sorted(held, key=lambda a: (math.inf if a.first is None else a.first, a.number))
    return [a.change for a in order if isinstance(a.change, CampaignChange)]


def weights_version(amendments: Iterable[Amendment]) -> int:
    """Return the number of the last amendment of the weights, by which all trials are scored; 0 without one."""
    return max((a.number for a in amendments if isinstance(a.change, SetWeights) and not a.refused), default=0)


def version_of(amendments: Iterable[Amendment]) -> int:
    """Return the number of the last amendment that changes the campaign; 0 without one."""
    return max((a.number for a in amendments if changes_of([a])), default=0)
