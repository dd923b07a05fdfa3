"""Which rows are for training and which are held out: nothing similar on both sides.

A row's place follows from a hash of its group and the seed: it depends neither on the order of the rows nor, for folds,
on what else is there, so that a group stays in its fold while data are added.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from campaigns.errors import ModelError

Rows = NDArray[np.int64]
_Kept = Literal["formula", "structure"]

LEAST_ROWS = 12
_SHARE = 0.1
_COMMON = 3  # groups with an element from which one may be held out, and one be for validation
_FEW = 20  # rows that a part should have even if they are more than its share


@dataclass(frozen=True)
class Split:
    """Indices of the rows in each part.

    Attributes:
        by: what the parts do not share.
    """

    training: Rows
    validation: Rows
    held_out: Rows
    by: _Kept


@dataclass(frozen=True)
class Labels:
    """What tells n rows apart.

    Attributes:
        formulas: reduced formula of each row.
        structures: key of each row's structure.
        elements: symbols in each row.
    """

    formulas: Sequence[str]
    structures: Sequence[str]
    elements: Sequence[frozenset[str]]


def split_rows(labels: Labels, seed: int) -> Split:
    """Divide rows into a tenth for validation, a tenth held out, and the rest; small tables give more to both.

    Formulas are kept together. Where that leaves a part without half its rows (a table of one compound's polymorphs),
    only equal structures are. A group with an element that no training row has goes to the training rows: nothing
    could be found out about it otherwise, nor measured.

    Raises:
        ModelError: there are too few rows.
    """
    count = len(labels.formulas)
    if count < LEAST_ROWS:
        raise ModelError(f"got {count} rows with a structure and a value; training needs at least {LEAST_ROWS}")
    size = max(round(_SHARE * count), min(_FEW, count // 4))
    for by, groups, passed_over in _ways(labels):
        held_out = _take(groups, size, passed_over, f"{seed}:held out")
        validation = _take(groups, size, passed_over | held_out, f"{seed}:validation")
        parts = _with_known_elements(labels, groups, (held_out, validation))
        found = _split(groups, parts, by)
        if min(len(found.held_out), len(found.validation)) >= size / 2:
            return found
    different, rare = set(labels.structures), _rare(labels.structures, labels.elements)
    raise ModelError(
        f"got {len(different)} different structures in {count} rows, {len(rare)} of them with an element that fewer "
        f"than {_COMMON} have; at least {LEAST_ROWS} others are needed, to learn from and to judge by: give more rows"
    )


def fold_of(group: str, folds: int, seed: int) -> int:
    """Return the fold, 0 to ``folds - 1``, of a group; it does not depend on other groups."""
    return int(_hash(f"{seed}:fold", group), 16) % folds


def _ways(labels: Labels) -> Iterator[tuple[_Kept, Sequence[str], frozenset[str]]]:
    """Yield what is kept together, the group of each row, and the groups that are for training in any case."""
    kept: tuple[tuple[_Kept, Sequence[str]], ...] = (("formula", labels.formulas), ("structure", labels.structures))
    for by, groups in kept:
        yield by, groups, frozenset()
        yield by, groups, _rare(groups, labels.elements)


def _rare(groups: Sequence[str], elements: Sequence[frozenset[str]]) -> frozenset[str]:
    """Return the groups with an element that few groups have."""
    holders: dict[str, set[str]] = {}
    for group, found in zip(groups, elements, strict=True):
        for element in found:
            holders.setdefault(element, set()).add(group)
    return frozenset(group for those in holders.values() if len(those) < _COMMON for group in those)


def _take(groups: Sequence[str], size: int, taken: frozenset[str], salt: str) -> frozenset[str]:
    """Return groups that together have about ``size`` rows; those too large for it are passed over."""
    counts = Counter(group for group in groups if group not in taken)
    found: set[str] = set()
    left = size
    for group in sorted(counts, key=lambda name: _hash(salt, name)):
        if 0 < counts[group] <= left:
            found.add(group)
            left -= counts[group]
    return frozenset(found)


def _with_known_elements(
    labels: Labels, groups: Sequence[str], parts: tuple[frozenset[str], frozenset[str]]
) -> tuple[frozenset[str], frozenset[str]]:
    outside = parts[0] | parts[1]
    known = {
        element
        for group, found in zip(groups, labels.elements, strict=True)
        if group not in outside
        for element in found
    }
    strange: set[str] = set()
    for group, found in zip(groups, labels.elements, strict=True):
        if group in outside and not found <= known:
            strange.add(group)
            known |= found
    return parts[0] - strange, parts[1] - strange


def _split(groups: Sequence[str], parts: tuple[frozenset[str], frozenset[str]], by: _Kept) -> Split:
    place = np.array([1 if group in parts[0] else 2 if group in parts[1] else 0 for group in groups])
    training, held_out, validation = (np.flatnonzero(place == part) for part in range(3))
    return Split(training, validation, held_out, by)


def _hash(salt: str, name: str) -> str:
    return hashlib.sha256(f"{salt}:{name}".encode()).hexdigest()
