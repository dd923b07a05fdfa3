import math
import pickle

import pytest
import torch
from botorch.acquisition import PosteriorMean
from botorch.acquisition.prior_guided import PriorGuidedAcquisitionFunction
from botorch.models import SingleTaskGP
from torch import Tensor

from campaigns.spaces.space import SpaceConfig
from surrogates.models.encoder import Encoder
from surrogates.models.feasibility import _Kernel, _laplace, feasibility

SPACE = {"parameters": {f"x{i}": {"kind": "float", "unit": "1", "low": 0, "high": 1} for i in range(2)}}
ENCODER = Encoder(SpaceConfig.model_validate(SPACE))


def spread(count: int, seed: int = 0) -> Tensor:
    return torch.rand(count, 2, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def chance(made: Tensor, failed: Tensor, at: tuple[float, float]) -> float:
    found = feasibility(ENCODER, made, failed)
    assert found is not None
    return float(found(torch.tensor([at], dtype=torch.float64)))


def test_nothing_is_learnt_where_nothing_has_failed() -> None:
    assert feasibility(ENCODER, spread(5), torch.zeros(0, 2)) is None


def test_a_single_failure_condemns_nothing() -> None:
    failed = torch.tensor([[0.9, 0.9]], dtype=torch.float64)
    assert chance(spread(30), failed, (0.9, 0.9)) > 0.5
    assert chance(spread(30), failed, (0.8, 0.8)) > 0.8


def test_failures_at_random_condemn_no_region() -> None:
    found = [chance(spread(30), spread(6, seed=5), (x, y)) for x in (0.1, 0.5, 0.9) for y in (0.1, 0.5, 0.9)]
    assert min(found) > 0.6


@pytest.mark.parametrize("count", [4, 12, 30])
def test_a_corner_where_all_fails_is_learnt_and_ends_where_trials_succeed(count: int) -> None:
    everywhere = spread(40)
    made = everywhere[~(everywhere > 0.7).all(dim=1)]
    failed = 0.7 + 0.3 * spread(count, seed=1)
    assert chance(made, failed, (0.9, 0.9)) < 0.3
    assert chance(made, failed, (0.5, 0.5)) > 0.85
    assert chance(made, failed, (0.2, 0.8)) > 0.7


def test_more_failures_say_more() -> None:
    made, failed = 0.6 * spread(20), 0.8 + 0.2 * spread(12, seed=1)
    found = [chance(made, failed[:n], (0.9, 0.9)) for n in (1, 3, 6, 12)]
    assert found == sorted(found, reverse=True)


def test_the_order_of_trials_does_not_matter() -> None:
    made, failed = spread(20), 0.8 + 0.2 * spread(5, seed=1)
    assert chance(made, failed, (0.8, 0.7)) == pytest.approx(chance(made.flip(0), failed.flip(0), (0.8, 0.7)), abs=1e-4)


def test_a_space_where_nothing_went_well_is_still_judged() -> None:
    assert chance(torch.zeros(0, 2), spread(3), (0.5, 0.5)) < 0.9


def test_it_weighs_an_acquisition_function_of_botorch() -> None:
    found = feasibility(ENCODER, spread(40), 0.7 + 0.3 * spread(12, seed=1))
    assert found is not None
    gp = SingleTaskGP(spread(10), spread(10, seed=2)[:, :1])
    rows = spread(5, seed=3).unsqueeze(1)
    weighed = PriorGuidedAcquisitionFunction(PosteriorMean(gp), prior_module=found)
    assert torch.allclose(weighed(rows), PosteriorMean(gp)(rows) * found(rows).squeeze(-1))


def test_its_gradients_are_those_of_finite_differences_and_it_survives_pickling() -> None:
    found = feasibility(ENCODER, spread(40), 0.7 + 0.3 * spread(12, seed=1))
    assert found is not None
    rows = spread(6, seed=3).reshape(2, 3, 2).requires_grad_()
    assert torch.autograd.gradcheck(found, (rows,))
    assert torch.equal(pickle.loads(pickle.dumps(found))(rows), found(rows))


def test_far_from_all_trials_the_uncertainty_brings_the_chance_nearer_to_even() -> None:
    failed = torch.tensor([[0.9, 0.9], [0.85, 0.95], [0.95, 0.85]], dtype=torch.float64)
    found = feasibility(ENCODER, spread(30), failed)
    assert found is not None
    odds = torch.tensor(2.2, dtype=torch.float64)
    averaged = torch.sigmoid(odds / math.sqrt(1.0 + math.pi / 8.0 * found.describe()["spread"]))  # MacKay 1992
    at = float(found(torch.full((1, 2), 1e3, dtype=torch.float64)))
    assert at == pytest.approx(float(averaged))
    assert at < float(torch.sigmoid(odds)) - 0.05


def test_of_many_failures_the_latest_are_learnt_from(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("surrogates.models.feasibility._MOST", 4)
    found = feasibility(ENCODER, spread(10), spread(9, seed=5))
    assert found is not None
    assert torch.equal(found.rows[-4:], spread(9, seed=5)[-4:])
    assert len(found.rows) == 8


def test_a_part_of_the_log_odds_is_each_trials_own() -> None:
    kernel, row = _Kernel(ENCODER, 0.3, 4.0), torch.tensor([[0.5, 0.5]], dtype=torch.float64)
    slope = float(_laplace(kernel, row, -torch.ones(1, dtype=torch.float64)).weights)
    log_odds = 2.2 + (4.0 + 1.0) * slope  # at the mode of this trial; of others at its place, 4 times the slope
    assert slope == pytest.approx(-1.0 / (1.0 + math.exp(-log_odds)), rel=1e-3)
