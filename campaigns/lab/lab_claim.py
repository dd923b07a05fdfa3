"""How a campaign stands beside others on the same laboratory."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LabClaim:
    """How a campaign stands beside others on the same laboratory.

    Attributes:
        priority: a station goes to the campaigns of the highest priority first.
        share: within a priority, station time is divided by shares.
    """

    priority: int = 0
    share: float = 1.0
