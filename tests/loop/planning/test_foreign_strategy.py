"""Generation strategies that a campaign names: Ax's default, and a user's, good and bad."""

from typing import Any

import numpy as np
import pytest

from campaigns.amendments import FixParameter, amended
from campaigns.campaign import Campaign
from campaigns.errors import CampaignError, PlannerError
from campaigns.values import Candidate, MetricValue
from loop.core.records import TrialRecord
from loop.planning.planner import Planner
from loop.planning.shortlist import SpaceExhaustedError
from surrogates.models.encoder import Encoder, MaterialTable
from tests.loop.planning.foreign import ASKED
from tests.loop.planning.test_experiment import trial
from tests.planned import Lab, campaign, hill, nodes

FOREIGN = "tests.loop.planning.foreign"


def foreign(name: str, timeout: float = 60.0) -> Lab:
    return Lab(campaign(2, planner={"strategy": f"{FOREIGN}:{name}", "timeout": timeout}), hill)


def test_a_strategy_of_nodes_takes_over_from_node_to_node() -> None:
    lab = foreign("two_nodes")
    assert nodes(lab.run(4)) == ["strategy: Sobol"] * 2 + ["strategy: Diagonal"] * 2
    assert [dict(t.candidate.parameters) for t in lab.trials[2:]] == [
        {"x0": 0.25, "x1": 0.25},
        {"x0": pytest.approx(0.35), "x1": pytest.approx(0.35)},
    ]


@pytest.mark.parametrize("name", ["two_nodes", "three_trials"])
def test_a_strategy_goes_on_after_a_kill_as_without(name: str) -> None:
    whole, killed = foreign(name), foreign(name)
    whole.run(3)
    killed.run(1)
    after = Lab(killed.campaign, hill, trials=killed.trials)
    after.planner.recall(killed.trials)
    assert [t.candidate for t in after.run(2)] == [t.candidate for t in whole.trials]


def test_a_strategy_that_has_ended_leaves_no_candidate() -> None:
    lab = foreign("three_trials")
    lab.run(3)
    with pytest.raises(SpaceExhaustedError, match="the strategy has ended"):
        lab.planner.suggest()


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("still", r"node Still proposed x0 0.05, x1 0.05, which was proposed before; allowed: a new candidate"),
        ("far", r"node Far proposed x0 2, x1 2, outside of the space; allowed: x0: 0 to 1 1; x1: 0 to 1 1"),
        (
            "broken",
            r"node Broken of .*:broken raised ZeroDivisionError: division by zero \(.*foreign.py:\d+\); correct",
        ),
    ],
)
def test_what_a_node_proposes_and_is_not_allowed_is_told_with_what_is(name: str, told: str) -> None:
    lab = foreign(name)
    with pytest.raises(PlannerError, match=told):
        lab.run(2)


OWN = r"\(.*tests/loop/planning/foreign\.py:\d+\); correct it there, and go on with 'athanor run'"


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("exits", f"node Odd of .*:exits raised SystemExit: 0 {OWN}"),
        ("interrupts", f"node Odd of .*:interrupts raised KeyboardInterrupt {OWN}"),
        ("exit_at_once", f"foreign:exit_at_once raised SystemExit: 3 {OWN}"),
        ("fails_in_library", f"raised LinAlgError: Singular matrix {OWN}"),
        ("unknown_node", r"unknown_node raised .* Nowhere does not .*; correct planner\.strategy, and go on"),
        ("twins", "twins gave several nodes Twin; allowed: a name of its own for each"),
        ("wrong", r"wrong gave a str; allowed: an ax\.generation_strategy\..*, or a list of its nodes"),
        ("wrong_list", "wrong_list gave a list with a str; allowed"),
    ],
)
def test_what_a_strategy_raises_is_told_with_the_last_line_of_the_users_code(name: str, told: str) -> None:
    with pytest.raises(PlannerError, match=told):
        foreign(name).planner.suggest()


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("gives_none", "node Odd gave None; allowed: a dict with a value for each of x0, x1"),
        ("gives_list", "node Odd gave a list; allowed: a dict"),
        ("gives_half", "node Odd gave a dict without x1 and with y; allowed: a dict"),
        ("gives_lists", "node Odd gave a list for x0; allowed: a number, or a text"),
        ("gives_nan", "node Odd proposed x0 nan, x1 0.5, outside of the space"),
        ("no_arm", "node Batch proposed no arm, and not one for the trial"),
        ("three_arms", "node Batch of .* proposed 3 arms for one trial; allowed: one, .*: n = 1"),
        (
            "two_for_one",
            "node Sobol and Diagonal of .* proposed 2 arms for one trial; .*continue_trial_gen",
        ),
    ],
)
def test_what_is_not_one_value_of_each_parameter_is_told_with_what_is_wanted(name: str, told: str) -> None:
    with pytest.raises(PlannerError, match=told):
        foreign(name).planner.suggest()


