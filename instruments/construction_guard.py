"""Gates before ophyd objects, put there as they are made.

While a laboratory is built, nothing is told anything: no guard stands there yet. Later, a signal for a process variable
that is guarded already, which a plan or a driver makes for itself, asks that one's guard.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
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

Asking = Callable[[Callable[..., Any]], Callable[..., Any]]
"""Makes of what tells a device something what asks a guard first."""


class _Building:
    """Something that is being built, before whose devices no guard stands."""

    ended = False


@dataclass(frozen=True)
class _Claim:
    """A process variable that is guarded: the signal behind the guard, and what makes another one ask the guard."""

    owner: Any
    asking: Asking


_under_way: list[_Building] = []
_claims: dict[str, _Claim] = {}
_registered: list[bool] = []


@contextmanager
def nothing_moves() -> Iterator[None]:
    """Let no ophyd object that is made meanwhile be told anything until this has ended, whoever tells it."""
    _register()
    building = _Building()
    _under_way.append(building)
    try:
        yield
    finally:
        _under_way.remove(building)
        building.ended = True


def guard_twins(owner: Any, asking: Asking) -> Callable[[], None]:
    """Let signals that are made for the process variable of another one ask that one's guard; return what ends that.

    Args:
        owner: a signal behind a guard; one that is not of EPICS has no twins.
        asking: makes of a twin's method one that asks the guard first.
    """
    _register()
    variable = getattr(owner, "setpoint_pvname", "")
    if not isinstance(variable, str) or not variable or variable in _claims:
        return lambda: None
    _claims[variable] = _Claim(owner, asking)

    def end() -> None:
        del _claims[variable]

    return end


def acts(found: Any, way: str) -> bool:
    """Return whether something may move by a method of an ophyd object, as far as its class tells."""
    original = getattr(type(found), way, None)
    return original is not None and original not in _IN_MEMORY and type(found).__module__ != _SIMULATED


def _register() -> None:
    if not _registered:
        OphydObject.add_instantiation_callback(_attend)
        _registered.append(True)


def _attend(made: Any) -> None:
    """Put a gate before an object that is just being made."""
    if not (_under_way or _claims):
        return
    building = _under_way[-1] if _under_way else None
    for way in WAYS:
        if acts(made, way):
            vars(made)[way] = _gated(building, made, getattr(type(made), way))


def _gated(building: _Building | None, made: Any, original: Callable[..., Any]) -> Callable[..., Any]:
    plain = partial(original, made)

    def ask_first(*values: Any, **settings: Any) -> Any:
        if building is not None and not building.ended:
            raise InterlockError(
                f"{made.name or type(made).__name__} is set while the laboratory is built, before the lab file's "
                "limits and interlocks hold; nothing was moved; set it when a job begins"
            )
        claim = _claims.get(getattr(made, "setpoint_pvname", ""))
        tell = plain if claim is None or claim.owner is made else claim.asking(plain)
        return tell(*values, **settings)

    return ask_first
