"""Metrics between two limits: their logits go back and forth, and predict cliffs better than the values themselves."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from campaigns.spaces.space import SpaceConfig
from surrogates.models.encoder import Encoder, MaterialTable
from surrogates.models.fit import fit_gp
from surrogates.models.logit_transform import LogitTransform
from surrogates.models.observations import Observations
from surrogates.models.problem import RegressionProblem

SHARE = LogitTransform(0.0, 1.0)


def seen(values: list[float], sd: float) -> Observations:
    known = torch.tensor(values, dtype=torch.float64)
    return Observations(torch.zeros(len(values), 1), known, torch.full_like(known, sd))


@given(st.floats(-1e3, 1e3), st.floats(1e-3, 1e3), st.lists(st.floats(0, 1), min_size=1))
def test_logits_lead_back_to_the_values(low: float, width: float, places: list[float]) -> None:
    limits = LogitTransform(low, low + width)
    values = [low + width * place for place in places]
    logits = limits.logits(seen(values, 0.01 * width)).values
    assert bool(logits.isfinite().all())
    assert np.allclose(limits.values(logits), values, rtol=1e-9, atol=1e-6 * width)


def test_uncertainties_are_those_of_finite_differences() -> None:
    values, step = [0.0, 0.02, 0.3, 0.9, 1.0], 1e-6
    inner = [min(max(v, step), 1 - step) for v in values]
    above, below = (SHARE.logits(seen([v + s for v in inner], 0.0)).values for s in (step, -step))
    assert torch.allclose(SHARE.logits(seen(inner, 0.01)).sds, 0.01 * (above - below) / (2 * step), rtol=1e-4)


def test_nothing_lies_beyond_the_limits() -> None:
    limits = LogitTransform(-2.0, 6.0)
    assert limits.values(torch.tensor([-1e3, -4.7, 0.0, 4.7, 1e3], dtype=torch.float64)).tolist() == pytest.approx(
        [-2.0, -2.0, 2.0, 6.0, 6.0], abs=0.02
    )
    assert limits.logits(seen([-2.5], 0.1)).values == limits.logits(seen([-2.0], 0.1)).values  # noise led beneath


def cliffs(seed: int) -> tuple[Encoder, torch.Tensor, torch.Tensor]:
    """A yield that rises and falls steeply with a setting, elsewhere for each material."""
    rng = np.random.default_rng(seed)
    view = rng.normal(size=(80, 3)) / np.sqrt(6)
    space = SpaceConfig.model_validate(
        {
            "parameters": {"x": {"kind": "float", "unit": "1", "low": 0, "high": 1}},
            "pool": {"kind": "generator", "function": "a.b:c"},
        }
    )
    x, places = rng.random(140), rng.integers(0, 80, 140)
    begins = 0.35 + 0.3 * view[places, 0]
    share = 1 / (1 + np.exp(-(x - begins) / 0.04)) / (1 + np.exp((x - begins - 0.4) / 0.04))
    encoder = Encoder(space, MaterialTable(tuple(map(str, range(80))), {"view": view}, {}))
    return encoder, torch.from_numpy(np.column_stack([x, places])), torch.from_numpy(0.02 + 0.96 * share)


@pytest.mark.slow
def test_a_share_with_cliffs_is_predicted_better_and_more_honestly_by_its_logit() -> None:
    errors: dict[bool, list[float]] = {True: [], False: []}
    inside: dict[bool, list[bool]] = {True: [], False: []}
    quantiles = torch.special.ndtri((torch.arange(200, dtype=torch.float64) + 0.5) / 200).unsqueeze(-1)
    for seed in range(4):
        encoder, rows, truth = cliffs(seed)
        plain = Observations(rows[:40], truth[:40], torch.full((40,), 0.006, dtype=torch.float64))
        for within in (True, False):
            gp = fit_gp(RegressionProblem(encoder, short_length_scale=within), SHARE.logits(plain) if within else plain)
            mean, sd = gp.marginals(rows[40:])
            drawn = mean + sd * quantiles
            drawn = SHARE.values(drawn) if within else drawn
            gap = (drawn.mean(dim=0) - truth[40:]).abs()
            errors[within] += gap.tolist()
            inside[within] += (gap < 1.96 * drawn.std(dim=0).hypot(torch.tensor(0.006))).tolist()
    assert np.mean(errors[True]) < 0.85 * np.mean(errors[False])
    assert np.mean(inside[True]) > max(0.88, float(np.mean(inside[False])))
