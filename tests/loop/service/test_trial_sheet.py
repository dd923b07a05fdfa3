"""Sheets of what people are to do: written, filled in, and read back."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from openpyxl import Workbook, load_workbook

from campaigns.errors import CampaignError
from campaigns.values import TrialState
from loop.service.told_results import results_of, tell
from loop.service.trial_sheet import trial_sheet, write_sheet
from tests.loop.service.test_told_results import Bench

pytestmark = pytest.mark.slow


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    found = Bench(tmp_path)
    found.suggest(3)
    return found


def written(bench: Bench, name: str) -> Path:
    """Write what is to be done."""
    path = bench.file.with_name(name)
    write_sheet(trial_sheet(bench.editor), path)
    return path


def test_a_table_that_was_written_and_filled_in_is_read_back(bench: Bench) -> None:
    path = written(bench, "todo.csv")
    with path.open(encoding="utf-8-sig", newline="") as file:
        heads, *rows = list(csv.reader(file))
    assert heads == [
        *("trial", "temperature [degC]", "solvent", "yield [%]", "yield sd [%]"),
        *("melting_point [degC]", "melting_point sd [degC]"),
    ]
    assert [row[0] for row in rows] == ["0", "1", "2"]
    candidate = bench.store.trials()[1].candidate.parameters
    assert float(rows[1][1]) == pytest.approx(float(candidate["temperature"]), rel=1e-5)
    assert rows[1][2:] == [candidate["solvent"], "", "", "", ""]
    rows[0][3:5], rows[0][5] = ["14.2", "0.3"], "31"
    rows[2][3], rows[2][5:] = "9", ["28", "2"]
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([heads, *rows])
    list(tell(bench.editor, results_of(path, bench.editor.campaign)))
    trials = bench.store.trials()
    assert [one.state for one in trials] == [TrialState.COMPLETED, TrialState.QUEUED, TrialState.COMPLETED]
    assert (trials[0].metrics["yield"].value, trials[0].metrics["yield"].sd) == (14.2, 0.3)
    assert trials[2].metrics["melting_point"].sd == 2.0
    left = trial_sheet(bench.editor)
    assert [row[0] for row in left.rows] == [1]


def test_a_workbook_is_read_back_too(bench: Bench) -> None:
    path = written(bench, "todo.xlsx")
    book = load_workbook(path)
    page = book.active
    assert isinstance(book, Workbook)
    assert page is not None
    heads = [str(cell.value) for cell in page[1]]
    for head, value in (("yield [%]", 22), ("melting_point [degC]", 30)):
        page.cell(3, heads.index(head) + 1).value = value
    book.save(path)
    (told,) = results_of(path, bench.editor.campaign)
    assert (told.trial, dict(told.given)) == (1, {"yield": "22.0", "melting_point": "30.0"})


def test_a_page_to_be_printed_has_a_line_for_each_trial_and_no_markup_of_others(bench: Bench) -> None:
    text = written(bench, "todo.html").read_text(encoding="utf-8")
    assert text.count("<tr>") == 4
    assert "yield [%]" in text
    assert "http" not in text


def test_a_sheet_that_may_have_been_filled_in_is_not_written_over(bench: Bench) -> None:
    path = written(bench, "todo.csv")
    path.write_text("trial,yield\n0,14\n", encoding="utf-8")
    with pytest.raises(CampaignError, match="may have been filled in"):
        written(bench, "todo.csv")
    assert path.read_text(encoding="utf-8") == "trial,yield\n0,14\n"


def test_other_kinds_of_file_are_refused(bench: Bench) -> None:
    with pytest.raises(CampaignError, match=r"todo\.ods; allowed: a name that ends in"):
        written(bench, "todo.ods")


def test_nothing_to_do_is_said(bench: Bench) -> None:
    given = {"yield": "14", "melting_point": "30"}
    bench.tell((0, given), (1, given), (2, given))
    with pytest.raises(CampaignError, match="no trial waits for a person"):
        trial_sheet(bench.editor)
