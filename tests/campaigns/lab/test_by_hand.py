"""Campaigns without a laboratory: what is filled in, and what people are asked."""

from __future__ import annotations

from typing import Any

import pytest

from campaigns.campaign import Campaign
from campaigns.errors import CampaignError
from campaigns.expressions import Product
from campaigns.lab.manual_steps import UncertaintyAsk
from campaigns.load import parse_campaign

FILE = """\
name: coupling
seed: 1
space:
  parameters:
    temperature: {kind: float, unit: degC, low: 20, high: 90}
    solvent: {kind: categorical, levels: [water, ethanol]}
metrics:
  yield: {kind: measured, unit: "%", plausible: [0, 100]}
  melting_point: {kind: measured, unit: degC}
objective:
  terms:
    - {goal: maximise, metric: yield, scale: 10}
budget: {trials: 12}
"""


def test_a_file_that_names_no_laboratory_is_done_by_people_who_enter_its_metrics() -> None:
    campaign = parse_campaign(FILE, "coupling.yaml")
    (step,) = campaign.workflow
    assert campaign.stations[step.stations[0]].kind == "manual"
    assert list(step.asks) == ["yield", "yield_sd", "melting_point", "melting_point_sd"]
    assert step.asks["yield"].limits == (0, 100)
    assert "{parameters}" in step.instructions


def test_what_is_filled_in_is_the_same_when_the_campaign_is_checked_again() -> None:
    campaign = parse_campaign(FILE, "coupling.yaml")
    again = Campaign.model_validate({name: getattr(campaign, name) for name in Campaign.model_fields})
    assert again == campaign
    assert again.model_dump(mode="json") == campaign.model_dump(mode="json")


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ("lab: {kind: real}\n", "workflow: is missing"),
        ("stations: {bench: {kind: manual}}\n", "lab: is missing"),
    ],
)
def test_a_laboratory_that_is_named_in_part_is_filled_in_by_nobody(more: str, told: str) -> None:
    with pytest.raises(CampaignError, match=told):
        parse_campaign(FILE + more, "coupling.yaml")


def test_every_mistake_in_a_file_without_laboratory_is_told() -> None:
    with pytest.raises(CampaignError) as error:
        parse_campaign(FILE.replace("metric: yield", "metric: yeld").replace("trials: 12", "trials: 0"), "x.yaml")
    assert {problem.where for problem in error.value.problems} == {"objective.terms[0].metric", "budget.trials"}


@pytest.mark.parametrize(("given", "read"), [("0.3", 0.3), ("0.3 K", 0.3), ("300 mK", 0.3), (0, 0.0)])
def test_an_uncertainty_is_a_difference(given: Any, read: float) -> None:
    assert UncertaintyAsk(unit="degC").read(given) == pytest.approx(read)


@pytest.mark.parametrize("given", ["-0.1", "nan", "0.3 V", "much"])
def test_an_uncertainty_is_a_number_that_is_not_negative(given: str) -> None:
    with pytest.raises(ValueError, match=r"allowed|got|unit"):
        UncertaintyAsk(unit="degC").read(given)


def test_a_yield_may_be_called_so_and_stand_in_a_formula() -> None:
    product = Product("yield * purity / 2")
    assert product.names == ("yield", "purity")
    assert product({"yield": 0.5, "purity": 0.8}) == pytest.approx(0.2)
