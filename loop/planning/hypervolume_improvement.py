"""Which candidates push the front: noisy expected hypervolume improvement (Daulton et al. 2021, NeurIPS 34).

An exact volume takes the place of the boxes that BoTorch makes of each sample's front, as candidates are compared by
the hundred: of two terms, it takes 30 to 50 ms where BoTorch's take 0.9 to 2.5 s (docs/benchmarks.md, "Acquisition
functions").
"""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass

import torch
from botorch.acquisition import AcquisitionFunction
from botorch.acquisition.cached_cholesky import CachedCholeskyMCSamplerMixin
from botorch.acquisition.multi_objective.base import MultiObjectiveMCAcquisitionFunction
from botorch.sampling import SobolQMCNormalSampler
from botorch.utils.multi_objective.pareto import is_non_dominated
from botorch.utils.objective import compute_feasibility_indicator, compute_smoothed_feasibility_indicator
from botorch.utils.transforms import match_batch_shape, t_batch_mode_transform
from torch import Tensor

from loop.core.pareto import reference_point
from loop.planning.baseline_sampling import SharedBaselineSamples
from loop.planning.box_decomposition import gains
from loop.planning.campaign_model import CampaignModel
from loop.planning.mc_objective import TermsObjective
from loop.planning.posterior import CampaignPosterior
from loop.sampling.space_filling import k_centres

_CENTRES = 8  # not tuned: places of the front around which others are looked for
_EFFORT = {2: (256, 48), 3: (128, 32), 4: (64, 20)}
"""Number of terms to samples, and measured candidates in each, so that a choice takes a second or two: times in
docs/benchmarks.md, "Acquisition functions"."""
_FAINT = 1e-6  # not tuned: share of the volume above the reference that a dominated candidate still counts for


def hypervolume_improvement(posterior: CampaignPosterior, pending: Tensor, seed: int) -> AcquisitionFunction:
    """Return the acquisition function of a front.

    What is pending belongs to the baseline, as BoTorch has it in its incremental form.

    Args:
        posterior: of all metrics.
        pending: q x d, what is under way.
        seed: determines the samples.
    """
    reference = reference_of(posterior)
    count, size = _EFFORT[len(reference)]
    baseline = torch.cat([posterior.rows[_foremost(posterior)[:size]], pending])
    given = _Baseline(baseline, reference, posterior.points[front_places(posterior)], _reach(posterior))
    return HypervolumeImprovement(
        posterior.model,
        given,
        SobolQMCNormalSampler(torch.Size([count]), seed=seed),
        TermsObjective(posterior.layout),
        posterior.layout.constraints(posterior.slack_spreads),
    )


@dataclass(frozen=True)
class _Baseline:
    """What improvements are measured from.

    Attributes:
        rows: n x d, whose front is pushed.
        reference: k, the points above which volume counts.
        front: f x k, the measured front.
        reach: k, of the measured candidates above the reference.
    """

    rows: Tensor
    reference: Tensor
    front: Tensor
    reach: Tensor


