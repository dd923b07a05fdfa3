"""Settings and readings of the kinds of instrument that Athanor knows, for those who load no driver too."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypedDict

from campaigns.values import Scalar


class _Stated(TypedDict, total=False):
    unit: str
    limits: tuple[float, float]
    choices: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Setting:
    """What one setting of an instrument may be.

    Attributes:
        unit: of the value; empty for text.
        limits: lowest and highest value of a number, both allowed.
        choices: the values that a text may take; empty for a number.
    """

    unit: str = ""
    limits: tuple[float, float] = (0.0, 0.0)
    choices: tuple[str, ...] = ()

    @property
    def stated(self) -> _Stated:
        """What a signal is made with."""
        return {"choices": self.choices} if self.choices else {"unit": self.unit, "limits": self.limits}


@dataclass(frozen=True, slots=True)
class InstrumentFacts:
    """What is known of a kind of instrument.

    Attributes:
        settings: name to what it may be, in order.
        defaults: values of the settings that a recipe may leave out.
        signals: what is read when a job has ended, beside the settings.
        common: those of the settings and signals that all samples of one job have in common.
        loads: whether one job may take several samples.
    """

    settings: Mapping[str, Setting]
    defaults: Mapping[str, Scalar] = field(default_factory=dict)
    signals: frozenset[str] = frozenset()
    common: frozenset[str] = frozenset()
    loads: bool = False

    def own(self, shared: Iterable[str]) -> tuple[str, ...]:
        """Return what each sample of a load has for itself, where some settings are shared, too."""
        return tuple(name for name in (*self.settings, *sorted(self.signals)) if name not in {*self.common, *shared})


_LOG = frozenset({"profile_time", "profile_temperature", "peak_temperature", "soak_mean_temperature", "soak_sd"})
FURNACE = InstrumentFacts(
    {
        "temperature": Setting("degC", (100.0, 1200.0)),
        "time": Setting("h", (0.1, 100.0)),
        "ramp_rate": Setting("degC/min", (0.5, 20.0)),
        "lithium_excess": Setting("percent", (0.0, 30.0)),
        "atmosphere": Setting(choices=("air", "oxygen", "argon")),
    },
    {"ramp_rate": 5.0, "lithium_excess": 5.0, "atmosphere": "air"},
    _LOG,
    _LOG | {"temperature", "time", "ramp_rate", "atmosphere"},
    loads=True,
)
DIFFRACTOMETER = InstrumentFacts(
    {"count_time": Setting("s", (0.01, 60.0))}, {"count_time": 1.0}, frozenset({"two_theta", "counts"})
)
CYCLER = InstrumentFacts(
    {"c_rate": Setting("1/h", (0.01, 10.0))}, {"c_rate": 0.1}, frozenset({"capacity", "voltage"}), loads=True
)

BUILT_IN: Mapping[str, InstrumentFacts] = {"furnace": FURNACE, "diffractometer": DIFFRACTOMETER, "cycler": CYCLER}
"""Kind of station to what is known of its instrument."""
