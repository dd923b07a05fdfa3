from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from campaigns.spaces.space import SpaceConfig
from surrogates.models.base import Fantasized
from surrogates.models.encoder import Encoder
from surrogates.models.fit import fit_gp
from surrogates.models.gp import MetricGP
from surrogates.models.multi_fidelity import AutoregressiveModel, low_fidelity_of, with_low_fidelity
from surrogates.models.observations import Observations
from surrogates.models.problem import RegressionProblem
from surrogates.models.transfer import SourceModel, fit_with_sources

SPACE = SpaceConfig.model_validate(
    {"parameters": {n: {"kind": "float", "unit": "1", "low": 0, "high": 1} for n in ("a", "b")}}
)
TASK = RegressionProblem(Encoder(SPACE))


def high(rows: Tensor) -> Tensor:
    return 50.0 + 30.0 * torch.sin(5.0 * rows[:, 0]) + 20.0 * torch.cos(4.0 * rows[:, 1])


def low(rows: Tensor) -> Tensor:
    return 0.1 * high(rows) + 0.5 * rows[:, 0]


def points(count: int, seed: int) -> Tensor:
    return torch.from_numpy(np.random.default_rng(seed).random((count, 2)))


def measured(function: Callable[[Tensor], Tensor], rows: Tensor) -> Observations:
    return Observations(rows, function(rows), torch.full((len(rows),), 0.05, dtype=torch.float64))


@pytest.fixture(scope="module")
def cheap() -> MetricGP:
    return fit_gp(TASK, measured(low, points(7, 1)))


@pytest.fixture(scope="module")
def model(cheap: MetricGP) -> AutoregressiveModel:
    found = with_low_fidelity(
        fit_with_sources(TASK, (SourceModel("quick", cheap),), measured(high, points(6, 2))), {"quick": cheap}
    )
    assert isinstance(found, AutoregressiveModel)
    return found


def test_moments_agree_with_each_other(model: AutoregressiveModel) -> None:
    rows = points(9, 3)
    mean, sd = model.marginals(rows)
    together, spread = model.joint(rows)
    assert torch.allclose(mean, together)
    assert torch.allclose(sd, spread.diagonal().sqrt())
    assert torch.allclose(model.cross(rows, rows[:3]), spread[:, :3])
    assert float(torch.linalg.eigvalsh(spread).min()) > -1e-6 * float(spread.max())


def test_what_is_measured_is_known_wherever_the_cheap_version_was_not(model: AutoregressiveModel) -> None:
    seen = model.base.rows
    mean, sd = model.marginals(seen)
    assert torch.allclose(mean, high(seen), atol=3.0)
    assert float(sd.max()) < float(model.marginals(points(50, 4))[1].median())


def test_uncertainty_of_the_cheap_version_adds_to_the_metric_s(model: AutoregressiveModel) -> None:
    rows = points(50, 4)
    assert bool((model.marginals(rows)[1] >= model.base.marginals(rows)[1] - 1e-9).all())


def test_what_a_cheap_measurement_would_tell_is_what_it_tells(model: AutoregressiveModel) -> None:
    """Conditioning both levels by hand on one more cheap measurement shrinks variances as told."""
    rows, other = points(20, 5), points(1, 6)
    moved, variance = model.low_fidelity_covariance(rows, other)
    everything = torch.cat([model.base.rows, rows])
    inner = model.base.sd_unit**2
    prior = inner * model._prior(everything, everything)
    with_low = model.base.scale * model.share * model.low.cross(everything, other)
    own = model.low.cross(other, other)
    joint = torch.cat([torch.cat([prior, with_low], dim=1), torch.cat([with_low.mT, own], dim=1)])
    joint[: len(model.base.rows), : len(model.base.rows)].diagonal().add_(inner * model.base.data.noise)
    seen = len(model.base.rows)
    gain = torch.linalg.solve(joint[:seen, :seen], joint[:seen, seen:])
    after = joint[seen:, seen:] - joint[seen:, :seen] @ gain
    assert torch.allclose(moved[:, 0], after[:-1, -1], rtol=1e-6, atol=1e-8)
    noise = model.low.scale**2 * float(model.low.data.noise.median())
    assert float(variance) == pytest.approx(float(after[-1, -1]) + noise, rel=1e-6)


def test_what_is_under_way_can_be_fantasized(model: AutoregressiveModel) -> None:
    rows, pending = points(20, 5), points(2, 6)
    assert bool((Fantasized(model, pending).marginals(rows)[1] <= model.marginals(rows)[1] + 1e-9).all())


def test_a_model_that_learns_from_nothing_cheap_stays_as_it_is(cheap: MetricGP) -> None:
    alone = fit_gp(TASK, measured(high, points(6, 2)))
    assert with_low_fidelity(alone, {"quick": cheap}) is alone
    assert low_fidelity_of(alone) is None


def test_the_unit_of_the_cheap_version_does_not_matter() -> None:
    moments, seen = [], measured(high, points(6, 2))
    for unit in (1.0, 1e3):
        at = points(7, 1)
        sds = torch.full((7,), 0.05 * unit, dtype=torch.float64)
        quick = fit_gp(TASK, Observations(at, unit * low(at), sds))
        found = with_low_fidelity(fit_with_sources(TASK, (SourceModel("quick", quick),), seen), {"quick": quick})
        assert isinstance(found, AutoregressiveModel)
        moments.append(torch.stack(found.marginals(points(9, 3))))
    torch.testing.assert_close(*moments, rtol=1e-6, atol=1e-6)
