"""What the models of a campaign say of its space, as numbers that anyone can draw: no torch, no Ax, no figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from campaigns.values import Scalar

SCORE = "score"
"""Outcome that stands for the campaign's score."""

Column: TypeAlias = tuple[Scalar, ...]


class InspectionKind(StrEnum):
    """What is asked of a model."""

    IMPORTANCE = "importance"
    SLICE = "slice"
    LEVELS = "levels"
    CONTOUR = "contour"
    CROSS_VALIDATION = "cross-validation"


@dataclass(frozen=True, slots=True)
class InspectionCard:
    """One answer of the models.

    Attributes:
        kind: what was asked.
        outcome: metric, term or score that was asked of.
        parameters: those that are varied, in the order of the axes; all of the space for an importance.
        columns: name to the values of a table, all of one length.
        numbers: what is told in one number, such as a coefficient of determination.
    """

    kind: InspectionKind
    outcome: str
    parameters: tuple[str, ...]
    columns: Mapping[str, Column]
    numbers: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class ModelInspection:
    """The answers of a campaign's models.

    Attributes:
        cards: in the order in which they are shown.
        reference: number of the trial whose candidate has the settings that slices and contours hold; None without any.
        left_out: what was not asked or not answered, each with the reason.
        missing: why there is no answer at all; empty where there is any.
    """

    cards: Sequence[InspectionCard] = ()
    reference: int | None = None
    left_out: Sequence[str] = ()
    missing: str = ""
