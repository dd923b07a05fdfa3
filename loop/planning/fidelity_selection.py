"""Which fidelity to buy next: a cheap measurement is worth what it is expected to add to the best, per cost.

The gain of a measurement is the knowledge gradient (Frazier, Powell & Dayanik 2009, INFORMS J. Comput. 21, 599): how
much higher the best expected score will be once it is known. What it costs is what its steps cost.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import torch
from botorch.utils.sampling import draw_sobol_normal_samples
from torch import Tensor

from campaigns.campaign import Campaign
from campaigns.fidelity import FULL, cheap_name
from campaigns.values import Candidate
from campaigns.warm_start import FEWEST, Record, Source
from loop.core.records import TrialRecord
from loop.planning.mc_objective import OptimizationProblem
from loop.planning.posterior import CampaignPosterior
from loop.planning.source_models import ModelsByMetric, SourceModels
from surrogates.models.multi_fidelity import low_fidelity_of, with_low_fidelity

if TYPE_CHECKING:
    from loop.planning.experiment import CampaignExperiment

# Not tuned. Campaigns by these values: docs/benchmarks.md, "Cheaper versions".
_DRAWS = 32  # of what a measurement may say
_COMPARED = 16  # measured candidates among those that may turn out to be the best
_SHARE = 0.25  # of what the full start would cost, for the cheap measurements of the start
_TIMES = 2  # cheap measurements of the start for each one that the full start would have, at most


def plan(campaign: Campaign, imported: int = 0) -> tuple[str, ...]:
    """Return the fidelity of each trial of the start: cheap ones first, then half as many full ones as without them.

    Args:
        campaign: says how many are wanted.
        imported: number of candidates that were measured elsewhere, each in place of a full one.
    """
    initial, each = campaign.planner.initial, campaign.fidelities
    if not each:
        return (FULL,) * (initial - imported)
    budget = _SHARE * initial * campaign.cost_of(FULL) / len(each)
    cheap = {name: min(_TIMES * initial, int(budget / max(config.cost, 1e-9))) for name, config in each.items()}
    full = max(FEWEST, (initial + 1) // 2) - imported
    if full <= 0:
        return ()
    return (*(name for name, count in cheap.items() for _ in range(count)), *(FULL,) * full)


class LowFidelityData:
    """What was measured at lower fidelities, and the source models fitted to it."""

    def __init__(self, problem: OptimizationProblem) -> None:
        self._done: list[TrialRecord] = []
        self._source_models = SourceModels(problem, ())
        self._fitted_to: tuple[int, ...] | None = ()

    @property
    def numbers(self) -> tuple[int, ...]:
        """The numbers of the trials that there is anything to learn from, in the order in which they ended."""
        return tuple(trial.number for trial in self._done)

    def learn(self, trial: TrialRecord) -> None:
        """Take a trial that gave a measurement."""
        self._done.append(trial)

    def forget(self) -> None:
        """Forget all trials."""
        self._done, self._fitted_to = [], None

    def source_models(self, problem: OptimizationProblem) -> SourceModels:
        """Return the models of the cheap measurements, fitted once for each set of them and layout of rows."""
        if self.numbers != self._fitted_to or problem.encoder is not self._source_models.problem.encoder:
            self._source_models, self._fitted_to = SourceModels(problem, self._sources(problem.campaign)), self.numbers
        return self._source_models

    def _sources(self, campaign: Campaign) -> list[Source]:
        found = []
        for fidelity, config in campaign.fidelities.items():
            names = {name: cheap_name(fidelity, name) for name in config.gives}
            records = [
                Record(t.candidate, {n: t.metrics[named] for n, named in names.items() if named in t.metrics})
                for t in self._done
                if t.fidelity == fidelity
            ]
            gives = tuple(n for n in names if sum(n in record.metrics for record in records) >= FEWEST)
            if gives:
                found.append(Source(fidelity, gives, tuple(records)))
        return found


def with_low_fidelities(posterior: CampaignPosterior, by_metric: ModelsByMetric) -> CampaignPosterior:
    """Return the posterior with the uncertainty of the cheap versions that are prior means of metrics."""
    cheap = {name: {source.name: source.model for source in each} for name, each in by_metric.items()}
    models = {name: with_low_fidelity(model, cheap.get(name, {})) for name, model in posterior.models.items()}
    return replace(posterior, models=models)


@dataclass(frozen=True)
class FidelitySelector:
    """What it is worth to buy at each fidelity, near the candidate that was chosen.

    Attributes:
        posterior: with autoregressive models of the metrics that have cheap versions.
        considered: candidates that may be bought.
    """

    posterior: CampaignPosterior
    considered: Sequence[Candidate]

    def cheaper(self, proposed: CampaignExperiment) -> tuple[str, Candidate] | None:
        """Return the lower fidelity that adds more to the best per cost than the full one does, and where; or None.

        Lower fidelities never cost more than the full one has, so that an unrelated one at most
        doubles the cost.
        """
        campaign = self.posterior.problem.campaign
        rate = float(self._full.max()) / max(campaign.cost_of(FULL), 1e-9)
        found: tuple[str, Candidate] | None = None
        spent = {name: proposed.count(name) * campaign.cost_of(name) for name in (FULL, *campaign.fidelities)}
        cheap = sum(spent[name] for name in campaign.fidelities)
        for name in campaign.fidelities:
            cost = campaign.cost_of(name)
            gains = self._gains(self._cheap(name))
            seen = proposed.seen(name)
            for candidate, gain in zip(self.considered, gains.tolist(), strict=True):
                if candidate.key() not in seen and gain / cost > rate and cheap + cost <= spent[FULL]:
                    rate, found = gain / cost, (name, candidate)
        return found

    @cached_property
    def _rows(self) -> Tensor:
        return self.posterior.problem.encoder.encode(self.considered)

    @cached_property
    def _everywhere(self) -> Tensor:
        """Where the best may turn out to be: what is considered, and the best that was measured."""
        best = self.posterior.outcomes[0].topk(min(_COMPARED, len(self.posterior.rows))).indices
        return torch.cat([self._rows, self.posterior.rows[best]])

    @cached_property
    def _full(self) -> Tensor:
        shifts = []
        for model in self.posterior.models.values():
            sd = model.marginals(self._rows)[1]
            shifts.append(model.cross(self._everywhere, self._rows).double() / sd)
        return self._gains(shifts)

    def _cheap(self, fidelity: str) -> list[Tensor]:
        """Return by how much each metric's mean moves, n x q, with one standard deviation of a cheap measurement."""
        found = []
        given = self.posterior.problem.campaign.fidelities[fidelity].gives
        for name, model in self.posterior.models.items():
            leans = low_fidelity_of(model)
            if leans is None or name not in given or leans.name != fidelity:
                found.append(torch.zeros(len(self._everywhere), len(self._rows), dtype=torch.float64))
                continue
            moved, variance = leans.low_fidelity_covariance(self._everywhere, self._rows)
            found.append(moved / variance.sqrt())
        return found

    def _gains(self, shifts: Sequence[Tensor]) -> Tensor:
        """Return how much the best expected score is expected to rise, q, by measurements that move the means so."""
        if not any(bool(shift.any()) for shift in shifts):
            return torch.zeros(len(self._rows), dtype=torch.float64)
        noise = draw_sobol_normal_samples(len(shifts), _DRAWS, dtype=torch.float64, seed=0)
        drawn = [
            (mean + noise[:, i].view(-1, 1, 1) * shift.mT).reshape(-1, len(self._everywhere))
            for i, (mean, shift) in enumerate(zip(self._means, shifts, strict=True))
        ]
        best = self._best(drawn).view(_DRAWS, -1).mean(dim=0)
        return (best - self._best([mean.unsqueeze(0) for mean in self._means])).clamp_min(0.0)

    @cached_property
    def _means(self) -> list[Tensor]:
        return [model.marginals(self._everywhere)[0] for model in self.posterior.models.values()]

    def _best(self, drawn: Sequence[Tensor]) -> Tensor:
        """Return the best score, k, of metrics, k x n each."""
        computed = self.posterior.model.pointwise(self._everywhere)[0].mT[len(drawn) :]
        outputs = torch.stack([*drawn, *(number.expand(drawn[0].shape) for number in computed)], dim=-1)
        return self.posterior.feasible_score(self.posterior.layout.metrics(outputs)).max(dim=1).values
