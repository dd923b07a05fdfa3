"""Measured candidates as candidates of a space."""

from pathlib import Path
from typing import Any

import pytest

from campaigns.history import MisfitError, beyond, placed, wide
from campaigns.spaces.space import SpaceConfig
from campaigns.values import Candidate, Scalar
from campaigns.warm_start import TableSourceConfig, Wanted, read_source_table


def space(**changes: Any) -> SpaceConfig:
    data = {
        "parameters": {
            "temperature": {"kind": "float", "unit": "degC", "low": 500, "high": 900},
            "time": {"kind": "float", "unit": "h", "low": 1, "high": 100, "scale": "log"},
            "rate": {"kind": "ordinal", "unit": "degC/min", "levels": [2, 5, 10]},
            "count": {"kind": "integer", "low": 0, "high": 10},
            "gas": {"kind": "categorical", "levels": ["air", "argon"]},
        }
    }
    return SpaceConfig.model_validate(data | changes)


GOOD: dict[str, Scalar] = {"temperature": 700.0, "time": 10.0, "rate": 5.0, "count": 3, "gas": "air"}


def test_levels_and_whole_numbers_are_exactly_as_the_space_has_them() -> None:
    found = placed(space(), Candidate(GOOD | {"rate": 5.0000000001, "count": 2.9999999999}))
    assert found == Candidate(GOOD)
    assert space().contains(found)
    assert isinstance(found.parameters["count"], int)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"gas": "helium"}, "gas is 'helium'; allowed: air, argon"),
        ({"count": 2.5}, "count is 2.5; allowed: a whole number"),
        ({"time": 0.0}, "time is 0 h, on a log scale; allowed: above zero"),
        ({"temperature": float("nan")}, "temperature is nan; allowed: a number"),
    ],
)
def test_what_has_no_place_is_refused_with_the_reason(change: dict[str, Any], message: str) -> None:
    with pytest.raises(MisfitError) as caught:
        placed(space(), Candidate(GOOD | change))
    assert str(caught.value) == message


def test_what_lies_beyond_the_bounds_is_told_and_what_lies_far_away_is_refused() -> None:
    wide = space(constraints=["temperature + 10 * count <= 800"])
    assert beyond(wide, Candidate(GOOD)) == ""
    assert beyond(wide, Candidate(GOOD | {"temperature": 1250.0})).startswith("temperature lies outside of the space")
    assert beyond(wide, Candidate(GOOD | {"rate": 7.0})).startswith("rate lies outside of the space (allowed: 2.0, 5.0")
    assert beyond(wide, Candidate(GOOD | {"temperature": 790.0})) == (
        "breaks 'temperature + 10 * count <= 800': the models use it"
    )
    for change in ({"temperature": 1301.0}, {"time": 0.009}, {"count": -11}):
        with pytest.raises(MisfitError, match="lies far outside of the space; allowed: "):
            beyond(wide, Candidate(GOOD | change))


def test_a_wide_space_reads_whatever_was_measured(tmp_path: Path) -> None:
    file = tmp_path / "old.csv"
    file.write_text("temperature [K],time [min],rate,count,gas,gap\n2000,30,7,-3,air,1\n1000,-30,2,3,argon,2\n")
    config = TableSourceConfig.model_validate({"kind": "table", "name": "old", "file": str(file)})
    tight = space(constraints=["temperature <= 800"])
    first, second = read_source_table(config, Wanted(wide(tight), {"gap": "eV"}), "here").records
    expected = {"temperature": pytest.approx(1726.85), "time": 0.5, "rate": 7.0, "count": -3, "gas": "air"}
    assert placed(tight, first.candidate).parameters == expected
    with pytest.raises(MisfitError, match="on a log scale"):
        placed(tight, second.candidate)


def test_shares_of_a_mixture_must_add_up() -> None:
    mixed = SpaceConfig.model_validate({"mixtures": {"m": {"components": {"a": {}, "b": {}}}}})
    assert placed(mixed, Candidate({"a": 0.3, "b": 0.7000000001})).parameters == pytest.approx({"a": 0.3, "b": 0.7})
    assert mixed.allows(placed(mixed, Candidate({"a": 0.3, "b": 0.7000000001})).parameters)
    with pytest.raises(MisfitError, match=r"the shares of m add up to 0\.9; needed: 1"):
        placed(mixed, Candidate({"a": 0.3, "b": 0.6}))


def test_a_parameter_that_applies_must_have_a_value() -> None:
    flow = {"kind": "float", "unit": "1", "low": 0, "high": 1, "when": {"gas": ["argon"]}}
    both = space()
    both = SpaceConfig.model_validate({"parameters": {"gas": both.parameters["gas"].model_dump(), "flow": flow}})
    assert placed(both, Candidate({"gas": "air"})).parameters == {"gas": "air"}
    with pytest.raises(MisfitError, match="it has no value of flow"):
        placed(both, Candidate({"gas": "argon"}))
