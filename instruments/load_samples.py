"""What a plan of a user's own is given for the samples of a load, and how it says which events are whose."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from bluesky import plan_stubs as bps
from bluesky import preprocessors as bpp
from bluesky.utils import Msg, MsgGenerator
from ophyd import Signal

from campaigns.errors import SampleError, StepError
from campaigns.values import Scalar
from instruments.job_instrument import NO_MATERIAL, SAMPLE_FAILED, JobInstrument

PLACE = "place"
"""Reading by which an event belongs to the sample at that place."""
FAILED = "failed"
"""Stream of the events that say of a sample that it failed, by the readings ``place``, ``state`` and ``message``."""


class Tags:
    """The signals by which the events of one job say whose they are: Bluesky wants the same ones in all of a stream."""

    def __init__(self) -> None:
        self.place = Signal(name=PLACE, value=0)
        self.state = Signal(name="state", value="")
        self.message = Signal(name="message", value="")


@dataclass(frozen=True)
class LoadSample:
    """One sample of a load.

    Attributes:
        id: of the sample.
        place: where it stands, from 1 to the station's capacity.
        token: what its attempt at the step is known by.
        material: id of the pool entry; None in a campaign without a pool.
        settings: what the recipe sets for this sample, beside the arguments that all share.
    """

    id: str
    place: int
    token: str
    material: str | None
    settings: Mapping[str, Scalar]
    _tags: Tags = field(repr=False, compare=False)

    def mark(self, plan: MsgGenerator[Any]) -> MsgGenerator[Any]:
        """Mark the events of a plan as those of this sample; return what the plan returns."""

        def add_place(message: Msg) -> tuple[None, MsgGenerator[Any] | None]:
            if message.command != "create":
                return None, None
            self._tags.place.put(self.place)
            return None, bps.read(self._tags.place)

        return (yield from bpp.plan_mutator(plan, add_place))

    def fail(self, error: StepError) -> MsgGenerator[None]:
        """Say that this sample failed, and why; the others go on.

        Args:
            error: a ``SampleError`` where the sample itself is to blame, which is held against its candidate.
        """
        tags = self._tags
        tags.state.put(SAMPLE_FAILED if isinstance(error, SampleError) else "fault")
        tags.message.put(str(error))
        tags.place.put(self.place)
        yield from bps.create(FAILED)
        for signal in (tags.place, tags.state, tags.message):
            yield from bps.read(signal)
        yield from bps.save()


def load_samples(instrument: JobInstrument) -> list[LoadSample]:
    """Return the samples of the load that an instrument has been told, in the order of their places."""
    tags = Tags()
    return [_sample_at(instrument, number, tags) for number in instrument.filled]


def _sample_at(instrument: JobInstrument, number: int, tags: Tags) -> LoadSample:
    place = instrument.place(number)
    material = str(place.material.get())
    return LoadSample(
        id=str(place.sample.get()),
        place=number,
        token=str(place.token.get()),
        material=None if material == NO_MATERIAL else material,
        settings={key: getattr(place, key).get() for key in instrument.own_settings},
        _tags=tags,
    )
