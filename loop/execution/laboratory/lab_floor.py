"""What a session has of a laboratory: instruments, who watches over them, and whose stations they are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from campaigns.campaign import Campaign
from campaigns.errors import LabError
from instruments.job_instrument import JobInstrument
from instruments.lab import Lab
from instruments.run_context import RunContext
from loop.execution.laboratory.lab_safety import LabSafety
from loop.execution.laboratory.lab_setup import build_instruments, station_instrument
from loop.execution.shared_lab.attached_lab import AttachedLab, AttachedSafety
from loop.execution.shared_lab.reserved_stations import OwnStations, ReservedStations
from loop.storage.integrity.witnesses import lab_folder
from loop.storage.lab_files.stop_files import stop_file_of
from loop.storage.store import Store
from loop.storage.unsafe_stations import StoredUnsafeStations


@dataclass(frozen=True, slots=True)
class LabFloor:
    """What a session has of a laboratory.

    Attributes:
        instruments: of all stations that can be used.
        absent: station to why it has no instrument.
        safety: who watches over them.
        reserved: whose stations they are.
        find: returns the instrument of a station that was absent, or raises why it has none.
        waits: whether stations that do not answer may be waited for.
    """

    instruments: dict[str, JobInstrument]
    absent: dict[str, LabError]
    safety: LabSafety | AttachedSafety
    reserved: ReservedStations
    find: Callable[[str], JobInstrument]
    waits: bool


def lab_floor(campaign: Campaign, lab: Lab, store: Store, context: RunContext) -> LabFloor:
    """Return what a session has of a laboratory, its own or one that it shares.

    Raises:
        CampaignError, LabError: it is not as the campaign needs it.
    """
    begun, not_safe = store.count() > 0, StoredUnsafeStations(store)
    if isinstance(lab, AttachedLab):
        absent = lab.join(lab_folder(store.path), context, begun=begun)
        return LabFloor(lab.instruments, absent, lab.safety(not_safe), lab.stations(), lab.find, waits=True)
    instruments, absent = build_instruments(campaign, lab, store.path, context, begun=begun)
    safety = LabSafety(campaign.rules, stop_file_of(campaign, store.path), instruments, not_safe)

    def find(name: str) -> JobInstrument:
        return station_instrument(campaign, name, lab, (store.path, context))

    waits = begun and bool(lab.clock.wall_time(1.0))  # at the first start, somebody is there to correct an address
    return LabFloor(instruments, absent, safety, OwnStations(), find, waits)
