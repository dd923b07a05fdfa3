"""A station of a lab process that was killed and started again: who tells its instrument something."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from campaigns.lab.lab_claim import LabClaim
from instruments.clock import WallClock
from instruments.emergency_stop import StopFile
from instruments.guarded_devices import GuardedInstrument
from instruments.job_instrument import JobInstrument
from instruments.station_guard import StationGuard, StationRules
from loop.execution.shared_lab.messages import Member
from loop.execution.shared_lab.reservations import Reservations
from loop.execution.shared_lab.shared_station import SharedStation, StationContext


class Oven(JobInstrument):
    """Knows each job, and is busy for as long as nobody says that it is done."""

    def __init__(self, prefix: str = "", **more: object) -> None:
        super().__init__(prefix, **more)  # type: ignore[arg-type]
        self.started: list[str] = []

    def has_job(self, token: str) -> bool:
        return bool(token)

    def start(self, token: str) -> None:
        self.started.append(token)
        self.token.put(token)
        self.state.put("busy")

    def progress(self) -> str:
        return ""


class Floor:
    """A station in a lab process that was started again while glass had a job there."""

    def __init__(self, folder: Path) -> None:
        self.oven = Oven(name="oven", clock=WallClock())
        guard = StationGuard("oven", StationRules(), {}, {}, StopFile(folder / "lab.stop"))
        self.guarded = GuardedInstrument(self.oven, guard)
        self.reservations = Reservations(folder / "reservations.json", ["oven"], 60.0, 0.0)
        self.station = SharedStation(self.guarded, self.reservations, StationContext())
        self.glass, self.clay = (Member(name, name, LabClaim(), folder, {}, "") for name in ("glass", "clay"))
        for member in (self.glass, self.clay):
            self.reservations.join(member.id, member.name, member.claim)
            self.reservations.request(member.id, ["oven"], [], 0.0)
        self.reservations.begin("glass", "oven", "0-heat-1")

    def start(self, member: Member, token: str) -> None:
        self.station.answer(member, "start", (token, {}, {}))

    def close(self) -> None:
        self.guarded.release()
        self.oven.clock.close()


@pytest.fixture
def floor(tmp_path: Path) -> Iterator[Floor]:
    found = Floor(tmp_path)
    yield found
    found.close()


def test_a_job_is_attached_to_once_after_a_restart_where_nobody_else_does(floor: Floor) -> None:
    assert floor.station.take_up("0-heat-1")
    assert floor.station.take_up("0-heat-1")
    assert floor.oven.started == ["0-heat-1"]


def test_a_job_that_its_campaign_has_attached_to_is_not_made_busy_again(floor: Floor) -> None:
    floor.start(floor.glass, "0-heat-1")
    floor.oven.state.put("done")
    assert floor.station.take_up("0-heat-1")
    assert floor.oven.state.get() == "done"


def test_a_job_that_its_campaign_has_given_back_takes_no_instrument_from_the_next_campaign(floor: Floor) -> None:
    floor.start(floor.glass, "0-heat-1")
    floor.oven.state.put("done")
    floor.reservations.release("glass", "oven", 1.0, over=True)
    floor.start(floor.clay, "0-heat-1-of-clay")
    assert floor.station.take_up("0-heat-1")
    assert floor.oven.token.get() == "0-heat-1-of-clay"