@pytest.mark.slow
def test_a_node_that_draws_at_random_is_asked_with_another_seed_where_it_is_refused() -> None:
    found = foreign("draws").run(8)
    assert all(0.0 <= float(t.candidate.parameters["x0"]) <= 1.0 for t in found)
    assert len({t.candidate.key() for t in found}) == 8


def test_what_is_under_way_is_told_with_a_proposal_and_to_the_nodes() -> None:
    lab = foreign("counts_pending")
    found = [lab.planner.suggest() for _ in range(3)]
    assert [proposal.pending for _, _, proposal in found] == [(), (0,), (0, 1)]
    assert [candidate.parameters["x0"] for _, candidate, _ in found] == [0.0, 0.1, 0.2]


def test_the_order_in_which_trials_ended_says_nothing_to_a_strategy() -> None:
    early, late = foreign("follows_the_last_row"), foreign("follows_the_last_row")
    first = [early.planner.suggest() for _ in range(2)]
    ended = [
        trial(number, candidate, proposal=proposal, metrics={"merit": MetricValue(0.2 + number / 10, 0.1, "1")})
        for number, candidate, proposal in first
    ]
    for one in reversed(ended):
        early.planner.ingest(one)
    late.planner.recall(ended)
    assert early.planner.suggest() == late.planner.suggest()


def test_numbers_of_torch_and_numpy_are_numbers() -> None:
    assert foreign("gives_tensors").run(1)[0].candidate.parameters == {"x0": 0.25, "x1": 0.5}


def test_a_strategy_that_does_not_answer_is_told_with_the_line_that_it_is_in_and_not_asked_again() -> None:
    lab = foreign("sleeps", timeout=0.1)
    told = r"Odd of .* not answered within 0\.1 s, and is in .*foreign\.py:\d+; .* more time by planner\.timeout"
    ASKED.clear()
    for _ in range(2):
        with pytest.raises(PlannerError, match=told):
            lab.planner.suggest()
    assert len(ASKED) == 1


@pytest.mark.parametrize(("name", "what"), [("meddles", "trials"), ("widens", "search space")])
def test_a_node_that_changes_the_experiment_is_told_and_changes_nothing_of_the_campaigns(name: str, what: str) -> None:
    lab = foreign(name)
    before = lab.planner.experiment.built()
    for _ in range(2):
        with pytest.raises(PlannerError, match=rf"node Odd of .*:{name} changed the experiment \({what}\); allowed"):
            lab.planner.suggest()
    assert len(lab.planner.experiment) == len(lab.planner.experiment.ax.trials) == 0
    assert lab.planner.experiment.ax.search_space == before.search_space


