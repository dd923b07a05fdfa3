from typing import Any

import pytest
import torch
from torch import Tensor

from campaigns.campaign import Campaign
from loop.planning.mc_objective import OptimizationProblem, OutputLayout, ScoreObjective, TermsObjective
from surrogates.models.encoder import Encoder
from tests.loop.conftest import only_step, quick


def layout(metrics: dict[str, dict[str, Any]] | None = None, **objective: Any) -> OutputLayout:
    """Two measured metrics, f and g, of which the objective is made."""
    measured = {name: {"kind": "measured", "unit": "1", **(metrics or {}).get(name, {})} for name in "fg"}
    terms = [{"goal": "maximise", "metric": "f", "scale": 2}, {"goal": "minimise", "metric": "g", "scale": 1}]
    data = quick(
        space={"parameters": {"a": {"kind": "float", "unit": "1", "low": 0, "high": 1}}},
        metrics=measured,
        objective={"terms": terms} | objective,
        workflow=[only_step("fg", "a")],
    )
    campaign = Campaign(**data)
    return OutputLayout(OptimizationProblem(campaign, Encoder(campaign.space)), ("f", "g"))


def outputs(*rows: tuple[float, float]) -> Tensor:
    """Return samples of one candidate, samples x 1 x 2."""
    return torch.tensor(rows, dtype=torch.float64).unsqueeze(1)


def test_the_score_is_the_weighted_mean_of_the_points_of_each_sample() -> None:
    found = ScoreObjective(layout())(outputs((4.0, 1.0), (0.0, -3.0)))
    assert found.tolist() == [[0.5], [1.5]]


def test_the_terms_of_a_front_are_kept_apart() -> None:
    found = TermsObjective(layout(find={"kind": "pareto"}))(outputs((4.0, 1.0), (0.0, -3.0)))
    assert found.tolist() == [[[2.0, -1.0]], [[0.0, 3.0]]]


@pytest.mark.parametrize(
    ("metric", "output", "value"),
    [
        ({"floor": 0}, -3.0, 0.0),
        ({"floor": 0}, 3.0, 3.0),
        ({"within": [0, 10]}, 0.0, 5.0),
        ({"within": [0, 10]}, -50.0, 0.0),
        ({"proportional_to": "g"}, 3.0, 6.0),
    ],
)
def test_outputs_become_metrics(metric: dict[str, Any], output: float, value: float) -> None:
    found = layout({"f": metric}).metrics(outputs((output, 2.0)))
    assert found["f"].item() == pytest.approx(value, abs=1e-6)
    assert found["g"].item() == 2.0


def test_constraints_are_below_zero_where_they_hold_and_are_measured_in_spreads() -> None:
    bounds = [{"metric": "f", "at_least": 1}, {"metric": "g", "at_most": 3}]
    least, most = layout(constraints=bounds).constraints([0.5, 2.0]) or []
    samples = outputs((2.0, 1.0), (0.5, 5.0))
    assert least(samples).flatten().tolist() == [-2.0, 1.0]
    assert most(samples).flatten().tolist() == [-1.0, 1.0]
    assert layout().constraints([]) is None


def test_a_sample_is_feasible_where_all_constraints_hold() -> None:
    given = layout(constraints=[{"metric": "f", "at_least": 1}, {"metric": "g", "at_most": 3}])
    samples = outputs((2.0, 1.0), (0.5, 1.0), (2.0, 5.0))
    assert given.problem.feasible(given.metrics(samples)).flatten().tolist() == [True, False, False]
    assert layout().problem.feasible(layout().metrics(samples)).all()
