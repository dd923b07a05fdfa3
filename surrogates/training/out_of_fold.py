"""What a tuned model says of the materials that it was tuned on: each by the model that was tuned without it.

``folds.json`` in the model's folder; there is none beside a model that was not tuned.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter, ValidationError

from campaigns.errors import ModelError

_FILE = "folds.json"


@dataclass(frozen=True, slots=True)
class Folds:
    """Key of a structure to what is said of it."""

    predictions: Mapping[str, float] = field(default_factory=dict)

    def applied(self, keys: Sequence[str], said: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return what is said of n structures, with the predictions of those that are known here in their place."""
        if not self.predictions:
            return said
        return np.array([self.predictions.get(key, value) for key, value in zip(keys, said.tolist(), strict=True)])


def write_folds(folds: Folds, folder: Path) -> None:
    """Write ``folds.json``."""
    (folder / _FILE).write_text(json.dumps(dict(folds.predictions), allow_nan=False), encoding="utf-8")


def read_folds(folder: Path) -> Folds:
    """Return what is in ``folds.json``; nothing where there is none.

    Raises:
        ModelError: the file cannot be read.
    """
    file = folder / _FILE
    if not file.exists():
        return Folds()
    try:
        return Folds(TypeAdapter(dict[str, float]).validate_json(file.read_bytes()))
    except (ValidationError, OSError) as error:
        raise ModelError(f"{file} cannot be used ({error}); tune the model again") from error
