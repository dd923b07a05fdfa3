"""What a lab process allows a campaign: nothing without its reservation, nothing beyond the lab file."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from campaigns.errors import (
    BusyError,
    CampaignError,
    LabError,
    LimitError,
    NoAnswerError,
    NotReservedError,
)
from campaigns.lab.lab_claim import LabClaim
from campaigns.lab.lab_rules import LimitConfig
from instruments.emergency_stop import StopFile
from instruments.run_context import RunContext
from loop.cli.lab_orders import lab_rows
from loop.execution.laboratory import missing_stations
from loop.execution.shared_lab import messages
from loop.execution.shared_lab.attached_lab import AttachedStations
from loop.execution.shared_lab.campaign_link import CampaignLink, LabLine
from loop.execution.shared_lab.lab_process import run_lab
from loop.execution.shared_lab.messages import Handshake, Member, Purpose, fingerprint
from loop.execution.shared_lab.socket_file import connected, is_served, line_of, opened_line
from tests.shared_labs import OVEN, until

pytestmark = pytest.mark.slow

LAB = """\
lab: {kind: real}
reservation_timeout: 0.2 s
stations:
  oven:
    kind: device
    device: "oven_here:Oven"
    limits: {temperature: {unit: degC, low: 50, high: 950}}
  stage:
    kind: device
    device: "axis_here:Axis"
    setpoints: {x: {unit: mm, limits: [0, 10]}}
    units: {stage: mm}
    safe: {x: 0}
  late:
    kind: device
    device: "axis_here:Late"
    setpoints: {x: {unit: mm, limits: [0, 10]}}
    requires: ["door == 1"]
readings:
  door: {station: late, signal: setpoint}
"""
AXIS = """\
from pathlib import Path

from ophyd.sim import SynAxis


class Axis(SynAxis):
    def set(self, value):
        self.delay = 0.0 if value < 5 else 60.0
        return super().set(value)


class Late(SynAxis):
    def __init__(self, *, name):
        if not Path(__file__).with_name("up").exists():
            raise ConnectionError("no route")
        super().__init__(name=name, value=1)