class HypervolumeImprovement(MultiObjectiveMCAcquisitionFunction, SharedBaselineSamples):
    """The log of the noisy expected hypervolume improvement of single candidates, with any number of terms.

    Outcome constraints have soft edges (Ament et al. 2023, NeurIPS 36), and a candidate that no sample puts before the
    front still counts for a little, the more the nearer it comes.

    Args:
        model: of all metrics.
        baseline: what improvements are measured from.
        sampler: draws candidates together with the baseline.
        objective: gives the points of each term.
        constraints: below zero where they hold.
    """

    _log = True

    def __init__(
        self,
        model: CampaignModel,
        baseline: _Baseline,
        sampler: SobolQMCNormalSampler,
        objective: TermsObjective,
        constraints: list[Callable[[Tensor], Tensor]] | None,
    ) -> None:
        super().__init__(model=model, sampler=sampler, objective=objective, constraints=constraints, eta=1e-3)
        CachedCholeskyMCSamplerMixin.__init__(self, model=model, sampler=sampler, cache_root=True)
        self.baseline, self.q_in = baseline, -1
        with torch.no_grad():
            posterior = model.posterior(baseline.rows)
            samples = self.get_posterior_samples(posterior)
            self.base_sampler = deepcopy(self.sampler)
            self._baseline_L = self._compute_root_decomposition(posterior)
            points = objective(samples)
            if constraints is not None:
                feasible = compute_feasibility_indicator(constraints, samples)
                points = torch.where(feasible.unsqueeze(-1), points, baseline.reference)
            self.fronts = points

    @t_batch_mode_transform(expected_q=1)
    def forward(self, X: Tensor) -> Tensor:  # noqa: N803 - BoTorch's name
        """Return the log of the expected improvement, b, of rows, b x 1 x d."""
        beside = torch.cat([match_batch_shape(self.baseline.rows, X), X], dim=-2)
        posterior = self.model.posterior(beside)
        self._set_sampler(q_in=1, posterior=posterior)
        samples = self._get_f_X_samples(posterior, q_in=1)
        points, feasible = self.objective(samples).squeeze(-2), torch.ones((), dtype=X.dtype)
        if self.constraints is not None:
            feasible = compute_smoothed_feasibility_indicator(self.constraints, samples, self.eta, fat=True).squeeze(-1)
        gain = gains(self.fronts, points, self.baseline.reference)
        faint = self._faint(points.mean(dim=0)) * feasible.mean(dim=0)
        return ((gain * feasible).mean(dim=0) + faint).log()

    def _faint(self, means: Tensor) -> Tensor:
        """Return a small volume, b, that falls with how far the means, b x k, lie behind the measured front."""
        least = _FAINT * self.baseline.reach.prod()
        if not len(self.baseline.front):
            return least.expand(len(means))
        behind = ((self.baseline.front - means.unsqueeze(1)) / self.baseline.reach).amin(dim=-1).amax(dim=-1)
        return least * (-behind.clamp_min(0.0)).exp()


def front_places(posterior: CampaignPosterior) -> Tensor:
    """Return the places of the measured candidates that are feasible and that no other of these dominates."""
    feasible = posterior.outcomes[1].nonzero().flatten()
    return feasible[_front(posterior.points[feasible])]


def centres(posterior: CampaignPosterior) -> list[int]:
    """Return the places of the measured candidates around which others are looked for: some that cover the front."""
    places = front_places(posterior)
    if not len(places):
        places = _front(posterior.points).nonzero().flatten()
    points = posterior.points[places]
    scaled = (points - points.amin(dim=0)) / (points.amax(dim=0) - points.amin(dim=0)).clamp_min(1e-9)
    return [int(places[i]) for i in k_centres(scaled.numpy(), _CENTRES, seed=0)]


def reference_of(posterior: CampaignPosterior) -> Tensor:
    """Return the points, k, above which volume counts; while nothing is feasible, all measured candidates tell it."""
    points, feasible = posterior.points, posterior.outcomes[1]
    good = points[feasible] if feasible.any() else points
    found = reference_point([tuple(point) for point in good.tolist()], posterior.problem.objective)
    return torch.tensor(found, dtype=points.dtype)


def _front(points: Tensor) -> Tensor:
    """Return which points, n x k, no other point dominates, n; of equal points, all or none."""
    found: Tensor = is_non_dominated(points, deduplicate=False)
    return found


def _reach(posterior: CampaignPosterior) -> Tensor:
    return (posterior.points.amax(dim=0) - reference_of(posterior)).clamp_min(1e-9)


def _foremost(posterior: CampaignPosterior) -> Tensor:
    """Return the places of all measured candidates, by the number of feasible ones that dominate them."""
    points, feasible = posterior.points, posterior.outcomes[1]
    one, other = points.unsqueeze(1), points.unsqueeze(0)
    dominated = ((other >= one).all(dim=-1) & (other > one).any(dim=-1) & feasible).sum(dim=1)
    return (dominated + len(points) * ~feasible).argsort(stable=True)
