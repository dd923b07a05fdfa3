"""Who gets a station next: higher priority first, and within a priority by shares of station time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from campaigns.lab.lab_claim import LabClaim


@dataclass
class _Level:
    """One priority at a station: start-time fair queueing (Goyal, Vin & Cheng 1997, IEEE/ACM Trans. Netw. 5, 690).

    A request has a start tag, the station's virtual time or the finish tag of the campaign's last job, whichever is
    greater; the lowest tag is served first. After a job the campaign's finish tag is that start tag plus the time of
    the job over the campaign's share. So no job's length has to be known before, campaigns that go on asking get
    station time by their shares, and none gains by having asked for nothing.

    Attributes:
        time: the virtual time: the start tag of the job that was begun last, or the last finish tag where nobody waits.
        finish: campaign to the finish tag of its last job.
        waiting: campaign to its start tag and the number of its request.
    """

    time: float = 0.0
    finish: dict[str, float] = field(default_factory=dict)
    waiting: dict[str, tuple[float, int]] = field(default_factory=dict)


class FairQueue:
    """The campaigns that wait for one station."""

    def __init__(self) -> None:
        self._levels: dict[int, _Level] = {}
        self._claims: dict[str, LabClaim] = {}
        self._serving: dict[str, float] = {}  # campaign to the start tag of its job under way
        self._requests = 0

    @property
    def waiting(self) -> list[str]:
        """The campaigns that wait, in the order in which they would be served."""
        order = [
            (-priority, *rank, campaign)
            for priority, level in self._levels.items()
            for campaign, rank in level.waiting.items()
        ]
        return [campaign for *_, campaign in sorted(order)]

    def ask(self, campaign: str, claim: LabClaim) -> None:
        """Wait for the station; a campaign that waits already keeps its place, unless its priority is another one."""
        before = self._claims.get(campaign)
        if before is not None and before.priority != claim.priority:
            self.withdraw(campaign)
        self._claims[campaign] = claim
        level = self._level(campaign)
        if campaign not in level.waiting:
            self._requests += 1
            level.waiting[campaign] = (max(level.time, level.finish.get(campaign, 0.0)), self._requests)

    def withdraw(self, campaign: str) -> None:
        """Wait no more."""
        for level in self._levels.values():
            level.waiting.pop(campaign, None)

    def begin(self, campaign: str) -> None:
        """Serve a campaign that waits."""
        level = self._level(campaign)
        self._serving[campaign], _ = level.waiting.pop(campaign)
        level.time = max(level.time, self._serving[campaign])

    def end(self, campaign: str, seconds: float) -> None:
        """Charge a campaign with the station time of its job that has ended."""
        level, share = self._level(campaign), self._claims[campaign].share
        level.finish[campaign] = self._serving.pop(campaign, level.time) + seconds / share
        if campaign in level.waiting:  # it asked for its next job while this one was under way
            _, request = level.waiting[campaign]
            level.waiting[campaign] = (max(level.time, level.finish[campaign]), request)
        if not level.waiting:  # the end of a busy period: who comes next begins with all others at the same tag
            level.time = max(level.finish.values())

    def saved(self) -> dict[str, Any]:
        """Return what is to be known after a restart: virtual times and finish tags, by priority."""
        return {str(priority): {"time": one.time, "finish": one.finish} for priority, one in self._levels.items()}

    def restore(self, saved: Mapping[str, Any]) -> None:
        """Go on from what was saved."""
        for priority, one in saved.items():
            self._levels[int(priority)] = _Level(float(one["time"]), dict(one["finish"]))

    def take_up(self, campaign: str, claim: LabClaim) -> None:
        """Go on with serving a campaign whose job is under way, also since before a restart."""
        self._claims[campaign] = claim
        self._serving.setdefault(campaign, self._level(campaign).time)

    def _level(self, campaign: str) -> _Level:
        return self._levels.setdefault(self._claims[campaign].priority, _Level())
