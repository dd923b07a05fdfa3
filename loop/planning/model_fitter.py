"""The models fitted to the trials that have ended; what takes time is fitted once for each set of them."""

from __future__ import annotations

import zlib
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from campaigns.campaign import Campaign
from campaigns.fidelity import FULL
from campaigns.values import Candidate, TrialState
from campaigns.warm_start import Source
from loop.core.campaign_version import CampaignVersion
from loop.core.formatting import metric_text
from loop.core.records import FEWEST as FEWEST_SCORED
from loop.core.records import PosteriorBest, RegretEstimate, TrialRecord
from loop.core.trial_selection import fully_measured, learnable
from loop.diagnostics.model_health import HealthChange
from loop.planning.failures import failures
from loop.planning.fidelity_selection import LowFidelityData, with_low_fidelities
from loop.planning.fitting import FitCaches, fit_posterior
from loop.planning.health_monitor import HealthMonitor
from loop.planning.mc_objective import OptimizationProblem
from loop.planning.posterior import CampaignPosterior, TrainingData
from loop.planning.posterior_best import doubts, posterior_best
from loop.planning.regret import estimate_regret
from loop.planning.source_models import SourceModels
from surrogates.models.encoder import Encoder
from surrogates.models.outliers import FEWEST

if TYPE_CHECKING:
    from loop.planning.experiment import Keys


