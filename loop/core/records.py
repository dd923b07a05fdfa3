"""What the store gives back of trials: frozen records, free of any database."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from campaigns.fidelity import FULL, cheap_name
from campaigns.values import Candidate, Cause, MetricValue, TrialState
from loop.core.proposals import IMPORTED, Proposal

FEWEST = 3
"""Measurements before there is a model."""

COMPUTER = "computer"
"""What the record of a computation has in the place of a station."""

BY_HAND = "by hand"
"""What the record of a step has there whose result was entered by hand."""


@dataclass(frozen=True, slots=True)
class StepRecord:
    """One attempt at one step of a trial.

    Attributes:
        token: what the instrument knows the job by.
        state: where the step stands, or how it ended: acquired with raw data, completed where its result was entered
            by hand; withdrawn if nothing was moved, so that there is another attempt.
        started, ended: lab time in seconds; None while not reached.
        run_uid: uid of the Bluesky run; None before its start document.
        reason: why it failed; empty when it did not.
        load: token of the load that it is part of, by which the instrument knows the job; empty where it is none.
        place: where its sample stands in that, from 1; 0 where it is none.
    """

    name: str
    attempt: int
    station: str
    token: str
    state: TrialState
    started: float | None
    ended: float | None
    run_uid: str | None
    reason: str
    cost: float
    load: str = ""
    place: int = 0

    @property
    def job(self) -> str:
        """What the instrument knows the job by."""
        return self.load or self.token

    @property
    def open(self) -> bool:
        """Whether it is claimed or under way."""
        return self.state in (TrialState.CLAIMED, TrialState.RUNNING, TrialState.DISPATCHED)


@dataclass(frozen=True, slots=True)
class SampleUse:
    """Which sample a job has.

    Attributes:
        token: of the job.
        sample: its id.
        journal: number of the last amendment before the job was claimed.
        wall: when it was claimed, in seconds since the epoch.
    """

    token: str
    sample: str
    journal: int
    wall: float


@dataclass(frozen=True, slots=True)
class Transition:
    """One change of a trial's state.

    Attributes:
        step: step it belongs to; empty for the trial as a whole.
        wall: seconds since the epoch.
        lab: lab time in seconds.
    """

    trial: int
    step: str
    state: TrialState
    wall: float
    lab: float
    reason: str


@dataclass(frozen=True, slots=True)
class RegretEstimate:
    """The regret expected after a trial was completed, by the models' posterior at that time.

    Attributes:
        incumbent: number of the trial whose candidate was expected to be the best.
        score: expected score of that candidate, without the noise of its measurement, and its standard deviation.
        reached: each target score with the trial that is the surest to reach it, and the probability that it does.
        better: each improvement with the probability that a candidate exists that is better than the best by more.
        gain: expected gain in score of the best candidate there is over the incumbent; None where no rule asks.
    """

    incumbent: int
    score: tuple[float, float]
    reached: tuple[tuple[float, int, float], ...] = ()
    better: tuple[tuple[float, float], ...] = ()
    gain: float | None = None


@dataclass(frozen=True, slots=True)
class PosteriorBest:
    """The measured candidate with the highest expected score by the models' posterior.

    Attributes:
        trial: number of its first reading.
        score: posterior mean of its score, without the noise of a measurement.
        interval: central 95 % credible interval of that score.
        feasibility: posterior probability that it keeps all outcome constraints.
        after: how many trials with a score the models were fitted to.
    """

    trial: int
    score: float
    interval: tuple[float, float]
    feasibility: float
    after: int


@dataclass(frozen=True, slots=True)
class TrialRecord:
    """One candidate's life, from proposal to result.

    Attributes:
        number: from 0, in the order of the proposals.
        metrics: metric to value with uncertainty, computed and derived ones included; grows step by step.
        flags: reasons to distrust the measurement.
        score, score_sd: the objective's value; None until completed.
        feasible: whether all outcome constraints hold; None until completed.
        completed_order: position among the trials that were completed or ended with some metrics known, the order in
            which the models learn; None of others.
        created, ended: seconds since the epoch.
        outlier: why it is a suspected outlier, as of now; empty where it is none.
        regret: the regret that was expected when it was completed; None where no stopping rule asks.
        cause: what a failure, or a quarantine, speaks of; None of others, and of those in stores of earlier versions.
        missing: metrics of which the sample has no value, as the analysis says.
        fault: where a program failed, the same for the same fault; empty where none has.
    """

    number: int
    candidate: Candidate
    state: TrialState
    reason: str
    proposal: Proposal
    metrics: Mapping[str, MetricValue]
    flags: tuple[str, ...]
    score: float | None
    score_sd: float | None
    feasible: bool | None
    completed_order: int | None
    created: float
    ended: float | None
    steps: tuple[StepRecord, ...]
    outlier: str = ""
    regret: RegretEstimate | None = None
    cause: Cause | None = None
    missing: tuple[str, ...] = ()
    fault: str = ""

    @property
    def acquired(self) -> tuple[StepRecord, ...]:
        """The steps whose raw data are stored, in their order."""
        return tuple(step for step in self.steps if step.state is TrialState.ACQUIRED)

    @property
    def done(self) -> tuple[StepRecord, ...]:
        """The steps that count: their raw data are stored, or their result was entered by hand."""
        return tuple(step for step in self.steps if step.state in (TrialState.ACQUIRED, TrialState.COMPLETED))

    @property
    def begun(self) -> bool:
        """Whether any attempt at any of its steps was more than given up before something moved."""
        return any(step.state is not TrialState.WITHDRAWN for step in self.steps)

    @property
    def waits(self) -> bool:
        """Whether it is to be done, and nobody has begun it."""
        return not self.state.ended and not self.begun

    @property
    def fidelity(self) -> str:
        """At which fidelity the trial is."""
        return self.proposal.fidelity

    def metric_key(self, metric: str) -> str:
        """Return what its record calls a metric: at a lower fidelity, not by the metric's own name."""
        return metric if self.fidelity == FULL else cheap_name(self.fidelity, metric)

    @property
    def counted(self) -> bool:
        """Whether it counts in the budget of trials: at full fidelity, measured here, not withdrawn before it began."""
        if self.imported or self.fidelity != FULL:
            return False
        return self.state is not TrialState.WITHDRAWN or self.begun

    @property
    def imported(self) -> bool:
        """Whether it was measured elsewhere, at no cost to this campaign."""
        return self.proposal.generator == IMPORTED

    @property
    def in_part(self) -> bool:
        """Whether it is completed without all metrics that its score and the constraints need, as an imported row."""
        return self.state is TrialState.COMPLETED and self.fidelity == FULL and self.score is None

    @property
    def values(self) -> dict[str, float]:
        """Metric to value, without uncertainties."""
        return {name: m.value for name, m in self.metrics.items()}


