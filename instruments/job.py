"""What a station is asked to do, and what it answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from campaigns.values import Cause, Scalar

HEADER = ("sample", "material", "step", "attempt")
"""Signals beside the settings that a job is described by."""
NO_TRIAL = -1
"""In the place of a trial's number: the job measures a calibration standard."""

NO_SAMPLE = "-"
"""What an EPICS server is told of a place without a sample: it may refuse an empty text."""


@dataclass(frozen=True, slots=True)
class LoadMember:
    """One sample of a load: the attempt at a step of its trial, and the place where it stands.

    Attributes:
        trial: number of the trial.
        attempt: number of the attempt at this step.
        token: what the attempt is known by; unique.
        sample: name of the sample.
        material: id of the pool entry; None in a campaign without a pool.
        place: from 1 to the capacity of the instrument.
        recipe: the settings of this place, in the unit of the instrument's signal.
    """

    trial: int
    attempt: int
    token: str
    sample: str
    material: str | None
    place: int
    recipe: Mapping[str, Scalar] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Job:
    """One attempt at one step of one trial, or of all trials of a load, at once.

    Attributes:
        trial: number of the trial; ``NO_TRIAL`` for a calibration standard.
        step: name of the step.
        attempt: number of the attempt at this step.
        token: what the instrument knows the job by; unique.
        sample: name of the sample that is carried from step to step.
        material: id of the pool entry that is made or measured; None in a campaign without a pool.
        recipe: setting to value, in the unit of the instrument's signal.
        timeout: longest time that the step may take, in seconds of lab time.
        adopt: attach to a job that the instrument already knows, and start none.
        dispatch: commits that the job is about to move something; called just before the first irreversible command.
        start: what the start document of its run says of the campaign.
        members: the samples of a load, in the order of their places; empty at an instrument that takes one. Trial,
            attempt, sample and material are those of the first then, and the recipe holds what all share.
    """

    trial: int
    step: str
    attempt: int
    token: str
    sample: str
    material: str | None
    recipe: Mapping[str, Scalar]
    timeout: float
    adopt: bool = False
    dispatch: Callable[[], None] = field(default=lambda: None)
    start: Mapping[str, Any] = field(default_factory=dict)
    members: tuple[LoadMember, ...] = ()

    @property
    def attempts(self) -> tuple[LoadMember, ...]:
        """The attempts that it is: of each sample of a load, or its own."""
        own = LoadMember(self.trial, self.attempt, self.token, self.sample, self.material, 0)
        return self.members or (own,)

    @property
    def whose(self) -> str:
        """Return of which trials the job is, for people."""
        if self.trial == NO_TRIAL:
            return f"of sample {self.sample}"
        if not self.members:
            return f"trial {self.trial}"
        numbers = ", ".join(str(one.trial) for one in self.members)
        return f"load of {len(self.members)}: trial{'s' * (len(self.members) > 1)} {numbers}"


class Fate(StrEnum):
    """What an instrument says of a job."""

    NEVER_BEGAN = "never began"
    """It can rule out that the job was ever begun."""
    OVER = "over"
    """The job has ended, well or badly."""
    UNDER_WAY = "under way"
    """It is still at it, or may be, as it does not answer."""
    UNKNOWN = "unknown"
    """It knows nothing of it, or cannot tell what became of it."""


@dataclass(frozen=True, slots=True)
class StepResult:
    """How a job ended.

    Attributes:
        ok: whether success is proven: the plan ended well, with exactly the expected events.
        error: reason of the failure, starting with the name of the error; None when ok.
        dispatched: whether something may have moved: the job was committed as dispatched, now or (adopted) before.
        run_uid: uid of the Bluesky run; None when none was opened.
        started, ended: lab time in seconds.
        cause: what a failure speaks of, the sample or the lab; None when ok.
        fate: what the instrument says of the job.
        busy: whether it failed only because the instrument is at another job.
        refused: whether it failed only because the station of a shared laboratory was given to another campaign; it is
            busy, too. What was begun before that is of unknown fate.
        mistaken: whether it failed by a mistake in the user's plan, before anything moved, as it will each time.
    """

    job: Job
    ok: bool
    error: str | None
    dispatched: bool
    run_uid: str | None
    started: float
    ended: float
    cause: Cause | None = None
    fate: Fate = Fate.UNKNOWN
    busy: bool = False
    refused: bool = False
    mistaken: bool = False
