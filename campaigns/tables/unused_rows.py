"""What of a table's rows is not used, in words: rows of one reason together."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

_GROUPS = 12  # reasons that are shown
_EXAMPLES = 3  # cells that are shown of one reason


@dataclass(frozen=True, slots=True)
class Remark:
    """What of a row is not used, and why.

    Attributes:
        row: number of the row, as a spreadsheet program shows it.
        reason: why; rows with the same reason are shown together.
        got: what stands there.
    """

    row: int
    reason: str
    got: str = ""

    def __str__(self) -> str:
        """Return it as one line."""
        return f"row {self.row}: {self.reason}{f' (got {self.got!r})' if self.got else ''}"


def folded(remarks: Sequence[Remark]) -> list[str]:
    """Return one line per reason, such as ``rows 3-9, 12: capacity is a bound, not a value (got '<3')``."""
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
    return f"row{'s' if len(rows) > 1 else ''} {ranges(rows)}: {reason}{f' (got {shown})' if shown else ''}"


def ranges(numbers: Iterable[int]) -> str:
    """Return different numbers as ``3-9, 12``."""
    spans: list[list[int]] = []
    for row in sorted(numbers):
        if spans and row == spans[-1][-1] + 1:
            spans[-1] = [spans[-1][0], row]
        else:
            spans.append([row, row])
    return ", ".join(str(first) if first == last else f"{first}-{last}" for first, last in spans)
