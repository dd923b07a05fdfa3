"""Documents of all kinds of stations: valid, numbered over the campaign, ended even after a kill, and handed on."""

from __future__ import annotations

import json
import queue
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import event_model
import pytest

from campaigns.campaign import Campaign
from campaigns.errors import CampaignError
from campaigns.values import Candidate, TrialState
from instruments.job import StepResult
from instruments.lab import Lab
from loop.core.campaign_records import CampaignRecord
from loop.core.proposals import Proposal
from loop.core.records import Document, StepRecord
from loop.execution.jobs.dispatcher import Dispatcher
from loop.execution.laboratory.lab_setup import build_lab
from loop.storage.store import Store
from tests.loop.conftest import quick, troubled
from tests.loop.execution.built_stations import write_module

OURS = """\
from bluesky import plan_stubs as bps
from bluesky.callbacks import CallbackBase
from bluesky.plans import count, list_scan

seen = []


def twice(x, motor, det):
    yield from bps.mv(motor, x)
    yield from count([det])
    yield from list_scan([det], motor, [x, x / 2])


def keep(name, document):
    seen.append((name, document))


class Keeper(CallbackBase):
    def start(self, document):
        seen.append(("start", document))


class Odd:
    pass


def breaks(name, document):
    raise KeyError(name)


def leaves(name, document):
    raise SystemExit


def short(name):
    pass
"""
PARTS = {"motor": {"device": "ophyd.sim:motor"}, "det": {"device": "ophyd.sim:det"}}
SETPOINTS = {"x": {"unit": "mm", "limits": [-5, 5]}}


def real(**station: Any) -> dict[str, Any]:
    """A campaign with one station of plain devices."""
    step = {"name": "make", "stations": ["bench"], "recipe": {"x": "$x"}, "timeout": "1 min"}
    step |= {"analysis": "instruments.analyses.plain_readings:metrics", "gives": ["height"]}
    step |= {"analysis_settings": {"signals": {"height": "det"}}}
    space = {"parameters": {"x": {"kind": "float", "unit": "mm", "low": 0, "high": 1}}}
    stations = {"bench": {"kind": "device", "devices": PARTS, "setpoints": SETPOINTS} | station}
    return troubled("Bench", lab={"kind": "real"}, stations=stations, workflow=[step], space=space)


DEVICES = real(setpoints={"x": {**SETPOINTS["x"], "signal": "motor"}})
PLAN = real(kind="plan", plan="doc_parts:twice")


@dataclass
class Floor:
    """A store with stations that do the first step of its trials."""

    campaign: Campaign
    store: Store
    lab: Lab
    dispatcher: Dispatcher

    def do(self, number: int = 0, **parameters: Any) -> StepResult:
        """Return how the first step of a new trial ends."""
        results: queue.SimpleQueue[StepResult] = queue.SimpleQueue()
        self.store.propose(number, Candidate(parameters or {"x": 1.0}), Proposal("space-filling"), 0.0)
        step = self.campaign.workflow[0]
        self.dispatcher.begin([self.store.trial(number)], step, step.stations[0], results.put)
        self.lab.clock.leave()
        result = results.get(timeout=30)
        self.dispatcher.record_result(step.stations[0], result)
        return result

    def runs(self, number: int = 0) -> list[list[Document]]:
        """Return the documents of a trial by run, each of which is valid."""
        found = defaultdict(list)
        for one in self.store.documents(number):
            event_model.schema_validators[event_model.DocumentNames[one.kind]].validate(one.body)
            found[one.run_uid].append(one)
        return list(found.values())


Open = Callable[..., Floor]


@pytest.fixture
def opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Open]:
    """A function from a campaign to its floor, which stands for one session: the one before is closed."""
    write_module(tmp_path, "doc_parts", OURS, monkeypatch)
    floors: list[Floor] = []

    def close() -> None:
        for one in floors:
            one.dispatcher.close()
            one.store.close("")
        floors.clear()

    def make(data: dict[str, Any] = PLAN, **changes: Any) -> Floor:
        close()
        campaign = Campaign(**(data | changes))
        store = Store(f"sqlite:///{tmp_path / 'test.db'}")
        store.begin(CampaignRecord("test", "", 1, "print", 100.0), {})
        lab = build_lab(campaign, None, tmp_path / "test.lab", 0.0)
        floors.append(Floor(campaign, store, lab, Dispatcher(campaign, lab, store, None)))
        return floors[-1]

    yield make
    close()


def kinds(run: list[Document]) -> list[str]:
    return [one.kind for one in run]


def starts(floor: Floor) -> list[Mapping[str, Any]]:
    return [run[0].body for trial in floor.store.trials() for run in floor.runs(trial.number)]


JOB = "100.000-0-make-1"
WHOLE = ["start", "descriptor", "event", "stop"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("data", "parameters"),
    [
        (quick(), {"temperature": 800.0, "time": 2.0, "ramp_rate": 5.0, "lithium_excess": 5.0, "atmosphere": "air"}),
        (DEVICES, {"x": 1.0}),
        (PLAN, {"x": 1.0}),
    ],
    ids=["virtual", "device", "plan"],
)
def test_runs_are_valid_say_whose_they_are_and_what_is_worth_showing(
    opened: Open, data: dict[str, Any], parameters: dict[str, Any]
) -> None:
    floor = opened(data)
    assert floor.do(**parameters).ok
    for run in floor.runs():
        start, descriptor = run[0].body, run[1].body
        assert (start["campaign"], len(start["campaign_id"])) == ("test", 36)
        assert start["plan_name"] in ("perform", "move_and_read", "count", "list_scan")
        assert run[-1].body["exit_status"] == "success"
        fields = [field for one in descriptor["hints"].values() for field in one["fields"]]
        assert fields
        assert set(fields) <= set(descriptor["data_keys"])
        dimensions = {name for names, _ in start["hints"]["dimensions"] for name in names}
        assert dimensions - {"time"} <= set(descriptor["data_keys"])
    assert kinds(floor.runs()[0]) == WHOLE