"""
TOLD: list[str] = []
"""What the lab process has said."""
HEADER = {"sample": "1", "material": "-", "step": "heat", "attempt": 1}


class Campaign:
    """A campaign's lines to the lab process."""

    def __init__(self, folder: Path, name: str, **changes: Any) -> None:
        lab = folder / "lab.yaml"
        given = {"limits": {}, "lab": fingerprint(lab)} | changes
        self.member = Member(name, name, LabClaim(), folder / f"{name}.lab", **given)
        self.link = CampaignLink(lab, self.member)
        self.stations = {
            one: LabLine(lab, Handshake(Purpose.STATION, self.member, one), RunContext({"campaign": name}))
            for one in ("oven", "stage", "late")
        }

    def has(self, station: str) -> bool:
        return self.link.status is not None and station in self.link.status.has

    def request(self, *stations: str) -> None:
        self.link.send("request", stations, ())

    def start(self, station: str, token: str, **settings: float) -> Any:
        return self.stations[station].call("start", token, HEADER | settings, {})

    def release(self, station: str) -> None:
        self.link.send("release", station)
        until(lambda: not self.has(station))

    def close(self) -> None:
        self.link.close()
        for one in self.stations.values():
            one.close()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of a lab file that a lab process in this process serves."""
    made = tmp_path_factory.mktemp("lab")
    (made / "lab.yaml").write_text(LAB, encoding="utf-8")
    (made / "oven_here.py").write_text(OVEN, encoding="utf-8")
    (made / "axis_here.py").write_text(AXIS, encoding="utf-8")
    stop, abort = threading.Event(), threading.Event()
    monkeypatch = pytest.MonkeyPatch()
    monkeypatch.setattr(missing_stations, "_PAUSE", 0.05)
    process = threading.Thread(target=run_lab, args=(made / "lab.yaml", TOLD.append, stop, abort))
    process.start()
    until(lambda: is_served(made / "lab.yaml"))
    yield made
    abort.set()
    process.join()
    monkeypatch.undo()


@pytest.fixture
def glass(folder: Path) -> Iterator[Campaign]:
    found = Campaign(folder, "glass")
    yield found
    found.close()


@pytest.fixture
def clay(folder: Path) -> Iterator[Campaign]:
    found = Campaign(folder, "clay")
    yield found
    found.close()


def test_what_is_not_reserved_starts_nothing_and_stops_nothing(glass: Campaign, clay: Campaign, folder: Path) -> None:
    with pytest.raises(BusyError, match="oven is not reserved for this campaign"):
        clay.start("oven", "clay-1", temperature=100.0)
    glass.request("oven")
    until(lambda: glass.has("oven"))
    (folder / "jobs" / "slow").touch()
    glass.start("oven", "1-heat-1", temperature=300.0)
    with pytest.raises(BusyError, match=r"but reserved for campaign glass \(job 1-heat-1\); nothing was moved"):
        clay.start("oven", "clay-1", temperature=100.0)
    clay.stations["oven"].call("stop", False)
    with pytest.raises(BusyError):
        clay.stations["oven"].call("secure", "clay gives up")
    clay.request("oven")
    states: list[tuple[str, str, str]] = []
    glass.stations["oven"].on_state = lambda *state: states.append(state)
    (folder / "jobs" / "slow").unlink()
    until(lambda: ("1-heat-1", "done", "") in states)
    assert not clay.has("oven"), "the other campaign has not read it yet"
    assert glass.stations["oven"].call("read")["oven_mass"]["value"] == 99.0
    glass.release("oven")
    until(lambda: clay.has("oven"))
    clay.request()


def test_a_station_that_is_at_another_job_of_the_campaign_refuses_without_being_told(glass: Campaign) -> None:
    glass.request("oven")
    until(lambda: glass.has("oven"))
    glass.start("oven", "4-heat-1", temperature=300.0)
    with pytest.raises(NotReservedError, match="oven is at job '4-heat-1' of this campaign; nothing was moved"):
        glass.start("oven", "5-heat-1", temperature=300.0)
    assert not glass.stations["oven"].call("has_job", "5-heat-1")
    until(lambda: glass.stations["oven"].call("has_finished", "4-heat-1"))
    glass.release("oven")


def test_two_copies_of_a_campaigns_store_are_not_here_together(glass: Campaign, folder: Path) -> None:
    copy = replace(glass.member, folder=folder / "copy.lab")
    with pytest.raises(LabError, match=r"glass is here already, .*copy.lab.*: two samples would get one number"):
        CampaignLink(folder / "lab.yaml", copy)
    glass.request("oven")
    until(lambda: glass.has("oven"))
    glass.request()


def test_a_run_that_reads_nothing_is_away_and_holds_up_nobody(glass: Campaign, folder: Path) -> None:
    deaf = Member("deaf", "deaf", LabClaim(), folder / "deaf.lab", {}, fingerprint(folder / "lab.yaml"))
    with connected(folder / "lab.yaml") as found, closing(opened_line(found)) as line:
        line.send(Handshake(Purpose.CAMPAIGN, deaf))
        until(lambda: "campaign deaf" in dict(lab_rows(folder / "lab.yaml")))
        for _ in range(500):  # each changes what all campaigns are told
            glass.request("oven")
            number = glass.link.send("request", (), ())
            glass.link.await_taken(number, 10.0)
            assert glass.link.status is not None
            assert glass.link.status.taken >= number
        until(lambda: "its run is away" in dict(lab_rows(folder / "lab.yaml"))["campaign deaf"])


def _asks_and_has(campaign: Campaign) -> bool:
    campaign.request("oven")
    return campaign.has("oven")


def test_a_run_that_shows_no_life_loses_its_station_after_its_job_and_reads_no_other_job(
    clay: Campaign, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = folder / "lab.yaml"
    suspended = replace(clay.member, id="suspended", name="suspended", folder=folder / "suspended.lab")
    oven = LabLine(file, Handshake(Purpose.STATION, suspended, "oven"), RunContext({}))
    with connected(file) as found, closing(opened_line(found)) as line:
        line.send(Handshake(Purpose.CAMPAIGN, suspended))
        line.send(("call", "request", (("oven",), ())))
        until(lambda: "reserved for campaign suspended" in dict(lab_rows(file))["station oven"])
        oven.call("start", "8-heat-1", HEADER | {"temperature": 300.0}, {})
        monkeypatch.setattr(messages, "SILENCE", 0.2)
        until(partial(_asks_and_has, clay))
    monkeypatch.undo()
    assert "the run of campaign suspended has given no sign of life for 0.2 s" in TOLD
    assert "oven is no longer reserved for campaign suspended, whose run is away" in TOLD
    clay.start("oven", "9-heat-1", temperature=500.0)
    with pytest.raises(
        NotReservedError, match=r"oven .* reserved for campaign clay \(job 9-heat-1\); nothing was moved"
    ):
        oven.call("read", "8-heat-1")
    with pytest.raises(NotReservedError, match="oven is not reserved for this campaign, but reserved for campaign cl"):
        oven.call("start", "10-heat-1", HEADER | {"temperature": 300.0}, {})
    oven.close()
    until(lambda: clay.stations["oven"].call("has_finished", "9-heat-1"))
    clay.release("oven")


def test_a_late_job_keeps_its_station_until_nobody_waits_for_it_any_more(glass: Campaign, folder: Path) -> None:
    stations = AttachedStations(glass.link, folder / "lab.yaml", ())
    assert not stations.in_use("oven")
    stations.request(["oven"], [], [])
    until(lambda: glass.has("oven"))
    stations.begins("oven", "1-heat-1")
    assert stations.in_use("oven")
    glass.start("oven", "6-heat-1", temperature=300.0)
    until(lambda: glass.link.status is not None and glass.link.status.has["oven"] == "6-heat-1")
    stations.keeps("oven")
    stations.request([], [], ["6-heat-1"])
    assert stations.why_not("oven", ["6-heat-1"]) == ""
    assert stations.why_not("oven", []) == "it is at job 6-heat-1 of this campaign, which comes first"
    until(lambda: glass.stations["oven"].call("has_finished", "6-heat-1"))
    stations.request([], [], [])
    until(lambda: not glass.has("oven"))


def test_a_job_of_plain_devices_is_remembered_beside_the_store_of_its_campaign(glass: Campaign, folder: Path) -> None:
    glass.request("stage")
    until(lambda: glass.has("stage"))
    glass.stations["stage"].call("check_ready")
    glass.start("stage", "2-move-1", x=3.0)
    until(lambda: glass.stations["stage"].call("has_finished", "2-move-1"))
    assert (folder / "glass.lab" / "stage" / "2-move-1.json").exists()
    (_, start), *_ = glass.stations["stage"].call("documents", "2-move-1")
    assert start["sample"] == "1"
    glass.release("stage")


def test_a_campaign_may_tighten_the_lab_file_and_never_widen_it(folder: Path) -> None:
    narrow = {"oven": {"temperature": LimitConfig(unit="degC", low=200, high=300)}}
    careful = Campaign(folder, "careful", limits=narrow)
    careful.request("oven")
    until(lambda: careful.has("oven"))
    with pytest.raises(LimitError, match="temperature got 400 degC; allowed: 200 to 300 degC"):
        careful.start("oven", "3-heat-1", temperature=400.0)
    assert not careful.stations["oven"].call("has_job", "3-heat-1")
    careful.close()
    for wide, why in (
        ({"oven": {"temperature": LimitConfig(unit="degC", low=0, high=999)}}, "may only tighten it"),
        ({"oven": {"pressure": LimitConfig(unit="bar", low=0, high=9)}}, "pressure is limited by the campaign alone"),
    ):
        bold = Campaign(folder, "bold", limits=wide)
        with pytest.raises(LabError, match=why):
            bold.stations["oven"].call("facts")
        bold.close()


def test_of_two_that_have_read_different_lab_files_the_one_that_is_behind_is_to_start_again(folder: Path) -> None:
    file = folder / "lab.yaml"
    with pytest.raises(LabError, match="changed since this run has read it; end the run, and start it again"):
        Campaign(folder, "late", lab="another")
    text = file.read_text(encoding="utf-8")
    file.write_text(text + "# changed", encoding="utf-8")
    with pytest.raises(LabError, match="changed since the lab process has read it; start that again"):
        Campaign(folder, "early")
    file.write_text(text, encoding="utf-8")


def test_another_version_is_refused_with_both_and_what_to_do(folder: Path) -> None:
    with connected(folder / "lab.yaml") as found, closing(line_of(found)) as line:
        line.send_bytes(b"0.0.1, messages 123")
        kind, error = line.recv()
    assert kind == "error"
    assert re.search(r"another version \(.*messages.*\) than this one \(0.0.1, messages 123\): end it by", str(error))


def test_an_emergency_stop_reaches_the_campaign_whose_job_is_under_way(glass: Campaign, folder: Path) -> None:
    told: list[tuple[str, str]] = []
    glass.link.on_abort = lambda station, reason: told.append((station, reason))
    glass.request("stage")
    until(lambda: glass.has("stage"))
    glass.stations["stage"].call("check_ready")
    glass.start("stage", "1.5-4-move-1", x=8.0)
    stop = StopFile(folder / "lab.stop")
    began = time.monotonic()
    stop.make("anna", "smoke")
    until(lambda: told)
    assert time.monotonic() - began < 5.0  # half a second where nobody else wants the processor
    assert told[0][0] == "stage"
    assert "emergency stop by anna" in told[0][1]
    until(
        lambda: any(
            "stage: job 1.5-4-move-1 of campaign glass, trial 4 is given up: emergency stop by anna" in t for t in TOLD
        )
    )
    until(lambda: glass.link.status is not None and "anna" in glass.link.status.closed.get("stage", ""))
    stop.clear("ben", "aired")
    glass.stations["stage"].call("stop", False)
    glass.release("stage")


def test_a_job_that_its_run_gives_up_is_one_line(glass: Campaign) -> None:
    glass.request("stage")
    until(lambda: glass.has("stage"))
    until(lambda: glass.link.status is not None and not glass.link.status.closed.get("stage"))  # by an earlier stop
    glass.stations["stage"].call("check_ready")
    glass.start("stage", "1.5-7-move-1", x=8.0)
    glass.stations["stage"].call("secure", "ada gave it up: smoke")
    glass.stations["stage"].call("stop", False)
    said = [text for text in TOLD if "1.5-7-move-1" in text]
    assert said == ["stage: job 1.5-7-move-1 of campaign glass, trial 7 is given up: ada gave it up: smoke"]
    glass.release("stage")


def is_ready(campaign: Campaign) -> bool:
    try:
        campaign.stations["late"].call("check_ready")
    except LabError:
        return False
    return True


def test_a_station_that_does_not_answer_is_waited_for_and_then_served_and_guarded(
    glass: Campaign, folder: Path
) -> None:
    with pytest.raises(NoAnswerError, match="late does not answer: ConnectionError: no route"):
        glass.stations["late"].call("facts")
    assert lab_rows(folder / "lab.yaml")[-1] == (
        "station late",
        "looked for: late does not answer: ConnectionError: no route",
    )
    (folder / "up").touch()
    until(lambda: dict(lab_rows(folder / "lab.yaml"))["station late"] == "idle")
    glass.request("late")
    until(lambda: glass.has("late"))
    until(lambda: is_ready(glass))  # once its interlock has been read for the first time
    glass.start("late", "5-move-1", x=2.0)
    until(lambda: glass.stations["late"].call("has_finished", "5-move-1"))
    glass.release("late")
    until(lambda: "required: door == 1" in dict(lab_rows(folder / "lab.yaml"))["station late"])


def test_simulated_instruments_are_each_campaigns_own(tmp_path: Path) -> None:
    file = tmp_path / "lab.yaml"
    file.write_text("lab: {kind: virtual}\nstations: {furnace: {kind: furnace}}\n", encoding="utf-8")
    with pytest.raises(CampaignError, match=r"lab.kind: got virtual: simulated instruments are each campaign's own"):
        run_lab(file, print, threading.Event(), threading.Event())
