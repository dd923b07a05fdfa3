from pathlib import Path
from typing import Any

import pytest

from campaigns.amendments import (
    CHANGES,
    AddLevel,
    AddTrial,
    CampaignChange,
    FixParameter,
    ReleaseParameter,
    RemoveLevel,
    SetBounds,
    SetWeights,
    amended,
    check_amended,
    enclosing_space,
)
from campaigns.campaign import Campaign
from campaigns.errors import CampaignError
from campaigns.spaces.parameters import FloatConfig
from campaigns.values import Candidate
from tests.trials import campaign

HOT = SetBounds(parameter="temperature", low=700, high=1000)
ARGON = FixParameter(parameter="atmosphere", value="<argon>")
PARAMETERS: dict[str, Any] = {
    "temperature": {"kind": "float", "unit": "degC", "low": 500, "high": 900, "lowest": 400},
    "time": {"kind": "float", "unit": "h", "low": 1, "high": 100, "scale": "log"},
    "atmosphere": {"kind": "categorical", "levels": ["air", "<argon>"], "descriptors": {"share": [0.2, 0]}},
}


def spaced(**changes: Any) -> Campaign:
    return campaign(space={"parameters": PARAMETERS, **changes})


def test_without_changes_the_campaign_is_that_of_the_file() -> None:
    assert amended(campaign(), []) == campaign()
    assert enclosing_space(campaign(), []) == campaign().space


def test_weights_are_those_of_the_last_change_and_rank_anew() -> None:
    found = amended(campaign(), [SetWeights(weights={0: 1.0, 1: 5.0}), SetWeights(weights={0: 2.0})])
    assert [term.weight for term in found.objective.terms] == [2.0, 5.0]
    one, other = {"capacity": 100.0, "mean_voltage": 2.5}, {"capacity": 60.0, "mean_voltage": 3.0}
    before, after = campaign().build_objective(), found.build_objective()
    assert before.score(one) > before.score(other)
    assert after.score(one) < after.score(other)


def test_bounds_change_what_may_be_chosen_and_the_enclosing_space_keeps_room_for_what_was() -> None:
    changes = [HOT, SetBounds(parameter="temperature", low=750, high=800)]
    now, widest = amended(campaign(), changes).space, enclosing_space(campaign(), changes)
    candidate = Candidate({"temperature": 720.0, "time": 2.0, "atmosphere": "air"})
    assert not now.contains(candidate)
    assert widest.contains(candidate)
    temperature = widest.parameters["temperature"]
    assert isinstance(temperature, FloatConfig)
    assert (temperature.low, temperature.high) == (500, 1000)


def test_what_is_fixed_can_be_nothing_else_until_it_is_released() -> None:
    held = amended(spaced(), [HOT, ARGON, FixParameter(parameter="temperature", value=950.0)]).space
    assert held.contains(Candidate({"temperature": 950.0, "time": 2.0, "atmosphere": "<argon>"}))
    assert not held.contains(Candidate({"temperature": 950.0, "time": 2.0, "atmosphere": "air"}))
    assert not held.contains(Candidate({"temperature": 949.0, "time": 2.0, "atmosphere": "<argon>"}))
    freed = amended(spaced(), [ARGON, HOT, ReleaseParameter(parameter="atmosphere")]).space
    assert freed == amended(spaced(), [HOT]).space


def test_a_level_is_added_with_its_descriptors() -> None:
    found = amended(spaced(), [AddLevel(parameter="atmosphere", level="oxygen", descriptors={"share": 1.0})])
    atmosphere = found.space.parameters["atmosphere"]
    assert atmosphere.kind == "categorical"
    assert atmosphere.described("oxygen") == (1.0,)
    assert atmosphere.levels == ("air", "<argon>", "oxygen")


OXYGEN = AddLevel(parameter="atmosphere", level="oxygen", descriptors={"share": 0.9})


def test_a_level_that_is_removed_keeps_its_place_in_the_enclosing_space() -> None:
    changes: list[CampaignChange] = [OXYGEN, RemoveLevel(parameter="atmosphere", level="oxygen")]
    assert amended(spaced(), changes).space == spaced().space
    measured = Candidate({"temperature": 600.0, "time": 2.0, "atmosphere": "oxygen"})
    assert enclosing_space(spaced(), changes).contains(measured)


def test_a_level_that_is_added_once_more_has_its_latest_descriptors() -> None:
    again = OXYGEN.model_copy(update={"descriptors": {"share": 1.0}})
    changes: list[CampaignChange] = [OXYGEN, RemoveLevel(parameter="atmosphere", level="oxygen"), again]
    for space in (amended(spaced(), changes).space, enclosing_space(spaced(), changes)):
        atmosphere = space.parameters["atmosphere"]
        assert atmosphere.kind == "categorical"
        assert (atmosphere.levels, atmosphere.described("oxygen")) == (("air", "<argon>", "oxygen"), (1.0,))


