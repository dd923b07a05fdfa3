"""The campaign that a store holds, and the sessions that ran it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SessionRecord:
    """One start of ``athanor run`` on a campaign.

    Attributes:
        started, ended: seconds since the epoch; ``ended`` is the last activity.
        outcome: how it ended; empty while it runs or after a kill.
        versions: distribution to version.
    """

    number: int
    started: float
    ended: float
    outcome: str
    pid: int
    versions: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class CampaignRecord:
    """The campaign that a store holds.

    Attributes:
        source: the campaign file's text, as validated at the first start.
        seed: the current seed.
        fingerprint: hash of everything that determines the trials.
    """

    name: str
    source: str
    seed: int
    fingerprint: str
    created: float


def time_spent(sessions: list[SessionRecord]) -> float:
    """Return the wall time in seconds of all sessions but the last, which is the one under way."""
    return sum(session.ended - session.started for session in sessions[:-1])
