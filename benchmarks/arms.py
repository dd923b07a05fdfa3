"""The ways of choosing that are compared, each on the same manager, stations, store and virtual lab."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path
from threading import Event as Flag
from typing import Any, cast

import numpy as np
import torch

from benchmarks.cathode_truth import Goal, Truth, build_truth, draw
from campaigns.campaign import BudgetConfig, Campaign
from campaigns.load import load_campaign
from campaigns.metrics import MeasuredConfig
from campaigns.surrogate import CompositionConfig
from campaigns.values import Candidate, Scalar, TrialState
from loop.cli.memory import peak_memory
from loop.core.campaign_version import CampaignVersion
from loop.core.events import Event, TrialEnded
from loop.core.proposals import Proposal
from loop.core.records import PosteriorBest, TrialRecord
from loop.diagnostics.model_health import HealthChange
from loop.execution.options import RunOptions
from loop.execution.session import CampaignResources
from loop.planning.planner import Planner
from loop.planning.pool_data import PoolData, build_encoder, build_pool_data
from loop.run import conduct


class Arm(StrEnum):
    """Who chooses the candidates."""

    ATHANOR = "Athanor"
    COMPOSITION = "composition only"
    RANDOM = "random"


@dataclass(frozen=True, slots=True)
class Limits:
    """How many trials a campaign of the benchmark has.

    Attributes:
        planned: trials of a campaign that plans, and the fewest of one that does not.
        random: trials after which a random search gives up.
    """

    planned: int = 60
    random: int = 400

    def of(self, arm: Arm) -> int:
        """Return after how many trials a campaign gives up."""
        return self.random if arm is Arm.RANDOM else self.planned


@dataclass(frozen=True, slots=True)
class Task:
    """One campaign to run.

    Attributes:
        file: the campaign file.
    """

    file: Path
    arm: Arm
    seed: int
    goal: Goal
    limits: Limits


@dataclass(frozen=True, slots=True)
class Run:
    """What came of a campaign.

    Attributes:
        arm: who chose.
        found: how many trials had ended when one of the best candidates had been measured; None if none ever was.
        materials: how many of the best materials had been measured as feasible within the planned number of trials.
        best: highest true score among as many trials.
        wall: seconds from the first proposal to the end; set-up and embedding are over before.
        forty: seconds of these until 40 trials had ended; None if fewer ever did.
        thinking: processor seconds of each suggestion that a model made.
        memory: largest resident set of the process, in bytes.
        trials: the trials in the order in which they ended, for later analysis.
    """

    arm: str
    seed: int
    found: int | None
    materials: int
    best: float
    wall: float
    forty: float | None
    thinking: list[float]
    memory: float
    trials: list[dict[str, Any]]


class NoModels:
    """Stands where a planner has its models, and is fitted to nothing."""

    scored = 0

    def posterior_best(self) -> PosteriorBest | None:
        """Expect nothing of any candidate."""
        return None

    def outliers(self) -> dict[int, str]:
        """Take no measurement for an outlier."""
        return {}


class RandomPlanner:
    """Suggests candidates at random and learns nothing."""

    def __init__(self, campaign: Campaign, ids: tuple[str, ...]) -> None:
        self.models = NoModels()
        self._space, self._ids, self._next = campaign.space, ids, 0
        self._generator = np.random.default_rng(campaign.seed)

    def suggest(self, fixed: Mapping[str, Scalar] | None = None) -> tuple[int, Candidate, Proposal]:  # noqa: ARG002
        """Return the number of a new trial and a candidate drawn uniformly; no station here takes loads."""
        self._next += 1
        return self._next - 1, draw(self._space, self._ids, self._generator), Proposal("random")

    def ingest(self, trial: TrialRecord) -> list[tuple[str, HealthChange]]:  # noqa: ARG002
        """Learn nothing."""
        return []

    def amend(self, now: CampaignVersion) -> None:
        """Heed no amendment: there is none."""

    def recall(self, trials: Sequence[TrialRecord]) -> None:
        """Go on after the trials of the store."""
        self._next = len(trials)


class Timed:
    """Another planner, and the processor time that its models take."""

    def __init__(self, planner: Planner | RandomPlanner) -> None:
        self._planner = planner
        self.ingest, self.recall = planner.ingest, planner.recall
        self.amend, self.models = planner.amend, planner.models
        self.thinking: list[float] = []

    def suggest(self, fixed: Mapping[str, Scalar] | None = None) -> tuple[int, Candidate, Proposal]:
        """Return the other planner's suggestion."""
        started = time.thread_time()
        number, candidate, proposal = self._planner.suggest(fixed)
        if proposal.generator == "model":
            self.thinking.append(time.thread_time() - started)
        return number, candidate, proposal