def test_bounds_that_somebody_has_set_do_not_grow_any_more() -> None:
    grown = amended(spaced(), [HOT.model_copy(update={"grown": True})]).space.parameters["temperature"]
    mine = amended(spaced(), [HOT]).space.parameters["temperature"]
    assert (getattr(grown, "lowest", 0), getattr(mine, "lowest", 0)) == (400, None)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ([SetWeights(weights={2: 1.0})], "got term 2; allowed: 0 to 1"),
        ([SetBounds(parameter="temperature", low=900, high=700)], "low below high"),
        ([SetBounds(parameter="time", low=0, high=7)], "scale: log"),
        ([SetBounds(parameter="heat", low=0, high=7)], "is no parameter; allowed: temperature, time, atmosphere"),
        ([SetBounds(parameter="atmosphere", low=0, high=7)], "has levels, not bounds"),
        ([AddLevel(parameter="time", level=7.0)], "has bounds, not levels"),
        ([AddLevel(parameter="atmosphere", level="oxygen")], "got the descriptors none; needed: share"),
        ([AddLevel(parameter="atmosphere", level="hot", descriptors={"share": 0.2})], "have the same descriptors"),
        ([FixParameter(parameter="temperature", value=950.0)], "allowed: 500 to 900 degC"),
        (
            [FixParameter(parameter="temperature", value=600.0), HOT],
            "is fixed at 600.0, which would not be in 700 to 1000 degC",
        ),
        ([RemoveLevel(parameter="time", level=7.0)], "has bounds, not levels"),
        ([RemoveLevel(parameter="atmosphere", level="hot")], "has no level 'hot'; allowed: air, <argon>"),
        ([RemoveLevel(parameter="atmosphere", level="air")], "to leave one, use 'space fix'"),
        (
            [OXYGEN, ARGON, RemoveLevel(parameter="atmosphere", level="<argon>")],
            "is fixed at '<argon>'.*release it first, by 'space release atmosphere'",
        ),
        ([ReleaseParameter(parameter="time")], "is not fixed; fixed: none"),
    ],
)
def test_what_is_impossible_is_refused(changes: list[CampaignChange], message: str) -> None:
    with pytest.raises(CampaignError, match=message):
        check_amended(spaced(), changes[:-1], changes[-1])


def test_a_change_that_leaves_nothing_that_keeps_the_constraints_is_refused() -> None:
    limited = spaced(constraints=["temperature + time <= 720"])
    with pytest.raises(CampaignError, match="broken everywhere"):
        check_amended(limited, [], SetBounds(parameter="temperature", low=800, high=900))


def test_no_term_of_a_front_weighs_more_than_another() -> None:
    objective = campaign().objective.model_dump(exclude_none=True)
    objective["terms"] = [term | {"weight": 1} for term in objective["terms"]]
    front = campaign(objective=objective | {"find": {"kind": "pareto"}})
    with pytest.raises(CampaignError, match="terms of a front have no weight"):
        amended(front, [SetWeights(weights={0: 2.0})])


def test_shares_of_a_mixture_stay_as_they_are() -> None:
    mixed = {"parameters": PARAMETERS, "mixtures": {"blend": {"components": {"a": {}, "b": {}}}}}
    recipe = {name: f"${name}" for name in (*PARAMETERS, "a", "b")}
    steps = campaign().model_dump(exclude_none=True)["workflow"]
    mixture = campaign(space=mixed, workflow=[{**steps[0], "recipe": recipe}, steps[1]])
    with pytest.raises(CampaignError, match="is a component of a mixture"):
        amended(mixture, [SetBounds(parameter="a", low=0, high=0.5)])


def test_of_a_table_only_the_rows_may_be_chosen(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("temperature,time,atmosphere\n600,2,air\n700,3,<argon>\n")
    parameters = PARAMETERS | {"temperature": {"kind": "float", "unit": "degC", "low": 500, "high": 900}}
    table = campaign(space={"parameters": parameters, "rows": {"file": str(tmp_path / "rows.csv")}})
    for change in (HOT, ARGON, OXYGEN, RemoveLevel(parameter="atmosphere", level="air")):
        with pytest.raises(CampaignError, match=r"the space is the table .*rows\.csv: only the rows"):
            amended(table, [change])
    assert amended(table, [SetWeights(weights={0: 2.0})]).space is table.space
    assert table.space.contains(Candidate({"temperature": 700.0, "time": 3.0, "atmosphere": "<argon>"}))


@pytest.mark.parametrize("change", [HOT, ARGON, SetWeights(weights={1: 2.0}), AddTrial(parameters={"a": 1, "b": "x"})])
def test_a_change_comes_back_from_plain_data(change: Any) -> None:
    assert CHANGES.validate_json(change.model_dump_json()) == change
