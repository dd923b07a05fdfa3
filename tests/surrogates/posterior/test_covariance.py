import pytest
import torch

from campaigns.space import SpaceConfig
from campaigns.values import Candidate
from surrogates.posterior.covariance import covariance
from surrogates.posterior.distances import distances
from surrogates.posterior.encoder import Encoder
from surrogates.posterior.task import Task

UNIT = {"kind": "float", "unit": "1", "low": 0, "high": 1}


@pytest.mark.parametrize("levels", [2, 6])
@pytest.mark.parametrize("wary", [False, True])
def test_another_level_is_expected_to_matter_as_much_as_another_number(levels: int, wary: bool) -> None:
    colour = {"kind": "categorical", "levels": [f"c{i}" for i in range(levels)]}
    encoder = Encoder(SpaceConfig.model_validate({"parameters": {"x": UNIT, "colour": colour, "y": UNIT}}))
    shape = Task(encoder, wary=wary).shape(())
    apart = (1.0 / 6.0) ** 0.5  # of two random numbers, in the mean square
    candidates = [
        Candidate({"x": x, "colour": c, "y": 0.5}) for x, c in ((0.3, "c0"), (0.3 + apart, "c0"), (0.3, "c1"))
    ]
    rows = encoder.encode(candidates)
    found = covariance(shape, shape.beliefs()[0], distances(encoder, rows, rows, ()))
    assert torch.allclose(found[0, 1], found[0, 2])


def test_more_levels_are_not_more_parameters() -> None:
    lengths = []
    for count in (2, 8):
        colour = {"kind": "categorical", "levels": [f"c{i}" for i in range(count)]}
        encoder = Encoder(SpaceConfig.model_validate({"parameters": {"colour": colour, "x": UNIT}}))
        shape = Task(encoder).shape(())
        assert encoder.numeric == (count,)
        lengths.append(float(shape.beliefs()[0][count]))
    assert lengths[0] == lengths[1]