def test_the_runs_of_a_plan_are_kept_as_the_others_are(opened: Open) -> None:
    floor = opened()
    floor.do()
    own, *of_plan = floor.runs()
    assert [run[0].body["plan_name"] for run in of_plan] == ["count", "list_scan"]
    assert [kinds(run).count("event") for run in of_plan] == [1, 2]
    assert [run[0].body["sample"] for run in of_plan] == ["0", "0"]
    (step,) = floor.store.trials()[0].steps
    assert floor.store.event_data(step.token) == own[2].body["data"]
    assert floor.store.event_data(step.token)["bench_motor"] == [1.0, 0.5]


@pytest.mark.slow
def test_numbers_of_runs_do_not_repeat_over_a_campaign(opened: Open) -> None:
    opened().do(0)
    floor = opened()
    floor.do(1)
    ids = [start["scan_id"] for start in starts(floor)]
    assert sorted(ids) == [1, 2, 3, 4, 5, 6]
    assert len({start["campaign_id"] for start in starts(floor)}) == 1


@pytest.mark.slow
def test_a_run_that_a_kill_cut_short_gets_its_end_and_its_plan_s_documents(opened: Open, tmp_path: Path) -> None:
    killed = Store(f"sqlite:///{tmp_path / 'test.db'}")
    killed.begin(CampaignRecord("test", "", 1, "print", 100.0), {})
    killed.propose(0, Candidate({"x": 1.0}), Proposal("space-filling"), 0.0)
    killed.claim(0, StepRecord("make", 1, "bench", JOB, TrialState.CLAIMED, None, None, None, "", 0.0), 0.0)
    killed.document(JOB, "start", {"uid": "outer", "time": 1.0, "scan_id": 7}, 0.0)
    killed.mark(JOB, TrialState.DISPATCHED, 0.0)
    killed.close("")
    descriptor = {"uid": "d", "run_start": "inner", "time": 1.0, "name": "primary", "data_keys": {}}
    event = {"uid": "e", "descriptor": "d", "time": 1.0, "seq_num": 1, "data": {}, "timestamps": {}}
    inner = (["start", {"uid": "inner", "time": 1.0, "scan_id": 8}], ["descriptor", descriptor], ["event", event])
    folder = tmp_path / "test.lab" / "bench"
    folder.mkdir(parents=True)
    (folder / f"{JOB}.jsonl").write_text("\n".join([*map(json.dumps, inner), '["event", {"uid": "t']))
    floor = opened()
    outer, of_plan = floor.runs()
    assert (kinds(outer), kinds(of_plan)) == (["start", "stop"], WHOLE)
    for run, events in ((outer, {}), (of_plan, {"primary": 1})):
        stop = run[-1].body
        assert (stop["run_start"], stop["exit_status"], stop["num_events"]) == (run[0].run_uid, "abort", events)
        assert stop["reason"] == "the controller ended before the run did"
    floor.do(1)
    assert min(start["scan_id"] for start in starts(floor) if start["uid"] not in ("outer", "inner")) == 9
    assert opened().runs() == [outer, of_plan]


def test_subscribers_get_all_documents_and_those_that_fail_cost_a_warning(opened: Open) -> None:
    names = ("leaves", "keep", "Keeper", "breaks")
    floor = opened(PLAN, subscribers=[f"doc_parts:{name}" for name in names])
    assert floor.do().ok
    said = floor.dispatcher.finish()
    assert [one.split(";")[0].split(" (")[0] for one in said] == [
        "subscriber doc_parts:leaves raised SystemExit",
        "subscriber doc_parts:breaks raised KeyError: 'start'",
    ]
    seen = sys.modules["doc_parts"].seen
    by_function = [document["uid"] for name, document in seen if name == "stop"]
    assert sorted(by_function) == sorted(one.body["uid"] for one in floor.store.documents(0) if one.kind == "stop")
    assert [name for name, _ in seen].count("start") == 6  # three runs, told to two of them


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("doc_parts:short", "is a function that takes one argument, but is called with 2 arguments"),
        ("doc_parts:Odd", "is a class without __call__"),
        ("doc_parts:absent", "doc_parts has no absent"),
        ("bluesky.callbacks.json_writer:JSONWriter", "needs dirname, but is called with no arguments"),
        ("shutil:rmtree", "shutil is a module of Python's standard library"),
        ("numpy:save", "is a function of"),
    ],
)
def test_what_is_no_callback_is_refused_before_anything_is_imported(opened: Open, path: str, said: str) -> None:
    from campaigns.user_code.dotted_paths import NamedObject, Use, trouble
    from campaigns.user_code.loading import load_object
    from campaigns.user_code.module_files import opened as folder

    assert opened(PLAN).store
    assert said in trouble(NamedObject("subscribers[0]", path, Use.CALLBACK), folder())
    with pytest.raises(CampaignError, match=r"subscribers\[0\]"):
        load_object(path, "subscribers[0]", Use.CALLBACK)


def test_a_callback_of_bluesky_s_own_is_made_and_subscribed(opened: Open) -> None:
    floor = opened(PLAN, subscribers=["bluesky.callbacks.core:CallbackCounter"])
    floor.do()
    assert floor.dispatcher.finish() == []
