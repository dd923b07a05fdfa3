"""The campaign as an experiment of Ax: what may be searched, what was proposed, and what came of each trial.

It is rebuilt from the store's trials in bulk and kept in step with them; the store stays the only truth. What was
proposed, what is pending and what counts as tried is asked of it and of nothing else.
"""

from __future__ import annotations

import logging
import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeAlias

from ax.api.client import Client
from ax.api.utils.instantiation.from_string import optimization_config_from_string
from ax.core.arm import Arm
from ax.core.base_trial import BaseTrial
from ax.core.data import Data, DataRow
from ax.core.experiment import Experiment
from ax.core.generator_run import GeneratorRun
from ax.core.metric import Metric
from ax.core.optimization_config import OptimizationConfig
from ax.utils.common.logger import set_ax_logger_levels

from campaigns.campaign import Campaign
from campaigns.fidelity import FULL, cheap_name
from campaigns.objective import FindParetoConfig, Objective
from campaigns.spaces.ax_space import inexpressible_bounds
from campaigns.values import Candidate, TrialState
from loop.core.proposals import IMPORTED, Proposal
from loop.core.records import TrialRecord
from loop.core.trial_scoring import score_trial
from loop.core.trial_selection import fully_measured
from loop.planning.failures import lost
from loop.planning.search_space import candidate_of, parameters_of, search_space

MATERIALS = "materials"
"""Property of the experiment that holds the ids of the pool's materials, row by row."""
SCORE = "score"

Keys: TypeAlias = frozenset[tuple[object, ...]]
"""Of candidates; see ``Candidate.key``."""

_TRIES = 2
"""Trials that a candidate gets whose trials fail for a fault that is not its own; not tuned."""


@dataclass(frozen=True, slots=True)
class _Proposed:
    """A trial as it was proposed, in the words of the campaign; the arm of Ax holds stand-in values, too.

    Attributes:
        candidate: of the trial.
        proposal: which node made it, and at which fidelity.
        tried: whether the candidate counts as tried once the trial has ended.
        lost: whether a fault of the lab ended it.
    """

    candidate: Candidate
    proposal: Proposal
    tried: bool
    lost: bool = False

    @property
    def fidelity(self) -> str:
        """At which fidelity it is measured."""
        return self.proposal.fidelity

    @property
    def imported(self) -> bool:
        """Whether it was measured elsewhere."""
        return self.proposal.generator == IMPORTED


