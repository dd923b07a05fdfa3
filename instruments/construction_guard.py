"""Keeps devices from being told anything while a laboratory is built: no guard stands before them yet."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import product
from typing import Any

from ophyd import PseudoPositioner, Signal, SoftPositioner
from ophyd.ophydobj import OphydObject

from campaigns.errors import InterlockError
from instruments.job_instrument import Quantity

WAYS = ("set", "put", "move")
"""Methods by which ophyd's signals and positioners are told a value."""
_IN_MEMORY = frozenset(
    getattr(kind, way)
    for kind, way in product((Signal, Quantity, SoftPositioner, PseudoPositioner), WAYS)
    if hasattr(kind, way)
)
"""What only keeps a value, or tells parts that are guarded by themselves: nothing moves by it."""
_SIMULATED = "ophyd.sim"


class _Building:
    """Something that is being built, before whose devices no guard stands."""

    ended = False


_under_way: list[_Building] = []
_registered: list[bool] = []


@contextmanager
def nothing_moves() -> Iterator[None]:
    """Let no ophyd object that is made meanwhile be told anything until this has ended, whoever tells it."""
    if not _registered:
        OphydObject.add_instantiation_callback(_attend)
        _registered.append(True)
    building = _Building()
    _under_way.append(building)
    try:
        yield
    finally:
        _under_way.remove(building)
        building.ended = True


def _attend(made: Any) -> None:
    """Put a gate before an object that is just being made, if it is made for what is being built."""
    if not _under_way or type(made).__module__ == _SIMULATED:
        return
    for way in WAYS:
        if (original := getattr(type(made), way, None)) is not None and original not in _IN_MEMORY:
            vars(made)[way] = _gated(_under_way[-1], made, original)


def _gated(building: _Building, made: Any, original: Callable[..., Any]) -> Callable[..., Any]:
    def once_it_is_built(*values: Any, **settings: Any) -> Any:
        if not building.ended:
            raise InterlockError(
                f"{made.name or type(made).__name__} is set while the laboratory is built, before the lab file's "
                "limits and interlocks hold; nothing was moved; set it when a job begins"
            )
        return original(made, *values, **settings)

    return once_it_is_built