NUMBER = {"kind": "float", "unit": "1", "low": 0, "high": 1}
SPACES: dict[str, dict[str, Any]] = {
    "mixed": {
        "parameters": {
            "x": {"kind": "float", "unit": "K", "low": 1, "high": 1000, "scale": "log"},
            "count": {"kind": "integer", "low": 1, "high": 9},
            "size": {"kind": "ordinal", "unit": "mm", "levels": [1, 2, 5, 10]},
            "gas": {"kind": "categorical", "levels": ["air", "argon", "oxygen"]},
            "flow": {**NUMBER, "when": {"gas": ["argon", "oxygen"]}, "otherwise": 0},
        }
    },
    "mixture": {
        "mixtures": {"m": {"components": {"a": {}, "b": {"high": 0.4}, "c": {}}}},
        "constraints": ["a <= 2 * c"],
    },
    "equality": {"parameters": dict.fromkeys("xyz", NUMBER), "constraints": ["x + y == 1", "y + z <= 0.8"]},
}
GAS = {"kind": "categorical", "levels": ["air", "argon", "oxygen"]}
KINDS: dict[str, dict[str, Any]] = {
    "float": {"parameters": {"x": NUMBER}},
    "logarithm": {"parameters": {"x": {"kind": "float", "unit": "K", "low": 1, "high": 1000, "scale": "log"}}},
    "integer": {"parameters": {"x": {"kind": "integer", "low": -3, "high": 9}}},
    "ordinal": {"parameters": {"x": {"kind": "ordinal", "unit": "mm", "levels": [1, 2, 5, 10, 20]}}},
    "categorical": {"parameters": {"gas": GAS, "x": NUMBER}},
    "categorical with descriptors": {
        "parameters": {"gas": {**GAS, "descriptors": {"share": [0.2, 0, 1]}}, "x": NUMBER}
    },
    "condition": {"parameters": {"gas": GAS, "x": {**NUMBER, "when": {"gas": ["argon"]}, "otherwise": 0}, "y": NUMBER}},
    "mixture of percents": {"mixtures": {"m": {"unit": "%", "total": 100, "components": {"a": {}, "b": {}, "c": {}}}}},
    "inequality": {"parameters": dict.fromkeys("xy", NUMBER), "constraints": ["x + y <= 0.8"]},
    "equality beside a choice": {"parameters": {"x": NUMBER, "y": NUMBER, "gas": GAS}, "constraints": ["x + y == 1"]},
}
"""Each kind of space that Ax can express, by itself, but for those of ``SPACES``."""
CONSTRAINED = ("mixture of percents", "inequality", "equality beside a choice")
"""Kinds for which Ax takes seconds; those of ``SPACES`` show that it goes on after a kill."""
OBJECTIVES: dict[str, dict[str, Any]] = {
    "best": {"terms": [{"goal": "maximise", "metric": "merit", "scale": 1.0}]},
    "front": {
        "terms": [
            {"goal": "maximise", "metric": "merit", "scale": 1.0, "reference": -1.0},
            {"goal": "minimise", "metric": "side", "scale": 1.0, "reference": -5.0},
        ],
        "find": {"kind": "pareto"},
        "constraints": [{"metric": "side", "at_most": 4.0}],
    },
}


def by_ax(space: dict[str, Any], objective: dict[str, Any], initial: int = 4, strategy: str | None = "ax") -> Campaign:
    shares = [name for mixture in space.get("mixtures", {}).values() for name in mixture["components"]]
    names = [*space.get("parameters", {}), *shares]
    step = campaign(1).model_dump(exclude_none=True)["workflow"][0]
    workflow = [{**step, "recipe": {name: f"${name}" for name in names}, "gives": ["merit", "side"]}]
    metrics = {name: {"kind": "measured", "unit": "1"} for name in ("merit", "side")}
    planner = {"initial": initial, "strategy": strategy}
    return campaign(1, space=space, objective=objective, metrics=metrics, workflow=workflow, planner=planner)


