"""What the laboratory has in stock, and what the trials of the campaign have used."""

from __future__ import annotations

from loop.report.html import paragraph, table
from loop.report.html_tables import utc
from loop.report.report_content import Content


def stock_parts(content: Content) -> list[str]:
    """Return how much there is of each consumable, below how much it is refilled, and how much was used."""
    note = "As it was when this report was written; all campaigns on the lab file use it."
    tokens = {step.token for trial in content.trials for step in trial.steps}
    rows = []
    for name, one in content.stocks.items():
        used = sum(amount for token, amount in one.used.items() if token in tokens)
        low = "" if one.low_since is None else f"since {utc(one.low_since)}"
        unit = "" if one.unit == "1" else f" {one.unit}"
        rows.append((name, one.text, one.limit_text, low, f"{used:.6g}{unit}"))
    return [
        paragraph(note, "note"),
        table(("consumable", "there is", "reordered below", "to be refilled", "used by this campaign"), rows),
    ]
