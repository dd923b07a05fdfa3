"""What is known of a trained model: ``training.json`` in its folder, beside matgl's own files.

Nothing here loads torch: whether a campaign's model is there can be checked while its file is validated.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from pydantic import TypeAdapter, ValidationError

from campaigns.errors import ModelError
from surrogates.features.matgl_files import FILES, trouble

Kind = Literal["megnet", "m3gnet", "tensornet"]

RECORD = "training.json"


@dataclass(frozen=True, slots=True)
class Scores:
    """How predictions agree with n values.

    Attributes:
        rows: n.
        mae: mean absolute error, in the target's unit.
        rmse: root mean square error, in the target's unit.
        r2: coefficient of determination; None where all values are equal.
        spearman: rank correlation; None where all values or all predictions are equal.
        mean_mae: mean absolute error of always saying the mean of the training rows.
        mean_rmse: root mean square error of the same.
    """

    rows: int
    mae: float
    rmse: float
    r2: float | None
    spearman: float | None
    mean_mae: float
    mean_rmse: float

    @property
    def useful(self) -> bool:
        """Return whether the model is better than always saying the mean, of the training rows or of these."""
        return self.mae < self.mean_mae and self.rmse < self.mean_rmse and self.r2 is not None and self.r2 > 0


@dataclass(frozen=True, slots=True)
class Calibration:
    """Intervals about predictions, and how many values they hold.

    Attributes:
        sd: root mean square residual of the validation rows, in the target's unit.
        levels: nominal coverages, k.
        widths: half widths of the intervals by quantiles of the validation rows' absolute residuals, k.
        normal: share of held-out values within the normal intervals of ``sd``, k.
        quantile: share of held-out values within the intervals of ``widths``, k.
    """

    sd: float
    levels: tuple[float, ...]
    widths: tuple[float, ...]
    normal: tuple[float, ...]
    quantile: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Epoch:
    """One pass over the training rows.

    Attributes:
        number: from 1.
        training: mean absolute error of the training rows while it went on, in the target's unit.
        validation: mean absolute error of the validation rows after it, in the target's unit.
    """

    number: int
    training: float
    validation: float


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """Held-out error of a model that was trained on fewer rows."""

    rows: int
    mae: float


@dataclass(frozen=True, slots=True)
class TargetRange:
    """The values of the target, in its unit.

    Attributes:
        low: smallest.
        high: largest.
        mean: of the training rows.
        sd: of the training rows.
        common: the value that most rows share.
        common_share: share of the rows that have it.
    """

    low: float
    high: float
    mean: float
    sd: float
    common: float
    common_share: float


@dataclass(frozen=True, slots=True)
class Sizes:
    """Rows in each part of the data.

    Attributes:
        by: what is never in two parts: formulas, or, where there are too few of them, structures.
    """

    training: int
    validation: int
    held_out: int
    by: Literal["formula", "structure"]


@dataclass(frozen=True, slots=True)
class TrainingRecord:
    """All that is known of a trained model.

    Attributes:
        kind: the network.
        target: name of the quantity.
        unit: its unit.
        source: name of the file of the training data.
        rows: rows that could be used.
        left_out: rows that could not.
        seed: of the split, the first weights and the order of the rows.
        epochs: all of them, in order.
        best_epoch: the one whose weights were kept; 0 for those that it began with.
        seconds: wall time of the training.
        elements: symbols of all elements in the training rows.
        weights: hash of matgl's files.
        versions: distribution to version.
        learning_curve: empty unless it was asked for.
    """

    kind: Kind
    target: str
    unit: str
    source: str
    rows: int
    left_out: int
    seed: int
    sizes: Sizes
    values: TargetRange
    scores: Scores
    calibration: Calibration
    epochs: tuple[Epoch, ...]
    best_epoch: int
    seconds: float
    elements: tuple[str, ...]
    weights: str
    versions: dict[str, str]
    learning_curve: tuple[CurvePoint, ...] = ()

    @property
    def label(self) -> str:
        """Return the target with its unit."""
        return f"{self.target} [{self.unit}]"


def write_record(record: TrainingRecord, folder: Path) -> None:
    """Write ``training.json``."""
    text = json.dumps(asdict(record), indent=2, ensure_ascii=False, allow_nan=False)
    (folder / RECORD).write_text(text, encoding="utf-8")


def read_record(folder: Path) -> TrainingRecord:
    """Return what is known of the model in a folder, after a check that its files are those that were trained.

    Raises:
        ModelError: the folder holds no trained model, one that the matgl that is installed cannot load, or other files
            than were written with the record.
    """
    missing = [name for name in (*FILES, RECORD) if not (folder / name).is_file()]
    if missing:
        raise ModelError(
            f"{folder} is no trained model: it lacks {', '.join(missing)}; give a folder that "
            "'athanor surrogate train' wrote ('athanor surrogate list' shows those that there are)"
        )
    if reason := trouble(str(folder), folder):
        raise ModelError(reason)
    try:
        record = TypeAdapter(TrainingRecord).validate_json((folder / RECORD).read_bytes())
    except (ValidationError, OSError) as error:
        said = _first(error) if isinstance(error, ValidationError) else error.strerror
        raise ModelError(f"{folder / RECORD} cannot be used ({said}); train the model again") from error
    if record.weights != weights_hash(folder):
        raise ModelError(
            f"the weights in {folder} are not those that {RECORD} tells of; copy the whole folder again, or train again"
        )
    return record


def weights_hash(folder: Path) -> str:
    """Return a hash of matgl's files."""
    digest = hashlib.sha256()
    for name in FILES:
        digest.update((folder / name).read_bytes())
    return digest.hexdigest()[:12]


def _first(error: ValidationError) -> str:
    """Return the first of the things that are wrong with a record."""
    found = error.errors(include_url=False)[0]
    return f"{'.'.join(map(str, found['loc']))}: {found['msg'].lower()}"
