"""One thing that a recipe sets of a plain device: what is moved, what it may be, and whether it has arrived."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from campaigns.errors import CampaignError, LimitError, Problem, UnitError, suggestion
from campaigns.lab.setpoints import SetpointConfig
from campaigns.units import check_unit
from instruments.limits import readable
from instruments.signal_units import agreed, stated_unit

_SHARE = 1e-3
"""Tolerance as a share of the range, where nobody states one. Not tuned: axes and heaters usually hold it."""


Ask = Callable[[Any], Any]


def _at_once(given: Any) -> Any:
    return given


@dataclass(frozen=True, slots=True)
class BoundSetpoint:
    """A setting of a recipe, bound to what is moved.

    Attributes:
        where: key path in the campaign file.
        moved: what is set.
        arrives: what is read to see where it is.
        ask: returns what a device gives, at once or later.
    """

    name: str
    where: str
    moved: Any
    arrives: Any
    config: SetpointConfig
    ask: Ask = _at_once

    @property
    def choices(self) -> tuple[str, ...]:
        """The texts that are allowed; empty for a number."""
        stated = getattr(self.moved, "enum_strs", None) or self._data_key.get("choices")
        return self.config.choices or tuple(stated or ())

    @property
    def unit(self) -> str:
        """Unit of the value; empty for text, or where nobody states one.

        Raises:
            LimitError: the device states another one than the campaign file.
        """
        if self.choices:
            return ""
        stated = str(getattr(self.moved, "egu", "") or self._data_key.get("units") or "").strip()
        stated = stated or stated_unit(self.moved)
        return agreed(self.config.unit or "", stated, self.moved.name)

    @property
    def limits(self) -> tuple[float, float]:
        """Lowest and highest value that device and campaign file both allow; (0, 0) where neither states any."""
        pairs = [pair for pair in (self._stated_limits, self.config.limits) if pair is not None]
        if not pairs:
            return (0.0, 0.0)
        return max(low for low, _ in pairs), min(high for _, high in pairs)

    @property
    def tolerance(self) -> float:
        """How far a reading may be off; 0 of text."""
        if self.config.tolerance is not None or self.choices:
            return self.config.tolerance or 0.0
        low, high = self.limits
        return _SHARE * (high - low)

    def check(self) -> None:
        """Check that a recipe can be converted to the setpoint's unit and held against its limits.

        Raises:
            CampaignError: unit or limits are stated by nobody, or contradict each other.
        """
        if not hasattr(self.moved, "set"):
            raise self._problem(f"{self.moved.name} cannot be set; name another part: signal")
        if _several_axes(self.moved):
            axes = ", ".join(part_names(self.moved))
            raise self._problem(f"{self.moved.name} moves several axes at once; add signal: one of {axes}")
        if several := _read_together(self.arrives):
            message = f"what is read of {self.arrives.name} are {', '.join(several)}; add readback: the one that shows"
            raise self._problem(f"{message} where it is")
        if self.choices:
            return
        try:
            unit = self.unit
            check_unit(unit or "1")
        except (LimitError, UnitError) as error:
            raise self._problem(str(error)) from error
        if not unit:
            raise self._problem(f"{self.moved.name} states no unit; add unit: (1 for a number without dimension)")
        if not readable(*self.limits):
            low, high = self.limits
            if (low, high) == (0, 0):
                raise self._problem(f"{self.moved.name} states no limits; add limits: [lowest, highest] in {unit}")
            raise self._problem(f"{self.moved.name} and limits: allow no value together ({low:g} to {high:g} {unit})")

    @property
    def _stated_limits(self) -> tuple[float, float] | None:
        """What the device states, if it does; where the low limit is not below the high one, none, as to ophyd.

        A limit of one side only holds for that side. One that is not a number allows nothing.
        """
        stated = (self._data_key.get("limits") or {}).get("control") or {}
        found = getattr(self.moved, "limits", None) or (stated.get("low"), stated.get("high"))
        low = -math.inf if found[0] is None else float(found[0])
        high = math.inf if found[1] is None else float(found[1])
        return None if low >= high or (math.isinf(low) and math.isinf(high)) else (low, high)

    @property
    def _data_key(self) -> Mapping[str, Any]:
        """The data key of an ophyd-async device, which states there what others have as attributes."""
        describe = getattr(self.moved, "describe", None)
        if not inspect.iscoroutinefunction(describe):
            return {}
        keys: Mapping[str, Any] = self.ask(describe())
        only: Mapping[str, Any] = next(iter(keys.values())) if len(keys) == 1 else {}
        return keys.get(self.moved.name, only)

    def _problem(self, message: str) -> CampaignError:
        return CampaignError([Problem(self.where, message)])


def resolved(
    name: str, config: SetpointConfig, devices: Mapping[str, Any], where: str, ask: Ask = _at_once
) -> BoundSetpoint:
    """Return a setpoint with the parts that the campaign file names.

    Args:
        devices: name to device of one station.
        where: key path of the setpoint in the campaign file.
        ask: returns what a device gives, at once or later.

    Raises:
        CampaignError: there is no such part.
    """
    moved = _part(config.signal, devices, f"{where}.signal") if config.signal else _by_name(name, devices, where)
    arrives = _part(config.readback, devices, f"{where}.readback") if config.readback else moved
    return BoundSetpoint(name, where, moved, arrives, config, ask)


def _by_name(name: str, devices: Mapping[str, Any], where: str) -> Any:
    """Return the device or the part of a setpoint's name, else the only device if that can be moved."""
    if name in devices:
        return devices[name]
    for device in devices.values():
        if name in part_names(device):
            return getattr(device, name)
    only = next(iter(devices.values()))
    if len(devices) == 1 and hasattr(only, "set") and not _several_axes(only):
        return only
    names = [*devices, *(part for one in devices.values() for part in part_names(one))]
    message = f"there is no {name}{suggestion(name, names)}; add signal: one of {', '.join(names)}"
    raise CampaignError([Problem(where, message)])


def part_names(device: Any) -> list[str]:
    """Return the names of a device's parts, of ophyd or of ophyd-async."""
    of_async = [name for name, _ in device.children()] if hasattr(device, "children") else []
    return [*getattr(device, "component_names", ()), *of_async]


def _several_axes(device: Any) -> bool:
    """Return whether a device takes a value for each of several axes, as the pseudo positioners of ophyd do."""
    return hasattr(device, "PseudoPosition")


def _read_together(device: Any) -> tuple[str, ...]:
    """Return the readings of a device of which none is its position; empty where one is, as Bluesky looks for it."""
    if hasattr(device, "locate") or not hasattr(device, "read_attrs"):
        return ()
    hinted = getattr(device, "hints", {}).get("fields", ())
    read = tuple(hinted) or tuple(device.read_attrs)
    return read if len(read) > 1 else ()


def _part(path: str, devices: Mapping[str, Any], where: str) -> Any:
    """Return the part of a device, or a device, that a path such as ``stage.x`` names."""
    first, *rest = path.split(".")
    if first in devices:
        found: Any = devices[first]
    else:
        found, rest = next(iter(devices.values())), [first, *rest]
    for name in rest:
        inner = getattr(found, name, None)
        if inner is None:
            names = part_names(found)
            message = f"{found.name} has no {name}{suggestion(name, names)}; allowed: {', '.join(names) or 'nothing'}"
            raise CampaignError([Problem(where, message)])
        found = inner
    return found