class ModelFitter:
    """The models of a campaign's metrics.

    Args:
        problem: objective and layout of rows.
        sources: what earlier campaigns measured.

    Raises:
        CampaignError: a source has too few measurements of what this campaign can choose.
    """

    def __init__(self, problem: OptimizationProblem, sources: Sequence[Source]) -> None:
        self.problem, self.source_models = problem, SourceModels(problem, sources)
        self.health, self.low_fidelities = HealthMonitor(problem), LowFidelityData(problem)
        self._whole: OptimizationProblem | None = None
        self._failed: list[TrialRecord] = []
        self._caches: FitCaches = {}
        self._posterior: tuple[tuple[int, ...], CampaignPosterior] | None = None
        self._posterior_beside_failures: tuple[tuple[Candidate, ...], CampaignPosterior] | None = None

    @property
    def whole(self) -> OptimizationProblem:
        """The problem with the whole space, where proposals are to fill a load now."""
        return self._whole or self.problem

    @property
    def trials(self) -> Sequence[TrialRecord]:
        """The trials at full fidelity that there is anything to learn from, in the order in which they ended."""
        return self.health.trials

    @property
    def scored(self) -> int:
        """How many of them were completed with every measured metric, so that they have a score."""
        return len(self._fully_measured)

    @property
    def _fully_measured(self) -> list[TrialRecord]:
        return fully_measured(self.trials, self.problem.campaign.measured)

    @property
    def learnt_from(self) -> tuple[int, ...]:
        """The numbers of all trials that there is anything to learn from, those at full fidelity first."""
        return (*self.health.numbers, *self.low_fidelities.numbers)

    @property
    def imported(self) -> int:
        """How many candidates of the space, in its widest form so far, were measured elsewhere and have a score."""
        elsewhere = {t.candidate.key(): t.candidate for t in self._fully_measured if t.imported}
        return sum(self.problem.encoder.space.contains(candidate) for candidate in elsewhere.values())

    @property
    def measured(self) -> TrainingData:
        """What was measured, in the order in which it came."""
        metrics = {name: [t.metrics.get(name) for t in self.trials] for name in self.problem.campaign.measured}
        whole = [t.state is TrialState.COMPLETED for t in self.trials]
        return TrainingData([t.candidate for t in self.trials], metrics, (), frozenset(), whole=whole)

    def learn(self, trial: TrialRecord) -> list[tuple[str, HealthChange]]:
        """Learn how a trial ended; return by metric whose model's health has changed."""
        self._note(trial)
        return self.health.learn(trial) if learnable([trial]) else []

    def forget(self) -> None:
        """Forget all trials."""
        self._failed, self._caches, self._posterior, self._posterior_beside_failures = [], {}, None, None
        self.health.forget()
        self.low_fidelities.forget()

    def recall(self, ended: Sequence[TrialRecord]) -> None:
        """Learn how many trials ended, given in the order in which they ended."""
        self.health.recall(learnable(ended))
        for trial in ended:
            self._note(trial)

    def _note(self, trial: TrialRecord) -> None:
        """Take note of a trial that failed, or gave a measurement at a lower fidelity."""
        if trial.state is TrialState.FAILED:
            self._failed.append(trial)
        if trial.fidelity != FULL and learnable([trial], trial.fidelity):
            self.low_fidelities.learn(trial)

    def posterior(self) -> CampaignPosterior:
        """Return the posterior after the completed trials."""
        if self._posterior is None or self._posterior[0] != self.learnt_from:
            self._posterior = (self.learnt_from, self._fitted(self.measured, self._caches))
        return self._posterior[1]

    def without(self, left_out: Collection[tuple[object, ...]]) -> CampaignPosterior:
        """Return the posterior without what was measured, at full fidelity, of candidates with some keys."""
        places = [i for i, trial in enumerate(self.trials) if trial.candidate.key() not in left_out]
        return self._fitted(self.measured.only(places), {})

    def _fitted(self, measured: TrainingData, caches: FitCaches) -> CampaignPosterior:
        cheap = self.low_fidelities.source_models(self.problem).by_metric
        by_metric = {name: (*each, *cheap[name]) for name, each in self.source_models.by_metric.items()}
        posterior = fit_posterior(self.problem, measured, self.health.restrictions(), caches, by_metric)
        posterior = replace(posterior, imported=sum(trial.imported for trial in self.trials))
        return with_low_fidelities(posterior, cheap)

    def posterior_with_failures(self) -> CampaignPosterior:
        """Return the posterior, with the probability of success by the failures."""
        failed, posterior = failures(self._failed), self.posterior()
        if not failed:
            return posterior
        latest = self._posterior_beside_failures
        if latest is None or latest[0] != failed or latest[1].models is not posterior.models:
            self._posterior_beside_failures = latest = (failed, posterior.with_failures(failed))
        return latest[1]

    @contextmanager
    def within(self, campaign: Campaign) -> Iterator[None]:
        """Choose from a narrower space for a while; the models are of metrics, and stay."""
        problem, known = self.problem, self._posterior
        self._whole = problem
        self._choose_by(OptimizationProblem(campaign, problem.encoder), known)
        try:
            yield
        finally:
            found, self._whole = self._posterior, None
            same = known is not None and found is not None and known[0] == found[0]
            self._choose_by(problem, known if same else found)

    def _choose_by(self, problem: OptimizationProblem, known: tuple[tuple[int, ...], CampaignPosterior] | None) -> None:
        """Choose by a problem, with the posterior of what was learnt so far where it is there."""
        self.problem, self._posterior_beside_failures = problem, None
        if known is not None and known[1].problem is not problem:
            known = (known[0], replace(known[1], problem=problem))
        self._posterior = known

    def outliers(self) -> dict[int, str]:
        """Return the completed trials with a suspected outlier, each with the reason."""
        if len(self.trials) < FEWEST:
            return {}
        found: dict[int, str] = {}
        for name, outliers in self.posterior().outliers.items():
            for place, outlier in outliers.items():
                trial = self.trials[place]
                if trial.state is not TrialState.COMPLETED:
                    continue  # it stands nowhere from where it would have to be taken
                words = f"{name} {metric_text(trial.metrics[name])}, but {outlier.text}"
                found[trial.number] = "; ".join([*filter(None, [found.get(trial.number)]), words])
        return found

    def estimate_regret(self, over: Keys) -> RegretEstimate | None:
        """Return the regret estimate, whatever is under way; None before there is a model.

        Args:
            over: the keys of the candidates of all trials that have ended.
        """
        if self.scored < FEWEST_SCORED:
            return None
        posterior, history = self.posterior_with_failures(), replace(self.measured, seen=over)
        return estimate_regret(posterior, history, self.trials, seed_of(self.problem.campaign.seed, self.scored))

    def posterior_best(self) -> PosteriorBest | None:
        """Return the best measured candidate by the posterior; None without one, or before there is a model to ask."""
        if self.scored < FEWEST_SCORED:
            return None
        return posterior_best(self.posterior(), self.trials, seed_of(self.problem.campaign.seed, self.scored))

    def doubts(self) -> dict[int, str]:
        """Return the measured candidates of which the posterior doubts that they are feasible; see ``doubts``."""
        if self.scored < FEWEST_SCORED:
            return {}
        return doubts(self.posterior(), self.trials, seed_of(self.problem.campaign.seed, self.scored))

    def adopt(self, metric: str, prior: NDArray[np.float64]) -> None:
        """Use other values, n, of a metric's prior from now on."""
        encoder = self.problem.encoder
        assert encoder.materials is not None  # noqa: S101 - only a campaign with a pool has priors
        table = replace(encoder.materials, numbers={**encoder.materials.numbers, f"prior:{metric}": prior})
        self.problem = OptimizationProblem(self.problem.campaign, Encoder(encoder.space, table))
        self._posterior = None
        self._caches.pop(metric, None)
        self.source_models = replace(self.source_models, problem=self.problem)

    def amend(self, now: CampaignVersion) -> None:
        """Go by an amended campaign from now on.

        The models are of metrics: they stay, unless the enclosing space has become wider.
        """
        encoder, before = self.problem.encoder, self._posterior
        wider = now.enclosing_space != encoder.space
        layout = Encoder(now.enclosing_space, encoder.materials) if wider else encoder
        self.problem = OptimizationProblem(now.campaign, layout)
        self._posterior = self._posterior_beside_failures = None
        if wider:
            self._caches = {}
            self.source_models = replace(self.source_models, problem=self.problem)
            self.health.amend(now.enclosing_space)
        elif before is not None:
            self._posterior = (before[0], replace(before[1], problem=self.problem))


def seed_of(seed: int, number: int, attempt: int = 0) -> int:
    """Return the seed of one choice: a function of the campaign's seed, the number of trials and the attempt alone."""
    return zlib.crc32((f"{seed}/{number}/{attempt}" if attempt else f"{seed}/{number}").encode())
