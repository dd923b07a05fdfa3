from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from campaigns.spaces.parameters import CategoricalConfig, ParameterConfig
from campaigns.spaces.space import SpaceConfig
from campaigns.values import Candidate
from tests.strategies import fractions, parameters, spaces

PARAMETER: TypeAdapter[ParameterConfig] = TypeAdapter(ParameterConfig)


@given(parameters, fractions)
def test_a_value_at_any_fraction_lies_in_the_parameter(data: dict[str, Any], fraction: float) -> None:
    parameter = PARAMETER.validate_python(data)
    assert parameter.contains(parameter.at(fraction))


@given(parameters, fractions)
def test_fraction_is_the_inverse_of_at(data: dict[str, Any], fraction: float) -> None:
    parameter = PARAMETER.validate_python(data)
    if isinstance(parameter, CategoricalConfig):
        return
    value = parameter.at(fraction)
    back = parameter.fraction(value)
    assert -1e-9 <= back <= 1 + 1e-9
    if parameter.kind == "float":
        assert parameter.at(back) == pytest.approx(value, rel=1e-6, abs=1e-6)


@pytest.mark.slow
@given(spaces(), st.lists(fractions, min_size=4, max_size=4))
def test_the_space_allows_what_keeps_every_constraint(data: dict[str, Any], at: list[float]) -> None:
    space = SpaceConfig.model_validate(data)
    values = {name: p.at(f) for (name, p), f in zip(space.parameters.items(), at, strict=False)}
    kept = all(c.slack(values) >= -1e-9 for c in space.linear_constraints)
    assert space.allows(values) == kept
    assert space.contains(Candidate(values)) == kept
    assert not space.contains(Candidate(values, material="LiCoO2"))
    assert not space.allows({**values, "other": 1})


@pytest.mark.slow
@given(spaces())
def test_the_low_ends_of_a_drawn_space_are_allowed(data: dict[str, Any]) -> None:
    space = SpaceConfig.model_validate(data)
    assert space.allows({name: parameter.at(0.0) for name, parameter in space.parameters.items()})


def test_bounds_are_converted_to_the_parameter_s_unit() -> None:
    parameter = PARAMETER.validate_python({"kind": "float", "unit": "degC", "low": "923 K", "high": "1832 degF"})
    assert (parameter.at(0.0), parameter.at(1.0)) == (pytest.approx(649.85), pytest.approx(1000.0))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"kind": "float", "unit": "h", "low": 4, "high": 3}, "low below high"),
        (
            {"kind": "float", "unit": "h", "low": 0, "high": 3, "scale": "log"},
            "got low .*allowed with scale: log: above zero",
        ),
        ({"kind": "float", "unit": "m", "low": 1e-9, "high": 1e-7}, "9.9e-08 m apart; allowed: 1.5e-05 m at least"),
        ({"kind": "float", "unit": "h", "low": True, "high": 3}, "allowed: a number"),
        ({"kind": "float", "unit": "h", "low": float("inf"), "high": 3}, "finite"),
        ({"kind": "integer", "low": 0.5, "high": 3}, "allowed for an integer: whole numbers"),
        ({"kind": "integer", "low": 0, "high": 3, "highest": 3.5}, "allowed for an integer: whole numbers"),
        ({"kind": "float", "unit": "h", "low": 1, "high": 3, "lowest": 2}, "got lowest 2.*at most low, 1"),
        (
            {"kind": "float", "unit": "h", "low": 1, "high": 3, "highest": 2},
            "got highest 2.*at least high, 3",
        ),
        ({"kind": "float", "unit": "h", "low": 1, "high": 3, "scale": "log", "lowest": 0}, "got lowest .*above zero"),
        ({"kind": "ordinal", "unit": "h", "levels": [2, 1]}, "numbers in rising order"),
        ({"kind": "categorical", "levels": ["a", "a"]}, "allowed: each once"),
    ],
)
def test_a_parameter_that_makes_no_sense_is_refused(data: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        PARAMETER.validate_python(data)


def test_a_constraint_that_nothing_keeps_is_refused() -> None:
    time = {"kind": "float", "unit": "h", "low": 2, "high": 3}
    with pytest.raises(ValidationError, match="broken everywhere"):
        SpaceConfig.model_validate({"parameters": {"time": time}, "constraints": ["2 * time <= 3"]})
    with pytest.raises(ValidationError, match="names 'tim', did you mean 'time'; allowed: time"):
        SpaceConfig.model_validate({"parameters": {"time": time}, "constraints": ["tim <= 3"]})
