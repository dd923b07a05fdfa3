"""A model of the user's own that cannot be used is found before anything is measured."""

from pathlib import Path

import pytest

from campaigns.errors import CampaignError
from loop.core.events import Event
from loop.execution.options import RunOptions
from loop.planning.custom_model_check import check_custom_models
from loop.planning.mc_objective import OptimizationProblem
from loop.run import run
from surrogates.models.encoder import Encoder
from tests.loop.planning.test_acquisition import World
from tests.loop.planning.test_acquisition import campaign as pool_campaign
from tests.planned import Lab, campaign
from tests.surrogates.models.test_custom_model import _module  # noqa: F401 - a fixture

BOX = {"planner": {"initial": 4}}


def metric(name: str) -> dict[str, dict[str, str]]:
    return {"merit": {"kind": "measured", "unit": "1", "model": f"own_models:{name}"}}


def check(name: str) -> None:
    plan = campaign(2, metrics=metric(name), **BOX)
    check_custom_models(OptimizationProblem(plan, Encoder(plan.space)))


@pytest.mark.parametrize("name", ["own", "Own", "Lines", "Forest"])
def test_what_can_be_used_passes(name: str) -> None:
    check(name)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("failing", r"\(train_X of 3 x 2, train_Y of 3 x 1, train_Yvar of 3 x 1\) raised RuntimeError: no licence"),
        ("growing", r"\(train_X of 8 x 2, .* raised RuntimeError: too many measurements"),
        ("Correlated", "gave a covariance that is none"),
        ("Steep", "gave a gradient of which 8 of 16 are not finite"),
        ("Negative", "gave a variance of -.*; needed: zero or more"),
    ],
)
def test_what_cannot_be_used_is_refused_with_what_to_do(name: str, message: str) -> None:
    with pytest.raises(CampaignError, match=rf"metrics.merit.model: own_models:{name}.*{message}") as refused:
        check(name)
    assert str(refused.value).endswith("then go on with 'athanor run'")


def test_gradients_are_asked_for_only_where_they_are_followed() -> None:
    metrics = pool_campaign().model_dump()["metrics"]
    metrics["capacity"]["model"] = "own_models:Steep"
    problem = OptimizationProblem(
        pool_campaign().model_validate(pool_campaign().model_dump() | {"metrics": metrics}), World().problem.encoder
    )
    check_custom_models(problem)


def test_a_run_ends_before_its_first_trial(tmp_path: Path) -> None:
    told: list[Event] = []
    with pytest.raises(CampaignError, match="own_models:Negative"):
        run(campaign(2, metrics=metric("Negative"), **BOX), RunOptions(f"sqlite:///{tmp_path}/it.db", ""), told.append)
    assert not told
    assert not (tmp_path / "it.db").exists()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:A not p.d.")  # four trees have a covariance of rank three
def test_a_campaign_in_a_box_takes_a_model_without_gradients() -> None:
    lab = Lab(campaign(2, metrics=metric("Forest"), **BOX), lambda at, _: -((float(at["x0"]) - 0.3) ** 2), sd=0.01)
    assert lab.run(6)[-1].proposal.models["merit"]["kind"] == "custom"
