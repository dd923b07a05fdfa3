"""The reference page of the simulated instruments: which settings and readings each has, made from the code."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from campaigns.user_code.dotted_paths import SHIPPED, Use
from instruments.built_in import BUILT_IN, InstrumentFacts, Setting
from simulators.simulated_experiment import Reading, SimulatedExperiment, shipped_experiment

PAGE = Path(__file__).parents[1] / "docs" / "instruments.md"
"""The committed page."""

_INTRODUCTION = """\
# The simulated instruments

The names that a `recipe` of a campaign may set, and the readings that an analysis gets from the virtual laboratory.
This page is made from the code (`python -m simulators.instrument_reference`). A setting without a default must stand
in the recipe, as a number in its unit, as text with another unit of the same dimension, or as `$parameter`; `athanor
validate` checks the limits. Settings and readings of your own devices: [your laboratory](lab.md).
"""
_SETTINGS = "| setting | unit | allowed | default |\n|---|---|---|---|"
_READINGS = "| reading | unit | readings of a sample | noise of one reading |\n|---|---|---|---|"


def instruments_page() -> str:
    """Return the page in Markdown."""
    kinds = [_kind(name, facts) for name, facts in BUILT_IN.items()]
    found = ((path, shipped_experiment(path)) for path in sorted(SHIPPED[Use.EXPERIMENT]))
    return "\n".join([_INTRODUCTION, *kinds, *(_experiment(path, one) for path, one in found if one is not None)])


def _kind(name: str, facts: InstrumentFacts) -> str:
    readings = ", ".join(f"`{signal}`" for signal in sorted(facts.signals))
    return f"## kind: {name}\n\n{_settings(facts.settings, facts)}\n\nReadings, beside the settings: {readings}.\n"


def _experiment(path: str, one: SimulatedExperiment) -> str:
    module, _, name = path.removeprefix("simulators.").partition(":")
    key = f"`{{kind: simulated, experiment: {path}}}`"
    readings = "\n".join([_READINGS, *_readings(one.readings)])
    return "\n\n".join([f"## {module}: {name}", key, _settings(one.settings, one.facts), f"{readings}\n"])


def _settings(settings: Mapping[str, Setting], facts: InstrumentFacts) -> str:
    return "\n".join([_SETTINGS, *(_setting(name, one, facts) for name, one in settings.items())])


def _setting(name: str, one: Setting, facts: InstrumentFacts) -> str:
    allowed = ", ".join(one.choices) or f"{one.limits[0]:g} to {one.limits[1]:g}"
    return f"| `{name}` | {one.unit or 'none'} | {allowed} | {facts.defaults.get(name, 'none')} |"


def _readings(readings: Mapping[str, Reading]) -> Iterator[str]:
    for name, one in readings.items():
        noise = [f"{one.noise:g} {one.unit}"] * bool(one.noise) + [f"{100 * one.relative:g} %"] * bool(one.relative)
        yield f"| `{name}` | {one.unit} | {one.count} | {' and '.join(noise) or 'none'} |"


def main() -> None:
    """Write the committed page."""
    PAGE.write_text(instruments_page(), encoding="utf-8")


if __name__ == "__main__":
    main()
