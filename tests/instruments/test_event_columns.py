"""A plan counts as done if its documents prove that it did all it announced."""

from typing import Any

import pytest
from bluesky.plans import count, list_scan
from ophyd.sim import SynAxis, SynSignal

from campaigns.errors import StepError
from instruments.event_columns import columns
from instruments.plan_runner import Plan, PlanRunner

Documents = list[tuple[str, dict[str, Any]]]


def documents_of(plan: Plan) -> Documents:
    found: Documents = []
    runner = PlanRunner()
    try:
        runner.run(plan, lambda name, document: found.append((name, document)), {})
    finally:
        runner.close()
    return found


@pytest.fixture
def det() -> SynSignal:
    return SynSignal(func=lambda: 4.0, name="det")


def test_one_event_is_read_as_it_is(det: SynSignal) -> None:
    readings, keys = columns(documents_of(count([det])))
    assert readings["det"]["value"] == 4.0
    assert keys["det"]["dtype"] == "number"


def test_several_events_are_read_as_columns(det: SynSignal) -> None:
    axis = SynAxis(name="axis")
    readings, keys = columns(documents_of(list_scan([det], axis, [1.0, 2.0, 5.0])))
    assert readings["axis"]["value"] == [1.0, 2.0, 5.0]
    assert (keys["axis"]["dtype"], keys["axis"]["shape"]) == ("array", [3])
    assert readings["axis"]["timestamp"] > 0


def test_fewer_events_than_announced_prove_nothing(det: SynSignal) -> None:
    documents = documents_of(list_scan([det], SynAxis(name="axis"), [1.0, 2.0, 5.0]))
    last = max(i for i, (name, _) in enumerate(documents) if name == "event")
    with pytest.raises(StepError, match=r"the run ended as success with 2 of 3 events"):
        columns([*documents[:last], *documents[last + 1 :]])
    with pytest.raises(StepError, match=r"the run ended as nothing with 3 of 3 events"):
        columns([one for one in documents if one[0] != "stop"])


def test_a_plan_without_an_event_proves_nothing() -> None:
    with pytest.raises(StepError, match=r"ended without an event in the stream 'primary'"):
        columns([])
