"""A campaign's space as Ax has it, and candidates as its parameters, there and back."""

from typing import Any

import pytest
from ax.core.parameter import EPS, ChoiceParameter, FixedParameter, ParameterType, RangeParameter
from ax.exceptions.core import UserInputError
from hypothesis import given, settings
from hypothesis import strategies as st

from campaigns.amendments import FixParameter, amended
from campaigns.spaces.parameters import NARROWEST
from campaigns.spaces.space import SpaceConfig
from campaigns.values import Candidate
from loop.planning.search_space import MATERIAL, candidate_of, parameters_of, search_space
from loop.sampling.candidates import sobol
from tests.planned import campaign

NUMBER = {"kind": "float", "unit": "1", "low": 0, "high": 1}
MIXED: dict[str, Any] = {
    "parameters": {
        "heat": {"kind": "float", "unit": "K", "low": 1, "high": 1000, "scale": "log"},
        "count": {"kind": "integer", "low": 1, "high": 9},
        "size": {"kind": "ordinal", "unit": "mm", "levels": [1, 2, 5, 10]},
        "gas": {"kind": "categorical", "levels": ["air", "argon", "oxygen"]},
        "flow": {**NUMBER, "when": {"gas": ["argon", "oxygen"]}, "otherwise": 0},
    },
    "mixtures": {"m": {"unit": "%", "total": 100, "components": {"a": {}, "b": {"high": 40}, "c": {}}}},
    "constraints": ["a <= 2 * c"],
}


def space(data: dict[str, Any] | None = None, **parameters: Any) -> SpaceConfig:
    return SpaceConfig.model_validate(data or {"parameters": parameters})


def test_each_kind_of_parameter_is_one_of_ax() -> None:
    found = search_space(space(MIXED)).parameters
    heat, count, size, gas = (found[name] for name in ("heat", "count", "size", "gas"))
    assert isinstance(heat, RangeParameter)
    assert (heat.lower, heat.upper, heat.log_scale) == (1.0, 1000.0, True)
    assert isinstance(count, RangeParameter)
    assert (count.lower, count.upper, count.parameter_type.name) == (1, 9, "INT")
    assert isinstance(size, ChoiceParameter)
    assert (size.values, size.is_ordered) == ([1.0, 2.0, 5.0, 10.0], True)
    assert isinstance(gas, ChoiceParameter)
    assert (gas.values, gas.is_ordered) == (["air", "argon", "oxygen"], False)
    assert set(found) == {"heat", "count", "size", "gas", "flow", "a", "b", "c"}


def test_what_has_one_value_is_held_and_taken_out_of_constraints() -> None:
    wide = campaign(2, space={"parameters": {"x0": NUMBER, "x1": NUMBER}, "constraints": ["x0 + 2 * x1 <= 0.9"]})
    plan = amended(wide, [FixParameter(parameter="x1", value=0.25)]).space
    found = search_space(plan)
    assert isinstance(found.parameters["x1"], FixedParameter)
    (constraint,) = found.parameter_constraints
    assert constraint.check({"x0": 0.4})
    assert not constraint.check({"x0": 0.41})


def test_materials_are_rows_of_the_pool() -> None:
    plan = space(x=NUMBER)
    material = search_space(plan, 5).parameters[MATERIAL]
    assert isinstance(material, RangeParameter)
    assert (material.lower, material.upper) == (0, 4)
    assert MATERIAL not in search_space(plan).parameters


@pytest.mark.slow
@settings(deadline=None)
@given(seed=st.integers(0, 10_000))
def test_every_candidate_comes_back_from_ax_as_it_was_and_is_a_member_there(seed: int) -> None:
    plan = space(MIXED)
    (setting,) = sobol(plan, 1, seed)
    candidate = Candidate(plan.present(setting), "second")
    rows = {"first": 0, "second": 1}
    parameters = parameters_of(plan, candidate, rows)
    assert search_space(plan, 2).check_membership(parameters)
    back = candidate_of(plan, parameters, list(rows))
    assert back.material == "second"
    assert back.parameters == {
        name: pytest.approx(value) if isinstance(value, float) else value
        for name, value in candidate.parameters.items()
    }
    assert plan.allows(back.parameters)


