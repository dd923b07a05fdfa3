"""The places of an instrument that takes several samples under one job, such as crucibles or channels.

A place is a sub-device, ``place1`` to ``place8``, whose prefix ends with ``Place1:`` to ``Place8:``: it has what is
each sample's own, settings and readings. An event of such an instrument holds all places, and what belongs to one of
them is told by the names.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from ophyd import Component, Device, Kind
from ophyd.device import create_device_from_components

from campaigns.errors import SampleError, StepError
from campaigns.values import Scalar
from instruments.job import LoadMember
from instruments.job_instrument import OF_SAMPLE, SAMPLE_FAILED, JobInstrument, Quantity, text
from instruments.load_columns import of_place

Instrument = TypeVar("Instrument", bound=JobInstrument)


class SamplePlace(Device):
    """What each sample of a load has for itself: which it is, and how it ended."""

    sample = text()
    material = text()
    attempt = Component(Quantity, value=0)
    token = text()
    state = text("empty")
    message = text()


def with_places(
    cls: type[Instrument], capacity: int, own: Iterable[str], place: type[SamplePlace] = SamplePlace
) -> type[Instrument]:
    """Return an instrument like another one that takes several samples.

    Args:
        cls: the instrument that takes one.
        capacity: how many it takes.
        own: names of the signals, settings and readings, that each place has for itself.
        place: what each sample has beside these, where that lies in the instrument's server.
    """
    names = tuple(own)
    parts = {name: _component(cls, name) for name in names}
    components = {name: Component(part.cls, part.suffix, **part.kwargs) for name, part in parts.items()}
    whole = create_device_from_components(place.__name__, base_class=place, **components)
    places = {f"place{n}": Component(whole, f"Place{n}:", kind=Kind.normal) for n in range(1, capacity + 1)}
    made: type[Instrument] = create_device_from_components(cls.__name__, base_class=cls, **places)
    made.place_count = capacity
    made.own = names
    return made


def told_values(instrument: JobInstrument) -> dict[str, Scalar]:
    """Return what an instrument was told of its job, beside the header, by the names of its signals.

    A place that has a sample has settings of its own, as ``place1.excess``; of an empty one, that it is so is all.
    """
    common = [key for key in instrument.settings if instrument.place_count == 1 or key not in instrument.own]
    found: dict[str, Scalar] = {key: getattr(instrument, key).get() for key in common}
    for number, place in instrument.numbered_places.items():
        keys = (*OF_SAMPLE, "token", *instrument.own_settings) if place.sample.get() else ("sample",)
        found |= {f"place{number}.{key}": getattr(place, key).get() for key in keys}
    return found


def _component(cls: type[Device], name: str) -> Any:
    return getattr(cls, name)


def failed_members(station: str, members: Iterable[LoadMember], values: Mapping[str, Any]) -> dict[str, str]:
    """Return the members of a load whose places report an error, by token, with the reason that they give.

    Args:
        station: where the load was.
        members: of the load.
        values: the data of its event.
    """
    found: dict[str, str] = {}
    for one in members:
        mine = of_place(station, one.place, values)
        state, message = (str(mine.get(f"{station}_{key}", "")) for key in ("state", "message"))
        if state != "done":
            error = SampleError if state == SAMPLE_FAILED else StepError
            said = f"place {one.place} is {state or 'silent'}: {message}".removesuffix(": ")
            found[one.token] = f"{error.__name__}: {station}: {said}"
    return found
