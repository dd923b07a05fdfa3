"""BoTorch's noisy acquisition functions, with many candidates drawn beside one baseline without copies of its samples.

BoTorch repeats the baseline's base samples for each candidate of a batch; here they are multiplied once with all of
them. The samples are the same, in half of the time (docs/benchmarks.md, noisy expected improvement).
"""

from __future__ import annotations

from typing import Any

import torch
from botorch.acquisition.cached_cholesky import CachedCholeskyMCSamplerMixin
from botorch.acquisition.logei import qLogNoisyExpectedImprovement
from botorch.acquisition.utils import compute_best_feasible_objective
from botorch.posteriors import GPyTorchPosterior
from botorch.utils.low_rank import extract_batch_covar
from linear_operator.utils.cholesky import psd_safe_cholesky
from torch import Tensor


class SharedBaselineSamples(CachedCholeskyMCSamplerMixin):
    """Draws the new points of a batch beside a baseline whose Cholesky factor is known."""

    def _get_f_X_samples(self, posterior: GPyTorchPosterior, q_in: int) -> Tensor:  # noqa: N802 - BoTorch's name
        """Return samples, s x b x q x m, at the last q rows of a posterior of multiple outputs at baseline and rows.

        They are ``mean + baseline_L^-1 cross . base samples`` and what the baseline leaves, as in BoTorch's
        ``sample_cached_cholesky`` (Osborne 2010, thesis, eq. B.8).
        """
        covariance = extract_batch_covar(posterior.distribution).to_dense()[..., -q_in:, :]  # b x m x q x (n + q)
        cross, own = covariance.split([covariance.shape[-1] - q_in, q_in], dim=-1)
        root = torch.linalg.solve_triangular(self._baseline_L, cross.mT, upper=False).mT  # b x m x q x n
        left = psd_safe_cholesky(own - root @ root.mT)
        base = self.sampler.base_samples.flatten(end_dim=-3).movedim(-1, 0)  # m x s x (n + q)
        drawn = torch.einsum("...mqn,msn->s...qm", torch.cat([root, left], dim=-1), base)
        return drawn + posterior.mean[..., -q_in:, :]


class NoisyExpectedImprovement(SharedBaselineSamples, qLogNoisyExpectedImprovement):
    """The log of the noisy expected improvement (Letham et al. 2019; Ament et al. 2023).

    Args:
        worst: what is improved upon in a sample in which nothing is feasible.
        options: BoTorch's.
    """

    def __init__(self, worst: Tensor, **options: Any) -> None:
        self._worst = worst.reshape(1)  # BoTorch asks for it while it is made
        super().__init__(**options)

    def _compute_best_feasible_objective(self, samples: Tensor, obj: Tensor) -> Tensor:
        """Return the best feasible score, s, of samples of the baseline, s x n x m, and their scores, s x n."""
        return compute_best_feasible_objective(samples, obj, self._constraints, infeasible_obj=self._worst)
