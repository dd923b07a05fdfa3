"""Powder diffractometers: they count X-rays at each angle."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np
from ophyd import Component

from campaigns.values import Scalar
from instruments.built_in import DIFFRACTOMETER
from instruments.devices.curve_instrument import CurveInstrument
from instruments.job_instrument import Quantity


class Diffractometer(CurveInstrument):
    """A powder diffractometer with a sample changer."""

    settings: ClassVar[tuple[str, ...]] = tuple(DIFFRACTOMETER.settings)
    defaults: ClassVar[Mapping[str, Scalar]] = DIFFRACTOMETER.defaults
    curve: ClassVar[tuple[str, ...]] = ("two_theta", "counts")

    count_time = Component(Quantity, value=0.0, **DIFFRACTOMETER.settings["count_time"].stated)
    """Time per angle."""

    two_theta = Component(Quantity, value=np.zeros(0), unit="deg")
    counts = Component(Quantity, value=np.zeros(0), unit="1")