@dataclass
class _Watch:
    """Follows the events of a campaign, and ends a random one that has found what it was to find."""

    task: Task
    truth: Truth
    stop: Flag = field(default_factory=Flag)
    ended: list[TrialRecord] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)
    times: list[float] = field(default_factory=list)

    def __call__(self, event: Event) -> None:
        if not isinstance(event, TrialEnded):
            return
        self.ended.append(event.trial)
        self.times.append(time.perf_counter())
        self.scores.append(self.truth.score(event.trial.candidate))
        if self.task.arm is Arm.RANDOM and self.found is not None and len(self.ended) >= self.task.limits.planned:
            self.stop.set()

    @property
    def found(self) -> int | None:
        """How many trials had ended when one of the best candidates had been measured."""
        pairs = enumerate(zip(self.ended, self.scores, strict=True), 1)
        completed = (n for n, (t, s) in pairs if t.state is TrialState.COMPLETED and s >= self.task.goal.threshold)
        return next(completed, None)

    @property
    def planned(self) -> list[tuple[TrialRecord, float]]:
        """The trials that count where the number of trials is given, with their true scores."""
        return list(zip(self.ended, self.scores, strict=True))[: self.task.limits.planned]


def run_task(task: Task) -> Run:
    """Run one campaign in a temporary folder.

    Raises:
        AthanorError: the campaign cannot be run.
    """
    torch.set_num_threads(1)
    campaign = _campaign(task)
    materials = build_pool_data(campaign)
    assert materials is not None
    planner = Timed(_planner(task.arm, campaign, materials))
    watch = _Watch(task, build_truth(campaign, materials))
    # Where no stopping rule asks for a regret, the manager needs no more of a planner than this.
    parts = CampaignResources(campaign, materials, cast("Planner", planner))
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        conduct(parts, RunOptions(f"sqlite:///{folder}/{campaign.name}.db", "", stop=watch.stop), watch)
    return _result(watch, planner, [at - started for at in watch.times])


def _campaign(task: Task) -> Campaign:
    """Return the campaign with the task's seed, and no end but its number of trials."""
    trials = task.limits.of(task.arm)
    changes = {"seed": task.seed, "budget": BudgetConfig(trials=trials), "stopping": ()}
    campaign = load_campaign(task.file).model_copy(update=changes)
    return by_composition(campaign) if task.arm is Arm.COMPOSITION else campaign


def by_composition(campaign: Campaign) -> Campaign:
    """Return a campaign that sees only the composition of a crystal, and knows nothing of it beforehand."""
    metrics = {
        name: m.model_copy(update={"prior": None, "prior_as": "mean"}) if isinstance(m, MeasuredConfig) else m
        for name, m in campaign.metrics.items()
    }
    surrogate = campaign.surrogate.model_copy(update={"features": (CompositionConfig(kind="composition"),)})
    return campaign.model_copy(update={"metrics": metrics, "surrogate": surrogate})


def _planner(arm: Arm, campaign: Campaign, materials: PoolData) -> Planner | RandomPlanner:
    match arm:
        case Arm.ATHANOR | Arm.COMPOSITION:
            return Planner(campaign, build_encoder(campaign, materials))
        case Arm.RANDOM:
            return RandomPlanner(campaign, materials.pool.ids)


def _result(watch: _Watch, planner: Timed, times: list[float]) -> Run:
    good = {t.candidate.material for t, _ in watch.planned if t.state is TrialState.COMPLETED and t.feasible}
    return Run(
        arm=watch.task.arm.value,
        seed=watch.task.seed,
        found=watch.found,
        materials=len(good & set(watch.task.goal.materials)),
        best=max(score for _, score in watch.planned),
        wall=times[-1],
        forty=times[39] if len(times) >= 40 else None,
        thinking=planner.thinking,
        memory=peak_memory(),
        trials=[_summary(t, s) for t, s in zip(watch.ended, watch.scores, strict=True)],
    )


def _summary(trial: TrialRecord, true_score: float) -> dict[str, Any]:
    """Return what is worth keeping of a trial, as JSON values."""
    return {
        "number": trial.number,
        "material": trial.candidate.material,
        "parameters": dict(trial.candidate.parameters),
        "state": trial.state.value,
        "score": trial.score,
        "true_score": true_score if np.isfinite(true_score) else None,
        "feasible": trial.feasible,
        "metrics": {name: asdict(value) for name, value in trial.metrics.items()},
        "generator": trial.proposal.generator,
        "predicted_score": list(trial.proposal.score or ()),
        "predicted_feasibility": trial.proposal.feasibility,
        "predictions": {name: asdict(value) for name, value in trial.proposal.predictions.items()},
    }
