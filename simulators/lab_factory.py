"""The simulated laboratory that a campaign asks for."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import cast

from campaigns.campaign import Campaign
from campaigns.errors import CampaignError, Problem, called
from campaigns.lab.laboratory import EpicsLabConfig, StationConfig, VirtualLabConfig
from campaigns.user_code.dotted_paths import Use
from campaigns.user_code.loading import load_object
from instruments.lab import Lab
from simulators.epics_lab import EpicsLab
from simulators.faults import Fault
from simulators.materials import Entry, cathode_materials
from simulators.physics import CathodePhysics
from simulators.shared_state import LabSetup, Places, StationKind
from simulators.simulated_experiment import SimulatedExperiment
from simulators.virtual_lab import VirtualLab


def build_simulated_lab(campaign: Campaign, entries: Sequence[Entry], state: Path, start: float) -> Lab:
    """Return the laboratory of a campaign.

    Args:
        campaign: lab, stations and seed.
        entries: the pool's entries; empty in a campaign without a pool.
        state: folder of what the instruments remember.
        start: lab time at which the lab starts, in seconds.

    Raises:
        LabError: a virtual instrument would have to make a material of the pool that the virtual world does not know.
        CampaignError: a function that a station names gives no experiment.
    """
    setup = lab_setup(campaign, entries, state, start)
    # A lab without furnaces, diffractometers and cyclers of ours asks nothing of the virtual world.
    needed = any(not isinstance(kind, SimulatedExperiment) for kind in setup.stations.values())
    physics = CathodePhysics(cathode_materials(entries) if needed else {})
    if isinstance(campaign.lab, EpicsLabConfig):
        return EpicsLab(setup, physics, campaign.lab.speed)
    return VirtualLab(setup, physics)


def lab_setup(campaign: Campaign, entries: Sequence[Entry], state: Path, start: float) -> LabSetup:
    """Return which laboratory a campaign asks for; see ``build_simulated_lab``."""
    faults = campaign.lab.faults if isinstance(campaign.lab, VirtualLabConfig) else ()
    return LabSetup(
        stations=_stations(campaign),
        state=state,
        seed=campaign.seed,
        faults=tuple(Fault(fault.trial, fault.station, fault.kind) for fault in faults),
        start=start,
        structures={entry.id: entry.structure for entry in entries},
        places={name: Places(s.capacity, s.shared) for name, s in campaign.stations.items() if s.capacity > 1},
    )


def _stations(campaign: Campaign) -> dict[str, StationKind | SimulatedExperiment]:
    """Return station to what is simulated there; a device of the user's own, and a person, are not."""
    found: dict[str, StationKind | SimulatedExperiment] = {}
    for name, station in campaign.stations.items():
        if station.kind == "simulated":
            found[name] = load_experiment(station, f"stations.{name}.experiment")
        elif station.kind not in ("device", "plan", "manual"):
            found[name] = cast(StationKind, station.kind)
    return found


def load_experiment(station: StationConfig, where: str) -> SimulatedExperiment:
    """Return the experiment that a station does.

    Args:
        station: of kind simulated.
        where: key path in the campaign file, for errors.

    Raises:
        CampaignError: the function that it names cannot be loaded or called, or gives no experiment.
    """
    path = station.experiment or ""
    made = called(load_object(path, where, Use.EXPERIMENT), path, where)
    if not isinstance(made, SimulatedExperiment):
        message = f"{path} returned a {type(made).__name__}; needed: a SimulatedExperiment"
        raise CampaignError([Problem(where, message)])
    return made