@dataclass(frozen=True, slots=True)
class Document:
    """One Bluesky document."""

    trial: int
    step: str
    kind: str
    run_uid: str
    body: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Analysed:
    """What a step's raw data came to.

    Attributes:
        metrics: those that can be trusted.
        flags: why the others cannot.
        cause: what the flags speak of; None without flags.
        fault: where a program failed, the same for the same fault; empty where none has.
        missing: metrics of which the sample has no value, with what the analysis gave in their place.
    """

    metrics: Mapping[str, MetricValue] = field(default_factory=dict)
    flags: tuple[str, ...] = ()
    cause: Cause | None = None
    missing: Mapping[str, str] = field(default_factory=dict)
    fault: str = ""


@dataclass(frozen=True, slots=True)
class TrialResult:
    """How a trial ended.

    Attributes:
        metrics: all metrics that are known, computed and derived ones included.
        score, score_sd, feasible: the objective's value; None unless completed.
        cause: what a failure, or a quarantine, speaks of.
        missing: metrics of which the sample has no value.
        fault: where a program failed, the same for the same fault; empty where none has.
        job: token of the job with which it ended, whose record ends in the same state; empty where it was none.
    """

    state: TrialState
    reason: str = ""
    metrics: Mapping[str, MetricValue] = field(default_factory=dict)
    flags: tuple[str, ...] = ()
    score: float | None = None
    score_sd: float | None = None
    feasible: bool | None = None
    cause: Cause | None = None
    missing: tuple[str, ...] = ()
    fault: str = ""
    job: str = ""
