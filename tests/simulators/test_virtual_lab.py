import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from campaigns.errors import LabError
from campaigns.lab.calibration_standard import STANDARD
from instruments.job import NO_TRIAL, Job
from simulators.faults import Fault
from simulators.shared_state import StationKind
from simulators.virtual_lab import VirtualLab
from tests.labs import STATIONS, Crew, LinePhysics, job, setup


def data(crew: Crew[VirtualLab], key: str) -> list[Any]:
    """Return the values of one signal, in the order of the events."""
    return [event["data"][key] for event in crew.events() if key in event["data"]]


def begun(crew: Crew[VirtualLab]) -> list[tuple[str, str]]:
    return [(entry.instrument, entry.token) for entry in crew.lab.ledger]


class Jittery(Crew[VirtualLab]):
    """A crew whose documents take a random time to store."""

    def __init__(self, lab: VirtualLab, seed: int) -> None:
        self.random = random.Random(seed)
        super().__init__(lab, "oven", "oven2", "xrd", "xrd2")

    def record(self, job: Job, name: str, document: dict[str, Any]) -> None:
        time.sleep(self.random.random() * 0.004)
        super().record(job, name, document)

    def campaign(self, trials: int) -> list[tuple[float, str, str | None]]:
        """Make and measure each trial's sample on whichever station is free first; return what happened when."""
        waiting, history, running = {"oven": list(range(trials)), "xrd": []}, [], 0
        while waiting["oven"] or waiting["xrd"] or running:
            running += self.dispatch(waiting)
            result = self.wait()
            running -= 1
            history.append((result.ended, result.job.token, result.error))
            if result.job.step == "oven":
                waiting["xrd"].append(result.job.trial)
        return history

    def dispatch(self, waiting: dict[str, list[int]]) -> int:
        started = 0
        for name, station in self.stations.items():
            kind = name.rstrip("2")
            if waiting[kind] and not station.busy:
                trial = waiting[kind].pop(0)
                self.submit(job(kind, trial, token=f"{name}-{trial}"), name)
                started += 1
        return started


@pytest.mark.slow
@pytest.mark.parametrize("jitter", [1, 2, 3])
def test_no_thread_scheduling_changes_what_happens_when(tmp_path: Path, no_leaks: None, jitter: int) -> None:
    histories, counts = [], []
    for seed in (0, jitter):
        stations: dict[str, StationKind] = {**STATIONS, "oven2": "furnace", "xrd2": "diffractometer"}
        lab_setup = setup(tmp_path / str(seed), Fault(2, "xrd", "hang"))
        crew = Jittery(VirtualLab(type(lab_setup)(stations, lab_setup.state, 5, lab_setup.faults), LinePhysics()), seed)
        histories.append(crew.campaign(8))
        counts.append([sorted(map(tuple, data(crew, key))) for key in ("xrd_counts", "xrd2_counts")])
        crew.close()
    assert histories[0] == histories[1]
    assert len(histories[0]) == 16
    assert counts[0] == counts[1]


def test_noise_belongs_to_the_attempt_and_not_to_the_order(crew_of: Callable[..., Crew[VirtualLab]]) -> None:
    crew = crew_of()
    crew.run(job("oven"), job("xrd"), job("xrd", token="t3-b"), job("xrd", token="t3-c", attempt=2))  # noqa: S106
    first, again, second = data(crew, "xrd_counts")
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, second)


def test_two_jobs_of_one_token_are_one_job(crew_of: Callable[..., Crew[VirtualLab]]) -> None:
    crew = crew_of()
    first, second = crew.run(job("oven"), job("oven"))
    assert first.ok
    assert second.ok
    assert first.ended == second.ended
    assert begun(crew) == [("oven", "t3-oven")]


def test_a_job_under_way_outlives_the_controller_and_is_adopted(tmp_path: Path, no_leaks: None) -> None:
    whole = Crew(VirtualLab(setup(tmp_path / "whole"), LinePhysics()))
    (undisturbed,) = whole.run(job("oven"))
    whole.close()

    killed = Crew(VirtualLab(setup(tmp_path / "killed"), LinePhysics()))
    killed.submit(job("oven"))
    killed.lab.clock.call_at(7200.0, lambda: None)
    while not begun(killed):
        time.sleep(0.001)
    killed.close()

    back = Crew(VirtualLab(setup(tmp_path / "killed", start=7200.0), LinePhysics()))
    assert back.lab.clock.now() == 7200.0
    assert back.lab.instrument("oven").has_job("t3-oven")
    (adopted,) = back.run(job("oven", adopt=True, dispatch=lambda: pytest.fail("adopting moves nothing")))
    back.close()
    assert (adopted.ok, adopted.dispatched, adopted.ended) == (True, True, undisturbed.ended)
    assert begun(back) == [("oven", "t3-oven")]
    np.testing.assert_array_equal(data(back, "oven_profile_temperature"), data(whole, "oven_profile_temperature"))