class CampaignExperiment:
    """All trials of a campaign; a trial of Ax has the index that is the trial's number.

    A candidate counts as tried once a trial of it has told something, or when several were lost to faults of the lab:
    where the lab is broken, no candidate is tried without end. Imported trials count, but nobody proposed them.

    Args:
        campaign: its current version.
        materials: ids of the pool, row by row; empty without a pool.
    """

    def __init__(self, campaign: Campaign, materials: Sequence[str] = ()) -> None:
        set_ax_logger_levels(logging.WARNING)
        self._campaign, self._objective = campaign, campaign.build_objective()
        self._materials = tuple(materials)
        self._rows = {material: row for row, material in enumerate(materials)}
        self.clear()

    def __len__(self) -> int:
        return len(self._proposed)

    def amend(self, campaign: Campaign) -> None:
        """Hold the same trials in an amended campaign: another space, or another objective."""
        self._campaign, self._objective = campaign, campaign.build_objective()
        self.ax = self.built()

    @contextmanager
    def within(self, campaign: Campaign) -> Iterator[None]:
        """Give whoever asks for an experiment of its own one with the space of another campaign, for a while."""
        before, self._campaign = self._campaign, campaign
        try:
            yield
        finally:
            self._campaign = before

    def clear(self) -> None:
        """Forget all trials."""
        self._proposed: list[_Proposed] = []
        self._ended: dict[int, TrialRecord] = {}
        self._outliers: dict[int, str] = {}
        self._unstated: set[str] = set()  # metrics of which a measurement states no uncertainty
        self.ax = self._empty()

    def built(self) -> Experiment:
        """Return an experiment of its own with the same trials, made in the order of their numbers."""
        found = self._empty()
        for one in self._proposed:
            self._attach(found, one)
        self._settle(found, [self._ended[number] for number in sorted(self._ended)])
        return found

    def restore(self, trials: Sequence[TrialRecord]) -> None:
        """Add more trials of the store, in the order of their numbers, in bulk."""
        for trial in trials:
            # What was imported in part may still be measured here, as may what was withdrawn.
            whole = not trial.imported or fully_measured([trial], self._campaign.measured)
            self.add(trial.candidate, trial.proposal, tried=bool(whole))
        self.end([trial for trial in trials if trial.state.ended])

    def add(self, candidate: Candidate, proposal: Proposal, *, tried: bool = True) -> int:
        """Take note of a trial that runs from now on, and return its number.

        Args:
            candidate: of the trial.
            proposal: which node made it, and at which fidelity.
            tried: whether the candidate counts as tried once the trial has ended.
        """
        self._proposed.append(_Proposed(candidate, proposal, tried))
        return self._attach(self.ax, self._proposed[-1])

    def end(self, trials: Sequence[TrialRecord]) -> None:
        """Take note of how trials ended, in bulk."""
        self._ended |= {trial.number: trial for trial in trials}
        self._outliers |= {trial.number: trial.outlier for trial in trials if trial.outlier}
        for trial in trials:
            self._proposed[trial.number] = replace(self._proposed[trial.number], lost=lost(trial))
        unstated = {name for t in trials for name, m in t.metrics.items() if m.sd == 0.0} - self._unstated
        self._unstated |= unstated
        if unstated and len(trials) < len(self._ended):
            self.ax = self.built()  # Ax infers the noise of a metric for all of its measurements, or for none
        else:
            self._settle(self.ax, trials)

    def flag_outliers(self, outliers: Mapping[int, str]) -> None:
        """Take note of which completed trials are suspected outliers as of now, each with the reason."""
        before, self._outliers = self._outliers, dict(outliers)
        if before.keys() - outliers.keys():  # Ax takes no failure back
            self.ax = self.built()
            return
        for number, reason in outliers.items():
            held = self.ax.trials[number].mark_failed(unsafe=True)
            held._status_reason = _suspected(reason)  # Ax keeps the first reason of a failure

    def candidate_of(self, parameters: Mapping[str, Any]) -> Candidate:
        """Return the candidate that parameters of Ax stand for, whether it is allowed or not."""
        return candidate_of(self._campaign.space, parameters, self._materials)

    def parameters_of(self, candidate: Candidate) -> dict[str, Any]:
        """Return a candidate's value of each parameter of Ax."""
        return parameters_of(self._campaign.space, candidate, self._rows)

    def save(self, path: Path) -> None:
        """Write the experiment as a file, for ``Client.load_from_json_file``.

        Raises:
            OSError: the file cannot be written.
        """
        client = Client(random_seed=self._campaign.seed)
        client.set_experiment(self.ax)
        client.configure_generation_strategy(initialization_budget=None if self.ax.lookup_data().empty else 0)
        client.save_to_json_file(str(path))

    @property
    def under_way(self) -> tuple[int, ...]:
        """The numbers of the trials under way, at any fidelity."""
        return tuple(number for number in range(len(self)) if number not in self._ended)

    @property
    def pending(self) -> list[Candidate]:
        """The candidates under way at full fidelity."""
        under_way = [self._proposed[number] for number in self.under_way]
        return [one.candidate for one in under_way if one.fidelity == FULL]

    @property
    def ended(self) -> Keys:
        """The keys of the candidates whose trials at full fidelity have ended."""
        return _tried([self._proposed[number] for number in self._ended], FULL)

    @property
    def imported(self) -> Keys:
        """The keys of the candidates that were measured elsewhere."""
        return frozenset(one.candidate.key() for one in self._proposed if one.imported and one.tried)

    def own(self, before: int | None = None) -> int:
        """Return how many trials were proposed, all of them or those with a number below ``before``."""
        return sum(not one.imported for one in self._proposed[:before])

    def seen(self, fidelity: str) -> Keys:
        """Return the keys of all candidates that were tried, or are under way, at a fidelity."""
        return _tried(self._proposed, fidelity)

    def lost(self, candidate: Candidate, fidelity: str) -> tuple[int, ...]:
        """Return the numbers of a candidate's trials at a fidelity that were lost to faults of the lab."""
        key, each = candidate.key(), enumerate(self._proposed)
        lost_ones = [(i, one) for i, one in each if one.lost and one.fidelity == fidelity]
        return tuple(i for i, one in lost_ones if one.candidate.key() == key)

    def count(self, fidelity: str) -> int:
        """Return how many trials were proposed at a fidelity."""
        return sum(one.fidelity == fidelity for one in self._proposed)

    def observed(self, trial: TrialRecord) -> dict[str, tuple[float, float]]:
        """Return what a trial measured, what is constrained, and what it is worth, each with its standard error.

        The standard error of the points of a front is NaN.
        """
        measured = {name: (m.value, m.sd) for name, m in trial.metrics.items()}
        if trial.state is not TrialState.COMPLETED or trial.fidelity != FULL:
            return measured
        scored = score_trial(self._objective, trial, {})
        if scored.score is None:
            return measured
        measured |= {name: (m.value, m.sd) for name, m in scored.metrics.items()}
        if not isinstance(self._objective.find, FindParetoConfig):
            return measured | {SCORE: (scored.score, scored.score_sd or 0.0)}
        points = self._objective.points({name: value for name, (value, _) in measured.items()})
        return measured | {n: (float(p), math.nan) for n, p in zip(_axes(self._objective), points, strict=True)}

    def _empty(self) -> Experiment:
        campaign = self._campaign
        return Experiment(
            search_space(campaign.space, len(self._rows)),
            campaign.name,
            description=campaign.description,
            optimization_config=_optimization(self._objective),
            tracking_metrics=[Metric(name, lower_is_better=False) for name in held_metrics(campaign)],
            properties={"owners": [None]} | ({MATERIALS: list(self._rows)} if self._rows else {}),
        )

    def _attach(self, to: Experiment, one: _Proposed) -> int:
        """Let a trial of Ax run; one that lies outside of the space stays, as Ax has it, out of design."""
        proposal = one.proposal
        arm = Arm(self.parameters_of(one.candidate))
        run = GeneratorRun([arm], generation_node_name=proposal.node or proposal.generator)
        # Not by Experiment.attach_trial, which refuses what breaks a constraint.
        trial = to.new_trial(run).mark_running(no_runner_required=True)
        about = {"fidelity": proposal.fidelity, "generator": proposal.generator, "node": proposal.node}
        trial.update_run_metadata(about)
        return trial.index

    def _settle(self, held: Experiment, trials: Sequence[TrialRecord]) -> None:
        """Give Ax what trials measured, all at once, and how they ended."""
        rows = [row for trial in trials for row in self._data(held, trial)]
        if rows:
            held.attach_data(Data(data_rows=rows))
        for trial in trials:
            self._mark(held.trials[trial.number], trial)

    def _mark(self, held: BaseTrial, trial: TrialRecord) -> None:
        """Mark how a trial ended. Ax takes abandoned trials for pending ones, so that there are none."""
        suspected = self._outliers.get(trial.number, "")
        if trial.state is not TrialState.COMPLETED:
            held.mark_failed(reason=f"{trial.state}: {trial.reason}" if trial.reason else str(trial.state))
        elif suspected:
            held.mark_failed(reason=_suspected(suspected))
        elif score_trial(self._objective, trial, {}).score is None:
            what = f"at fidelity {trial.fidelity}" if trial.fidelity != FULL else "in part"
            held.mark_early_stopped(reason=f"measured {what}: there is no score", unsafe=True)
        else:
            held.mark_completed()

    def _data(self, held: Experiment, trial: TrialRecord) -> Iterator[DataRow]:
        """Yield what Ax holds of a trial; where a measurement of a metric states no error, Ax infers its noise."""
        arm = held.trials[trial.number].arms[0].name
        wanted = {*held.metrics, *(cheap_name(trial.fidelity, name) for name in self._campaign.measured)}
        inferred = self._unstated | ({SCORE} if self._unstated else set())
        for name, (value, sd) in self.observed(trial).items():
            if name in wanted:
                yield DataRow(trial.number, arm, name, name, value, math.nan if name in inferred else sd)


