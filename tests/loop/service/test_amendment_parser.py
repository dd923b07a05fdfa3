from typing import Any

import pytest

from campaigns.amendments import (
    AddLevel,
    CampaignChange,
    FixParameter,
    ReleaseParameter,
    RemoveLevel,
    SetBounds,
    SetWeights,
    amended,
)
from campaigns.errors import CampaignError, UnitError
from campaigns.values import Candidate
from loop.service.amendment_parser import AmendmentParser, candidate, pairs
from tests.trials import campaign


def test_words_are_names_with_texts() -> None:
    assert pairs(["temperature=600..900 degC", "note=a=b"]) == {"temperature": "600..900 degC", "note": "a=b"}
    for words in (["temperature"], ["=5"], ["a=1", "a=2"]):
        with pytest.raises(CampaignError, match="allowed"):
            pairs(words)


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [
        ("600..700", 600, 700),
        ("873.15 K..700 degC", 600, 700),
        ("873.15..973.15 K", 600, 700),
        ("..700 degC", 500, 700),
        ("600..", 600, 900),
    ],
)
def test_bounds_have_units_and_an_end_that_is_left_out_stays(text: str, low: float, high: float) -> None:
    (change,) = AmendmentParser(campaign(), []).bounds({"temperature": text})
    assert isinstance(change, SetBounds)
    assert (change.low, change.high) == (pytest.approx(low), pytest.approx(high))


def test_what_is_left_out_is_what_was_set_before_whether_fixed_or_not() -> None:
    before: list[CampaignChange] = [
        SetBounds(parameter="time", low=2, high=50),
        FixParameter(parameter="time", value=10.0),
    ]
    assert AmendmentParser(campaign(), before).bounds({"time": "..40 h"}) == [
        SetBounds(parameter="time", low=2, high=40)
    ]


def test_weights_name_a_term_by_its_metric_or_its_place() -> None:
    assert AmendmentParser(campaign(), []).weights({"mean_voltage": "0.5", "0": "2"}) == [
        SetWeights(weights={1: 0.5, 0: 2.0})
    ]


def test_values_levels_and_names_become_changes() -> None:
    words = AmendmentParser(campaign(), [])
    assert words.fixed({"atmosphere": "air", "time": "90 min"}) == [
        FixParameter(parameter="atmosphere", value="air"), FixParameter(parameter="time", value=1.5)
    ]  # fmt: skip
    assert words.released(["time"]) == [ReleaseParameter(parameter="time")]
    assert words.level({"atmosphere": "N2"}, {"share": "0.5"}) == [
        AddLevel(parameter="atmosphere", level="N2", descriptors={"share": 0.5})
    ]
    assert words.removed_level({"atmosphere": "air"}) == [RemoveLevel(parameter="atmosphere", level="air")]


@pytest.mark.parametrize(
    ("method", "given", "message"),
    [
        ("weights", {"capacty": "1"}, "did you mean 'capacity'"),
        ("weights", {"capacity": "0"}, "allowed: a weight above zero"),
        ("weights", {"capacity": "1 eV"}, "allowed: a number without a unit"),
        ("bounds", {"temperature": "600"}, "allowed: LOW..HIGH"),
        ("bounds", {"atmosphere": "1..2"}, "has levels, not bounds"),
        ("fixed", {"temprature": "600"}, "did you mean 'temperature'"),
    ],
)
def test_what_cannot_be_meant_is_told(method: str, given: dict[str, str], message: str) -> None:
    with pytest.raises(CampaignError, match=message):
        getattr(AmendmentParser(campaign(), []), method)(given)


def test_a_unit_of_another_kind_is_refused() -> None:
    with pytest.raises(UnitError, match="allowed: a temperature"):
        AmendmentParser(campaign(), []).bounds({"temperature": "600..700 eV"})


def test_a_candidate_needs_every_parameter_but_those_that_are_fixed() -> None:
    given = {"temperature": "1000 K", "time": "2"}
    with pytest.raises(CampaignError, match="atmosphere: is missing"):
        candidate(campaign(), given)
    held = amended(campaign(), [FixParameter(parameter="atmosphere", value="air")])
    assert candidate(held, given) == Candidate({"temperature": 726.85, "time": 2.0, "atmosphere": "air"})
    with pytest.raises(CampaignError, match="is no parameter"):
        candidate(held, given | {"heat": "1"})


def test_a_parameter_that_does_not_apply_is_left_out() -> None:
    parameters: dict[str, Any] = campaign().model_dump(exclude_none=True)["space"]["parameters"]
    parameters["time"] |= {"when": {"atmosphere": ["air"]}, "otherwise": 1}
    sometimes = campaign(space={"parameters": parameters})
    found = candidate(sometimes, {"temperature": "600", "atmosphere": "<argon>"})
    assert sometimes.space.contains(found)
