"""Plain BoTorch on fixed features: a Gaussian process for each quantity, log expected improvement, greedy batches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from botorch.acquisition.analytic import LogExpectedImprovement
from botorch.acquisition.logei import qLogExpectedImprovement
from botorch.acquisition.objective import GenericMCObjective
from botorch.fit import fit_gpytorch_mll
from botorch.models import ModelListGP, SingleTaskGP
from botorch.models.transforms.outcome import Standardize
from botorch.models.utils.gpytorch_modules import get_matern_kernel_with_gamma_prior
from botorch.sampling.normal import SobolQMCNormalSampler
from gpytorch.mlls import ExactMarginalLogLikelihood
from numpy.typing import NDArray
from torch import Tensor

from benchmarks.pools.crystals import Crystals, View
from benchmarks.pools.features import components, standardised, unit_distance
from benchmarks.pools.tasks import Extreme, Setting, merit_of

_COMPONENTS = 40
_SHORTLIST = 200
_SAMPLES = 256
_CHUNK = 500  # rows scored at once
_FORECAST = 1024  # samples of a prediction


def reduced(crystals: Crystals, view: View) -> NDArray[np.float64]:
    """Return the principal components, unwhitened, of a view's standardised columns, n x (at most 40)."""
    return unit_distance(components(standardised(crystals.views[view]), _COMPONENTS))


def fit(features: Tensor, values: Tensor, sd: float) -> SingleTaskGP:
    """Return a fitted Gaussian process: Matérn 5/2, one length scale, BoTorch's Gamma priors, the given noise.

    Args:
        features: n x d.
        values: n.
    """
    model = SingleTaskGP(
        features,
        values[:, None],
        torch.full_like(values[:, None], sd**2),
        covar_module=get_matern_kernel_with_gamma_prior(ard_num_dims=1),
        outcome_transform=Standardize(1),
    )
    fit_gpytorch_mll(ExactMarginalLogLikelihood(model.likelihood, model))
    return model


class GpEngine:
    """Suggests rows by log expected improvement (Ament et al. 2023, NeurIPS 36) of the merit.

    The best rows by themselves are shortlisted, and the batch is chosen among them one by one, given those before.
    """

    def __init__(self, setting: Setting, features: NDArray[np.float64], seed: int) -> None:
        self._setting, self._seed = setting, seed
        self._features = torch.from_numpy(features)
        self._order = torch.from_numpy(np.random.default_rng(seed).permutation(len(features)))  # ties are broken by it
        self._rows: list[int] = []
        self._values: list[NDArray[np.float64]] = []
        self._model: ModelListGP | None = None

    def tell(self, rows: Sequence[int], values: Mapping[str, NDArray[np.float64]]) -> None:
        """Learn readings."""
        self._rows += rows
        self._values.append(np.column_stack([values[q.column] for q in self._setting.task.quantities]))

    def suggest(self, q: int) -> list[int]:
        """Return q rows."""
        self._model = self._fitted()
        fresh = self._order[~torch.isin(self._order, torch.tensor(self._rows))]
        with torch.no_grad():
            short = fresh[self._alone(self._model, self._features[fresh]).topk(min(_SHORTLIST, len(fresh))).indices]
            return self._batch(short, q)

    def predict(self, rows: Sequence[int]) -> Mapping[str, NDArray[np.float64]]:
        """Return samples of each quantity, s x n."""
        assert self._model is not None
        return {
            quantity.column: sample(model, self._features[list(rows)])
            for quantity, model in zip(self._setting.task.quantities, self._model.models, strict=True)
        }

    def _fitted(self) -> ModelListGP:
        features, values = self._features[self._rows], torch.from_numpy(np.concatenate(self._values))
        quantities = self._setting.task.quantities
        return ModelListGP(*(fit(features, values[:, i], q.sd) for i, q in enumerate(quantities)))

    def _alone(self, model: ModelListGP, points: Tensor) -> Tensor:
        """Return the acquisition value of each point by itself, n."""
        match self._setting.task.merit:
            case Extreme(_, sign):
                best = (sign * model.posterior(self._features[self._rows]).mean).max()
                one = LogExpectedImprovement(model.models[0], sign * best, maximize=sign > 0)
            case _:
                one = self._joint(model)
        return torch.cat([one(chunk[:, None, :]) for chunk in torch.split(points, _CHUNK)])

    def _batch(self, short: Tensor, q: int) -> list[int]:
        assert self._model is not None
        joint, chosen, left = self._joint(self._model), [], short
        for _ in range(q):
            place = int(joint(self._features[left][:, None, :]).argmax())
            chosen.append(int(left[place]))
            left = torch.cat([left[:place], left[place + 1 :]])
            joint.set_X_pending(self._features[chosen])
        return chosen

    def _joint(self, model: ModelListGP) -> qLogExpectedImprovement:
        task = self._setting.task
        best = merit_of(task, model.posterior(self._features[self._rows]).mean).max()
        objective = GenericMCObjective(lambda values, X=None: merit_of(task, values))  # noqa: ARG005, N803  # BoTorch passes X by name
        sampler = SobolQMCNormalSampler(torch.Size([_SAMPLES]), seed=self._seed)
        return qLogExpectedImprovement(model, best, sampler=sampler, objective=objective)


def sample(model: SingleTaskGP, points: Tensor) -> NDArray[np.float64]:
    """Return samples of the marginals at points, s x n: the quantiles of equal spacing."""
    with torch.no_grad():
        posterior = model.posterior(points)
        levels = (torch.arange(_FORECAST, dtype=torch.float64) + 0.5) / _FORECAST
        normal = torch.special.ndtri(levels)[:, None]
        drawn = posterior.mean[:, 0] + normal * posterior.variance[:, 0].sqrt()
    return np.asarray(drawn.numpy())
