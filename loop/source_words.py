"""What became of each row of a table of earlier measurements, in words."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from campaigns.sheet import Remark
from campaigns.warm_start import Source
from loop.words import clean

_GROUPS = 12  # reasons that are told
_EXAMPLES = 3  # cells that are shown of one reason


def tally(source: Source) -> list[str]:
    """Return how many rows of a source are used, then what is not used and why, rows of one reason together."""
    used, out = len(source.records), len({remark.row for remark in source.left_out})
    if all(record.row is None for record in source.records) and not out:
        return [f"{used} measurements"]
    lines = [f"{used + out} rows: {used} used, {out} left out"]
    lines += _folded(source.left_out)
    lines += [f"{text}" for text in _folded(source.remarks)]
    if source.unread:
        lines.append(f"columns that are not read: {', '.join(source.unread)}")
    return [clean(text) for text in lines]


def _folded(remarks: Sequence[Remark]) -> list[str]:
    groups: dict[str, list[Remark]] = {}
    for remark in remarks:
        groups.setdefault(remark.reason, []).append(remark)
    told = [_group(reason, each) for reason, each in groups.items()]
    more = len(told) - _GROUPS
    return [*told[:_GROUPS], *([f"and {more} reasons more"] if more > 0 else [])]


def _group(reason: str, remarks: Sequence[Remark]) -> str:
    rows = sorted({remark.row for remark in remarks})
    cells = list(dict.fromkeys(remark.got for remark in remarks if remark.got))
    shown = ", ".join(repr(cell[:40]) for cell in cells[:_EXAMPLES]) + (", ..." if len(cells) > _EXAMPLES else "")
    return f"row{'s' if len(rows) > 1 else ''} {_ranges(rows)}: {reason}{f' (got {shown})' if shown else ''}"


def _ranges(rows: Iterable[int]) -> str:
    """Return numbers in rising order as ``3-9, 12``."""
    spans: list[list[int]] = []
    for row in rows:
        if spans and row == spans[-1][-1] + 1:
            spans[-1] = [spans[-1][0], row]
        else:
            spans.append([row, row])
    return ", ".join(str(first) if first == last else f"{first}-{last}" for first, last in spans)
