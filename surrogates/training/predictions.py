"""What a trained model says of the rows that were held out: ``held_out.csv`` in its folder."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import astuple, dataclass, fields
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from campaigns.errors import ModelError
from surrogates.training.dataset import Dataset

_FILE = "held_out.csv"


@dataclass(frozen=True, slots=True)
class Prediction:
    """One held-out row; value and prediction in the target's unit."""

    id: str
    formula: str
    value: float
    predicted: float


def predictions_of(data: Dataset, rows: Iterable[int], predicted: NDArray[np.float64]) -> tuple[Prediction, ...]:
    """Return the predictions of some rows; ``predicted`` holds all n."""
    return tuple(
        Prediction(data.ids[row], data.labels.formulas[row], float(data.values[row]), float(predicted[row]))
        for row in rows
    )


def write_predictions(predictions: Iterable[Prediction], folder: Path) -> None:
    """Write ``held_out.csv``."""
    with (folder / _FILE).open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([field.name for field in fields(Prediction)])
        writer.writerows(astuple(prediction) for prediction in predictions)


def read_predictions(folder: Path) -> list[Prediction]:
    """Return the predictions in a folder.

    Raises:
        ModelError: they are not there, or not readable.
    """
    try:
        with (folder / _FILE).open(encoding="utf-8", newline="") as file:
            return [
                Prediction(r["id"], r["formula"], float(r["value"]), float(r["predicted"]))
                for r in csv.DictReader(file)
            ]
    except (OSError, KeyError, ValueError) as error:
        raise ModelError(f"{folder / _FILE} cannot be read ({error!r}); train the model again") from error
