"""Observations at a floor: what lies beneath is only known not to be above (Tobin 1958, Econometrica 26, 24).

Expectation propagation (Minka 2001, PhD thesis, MIT; Rasmussen & Williams 2006, section 3.6) puts a Gaussian in the
place of each such observation, so that everything after it is an exact Gaussian process.
"""

from __future__ import annotations

import math
from dataclasses import replace

import torch
from torch import Tensor

from surrogates.models.exact_inference import Data, factorise

# Not tuned: how expectation propagation is run; where it converges, only _VAGUE decides about the result.
_SWEEPS = 8  # over all censored observations
_DAMPING = 0.7  # share of the new Gaussian in each update; below one, so that sweeps do not swing
_VAGUE = 1e4  # variance of a Gaussian that says nothing, in units of the data's
_BENEATH = 0.5  # standard deviations below the floor where a Gaussian begins, and its own standard deviation
_LEAST = 1e-8  # variance that rounding may leave, in units of the data's


def first_guess(data: Data, censored: Tensor) -> Data:
    """Return the data with vague observations beneath the floor, where propagation begins.

    A first fit of hyper-parameters is to these: it only has to be near, as a second one starts from it.
    """
    targets, noise = data.targets.clone(), data.noise.clone()
    targets[censored] -= _BENEATH
    noise[censored] = _BENEATH**2
    return replace(data, targets=targets, noise=noise)


def propagate(covariance: Tensor, data: Data, censored: Tensor) -> Data:
    """Return the data with a Gaussian in the place of each censored observation.

    Args:
        covariance: of the n rows, without noise.
        data: with the floor as target and the measurement's variance as noise of censored observations.
        censored: which of the n observations are at the floor.
    """
    sites = first_guess(data, censored)
    floor, noise = data.targets[censored], data.noise[censored]
    for _ in range(_SWEEPS):
        factor = factorise(covariance, sites)
        mean, spread = factor.leave_one_out()
        centre = (data.mean() + mean)[censored]
        width = (spread - sites.noise)[censored].clamp_min(_LEAST)
        moments = _beneath(centre, width, floor, noise)
        sites = _updated(sites, censored, _site(centre, width, *moments))
    return sites


def _beneath(centre: Tensor, width: Tensor, floor: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
    """Return mean and variance of a Gaussian that is known to lie below a floor seen with noise (ibid., eq. 3.58)."""
    total = width + noise
    z = (floor - centre) / total.sqrt()
    ratio = torch.exp(-0.5 * z.square() - 0.5 * math.log(2.0 * math.pi) - torch.special.log_ndtr(z))
    mean = centre - width * ratio / total.sqrt()
    variance = width - width.square() * ratio * (z + ratio) / total
    return mean, variance.clamp_min(_LEAST)


def _site(centre: Tensor, width: Tensor, mean: Tensor, variance: Tensor) -> tuple[Tensor, Tensor]:
    """Return precision and precision times mean of the Gaussian that takes the cavity to these moments."""
    precision = (1.0 / variance - 1.0 / width).clamp_min(1.0 / _VAGUE)
    return precision, mean * (precision + 1.0 / width) - centre / width


def _updated(sites: Data, censored: Tensor, new: tuple[Tensor, Tensor]) -> Data:
    old = 1.0 / sites.noise[censored]
    precision = _DAMPING * new[0] + (1.0 - _DAMPING) * old
    shift = _DAMPING * new[1] + (1.0 - _DAMPING) * old * sites.targets[censored]
    targets, noise = sites.targets.clone(), sites.noise.clone()
    targets[censored], noise[censored] = shift / precision, 1.0 / precision
    return replace(sites, targets=targets, noise=noise)
