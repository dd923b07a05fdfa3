"""Observations at a floor say only that the process is not above it."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from surrogates.models.censoring import first_guess, propagate
from surrogates.models.distances import Distances
from surrogates.models.exact_inference import Data, factorise

NONE = Distances((), torch.zeros(2, 0), torch.zeros(2, 0), torch.eye(2).double())
CENSORED = torch.tensor([False, True])


def data(floor: float, noise: float) -> Data:
    targets, variances = (torch.tensor(each, dtype=torch.float64) for each in ([0.3, floor], [0.01, noise]))
    return Data(NONE, targets, variances, constant=0.0)


def known(variance: float, floor: float, noise: float) -> tuple[float, float]:
    """Return mean and variance of a normal variable about zero that with noise lies below a floor, by quadrature."""
    place = torch.linspace(-12.0, 12.0, 200_001, dtype=torch.float64) * math.sqrt(variance)
    weight = torch.exp(-0.5 * place.square() / variance) * torch.special.ndtr((floor - place) / math.sqrt(noise))
    mean = float((weight * place).sum() / weight.sum())
    return mean, float((weight * (place - mean).square()).sum() / weight.sum())


def posterior(covariance: Tensor, sites: Data) -> tuple[Tensor, Tensor]:
    gain = covariance @ torch.linalg.inv(covariance + torch.diag(sites.noise))
    return gain @ sites.targets, (covariance - gain @ covariance).diagonal()


@pytest.mark.parametrize(("floor", "noise"), [(-0.8, 0.04), (0.5, 0.25), (-1.5, 0.5)])
def test_one_observation_at_the_floor_has_the_moments_of_what_lies_below(floor: float, noise: float) -> None:
    covariance = torch.diag(torch.tensor([1.0, 1.5], dtype=torch.float64))
    sites = propagate(covariance, data(floor, noise), CENSORED)
    mean, variance = posterior(covariance, sites)
    assert (float(mean[1]), float(variance[1])) == pytest.approx(known(1.5, floor, noise), rel=0.02)
    assert (float(sites.targets[0]), float(sites.noise[0])) == (0.3, 0.01), "what was measured stays"


def test_propagation_begins_beneath_the_floor() -> None:
    begun = first_guess(data(-0.8, 0.04), CENSORED)
    assert begun.targets.tolist() == [0.3, pytest.approx(-1.3)]
    assert begun.noise.tolist() == [0.01, 0.25]


def test_what_is_near_something_at_the_floor_is_expected_to_be_low() -> None:
    covariance = torch.tensor([[1.0, 0.9], [0.9, 1.0]], dtype=torch.float64)
    vague = Data(NONE, torch.tensor([0.0, -1.0]).double(), torch.tensor([1e3, 0.01]).double(), constant=0.0)
    sites = propagate(covariance, vague, CENSORED)
    mean, _ = posterior(covariance, sites)
    assert float(mean[0]) == pytest.approx(0.9 * known(1.0, -1.0, 0.01)[0], abs=0.05)
    assert factorise(covariance, sites).weights.isfinite().all()
