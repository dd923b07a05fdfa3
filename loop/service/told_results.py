"""Results that people tell of trials, whether a trial waits, somebody was asked to do it, or it went wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from campaigns.campaign import Campaign
from campaigns.decisions import AnswerStep, EnterResult
from campaigns.errors import CampaignError, Problem, TableError, UnitError, suggestion
from campaigns.lab.manual_steps import SD
from campaigns.tables.files import Line
from campaigns.tables.named_columns import TRIAL, sd_name
from campaigns.tables.sheet import Sheet, read_sheet
from loop.core.author import author
from loop.core.formatting import change_text
from loop.core.journal import Amendment
from loop.core.records import TrialRecord
from loop.service.amendment_parser import wrong
from loop.service.journal_editor import JournalEditor
from loop.service.manual_answers import answer_step, asked_trials
from loop.service.result_parser import entry
from loop.storage.integrity.lease import current_lease


@dataclass(frozen=True, slots=True)
class ToldResult:
    """What somebody tells of a trial.

    Attributes:
        trial: its number.
        given: name of a metric, or of what its step asks for, to what was entered; ``METRIC_sd`` to its uncertainty.
        where: the place in a table; empty where there is none.
    """

    trial: int
    given: Mapping[str, str]
    where: str = ""


def tell(editor: JournalEditor, results: Sequence[ToldResult]) -> Iterator[str]:
    """Take results, all or none; return what there is to say.

    A trial that waits counts as done and is not begun any more; one whose step a person was asked to do is answered;
    one that failed, is in quarantine or uncertain goes on with what is told.

    Raises:
        CampaignError: a trial, a name or a value is none that is waited for; with every problem.
    """
    if not results:
        raise wrong("", "no result is given; needed: METRIC=VALUE, or a table with a number in a row")
    asked, trials = asked_trials(editor), editor.journal.trials()
    changes: list[AnswerStep | EnterResult] = []
    problems: list[Problem] = []
    for told in results:
        make = _answered if told.trial in asked else _entered(trials)
        try:
            changes.append(make(editor, told))
        except CampaignError as error:
            problems += [replace(one, where=": ".join(filter(None, (told.where, one.where)))) for one in error.problems]
    if problems:
        raise CampaignError(problems, "")
    written = editor.journal.amend(changes, (author(), editor.reason), {})
    return _carried_out(editor, written)


def _answered(editor: JournalEditor, told: ToldResult) -> AnswerStep:
    return answer_step(editor, told.trial, told.given)


def _entered(trials: Sequence[TrialRecord]) -> Callable[[JournalEditor, ToldResult], EnterResult]:
    def made(editor: JournalEditor, told: ToldResult) -> EnterResult:
        return entry(told.trial, told.given, editor.campaign, trials)

    return made


def _carried_out(editor: JournalEditor, written: Sequence[Amendment]) -> Iterator[str]:
    """Settle what can be settled where no run goes on; yield what there is to say."""
    answers = [one for one in written if isinstance(one.change, AnswerStep)]
    for one in answers:
        yield f"amendment {one.number}: {change_text(editor.campaign, one.change)}"
    if answers and current_lease(editor.journal.path) is None:
        yield "no run goes on; the next one takes it up"
    if len(answers) < len(written):
        from loop.execution.decisions.offline_settlements import settle_offline  # slow: it loads what analyses

        yield from settle_offline(editor.campaign, editor.journal.path)


def results_of(table: Path, campaign: Campaign) -> list[ToldResult]:
    """Return the results in a table: a column with numbers of trials, and columns of metrics with their uncertainties.

    Rows without any value are left out: they were not measured yet.

    Args:
        table: CSV or xlsx, as ``athanor trial sheet`` writes it or a lab keeps it.
        campaign: names and units of metrics and of what its manual steps ask for.

    Raises:
        CampaignError: it cannot be read, or a cell of it cannot be used; every problem at once.
    """
    asks = {name: ask for step in campaign.steps for name, ask in step.asks.items()}
    units = {name: metric.unit for name, metric in campaign.measured.items()}
    units = {name: ask.unit for name, ask in asks.items() if ask.unit and name.removesuffix(SD) not in units} | units
    texts = [name for name in asks if name.removesuffix(SD) not in units]
    numbers = [TRIAL, *(column for name in units for column in (name, sd_name(name)))]
    try:
        sheet = read_sheet(table, numbers, texts)
    except TableError as error:
        raise CampaignError([Problem("", str(error))], str(table)) from error
    if TRIAL not in sheet.columns:
        advice = "needed: the number of the trial in each row; 'athanor trial sheet' writes such a table"
        raise CampaignError([Problem("", f"has no column {TRIAL!r}; {advice}")], str(table))
    wanted = [name for name in (*units, *texts) if name not in sheet.columns]
    for head in sheet.unread:
        if hint := suggestion(head.partition("[")[0].strip(), wanted):
            raise CampaignError([Problem("", f"has a column {head!r}, which is not read{hint}")], str(table))
    found, problems = list[ToldResult](), list[Problem]()
    for row in sheet.rows:
        try:
            told = _row(sheet, row, units, texts)
        except (TableError, UnitError) as error:
            problems.append(Problem("", str(error), row.number))
            continue
        if told is not None:
            found.append(told)
    if not found and not problems:
        needed = f"needed: a value in a column of {', '.join([*units, *texts])}"
        problems.append(Problem("", f"has no result in any row; {needed}"))
    if problems:
        raise CampaignError(problems, str(table))
    return found


def _row(sheet: Sheet, row: Line, units: Mapping[str, str], texts: Sequence[str]) -> ToldResult | None:
    """Return what a row tells; None where it has no value.

    Raises:
        TableError: a cell cannot be used.
    """
    given: dict[str, str] = {name: text for name in texts if (text := sheet.text(row, name).strip())}
    for name, unit in units.items():
        try:
            number = sheet.number(row, name, unit)
            sd = sheet.difference(row, sd_name(name), unit, name)
        except TableError as error:
            raise TableError(f"{name}: got {sheet.text(row, name)!r}, which {error}") from error
        if number is not None:
            given[name] = repr(number.value)
            sd = number.sd if sd is None else sd
        if sd is not None:
            given[f"{name}{SD}"] = repr(sd)
    if not given:
        return None
    number = sheet.number(row, TRIAL, "1")
    if number is None or number.value != int(number.value) or number.value < 0:
        raise TableError(f"{TRIAL}: got {sheet.text(row, TRIAL)!r}; allowed: the number of a trial, such as 3")
    return ToldResult(int(number.value), given, f"row {row.number} of {sheet.file}")
