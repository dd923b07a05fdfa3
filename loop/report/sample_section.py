"""The samples of a campaign, and what became of each."""

from __future__ import annotations

from loop.core.samples import SampleRecord
from loop.report.html import paragraph, table
from loop.report.html_tables import utc
from loop.report.report_content import Content


def sample_parts(content: Content) -> list[str]:
    """Return the samples with their mass and position, and what happened to them."""
    note = "A sample is named by the number of its trial; 3.1 is a part of it, and 3-2 the second one of trial 3."
    rows = [_row(one) for one in content.samples]
    history = [(one.id, utc(event.wall), event.text, event.by) for one in content.samples for event in one.history]
    return [
        paragraph(note, "note"),
        table(("sample", "trial", "mass [mg]", "position", "bar code", "state"), rows),
        table(("sample", "when", "what", "by"), history),
    ]


def _row(one: SampleRecord) -> tuple[str, ...]:
    mass = "" if one.mass is None else f"{one.mass:.4g}"
    return one.id, str(one.trial), mass, one.position or "", one.barcode, one.gone or "there"
