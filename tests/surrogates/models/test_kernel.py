from dataclasses import replace

import pytest
import torch

from campaigns.spaces.space import SpaceConfig
from campaigns.values import Candidate
from surrogates.models.distances import distances
from surrogates.models.encoder import Encoder
from surrogates.models.kernel import MetricKernel, kumaraswamy
from surrogates.models.problem import RegressionProblem

UNIT = {"kind": "float", "unit": "1", "low": 0, "high": 1}


def of_two_levels(levels: int, conservative: bool) -> torch.Tensor:
    """Return the expected covariance of a candidate with one of which a number is another, and with another level."""
    colour = {"kind": "categorical", "levels": [f"c{i}" for i in range(levels)]}
    encoder = Encoder(SpaceConfig.model_validate({"parameters": {"x": UNIT, "colour": colour, "y": UNIT}}))
    kernel = MetricKernel(encoder, RegressionProblem(encoder, conservative=conservative).spec(()))
    apart = (1.0 / 6.0) ** 0.5  # of two random numbers, in the mean square
    candidates = [
        Candidate({"x": x, "colour": c, "y": 0.5}) for x, c in ((0.3, "c0"), (0.3 + apart, "c0"), (0.3, "c1"))
    ]
    rows = encoder.encode(candidates)
    return kernel.at(distances(encoder, rows, rows, ()))[0]


@pytest.mark.parametrize("levels", [2, 6])
def test_another_level_is_expected_to_matter_as_much_as_another_number(levels: int) -> None:
    found = of_two_levels(levels, conservative=False)
    assert torch.allclose(found[1], found[2])


@pytest.mark.parametrize("levels", [2, 6, 20])
def test_a_conservative_process_takes_little_of_one_level_for_another(levels: int) -> None:
    found = of_two_levels(levels, conservative=True)
    assert found[2] < 0.15 * found[0]


def test_more_levels_are_not_more_parameters() -> None:
    lengths = []
    for count in (2, 8):
        colour = {"kind": "categorical", "levels": [f"c{i}" for i in range(count)]}
        encoder = Encoder(SpaceConfig.model_validate({"parameters": {"colour": colour, "x": UNIT}}))
        spec = RegressionProblem(encoder).spec(())
        assert encoder.numeric == (count,)
        lengths.append(float(spec.priors[0][count]))
    assert lengths[0] == lengths[1]


def test_warping_leaves_what_lies_outside_of_the_bounds_as_it_is() -> None:
    columns = torch.tensor([-0.5, 0.0, 0.5, 1.0, 1.5], dtype=torch.float64)
    low, high = torch.tensor(2.0).double(), torch.tensor(1.0).double()
    assert kumaraswamy(columns, low, high).tolist() == [-0.5, 0.0, pytest.approx(0.25), 1.0, 1.5]


@pytest.mark.parametrize("effects", [False, True])
def test_the_prior_variance_of_a_row_is_its_covariance_with_itself(effects: bool) -> None:
    encoder = Encoder(SpaceConfig.model_validate({"parameters": {"x": UNIT, "y": UNIT, "z": UNIT}}))
    spec = replace(RegressionProblem(encoder).spec(()), effects=effects)
    kernel = MetricKernel(encoder, spec)
    rows = torch.rand(5, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    torch.testing.assert_close(kernel.diagonal(rows), kernel.between(rows, rows).diagonal())
