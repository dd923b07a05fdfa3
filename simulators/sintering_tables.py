"""Make the two tables of the ready campaign ``sintering``: what was measured before it began.

    python -m simulators.sintering_tables

``sintering_old_furnace.csv`` is another furnace, which is 25 K hotter than it says, and knows only one step;
``sintering_notebook.csv`` is the campaign's own furnace, some days before. Both come out of ``simulators.sintering``.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from campaigns.values import Scalar
from simulators.sintering import furnace

FOLDER = Path(__file__).parent.parent / "campaigns"
HEADS = ("schedule", "temperature [degC]", "hold [h]", "second_temperature [degC]", "second_hold [h]")
METRICS = ("density", "density sd", "grain_size [nm]", "grain_size sd [nm]")
TOO_HOT = 25.0  # K
Program = tuple[Scalar, ...]
OLD: tuple[Program, ...] = tuple(
    ("one_step", float(temperature), hold, "", "") for temperature in range(1200, 1451, 50) for hold in (0.5, 2.0, 4.0)
)
NOTEBOOK: tuple[Program, ...] = (
    ("one_step", 1350.0, 2.0, "", ""),
    ("one_step", 1420.0, 1.0, "", ""),
    ("two_step", 1400.0, 0.2, 1250.0, 10.0),
    ("two_step", 1350.0, 0.1, 1200.0, 15.0),
)


def rows(programs: Iterable[Program], hotter: float, seed: int) -> list[list[Scalar]]:
    """Return what a furnace makes of programs if it is hotter than it says [K]: programs and metrics."""
    rng, experiment = np.random.default_rng(seed), furnace()
    found: list[list[Scalar]] = []
    for program in programs:
        recipe = dict(zip(experiment.settings, (0.0 if one == "" else one for one in program), strict=True))
        true = experiment.respond(recipe | {"temperature": float(recipe["temperature"]) + hotter}, None)
        taken = {name: reading.take(true[name], rng) for name, reading in experiment.readings.items()}
        numbers = [(values.mean(), values.std(ddof=1) / np.sqrt(values.size)) for values in taken.values()]
        found.append([*program, *(float(f"{one:.4g}") for pair in numbers for one in pair)])
    return found


def main() -> None:
    """Write both tables."""
    for name, programs, hotter, seed in (("old_furnace", OLD, TOO_HOT, 1), ("notebook", NOTEBOOK, 0.0, 2)):
        with (FOLDER / f"sintering_{name}.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow([*HEADS, *METRICS])
            writer.writerows(rows(programs, hotter, seed))


if __name__ == "__main__":
    main()
