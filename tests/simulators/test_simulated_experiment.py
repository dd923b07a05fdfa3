from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from campaigns.errors import SampleError
from instruments.built_in import Setting
from instruments.job import StepResult
from simulators.faults import Fault, Kind
from simulators.shared_state import LabSetup
from simulators.simulated_experiment import Reading, SimulatedExperiment
from simulators.virtual_lab import VirtualLab
from tests.labs import Crew, LinePhysics, job


def bath() -> SimulatedExperiment:
    """Return a plating bath whose film is as thick as time and current say, in a gas by name."""

    def respond(recipe: Any, structure: object) -> dict[str, float]:
        if recipe["current"] > 8:
            raise SampleError("the film has burnt")
        return {"thickness": recipe["current"] * recipe["time"] * (1.0 if structure is None else 2.0)}

    return SimulatedExperiment(
        {
            "current": Setting("mA", (0.0, 10.0)),
            "time": Setting("h", (0.1, 5.0)),
            "gas": Setting(choices=("air", "N2")),
        },
        {"thickness": Reading("µm", relative=0.02, between_samples=0.05, count=6)},
        respond,
        lambda recipe: 3600.0 * float(recipe["time"]) + 60.0,
        {"gas": "air"},
    )


RECIPE = {"current": 5.0, "time": 2.0}


@pytest.fixture
def crew_with(tmp_path: Path, no_leaks: None) -> Iterator[Callable[..., Crew[VirtualLab]]]:
    crews: list[Crew[VirtualLab]] = []

    def make(*faults: Fault, **changes: Any) -> Crew[VirtualLab]:
        setup = LabSetup({"bath": bath()}, tmp_path, seed=5, faults=faults, **changes)
        crews.append(Crew(VirtualLab(setup, LinePhysics()), "bath"))
        return crews[-1]

    yield make
    for crew in crews:
        crew.close()


def plated(
    crew: Crew[VirtualLab], recipe: dict[str, float] | None = None, trial: int = 3, **changes: Any
) -> tuple[StepResult, list[Any]]:
    """Return what comes of a job, and the readings of all so far."""
    named: dict[str, Any] = {"token": f"t{trial}", "sample": str(trial), "step": "bath", "recipe": recipe or RECIPE}
    crew.submit(job(trial=trial, **named | changes), "bath")
    result = crew.wait()
    return result, [event["data"]["bath_thickness"] for event in crew.events() if "bath_thickness" in event["data"]]


def test_an_experiment_takes_as_long_as_it_says_and_reads_what_it_responds(
    crew_with: Callable[..., Crew[VirtualLab]],
) -> None:
    crew = crew_with()
    result, (first,) = plated(crew)
    assert result.ok
    assert result.ended - result.started == pytest.approx(7260.0)
    assert len(first) == 6
    assert np.mean(first) == pytest.approx(10.0, rel=0.2)
    assert np.std(first) > 0


@pytest.mark.slow
def test_two_samples_of_one_recipe_differ_by_more_than_their_readings_scatter(
    crew_with: Callable[..., Crew[VirtualLab]],
) -> None:
    crew = crew_with()
    for trial in range(20):
        plated(crew, trial=trial)
    readings = np.array([event["data"]["bath_thickness"] for event in crew.events() if "data" in event])
    assert np.std(readings.mean(axis=1)) == pytest.approx(0.5, rel=0.6)
    assert np.mean(readings.std(axis=1)) == pytest.approx(0.2, rel=0.3)


def test_a_job_is_not_done_twice_and_its_readings_are_the_same_after_a_crash(
    crew_with: Callable[..., Crew[VirtualLab]],
) -> None:
    _, (before,) = plated(crew_with(), material="A")
    again = crew_with()
    _, (after,) = plated(again, material="A", adopt=True)
    assert list(after) == list(before)
    assert len(list(again.lab.ledger)) == 1


def test_the_structure_of_the_material_is_told(crew_with: Callable[..., Crew[VirtualLab]]) -> None:
    crew = crew_with(structures={"A": object()})
    plated(crew, material="B")
    _, (plain, doubled) = plated(crew, material="A", trial=4)
    assert np.mean(doubled) == pytest.approx(2 * np.mean(plain), rel=0.3)


def test_what_cannot_be_made_is_the_samples_fault_and_the_instrument_stays_in_use(
    crew_with: Callable[..., Crew[VirtualLab]],
) -> None:
    crew = crew_with()
    spoilt, _ = plated(crew, {"current": 9.0, "time": 2.0})
    assert not spoilt.ok
    assert spoilt.cause == "sample"
    assert "the film has burnt" in spoilt.error
    fine, _ = plated(crew, trial=4)
    assert fine.ok


@pytest.mark.parametrize(("kind", "flaw"), [("nan", np.isnan), ("dead", lambda values: values == 0)])
def test_faults_meet_experiments_too(
    crew_with: Callable[..., Crew[VirtualLab]], kind: Kind, flaw: Callable[[Any], Any]
) -> None:
    _, (readings,) = plated(crew_with(Fault(3, "bath", kind)))
    assert flaw(np.array(readings)).any()


def test_a_recipe_outside_the_limits_moves_nothing(crew_with: Callable[..., Crew[VirtualLab]]) -> None:
    crew = crew_with()
    result, readings = plated(crew, {"current": 20.0, "time": 2.0})
    assert not result.ok
    assert "got 20" in result.error
    assert readings == []
    assert list(crew.lab.ledger) == []
