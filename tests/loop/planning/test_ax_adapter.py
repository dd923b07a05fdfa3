"""Our fitted models in the hands of Ax: what it varies as rows of ours, and mixtures along one share."""

import pytest
import torch

from campaigns.spaces.space import SpaceConfig
from campaigns.values import Candidate
from loop.planning.ax_adapter import Layout, OutcomeModel, completed_mixtures
from loop.planning.planner import Planner
from loop.planning.posterior import CampaignPosterior
from surrogates.models.encoder import Encoder
from tests.planned import campaign


def furnace(low: float, high: float, gases: list[str], rates: list[float]) -> SpaceConfig:
    return SpaceConfig.model_validate(
        {
            "parameters": {
                "time": {"kind": "float", "unit": "h", "low": low, "high": high, "scale": "log"},
                "gas": {"kind": "categorical", "levels": gases},
                "rate": {"kind": "ordinal", "unit": "degC/min", "levels": rates},
                "excess": {"kind": "integer", "unit": "percent", "low": 0, "high": 10},
            }
        }
    )


def test_what_ax_varies_are_the_rows_of_the_same_candidates_in_a_space_that_was_once_wider() -> None:
    widest = furnace(1, 100, ["air", "argon", "oxygen"], [1, 2, 5, 10])
    encoder = Encoder(widest)
    layout = Layout(encoder, furnace(2, 50, ["oxygen", "argon"], [2, 10]), ("time", "gas", "rate"), {"excess": 4})
    columns = torch.tensor([[1.0, 0.0, 1.0], [0.5, 1.0, 0.0]])  # the logarithm of hours, and places of levels
    expected = encoder.encode(
        [
            Candidate({"time": 10.0, "gas": "oxygen", "rate": 10.0, "excess": 4}),
            Candidate({"time": 10.0**0.5, "gas": "argon", "rate": 2.0, "excess": 4}),
        ]
    )
    assert torch.allclose(layout.rows(columns), expected)


def test_an_outcome_that_is_exact_is_predicted_without_a_warning() -> None:
    space = furnace(1, 100, ["air", "argon"], [1, 2])
    planner = Planner(campaign(2), Encoder(space))
    layout = Layout(Encoder(space), space, ("time", "gas", "rate"), {"excess": 4})

    def exact(_: CampaignPosterior, rows: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return torch.ones(len(rows)).double(), torch.zeros(len(rows)).double()

    model = OutcomeModel(planner.models.posterior(), layout, {"score": exact})
    found = model.posterior(torch.zeros(2, 3)).variance  # warnings are errors
    assert float(found.max()) < 1e-8


def test_along_a_share_the_others_keep_their_proportions() -> None:
    space = SpaceConfig.model_validate({"mixtures": {"melt": {"components": {"a": {}, "b": {}, "c": {}}}}})
    held = {"a": 0.5, "b": 0.3, "c": 0.2}
    moved = completed_mixtures(space, held | {"a": 0.0}, held)
    assert moved == {"a": 0.0, "b": pytest.approx(0.6), "c": pytest.approx(0.4)}
    assert completed_mixtures(space, held, held) == {name: pytest.approx(share) for name, share in held.items()}
