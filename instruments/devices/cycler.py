"""Battery cyclers: they charge and discharge a cell at constant current."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np
from ophyd import Component

from campaigns.values import Scalar
from instruments.built_in import CYCLER
from instruments.devices.curve_instrument import CurveInstrument
from instruments.job_instrument import Quantity


class Cycler(CurveInstrument):
    """A cycler with a cell press: one charge, then the discharge that is recorded."""

    settings: ClassVar[tuple[str, ...]] = tuple(CYCLER.settings)
    defaults: ClassVar[Mapping[str, Scalar]] = CYCLER.defaults
    curve: ClassVar[tuple[str, ...]] = ("capacity", "voltage")

    c_rate = Component(Quantity, value=0.0, **CYCLER.settings["c_rate"].stated)

    capacity = Component(Quantity, value=np.zeros(0), unit="mAh/g")
    voltage = Component(Quantity, value=np.zeros(0), unit="V")
