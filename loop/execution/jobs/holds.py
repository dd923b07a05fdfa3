"""Why a job may not begin at a station now: one small function for each reason, all asked in one place."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from campaigns.lab.laboratory import StepConfig
from campaigns.values import TrialState
from loop.core.records import TrialRecord


@dataclass(frozen=True, slots=True)
class PossibleJob:
    """A trial's step that a station could take now."""

    trial: TrialRecord
    step: StepConfig
    station: str

    @property
    def attaches(self) -> bool:
        """Whether it was begun before, so that the station only takes it up again."""
        return any(s.name == self.step.name and s.state is TrialState.DISPATCHED for s in self.trial.steps)


@dataclass(frozen=True, slots=True)
class Held:
    """A job that has to wait.

    Attributes:
        reason: for people, without the station's name.
        ends: lab time in s at which it is over by itself; None where something else ends it, and wakes the session.
        asks: whether people have to do something about it.
        ways: commands that people may answer with, without file and reason, each with what comes of it.
        about: the key of ``requests`` in the campaign file that limits the wait; empty where none does.
        measures: whether the station itself ends it by a job, for which it is asked for where others share it.
    """

    reason: str
    ends: float | None = None
    asks: bool = False
    ways: tuple[tuple[str, str], ...] = ()
    about: str = ""
    measures: bool = False


Hold = Callable[[PossibleJob], Held | None]
"""Returns why a job may not begin now, or None if it may. It is asked often: it answers at once, and changes nothing.

A station that is not usable any more, or busy, is no hold: the one ends the wait, the other is waited for anyway."""


def first_hold(holds: Iterable[Hold], job: PossibleJob) -> Held | None:
    """Return why a job may not begin now, by the first hold that has a reason; None if it may."""
    return next((held for hold in holds if (held := hold(job)) is not None), None)
