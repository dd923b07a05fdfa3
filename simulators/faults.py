"""Faults that virtual instruments produce on purpose."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Kind = Literal["raise", "hang", "block", "nan", "dead", "cold", "forget", "place"]


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault that a trial meets whenever it comes to a station.

    Attributes:
        trial: number of the trial.
        station: name of the station.
        kind: raise: the driver raises; hang: the job never ends; block: the driver blocks its thread; nan: the data
            are not finite; dead: the detector returns zeros; cold: the heater does not heat; forget: the instrument
            knows the job no more; place: the sample's place reports an error, which costs no other sample of a load.
    """

    trial: int
    station: str
    kind: Kind


def kinds(faults: Iterable[Fault], station: str, sample: str) -> frozenset[Kind]:
    """Return the faults that ``sample``, named by the number of its trial, meets at ``station``."""
    return frozenset(fault.kind for fault in faults if fault.station == station and str(fault.trial) == sample)
