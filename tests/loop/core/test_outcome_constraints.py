"""The outcome constraints that candidates break, or probably break."""

from dataclasses import replace

from campaigns.values import MetricValue
from loop.core.candidate_results import results
from loop.core.outcome_constraints import broken_text, doubtful_text
from loop.core.proposals import Proposal
from tests.trials import campaign, completed, predicted

LIMITS = [{"metric": "capacity", "at_least": 50}, {"metric": "mean_voltage", "at_most": "3600 mV"}]
TERMS = [{"goal": "maximise", "metric": "capacity", "scale": "10 mAh/g"}]
OBJECTIVE = campaign(objective={"terms": TERMS, "constraints": LIMITS}).build_objective()


def test_each_broken_constraint_is_named_with_its_bound_and_the_value() -> None:
    one = completed(0, 40.0, 3.9, feasible=False)
    text = "capacity >= 50 mAh/g (got 40.0 ± 2.0 mAh/g), mean_voltage <= 3600 mV (got 3.900 ± 0.010 V)"
    assert broken_text(OBJECTIVE, one) == text
    (pooled,) = results(OBJECTIVE, [one, replace(one, number=1)])
    assert broken_text(OBJECTIVE, pooled).startswith("capacity >= 50 mAh/g (got 40.0 ± 1.4 mAh/g), ")
    assert broken_text(OBJECTIVE, completed(0, 60.0)) == ""


def test_a_proposal_names_the_constraints_that_are_more_likely_broken_than_kept() -> None:
    voltage = {"mean_voltage": MetricValue(3.5, 0.1, "V")}
    doubted = replace(predicted(48.0, 2.0), feasibility=0.1)
    both = replace(doubted, predictions={**doubted.predictions, **voltage})
    assert doubtful_text(OBJECTIVE, both) == "capacity >= 50 mAh/g with probability 0.16"
    assert doubtful_text(OBJECTIVE, replace(both, feasibility=0.6)) == ""
    assert doubtful_text(OBJECTIVE, Proposal("space-filling")) == ""


def test_where_only_all_together_are_unlikely_the_least_likely_one_is_named() -> None:
    metrics = {"capacity": MetricValue(51.0, 2.0, "mAh/g"), "mean_voltage": MetricValue(3.58, 0.1, "V")}
    found = doubtful_text(OBJECTIVE, Proposal("model", feasibility=0.4, predictions=metrics))
    assert found == "mean_voltage <= 3600 mV with probability 0.58"
