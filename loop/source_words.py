"""What became of each row of a table of earlier measurements, in words."""

from __future__ import annotations

from campaigns.remarks import folded
from campaigns.warm_start import Source
from loop.words import clean


def tally(source: Source) -> list[str]:
    """Return how many rows of a source are used, then what is not used and why, rows of one reason together."""
    used, out = len(source.records), len({remark.row for remark in source.left_out})
    if all(record.row is None for record in source.records) and not out:
        return [f"{used} measurements"]
    lines = [f"{used + out} rows: {used} used, {out} left out"]
    lines += folded(source.left_out)
    lines += folded(source.remarks)
    if source.unread:
        lines.append(f"columns that are not read: {', '.join(source.unread)}")
    return [clean(text) for text in lines]
