"""A small virtual lab for tests: a physics of three lines, and a crew that sends jobs through stations."""

from __future__ import annotations

import dataclasses
import queue
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np

from instruments.job import Job, StepResult
from instruments.lab import Lab
from instruments.station import Station
from simulators.faults import Fault
from simulators.shared_state import LabSetup, StationKind

STATIONS: Mapping[str, StationKind] = {"oven": "furnace", "xrd": "diffractometer", "cycler": "cycler"}
RECIPES: Mapping[str, Mapping[str, Any]] = {
    "oven": {"temperature": 850.0, "time": 12.0, "ramp_rate": 5.0, "atmosphere": "oxygen"},
    "xrd": {"count_time": 1.0},
    "cycler": {"c_rate": 0.5},
}

AnyLab = TypeVar("AnyLab", bound=Lab)


class LinePhysics:
    """One diffraction line that grows with temperature, and a straight discharge curve."""

    def synthesise(self, material: str | None, recipe: Mapping[str, Any], rng: np.random.Generator) -> float:
        del material
        return float(recipe["temperature"]) + float(rng.normal())

    def diffract(self, sample: float, recipe: Mapping[str, Any], rng: np.random.Generator) -> tuple[Any, Any]:
        two_theta = np.linspace(10.0, 80.0, 141)
        line = sample * recipe["count_time"] * np.exp(-((two_theta - 44.0) ** 2))
        return two_theta, rng.poisson(line + 10.0).astype(float)

    def discharge(self, sample: float, recipe: Mapping[str, Any], rng: np.random.Generator) -> tuple[Any, Any]:
        del recipe
        capacity = np.linspace(0.0, sample / 5.0, 50)
        return capacity, 4.2 - capacity / 200.0 + rng.normal(0.0, 1e-3, 50)


def setup(state: Path, *faults: Fault, start: float = 0.0) -> LabSetup:
    """Return the setup of a lab with one furnace, one diffractometer and one cycler."""
    return LabSetup(STATIONS, state, seed=5, faults=faults, start=start)


def job(station: str = "oven", trial: int = 3, **changes: Any) -> Job:
    """Return a job that the station can do."""
    plain = Job(trial, station, 1, f"t{trial}-{station}", str(trial), "LiCoO2", RECIPES[station], 360_000.0)
    return dataclasses.replace(plain, **changes)


class Crew(Generic[AnyLab]):
    """All stations of a lab, and the thread that gives them work: it is at work except in ``wait``."""

    def __init__(self, lab: AnyLab, *names: str, backstop: float = 120.0) -> None:
        self.lab = lab
        self.documents: list[tuple[Job, str, dict[str, Any]]] = []
        self.stopped = threading.Event()
        self.results: queue.SimpleQueue[StepResult] = queue.SimpleQueue()
        self.stations = {
            name: Station(name, lab.instrument(name), lab.clock, self.record, backstop=backstop)
            for name in names or STATIONS
        }

    def record(self, job: Job, name: str, document: dict[str, Any]) -> None:
        self.documents.append((job, name, document))
        if name == "stop":
            self.stopped.set()

    def submit(self, job: Job, station: str = "") -> None:
        self.stations[station or job.step].submit(job, self.results.put)

    def wait(self) -> StepResult:
        """Return the next result; lab time goes on until it is there."""
        self.lab.clock.leave()
        return self.results.get(timeout=60)

    def run(self, *jobs: Job) -> list[StepResult]:
        """Run jobs one after the other."""
        results = []
        for one in jobs:
            self.submit(one)
            results.append(self.wait())
        return results

    def events(self) -> list[dict[str, Any]]:
        return [document for _, name, document in self.documents if name == "event"]

    def close(self) -> None:
        for station in self.stations.values():
            station.close()
        self.lab.close()
