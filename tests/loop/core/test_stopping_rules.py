"""How far each stopping rule is, in words."""

from typing import Any

import pytest

from campaigns.campaign import HypervolumeRuleConfig
from campaigns.objective import Objective
from loop.core.records import TrialRecord
from loop.core.stopping_rules import RuleInputs, RuleProgress, rule_progress
from tests.loop.core.test_pareto import AREA, TRIALS, two_terms
from tests.loop.core.test_stopping import campaign, hopes, trial


def progress(rule: dict[str, Any], trials: list[TrialRecord], **changes: Any) -> RuleProgress:
    asked = campaign(stopping=[rule], **changes)
    return rule_progress(asked.stopping[0], RuleInputs(asked.objective.find, asked.build_objective, trials))


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        ({"kind": "target", "score": 2.5}, "a trial has reached the target score 2.5 with probability 0.5"),
        ({"kind": "stagnation", "trials": 12}, "no improvement in 12 trials"),
        ({"kind": "stagnation", "trials": 3, "improvement": 0.1}, "no improvement by more than 0.1 in 3 trials"),
    ],
)
def test_before_the_first_feasible_candidate_a_rule_says_so(rule: dict[str, Any], text: str) -> None:
    assert progress(rule, [trial(0, 9.0, feasible=False)]) == RuleProgress(text, "no feasible candidate")


def test_a_target_says_which_trial_has_come_closest() -> None:
    target = {"kind": "target", "score": 2.0}
    assert progress(target, [trial(0, 1.0), trial(1, 1.9)]).so_far == "trial 1 with probability 0.159"
    assert progress(target, [trial(0, 2.1)]).reason is not None


def test_patience_says_how_many_trials_have_passed() -> None:
    patience = {"kind": "stagnation", "trials": 3}
    two = [trial(0, 1.0), trial(1, 0.5), trial(2, 0.4)]
    assert progress(patience, two) == RuleProgress("no improvement in 3 trials", "2 of 3 trials, on 1")
    assert progress(patience, [*two, trial(3, 0.3)]).reason == "no improvement on 1 in 3 trials"


def test_the_probability_of_a_better_candidate_is_shown_before_it_is_small_enough() -> None:
    rule = {"kind": "no_better", "improvement": 0.1}
    found = progress(rule, hopes(0.5, 0.2))
    assert found.rule == (
        "a candidate better than the best by more than 0.1 exists with a probability below 0.05, after each of 3 trials"
    )
    assert found.so_far == "probability 0.5, 0.2 after the last 2 trials"
    assert found.reason is None
    assert progress(rule, [trial(0, 1.0)]).so_far.startswith("no estimate")


def test_a_volume_says_how_large_it_is() -> None:
    rule = HypervolumeRuleConfig(kind="hypervolume", reaches=1e6)
    fronts = two_terms(AREA)
    found = rule_progress(rule, RuleInputs(fronts.objective.find, fronts.build_objective, TRIALS))
    assert (found.rule, found.reason) == ("the front dominates a volume of 1000000", None)
    assert float(found.so_far) > 0.0


def test_a_score_that_was_measured_once_needs_no_units() -> None:
    def unasked() -> Objective:
        raise AssertionError

    asked = campaign(stopping=[{"kind": "target", "score": 2.0}, {"kind": "stagnation", "trials": 3}])
    given = RuleInputs(asked.objective.find, unasked, [trial(0, 1.0), trial(1, 0.5)])
    assert [rule_progress(rule, given).reason for rule in asked.stopping] == [None, None]
