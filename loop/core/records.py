"""What the store gives back: frozen records of a campaign's life, free of any database."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from campaigns.amendments import CampaignChange, Change, SetWeights
from campaigns.fidelity import FULL, cheap_name
from campaigns.values import Candidate, Cause, MetricValue, TrialState

MODEL, AGAIN = "model", "re-measure"
"""The generators of proposals that a model chose: new candidates, and ones that were measured before."""
FEWEST = 3
"""Measurements before there is a model."""
OPERATOR = "operator"
"""Generator of the proposals that somebody asked for."""
IMPORTED = "imported"
"""Generator of what was measured elsewhere, and was made a trial of the campaign."""
STRATEGY = "strategy"
"""Generator of the proposals of a generation strategy that the campaign names; their node says more."""
PARTIAL = (TrialState.FAILED, TrialState.QUARANTINED, TrialState.UNCERTAIN)
"""States of trials that ended early: what was measured before, and can be trusted, is learnt from."""

HISTORY = "history"
"""Kind of the artefacts that hold, by table, what became of its rows when they were last imported."""
SOURCE = "source"
"""Kind of the artefacts that hold, by name, what was learnt from a source of earlier measurements."""


@dataclass(frozen=True, slots=True)
class Alternative:
    """A candidate that was considered and not chosen."""

    candidate: Candidate
    acquisition: float


@dataclass(frozen=True, slots=True)
class Proposal:
    """Why a candidate was chosen.

    Attributes:
        generator: ``space-filling``, ``sources`` (advised by earlier campaigns, before any measurement), ``model``,
            ``re-measure`` for a candidate that was measured before, ``strategy`` for the node of a strategy that the
            campaign names, ``operator`` for one that somebody asked for, or ``imported`` for what was measured
            elsewhere.
        acquisition: value of the acquisition function, log expected improvement; None unless a model chose.
        predictions: measured and derived metric to its prediction, made before the measurement.
        score: predicted score with its standard deviation; None unless a model chose.
        feasibility: predicted probability that all outcome constraints hold; None unless a model chose.
        learnt_from: numbers of the trials whose measurements the models had seen.
        pending: numbers of the trials that were under way.
        models: metric to the hyper-parameters and version of its model.
        alternatives: the best candidates that were not chosen, best first.
        fidelity: what is to be measured: the metrics, or cheaper versions of them.
        cost: what the trial was expected to cost, in USD; None in stores of earlier versions.
        duration: how long its steps were expected to take, in s; None where nothing was said of that.
        success: predicted probability that it can be made and measured; None when space-filling.
        reason: why a candidate is measured once more or was asked for, in which region a new one was looked for, or
            from which row of which table it was imported, by whom and why; empty otherwise.
        version: number of the latest amendment of the campaign that was in force; 0 for the file as it stands.
        node: name of the node of the generation strategy that made it; empty where none did, and in stores of earlier
            versions.
    """

    generator: str
    acquisition: float | None = None
    predictions: Mapping[str, MetricValue] = field(default_factory=dict)
    score: tuple[float, float] | None = None
    feasibility: float | None = None
    learnt_from: tuple[int, ...] = ()
    pending: tuple[int, ...] = ()
    models: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    alternatives: tuple[Alternative, ...] = ()
    success: float | None = None
    reason: str = ""
    cost: float | None = None
    duration: float | None = None
    fidelity: str = FULL
    version: int = 0
    node: str = ""

    @property
    def modelled(self) -> bool:
        """Whether a model chose it."""
        return self.generator in (MODEL, AGAIN)

    @property
    def origin(self) -> str:
        """Who proposed it, and for which fidelity if not for the full one."""
        return self.generator if self.fidelity == FULL else f"{self.generator}, {self.fidelity}"


@dataclass(frozen=True, slots=True)
class StepRecord:
    """One attempt at one step of a trial.

    Attributes:
        token: what the instrument knows the job by.
        state: where the step stands, or how it ended; withdrawn if nothing was moved, so that there is another attempt.
        started, ended: lab time in seconds; None while not reached.
        run_uid: uid of the Bluesky run; None before its start document.
        reason: why it failed; empty when it did not.
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
        after: how many trials with a score the models had learnt from.
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
        missing: metrics that cannot be had of the sample, as the analysis says.
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
    def begun(self) -> bool:
        """Whether any attempt at any of its steps was more than given up before something moved."""
        return any(step.state is not TrialState.WITHDRAWN for step in self.steps)

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
class SessionRecord:
    """One start of ``athanor run`` on a campaign.

    Attributes:
        started, ended: seconds since the epoch; ``ended`` is the last sign of life.
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
        seed: the seed in force.
        fingerprint: hash of everything that determines the trials.
    """

    name: str
    source: str
    seed: int
    fingerprint: str
    created: float


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


def weighed(amendments: Iterable[Amendment]) -> int:
    """Return the number of the last amendment of the weights, by which all trials are scored; 0 without one."""
    return max((a.number for a in amendments if isinstance(a.change, SetWeights) and not a.refused), default=0)


def version_of(amendments: Iterable[Amendment]) -> int:
    """Return the number of the last amendment that changes the campaign; 0 without one."""
    return max((a.number for a in amendments if changes_of([a])), default=0)


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
        missing: metrics that cannot be had of the sample, with what the analysis gave in their place.
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
        missing: metrics that cannot be had of the sample.
        fault: where a program failed, the same for the same fault; empty where none has.
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


def completed(trials: Iterable[TrialRecord], fidelity: str = FULL) -> list[TrialRecord]:
    """Return the completed trials of a fidelity, in the order in which they were completed.

    This and ``trusted`` say which trials count; nothing else does.
    """
    done = [t for t in trials if t.state is TrialState.COMPLETED and t.fidelity == fidelity]
    return sorted(done, key=lambda t: (t.completed_order or 0, t.number))


def fully_measured(trials: Iterable[TrialRecord], metrics: Collection[str]) -> list[TrialRecord]:
    """Return the completed trials of which every one of some metrics is known: what a score can be told of."""
    return [t for t in completed(trials) if all(name in t.metrics for name in metrics)]


def learnable(trials: Iterable[TrialRecord], fidelity: str = FULL) -> list[TrialRecord]:
    """Return the trials of a fidelity that have given any measurement to learn from, in the order in which they ended.

    Beside the completed ones, these are trials that ended early, of which some metrics are known and can be trusted.
    """
    ended = [t for t in trials if t.fidelity == fidelity and (t.state is TrialState.COMPLETED or _partial(t))]
    return sorted(ended, key=lambda t: (t.completed_order or 0, t.number))


def _partial(trial: TrialRecord) -> bool:
    return trial.state in PARTIAL and bool(trial.metrics)


def trusted(trials: Iterable[TrialRecord]) -> list[TrialRecord]:
    """Return the completed trials that are no suspected outliers: what may rank, stop a campaign, or teach another."""
    return [t for t in completed(trials) if not t.outlier]


def time_spent(sessions: list[SessionRecord]) -> float:
    """Return the wall time in seconds of all sessions but the last, which is the one under way."""
    return sum(session.ended - session.started for session in sessions[:-1])
