"""A sheet of the trials that people are to do: to be printed or filled in, and read back as a table of results."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

from campaigns.errors import CampaignError, Problem
from campaigns.lab.laboratory import StepConfig
from campaigns.lab.manual_steps import SD, AskConfig, UncertaintyAsk
from campaigns.tables.files import workbook
from campaigns.tables.named_columns import MATERIAL, TRIAL, sd_name
from loop.core.formatting import headed
from loop.core.records import TrialRecord
from loop.core.serialization import positive_zero
from loop.service.journal_editor import JournalEditor
from loop.service.manual_answers import asked_trials
from loop.storage.artefacts import ASKED

PRINTED = ".html"
"""How the name of a sheet ends that is printed, and so not read back."""
INSTRUCTIONS = "instructions"
"""Head of the column that says what to do."""
_PAGE = """\
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>{title}</title>
<style>
body {{ font: 11pt sans-serif; margin: 1.5em; }}
table {{ border-collapse: collapse; }}
th, td {{ border: 1px solid #888; padding: .5em .6em; text-align: left; vertical-align: top; }}
th {{ background: #eee; }}
td.open {{ min-width: 6em; }}
tr {{ break-inside: avoid; }}
thead {{ display: table-header-group; }}
@page {{ size: landscape; margin: 1.2cm; }}
</style>
<h1>{title}</h1>
<table>
<thead><tr>{heads}</tr></thead>
<tbody>
{rows}
</tbody>
</table>
<p>Date: ____________________  Name: ____________________</p>
</html>
"""


@dataclass(frozen=True, slots=True)
class TrialSheet:
    """Trials that people are to do, one in a row.

    Attributes:
        title: plain text.
        heads: names of the columns, numbers with their unit in brackets.
        rows: a cell for each column; None where something is to be filled in or, if the step does not ask for it, not.
    """

    title: str
    heads: Sequence[str]
    rows: Sequence[Sequence[str | float | int | None]]


def trial_sheet(editor: JournalEditor) -> TrialSheet:
    """Return what people are to do: the steps that they were asked for, and trials that wait where they do all steps.

    Raises:
        CampaignError: nobody is to do anything.
    """
    campaign, trials = editor.campaign, list(_open(editor))
    if not trials:
        advice = "'athanor suggest' proposes trials, and 'athanor requests' says what else is asked"
        raise CampaignError([Problem("", f"no trial waits for a person; {advice}")], "")
    asks = {name: ask for _, step in trials for name, ask in step.asks.items()}
    told = {token: str(kept["text"]) for token, kept in editor.journal.artefacts(ASKED).items()}
    columns: list[tuple[str, list[Any]]] = [(TRIAL, [trial.number for trial, _ in trials])]
    if campaign.space.pool is not None:
        columns.append((MATERIAL, [trial.candidate.material for trial, _ in trials]))
    for name, one in campaign.space.all_parameters.items():
        values = [_rounded(trial.candidate.parameters.get(name)) for trial, _ in trials]
        columns.append((headed(name, one.unit), values))
    texts = [told.get(trial.steps[-1].token, "") if trial.steps else "" for trial, _ in trials]
    if any(texts):
        columns.append((INSTRUCTIONS, texts))
    columns += [(head, [None] * len(trials)) for head in _entries(asks)]
    heads, cells = zip(*columns, strict=True)
    return TrialSheet(f"{campaign.name}: trials to do", heads, list(zip(*cells, strict=True)))


def _open(editor: JournalEditor) -> Iterator[tuple[TrialRecord, StepConfig]]:
    """Yield the trials that wait for a person, each with the step that is to be done."""
    campaign, asked = editor.campaign, asked_trials(editor)
    by_people = all(campaign.stations[name].kind == "manual" for step in campaign.steps for name in step.stations)
    for trial in editor.journal.trials():
        if trial.number in asked:
            yield trial, campaign.step(trial.steps[-1].name)
        elif by_people and trial.waits:
            yield trial, campaign.workflow[0]


def _entries(asks: dict[str, AskConfig]) -> Iterator[str]:
    """Yield the heads of what is to be filled in."""
    for name, ask in asks.items():
        column = sd_name(name.removesuffix(SD)) if isinstance(ask, UncertaintyAsk) else name
        yield headed(column, ask.unit or "")


def _rounded(value: Any) -> Any:
    """Return a value as people set it: a number with six digits."""
    return positive_zero(float(f"{value:.6g}") if isinstance(value, float) else value)


def write_sheet(sheet: TrialSheet, path: Path) -> None:
    """Write a sheet as a table, CSV or xlsx, or as a page that is printed, html; nothing is overwritten.

    Raises:
        CampaignError: the name has another ending, or the file exists, as it may have been filled in.
        TableError: a workbook is wanted, and the library for it is not installed.
    """
    kinds = {".csv": _csv, ".xlsx": _workbook, PRINTED: _page}
    if (make := kinds.get(path.suffix.lower())) is None:
        raise CampaignError([Problem("--out", f"got {path.name}; allowed: a name that ends in {', '.join(kinds)}")], "")
    content = make(sheet)
    try:
        with path.open("xb") as file:
            file.write(content)
    except FileExistsError as error:
        advice = "it may have been filled in: read it by 'athanor trial tell --from', or give another name by --out"
        raise CampaignError([Problem("--out", f"{path} exists; {advice}")], "") from error


def _csv(sheet: TrialSheet) -> bytes:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerows([sheet.heads, *sheet.rows])
    return out.getvalue().encode("utf-8-sig")  # with the mark by which spreadsheet programs know the encoding


def _workbook(sheet: TrialSheet) -> bytes:
    return workbook("trials", sheet.heads, sheet.rows)


def _page(sheet: TrialSheet) -> bytes:
    heads = "".join(f"<th>{escape(head)}</th>" for head in sheet.heads)
    rows = "\n".join(f"<tr>{''.join(_cells(row))}</tr>" for row in sheet.rows)
    return _PAGE.format(title=escape(sheet.title), heads=heads, rows=rows).encode()


def _cells(row: Iterable[str | float | int | None]) -> Iterator[str]:
    for cell in row:
        yield '<td class="open"></td>' if cell is None else f"<td>{escape(str(cell))}</td>"