def test_a_job_that_ended_while_the_controller_was_dead_is_adopted_with_its_data(
    tmp_path: Path, no_leaks: None
) -> None:
    first = Crew(VirtualLab(setup(tmp_path), LinePhysics()))
    made, seen = first.run(job("oven"), job("xrd"))
    first.close()
    back = Crew(VirtualLab(setup(tmp_path, start=seen.ended), LinePhysics()))
    (adopted,) = back.run(job("xrd", adopt=True))
    back.close()
    assert made.ok
    assert adopted.ok
    np.testing.assert_array_equal(data(back, "xrd_counts"), data(first, "xrd_counts"))
    assert begun(back) == [("oven", "t3-oven"), ("xrd", "t3-xrd")]


def test_the_lab_starts_no_earlier_than_it_remembers(tmp_path: Path, no_leaks: None) -> None:
    first = Crew(VirtualLab(setup(tmp_path), LinePhysics()))
    made, seen = first.run(job("oven"), job("xrd"))
    first.close()
    lab = VirtualLab(setup(tmp_path), LinePhysics())
    lab.close()
    assert lab.clock.now() == seen.started == made.ended


@pytest.mark.parametrize("faults", [(), (Fault(3, "oven", "forget"),)])
def test_a_job_that_the_instrument_does_not_know_is_not_adopted(
    crew_of: Callable[..., Crew[VirtualLab]], faults: tuple[Fault, ...]
) -> None:
    crew = crew_of(*faults)
    if faults:
        crew.run(job("oven"))
    before = begun(crew)
    (result,) = crew.run(job("oven", adopt=True))
    assert result.error.startswith("oven does not know job t3-oven")
    assert begun(crew) == before


def test_data_faults_reach_the_event_for_the_gate_to_judge(crew_of: Callable[..., Crew[VirtualLab]]) -> None:
    crew = crew_of(Fault(3, "xrd", "nan"), Fault(3, "cycler", "dead"))
    results = crew.run(job("oven"), job("xrd"), job("cycler"))
    assert all(result.ok for result in results)
    assert np.isnan(data(crew, "xrd_counts")[0]).any()
    assert not np.any(data(crew, "cycler_voltage")[0])
    assert np.isfinite(data(crew, "xrd_two_theta")[0]).all()


def test_a_sample_that_nobody_made_cannot_be_measured(crew_of: Callable[..., Crew[VirtualLab]]) -> None:
    crew = crew_of()
    (result,) = crew.run(job("xrd", trial=99))
    assert result.error.startswith("there is no sample '99'")


def test_the_thermocouple_is_right_at_any_lab_time(crew_of: Callable[..., Crew[VirtualLab]]) -> None:
    crew = crew_of()
    oven, read = crew.lab.instrument("oven"), []
    for hours in (0.5, 8.0, 15.0):
        crew.lab.clock.call_at(hours * 3600, lambda: read.append(oven.readback.get()))
    crew.run(job("oven"))
    assert read == pytest.approx([25.0 + 150.0 - 10.0, 850.0, read[2]], abs=0.1)
    assert 55.0 < read[2] < 850.0


def test_an_unknown_station_is_named_with_those_that_exist(crew_of: Callable[..., Crew[VirtualLab]]) -> None:
    with pytest.raises(LabError, match="no station 'robot'; allowed: cycler, oven, xrd"):
        crew_of().lab.instrument("robot")


def test_a_standard_is_a_powder_that_no_furnace_of_the_campaign_has_made(
    crew_of: Callable[..., Crew[VirtualLab]],
) -> None:
    crew = crew_of()
    standard: dict[str, Any] = {"trial": NO_TRIAL, "step": STANDARD, "sample": "reference powder", "material": None}
    crew.submit(job("xrd", token="s-1", **standard), "xrd")  # noqa: S106
    assert crew.wait().error is None
    crew.submit(job("xrd", sample="9"), "xrd")
    assert "no furnace has made it" in (crew.wait().error or "")
