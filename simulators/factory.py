"""The simulated laboratory that a campaign asks for."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from campaigns.campaign import Campaign
from campaigns.laboratory import EpicsLabConfig, VirtualLabConfig
from instruments.lab import Lab
from simulators.epics_lab import EpicsLab
from simulators.faults import Fault
from simulators.materials import Entry, cathode_materials
from simulators.physics import CathodePhysics
from simulators.shared_state import LabSetup
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
    """
    faults = campaign.lab.faults if isinstance(campaign.lab, VirtualLabConfig) else ()
    setup = LabSetup(
        stations={name: station.kind for name, station in campaign.stations.items() if station.kind != "device"},
        state=state,
        seed=campaign.seed,
        faults=tuple(Fault(fault.trial, fault.station, fault.kind) for fault in faults),
        start=start,
    )
    # A lab whose instruments are all the user's own asks nothing of the virtual world.
    physics = CathodePhysics(cathode_materials(entries) if setup.stations else {})
    if isinstance(campaign.lab, EpicsLabConfig):
        return EpicsLab(setup, physics, campaign.lab.speed)
    return VirtualLab(setup, physics)
