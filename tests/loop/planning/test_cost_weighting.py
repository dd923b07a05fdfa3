from typing import Any

import numpy as np
import pytest

from campaigns.campaign import Campaign
from campaigns.costs import cost_of, duration_of, most_expensive_trial, weighs_cost
from campaigns.errors import CampaignError
from campaigns.values import Candidate, MetricValue
from loop.core.stopping import Spent, stop_reason
from loop.planning import cost_weighting
from loop.planning.acquisition import choose
from loop.planning.cost_weighting import CostPenalty
from loop.planning.fitting import fit_posterior
from loop.planning.mc_objective import OptimizationProblem
from loop.planning.posterior import TrainingData
from loop.sampling.candidates import sobol
from surrogates.models.encoder import Encoder
from tests.loop.conftest import only_step, quick


def box(cost: Any = "10 + 90 * b", budget: dict[str, Any] | None = None, **changes: Any) -> Campaign:
    """Parameters a and b in the unit square; b costs, and does nothing."""
    step = only_step(["f"], "ab", cost=cost)
    data = quick(
        space={"parameters": {n: {"kind": "float", "unit": "1", "low": 0, "high": 1} for n in "ab"}},
        metrics={"f": {"kind": "measured", "unit": "1"}},
        objective={"terms": [{"goal": "maximise", "metric": "f", "scale": 1}]},
        workflow=[step | changes.pop("step", {})],
        budget=budget or {"trials": 20},
    )
    return Campaign(**data | changes)


def chosen(campaign: Campaign, seed: int) -> Candidate:
    places = np.random.default_rng(0).random((8, 2)).round(3)
    done = [Candidate({"a": float(a), "b": float(b)}) for a, b in places]
    values = [MetricValue(float(np.sin(5 * a)), 0.01, "1") for a, _ in places]
    history = TrainingData(done, {"f": values}, [], frozenset(c.key() for c in done))
    problem = OptimizationProblem(campaign, Encoder(campaign.space, None))
    return choose(fit_posterior(problem, history), history, seed).candidate


def test_cost_and_duration_of_a_step_may_be_sums_of_parameters() -> None:
    campaign = box(step={"duration": "600 + 3600 * a"})
    settings = {"a": 0.5, "b": 0.1}
    assert cost_of(campaign, settings) == pytest.approx(19.0)
    assert duration_of(campaign, settings) == pytest.approx(2400.0)
    assert most_expensive_trial(campaign) == pytest.approx(100.0)
    assert cost_of(box("5 - 10 * b"), {"a": 0.0, "b": 1.0}) == 0.0, "nobody is paid for an experiment"


@pytest.mark.slow
def test_what_is_usual_is_found_a_few_times_for_a_choice(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[int] = []

    def counted(*args: Any, **options: Any) -> Any:
        drawn.append(1)
        return sobol(*args, **options)

    monkeypatch.setattr(cost_weighting, "sobol", counted)
    chosen(box(), 1)
    assert 0 < len(drawn) < 20


def test_a_quantity_stays_a_quantity() -> None:
    campaign = box("40 USD")
    assert (cost_of(campaign, {}), most_expensive_trial(campaign), weighs_cost(campaign)) == (40.0, 40.0, False)


@pytest.mark.parametrize(
    ("cost", "message"),
    [("10 + c", "unknown name 'c'"), ("10 * a * b", "multiplies two parameters"), ("3 kg", "USD")],
)
def test_what_is_no_sum_of_parameters_is_refused(cost: str, message: str) -> None:
    with pytest.raises((CampaignError, ValueError), match=message):
        box(cost)


def test_cost_is_weighed_where_it_varies_unless_the_campaign_says_otherwise() -> None:
    assert weighs_cost(box())
    assert not weighs_cost(box(planner={"cost": "blind"}))
    assert not weighs_cost(box(objective={**box().objective.model_dump(), "find": {"kind": "many"}}))
    with pytest.raises(CampaignError, match="all candidates cost the same"):
        box(40, planner={"cost": "aware"})


@pytest.mark.slow
def test_of_equally_good_candidates_a_cheap_one_is_chosen() -> None:
    aware = [float(chosen(box(), seed).parameters["b"]) for seed in range(3)]
    assert max(aware) < 0.1
    blind = [float(chosen(box(planner={"cost": "blind"}), seed).parameters["b"]) for seed in range(3)]
    assert np.mean(blind) > np.mean(aware)


def test_cost_counts_less_and_less_as_the_budget_is_spent() -> None:
    campaign = box(budget={"trials": 20, "cost": "200 USD"})
    keys = [Candidate({"a": 0.1 * i, "b": 0.5}).key() for i in range(3)]  # 55 USD each
    shares = [CostPenalty.after(campaign, keys[:count]).share for count in range(4)]
    assert shares == pytest.approx([1.0, 0.725, 0.45, 0.175])
    expensive = [{"a": 0.5, "b": 1.0}]
    penalties = [float(CostPenalty(campaign, share).of_settings(expensive)) for share in shares]
    assert penalties == sorted(penalties, reverse=True)
    assert CostPenalty.after(box(), keys).share == pytest.approx(17 / 20)


def test_a_usual_candidate_has_no_penalty() -> None:
    campaign = box(step={"duration": "600 + 3600 * a"})
    assert float(CostPenalty(campaign, 1.0).of_settings([{"a": 0.5, "b": 0.5}])) == pytest.approx(0.0, abs=0.05)


def test_no_trial_is_begun_that_could_exceed_the_budget() -> None:
    campaign = box(budget={"trials": 20, "cost": "300 USD"})
    assert stop_reason(campaign, [], Spent(2, 0, 200)) is None
    assert "up to 100 USD" in (stop_reason(campaign, [], Spent(2, 0, 201)) or "")


def test_what_is_free_is_not_infinitely_good() -> None:
    plan = box("100 * b")
    (free,) = CostPenalty.after(plan, []).of_settings([{"a": 0.5, "b": 0.0}])
    assert float(free) == pytest.approx(np.log(0.01))


def test_nobody_is_paid_for_an_experiment_in_the_penalty_either() -> None:
    plan = box("60 - 100 * b")
    cheap, cheaper = CostPenalty.after(plan, []).of_settings([{"a": 0.5, "b": 0.6}, {"a": 0.5, "b": 1.0}])
    assert float(cheap) == float(cheaper)
