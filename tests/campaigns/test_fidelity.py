import pytest
import yaml

from campaigns.errors import CampaignError
from campaigns.fidelity import FULL
from campaigns.load import parse_campaign
from tests.stores import CAMPAIGN

SCAN = """
fidelities:
  quick:
    kind: measured
    workflow:
      - name: scan
        stations: [furnace]
        recipe: {temperature: $temperature}
        analysis: instruments.analyses.calcination:phase_fraction
        gives: [capacity]
        timeout: 1 h
        cost: 5 USD
  guess: {kind: computed, function: "tests.campaigns.computed:capacity", gives: [capacity], cost: 1 USD}
"""


def test_a_lower_fidelity_has_steps_and_a_cost_of_its_own() -> None:
    campaign = parse_campaign(CAMPAIGN + SCAN, "small.yaml")
    assert [s.name for s in campaign.workflow_of("quick")] == ["scan"]
    assert [s.name for s in campaign.workflow_of(FULL)] == ["make"]
    assert campaign.workflow_of("guess") == ()
    assert [campaign.cost_of(name) for name in (FULL, "quick", "guess")] == [60, 5, 1]
    assert campaign.step("scan").cost == 5


@pytest.mark.parametrize(
    ("old", "new", "where", "message"),
    [
        ("cost: 5 USD", "cost: 60 USD", "fidelities.quick", "got 60 USD, and 60 USD for the steps of the workflow"),
        ("cost: 1 USD", "cost: 0", "fidelities.guess", "costs something, but less than the workflow"),
        ("  quick:", "  full:", "fidelities.full", "allowed: another name"),
        ("name: scan", "name: make", "fidelities.quick.workflow[0].name", "got 'make' twice"),
        ("cost: 5 USD", "cost: 2 * heat", "fidelities.quick.workflow[0].cost", "unknown name 'heat'"),
        ("[furnace]", "[oven]", "fidelities.quick.workflow[0].stations[0]", "unknown name 'oven'"),
        ("$temperature", "$heat", "fidelities.quick.workflow[0].recipe.temperature", "unknown name 'heat'"),
        ("gives: [capacity]\n", "gives: [gap]\n", "fidelities.quick.workflow[0].gives[0]", "unknown name 'gap'"),
        ("gives: [capacity],", "gives: [gap],", "fidelities.guess.gives[0]", "unknown name 'gap'"),
        (
            'computed:capacity"',
            'computed:capacities"',
            "fidelities.guess.function",
            "has no capacities, did you mean",
        ),
    ],
)
def test_what_is_wrong_with_a_fidelity_is_said(old: str, new: str, where: str, message: str) -> None:
    with pytest.raises(CampaignError) as caught:
        parse_campaign(CAMPAIGN + SCAN.replace(old, new), "small.yaml")
    assert any(p.where == where and message in p.message for p in caught.value.problems), caught.value


def test_a_campaign_without_lower_fidelities_has_the_full_one_alone() -> None:
    campaign = parse_campaign(CAMPAIGN, "small.yaml")
    assert campaign.steps == campaign.workflow
    assert "fidelities" not in yaml.safe_load(CAMPAIGN)
