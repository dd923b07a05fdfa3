"""Settings of the analyses that come with the project, checked without importing them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, ValidationError

from campaigns.config import Config, Number
from campaigns.errors import suggestion
from campaigns.radiation import radiation


def _radiation(given: str | float | None) -> str | float | None:
    if given is not None:
        radiation(given)
    return given


def _range(given: tuple[float, float]) -> tuple[float, float]:
    if given[0] >= given[1]:
        raise ValueError(f"got {given[0]:g} to {given[1]:g} deg; allowed: the lower angle first")
    return given


Angle = Annotated[Number, Field(ge=0, le=180)]


class DiffractionSettings(Config):
    """Settings of ``instruments.analyses.diffraction`` and ``instruments.analyses.calcination``."""

    radiation: Annotated[str | float | None, BeforeValidator(_radiation)] = None
    """A tube (CuKa, CoKa, MoKa, AgKa, CrKa, FeKa; CuKa1 where K-alpha-2 is cut off or stripped), a wavelength in Å, or
    text such as 0.4133 Å or 30 keV; by default CuKa."""
    exclude: tuple[Annotated[tuple[Angle, Angle], AfterValidator(_range)], ...] = ()
    """Ranges of 2 theta [deg] to leave out, such as the lines of a sample holder."""


class ReadingsSettings(Config):
    """Settings of ``instruments.analyses.repeated_readings``."""

    calibration: Annotated[Number, Field(ge=0)] = 0.0
    """Standard uncertainty of the instrument's calibration as a fraction of the value, 0.01 for 1 %; repeated readings
    do not reduce it."""


class PlainReadingsSettings(Config):
    """Settings of ``instruments.analyses.plain_readings``."""

    signals: dict[str, str]
    """Metric to the signal that it is read from."""
    uncertainty: dict[str, Annotated[Number, Field(ge=0)]] = Field(default_factory=dict)
    """Metric to the standard uncertainty of its signal, in the signal's unit."""


class EnteredMetricsSettings(Config):
    """Settings of ``instruments.analyses.entered``."""

    names: tuple[str, ...] = ()
    """Metrics that are entered."""


class _None(Config):
    """Of analyses that have no settings."""


SETTINGS: Mapping[str, type[Config]] = {
    "instruments.analyses.calcination:phase_fraction": DiffractionSettings,
    "instruments.analyses.diffraction:phase_fraction": DiffractionSettings,
    "instruments.analyses.entered:entered_metrics": EnteredMetricsSettings,
    "instruments.analyses.galvanostatic:discharge": _None,
    "instruments.analyses.plain_readings:metrics": PlainReadingsSettings,
    "instruments.analyses.repeated_readings:means": ReadingsSettings,
}
"""Analysis to the type of its settings."""


def bad_settings(path: str, settings: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield key and message of each setting that an analysis of the project cannot be given."""
    kind = SETTINGS.get(path)
    if kind is None:
        return
    allowed = list(kind.model_fields)
    for key in settings:
        if key not in allowed:
            yield key, f"unknown setting{suggestion(key, allowed)}; allowed: {', '.join(allowed) or 'none'}"
    known = {key: value for key, value in settings.items() if key in allowed}
    try:
        kind.model_validate(known)
    except ValidationError as error:
        for one in error.errors():
            hint = "; allowed: ranges of 2 theta in deg, such as [[37, 38.5]]" if one["loc"][0] == "exclude" else ""
            yield ".".join(map(str, one["loc"])), one["msg"].removeprefix("Value error, ") + hint