def _tried(trials: Sequence[_Proposed], fidelity: str) -> Keys:
    """Return the keys of the candidates that count as tried at a fidelity by these trials."""
    counting = [(one.candidate.key(), one.lost) for one in trials if one.fidelity == fidelity and one.tried]
    lost_ones = Counter(key for key, is_lost in counting if is_lost)
    return frozenset(key for key, is_lost in counting if not is_lost or lost_ones[key] >= _TRIES)


def _optimization(objective: Objective) -> OptimizationConfig:
    """Return what is maximised, with the outcome constraints, and the references of a front as thresholds."""
    refused = {metric for metric, _ in inexpressible_bounds(bound.metric for bound in objective.bounds)}
    held = [bound for bound in objective.bounds if bound.metric not in refused]
    bounds = [f"{b.metric} {'>=' if b.at_least else '<='} {b.limit!r}" for b in held]
    axes = _axes(objective)
    if isinstance(objective.find, FindParetoConfig):
        bounds += [f"{n} >= {x!r}" for n, x in zip(axes, objective.references, strict=True) if x is not None]
    return optimization_config_from_string(", ".join(axes), bounds)


def held_metrics(campaign: Campaign) -> list[str]:
    """Return the metrics of Ax that hold a campaign: what is maximised, what is measured, what is constrained."""
    objective = campaign.build_objective()
    return list(dict.fromkeys([*_axes(objective), *campaign.measured, *(b.metric for b in objective.bounds)]))


def _axes(objective: Objective) -> list[str]:
    """Return the names of what is maximised: the score, or the points of each term of a front."""
    if not isinstance(objective.find, FindParetoConfig):
        return [SCORE]
    return [f"points_of_{term.metric}_{place}" for place, term in enumerate(objective.terms)]


def _suspected(reason: str) -> str:
    return f"a suspected outlier: {reason}"
