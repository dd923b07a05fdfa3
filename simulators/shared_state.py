"""What all virtual instruments of a laboratory share: its clock, its physics, its memory and its faults."""

from __future__ import annotations

import hashlib
import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from campaigns.errors import LabError
from campaigns.lab.calibration_standard import STANDARD
from campaigns.values import Scalar
from instruments.clock import Clock
from simulators.faults import Fault, Kind, kinds
from simulators.job_ledger import JobLedger, LedgerEntry
from simulators.simulated_experiment import SimulatedExperiment

if TYPE_CHECKING:
    from pymatgen.core import Structure

Array = NDArray[np.float64]
StationKind = Literal["furnace", "diffractometer", "cycler"]


class Physics(Protocol):
    """The world behind the instruments: three pure functions of sample, recipe and random generator."""

    def synthesise(self, material: str | None, recipe: Mapping[str, Scalar], rng: np.random.Generator) -> Any:
        """Return the sample that a furnace makes."""

    def diffract(self, sample: Any, recipe: Mapping[str, Scalar], rng: np.random.Generator) -> tuple[Array, Array]:
        """Return two_theta [deg] and counts, both ``n``."""

    def discharge(self, sample: Any, recipe: Mapping[str, Scalar], rng: np.random.Generator) -> tuple[Array, Array]:
        """Return capacity [mAh/g] and voltage [V], both ``n``."""


@dataclass(frozen=True, slots=True)
class Places:
    """How many samples an instrument takes under one job, and which settings they share beside what they must."""

    capacity: int
    shared: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LabSetup:
    """Which laboratory to simulate.

    Attributes:
        stations: name of the station to the kind of its instrument, or to the experiment that it does.
        state: folder of what the instruments remember.
        seed: of all noise; each measurement's noise follows from it and from trial, step and attempt alone.
        faults: what is to go wrong.
        start: lab time at which the lab starts, in seconds; later when the instruments remember a later time.
        structures: pool id to crystal, for the experiments.
        places: station to its places, of those that take several samples.
    """

    stations: Mapping[str, StationKind | SimulatedExperiment]
    state: Path
    seed: int = 0
    faults: tuple[Fault, ...] = ()
    start: float = 0.0
    structures: Mapping[str, Structure] = field(default_factory=dict)
    places: Mapping[str, Places] = field(default_factory=dict)


REFERENCE_POWDER: Mapping[str, Scalar] = {
    "temperature": 780.0,
    "time": 24.0,
    "ramp_rate": 2.0,
    "lithium_excess": 5.0,
    "atmosphere": "oxygen",
}
"""How the powder was made that stations measure as their standard: the oxide of campaigns without a pool."""


@dataclass(frozen=True, slots=True)
class LabState:
    """The shared part of a laboratory; ``released`` lets go of blocked drivers."""

    setup: LabSetup
    clock: Clock
    physics: Physics
    ledger: JobLedger
    released: threading.Event = field(default_factory=threading.Event)

    def rng(self, entry: LedgerEntry) -> np.random.Generator:
        """Return the generator of a job's noise, whatever else the lab has done."""
        key = f"{self.setup.seed}/{entry.sample}/{entry.step}/{entry.attempt}"
        return np.random.default_rng(int.from_bytes(hashlib.sha256(key.encode()).digest()))

    def faults(self, entry: LedgerEntry) -> frozenset[Kind]:
        """Return the faults that a job meets, by any of its samples."""
        met = (kinds(self.setup.faults, entry.instrument, _made_as(one.sample)) for one in entry.samples)
        return frozenset[Kind]().union(*met)

    def sample(self, entry: LedgerEntry) -> Any:
        """Return the sample of a job as its last furnace left it; of a station's standard, the reference powder.

        Raises:
            LabError: no furnace has made it.
        """
        name = entry.sample
        if entry.step == STANDARD:
            return self.physics.synthesise(None, REFERENCE_POWDER, np.random.default_rng(0))
        trial = _made_as(name)
        furnaces = (entry for entry in self.ledger if self._is_furnace(entry.instrument))
        made = [one for entry in furnaces for one in entry.samples if _made_as(one.sample) == trial]
        if not made:
            raise LabError(f"there is no sample {name!r}: no furnace has made it; let the workflow make it first")
        return self.physics.synthesise(made[-1].material, made[-1].recipe, self.rng(made[-1]))

    def _is_furnace(self, name: str) -> bool:
        return self.setup.stations.get(name) == "furnace"


def _made_as(sample: str) -> str:
    """Return the number of the trial that a sample, or a part of one, was made for."""
    return re.split(r"[-.]", sample)[0]