def test_what_does_not_apply_has_its_lowest_value_in_ax_and_none_in_a_candidate() -> None:
    plan = space(MIXED)
    (setting,) = sobol(plan, 1, 0)
    candidate = Candidate(plan.present({**setting, "gas": "air"}))
    assert "flow" not in candidate.parameters
    parameters = parameters_of(plan, candidate, {})
    assert parameters["flow"] == 0.0
    assert "flow" not in candidate_of(plan, {**parameters, "flow": 0.7}, ()).parameters


def test_a_constraint_that_is_missed_by_rounding_is_kept_and_one_that_is_missed_by_more_is_not() -> None:
    plan = space({"parameters": dict.fromkeys("xy", NUMBER), "constraints": ["x + y <= 0.8"]})
    near = candidate_of(plan, {"x": 0.4 + 1e-8, "y": 0.4}, ())
    assert plan.contains(near)
    assert near.parameters == {"x": pytest.approx(0.4, abs=1e-5), "y": pytest.approx(0.4, abs=1e-5)}
    far = {"x": 0.45, "y": 0.4}
    assert candidate_of(plan, far, ()) == Candidate(far)
    assert not plan.contains(Candidate(far))


def test_a_total_that_is_missed_by_rounding_is_kept_and_one_that_is_missed_by_more_is_not() -> None:
    plan = space({"mixtures": {"mix": {"unit": "%", "total": 100, "components": {"a": {}, "b": {}, "c": {}}}}})
    near = candidate_of(plan, {"a": 40.0, "b": 40.0, "c": 20.0 + 1e-7}, ())
    assert plan.contains(near)
    far = {"a": 40.0, "b": 40.0, "c": 10.0}
    assert candidate_of(plan, far, ()) == Candidate(far)


def test_a_bound_that_is_missed_by_rounding_is_kept() -> None:
    plan = space(x=NUMBER)
    assert candidate_of(plan, {"x": 1.0 + 1e-12}, ()).parameters == {"x": 1.0}
    assert not plan.contains(candidate_of(plan, {"x": 1.0 + 1e-6}, ()))


@pytest.mark.parametrize(
    ("parameters", "material"),
    [({}, None), ({MATERIAL: 1}, "b"), ({MATERIAL: 1.0}, "b"), ({MATERIAL: 2}, "row 2"), ({MATERIAL: -1}, "row -1")],
)
def test_a_row_that_the_pool_does_not_have_is_named_as_such(parameters: dict[str, Any], material: str | None) -> None:
    assert candidate_of(space(x=NUMBER), {"x": 0.5, **parameters}, ["a", "b"]).material == material


def test_what_ax_cannot_express_is_left_out_of_its_space() -> None:
    number = {**NUMBER, "low": 1, "high": 9}
    plan = space({"parameters": dict.fromkeys("xy", number), "constraints": ["x * y <= 20", "x + y <= 12"]})
    (constraint,) = search_space(plan).parameter_constraints
    assert constraint.check({"x": 3.0, "y": 9.0})
    assert not constraint.check({"x": 4.0, "y": 9.0})


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "much", None, [0.5]])
@pytest.mark.parametrize("data", [{"parameters": {"a": NUMBER, "b": NUMBER}}, {"mixtures": MIXED["mixtures"]}])
def test_what_is_no_number_is_a_candidate_that_no_space_contains(value: Any, data: dict[str, Any]) -> None:
    plan = space(data)
    parameters = dict.fromkeys(plan.all_parameters, 1.0) | {"a": value}
    assert not plan.contains(candidate_of(plan, parameters, ()))


def test_every_range_that_a_campaign_may_have_can_be_held_by_ax() -> None:
    assert pytest.approx(100 * EPS) == NARROWEST
    number = {"kind": "float", "unit": "m", "low": 0.0, "high": 1.01 * NARROWEST}
    space = search_space(SpaceConfig.model_validate({"parameters": {"x": number}}))
    assert isinstance(space.parameters["x"], RangeParameter)
    with pytest.raises(UserInputError, match="very small"):
        RangeParameter("x", ParameterType.FLOAT, 0.0, 0.99 * NARROWEST)
