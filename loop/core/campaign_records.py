"""The campaign that a store holds, and the sessions that ran it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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


def time_spent(sessions: Sequence[SessionRecord], now: float | None = None) -> float:
    """Return the wall time in seconds of all sessions.

    Args:
        sessions: of a campaign, oldest first.
        now: seconds since the epoch until which the last one goes on; None where it has ended.
    """
    until = [session.ended for session in sessions]
    if until and now is not None:
        until[-1] = now
    return sum(end - session.started for session, end in zip(sessions, until, strict=True))
