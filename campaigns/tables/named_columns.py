"""The columns that a table of trials has besides parameters and metrics, said once for those who write and who read."""

from __future__ import annotations

from collections.abc import Iterable

TRIAL, STATE, MATERIAL = "trial", "state", "material"
SCORE, SCORE_SD, FRONT, FEASIBLE = "score", "score sd", "front", "feasible"
COST, GENERATOR, REASON = "trial cost", "generator", "reason"

RANK, NUMBERS, COUNT = "candidate rank", "trial numbers", "number of readings"
"""Of a table of candidates; they have a blank, which no name has."""
OUTLIER = "suspected outlier"
"""The state of a candidate, in a table of candidates, of which all readings are contradicted by others."""

RESERVED = (TRIAL, STATE, MATERIAL, SCORE, FRONT, FEASIBLE, GENERATOR, REASON)
"""Names that no parameter and no metric may have; the others have a blank, which no name has."""


def sd_name(name: str) -> str:
    """Return the name of the column that holds a number's standard uncertainty."""
    return f"{name} sd"


def is_ranking(heads: Iterable[str]) -> bool:
    """Return whether the heads of a table are those of candidates with their pooled values."""
    return len({" ".join(head.split()).casefold() for head in heads} & {RANK, NUMBERS, COUNT}) > 1


def is_written(head: str) -> bool:
    """Return whether a head is one that a table of trials has besides parameters and metrics."""
    return head.partition("[")[0].strip() in (*RESERVED, SCORE_SD, COST, RANK, NUMBERS, COUNT)