class Bakery:
    """Measures two metrics of what a planner suggests."""

    def __init__(self, plan: Campaign, trials: list[TrialRecord], table: MaterialTable | None = None) -> None:
        self.planner, self.trials = Planner(plan, Encoder(plan.space, table)), list(trials)
        self.planner.recall(trials)

    def run(self, count: int) -> list[Candidate]:
        for _ in range(count):
            number, candidate, proposal = self.planner.suggest()
            merit = hill(candidate.parameters, number) + len(candidate.material or "") / 10
            metrics = {"merit": MetricValue(merit, 0.05, "1"), "side": MetricValue(1.0 + merit**2, 0.0, "1")}
            done: dict[str, Any] = {
                "metrics": metrics,
                "score": merit,
                "score_sd": 0.05,
                "feasible": True,
                "completed_order": number,
            }
            self.trials.append(trial(number, candidate, proposal=proposal, **done))
            self.planner.ingest(self.trials[-1])
        return [t.candidate for t in self.trials]


@pytest.mark.slow
@pytest.mark.parametrize(("space", "objective"), [("mixed", "front"), ("mixture", "best"), ("equality", "front")])
def test_ax_searches_each_kind_of_space_and_goes_on_after_a_kill_as_without(space: str, objective: str) -> None:
    plan = by_ax(SPACES[space], OBJECTIVES[objective])
    whole = Bakery(plan, [])
    found = whole.run(5)
    assert all(plan.space.contains(candidate) for candidate in found)
    assert len({candidate.key() for candidate in found}) == 5
    assert nodes(whole.trials)[3:] == ["strategy: Sobol", "strategy: MBM"]
    assert Bakery(plan, whole.trials[:3]).run(2) == found


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_ax_searches_each_kind_by_itself(kind: str) -> None:
    plan = by_ax(KINDS[kind], OBJECTIVES["best"], initial=2)
    lab = Bakery(plan, [])
    found = lab.run(3)
    assert all(plan.space.contains(candidate) for candidate in found)
    assert len({candidate.key() for candidate in found}) == 3
    assert nodes(lab.trials)[-1] == "strategy: MBM"
    if kind not in CONSTRAINED:
        assert Bakery(plan, lab.trials[:2]).run(1) == found


def test_what_fails_within_ax_is_told_with_the_key_and_blames_no_file() -> None:
    space = {"parameters": dict.fromkeys("abcd", NUMBER), "constraints": ["a + b == 1", "c + d == 1"]}
    with pytest.raises(CampaignError, match="keep one equality or mixture, not several"):
        by_ax(space, OBJECTIVES["best"])
    plan = by_ax(space, OBJECTIVES["best"], strategy=None)
    forced = plan.model_copy(update={"planner": plan.planner.model_copy(update={"strategy": "ax"})})
    with pytest.raises(
        PlannerError, match=r"node Sobol of ax raised ValueError: [^/]*; correct planner\.strategy, and go on"
    ):
        Bakery(forced, []).run(2)


@pytest.mark.slow
def test_ax_searches_what_is_left_where_a_parameter_is_held() -> None:
    wide = by_ax(
        {"parameters": dict.fromkeys("xyz", NUMBER), "constraints": ["x + y <= 0.8"]}, OBJECTIVES["best"], initial=2
    )
    plan = amended(wide, [FixParameter(parameter="y", value=0.5)])
    found = Bakery(plan, []).run(3)
    assert all(plan.space.contains(candidate) for candidate in found)
    assert {candidate.parameters["y"] for candidate in found} == {0.5}


@pytest.mark.slow
@pytest.mark.parametrize("parameters", [{}, {"x": NUMBER}], ids=["alone", "with a parameter"])
def test_ax_searches_a_pool_by_row(parameters: dict[str, Any]) -> None:
    space = {"pool": {"kind": "generator", "function": "a.b:c"}, "parameters": parameters}
    plan = by_ax(space, OBJECTIVES["best"])
    views = {"composition": np.random.default_rng(0).normal(size=(30, 3))}
    table = MaterialTable(tuple("m" * (i + 1) for i in range(30)), views, {})
    found = Bakery(plan, [], table).run(5)
    assert len({candidate.key() for candidate in found}) == 5
    assert all(candidate.material in table.ids for candidate in found)
