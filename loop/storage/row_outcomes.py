"""What became of each row of a table of earlier measurements, in words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from campaigns.tables.unused_rows import folded, ranges
from campaigns.warm_start import Source
from loop.core.formatting import candidate_text, metrics_text, one_line
from loop.storage.row_matching import KnownRow


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
    return [one_line(text) for text in lines]


def gone(lost: Sequence[KnownRow]) -> Iterator[str]:
    """Yield that rows which were imported are not in their table any more, and what to do."""
    waiting = [one for one in lost if one.trial is None]
    if waiting:
        are = "is" if len(waiting) == 1 else "are"
        yield f"{_rows(waiting)} {are} to be imported, and {_changed(waiting)}; put {_them(waiting)} back"
    made = {one.trial: one for one in lost if one.trial is not None}
    if made:
        rows, numbers = list(made.values()), ranges(made)
        named = f"is trial {numbers}" if len(rows) == 1 else f"are trials {numbers}"
        undo = f"athanor trial withdraw {numbers.replace(', ', ' ')} --reason '...'"
        wrong = "it was wrong, withdraw the trial" if len(rows) == 1 else "they were wrong, withdraw the trials"
        yield (
            f"{_rows(rows)} {named}, and {_changed(rows)}; put {_them(rows)} back, or, where {wrong} ({undo}) "
            "and import the table again"
        )


def _rows(lost: Sequence[KnownRow]) -> str:
    """Return which rows they were, and what the first of them said."""
    first, several = lost[0], len(lost) > 1
    values = metrics_text(first.said, list(first.said))
    said = f"{'row ' + str(first.row) + ': ' if several else ''}{candidate_text(first.candidate, {})}: {values}"
    return f"{first.table} row{'s' if several else ''} {ranges(one.row for one in lost)} ({said})"


def _changed(lost: Sequence[KnownRow]) -> str:
    return f"{'have' if len(lost) > 1 else 'has'} changed or vanished since"


def _them(lost: Sequence[KnownRow]) -> str:
    return "them" if len(lost) > 1 else "it"
