"""The commands about single trials: ``athanor trial``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from loop.cli.arguments import Reason, Url, command_group, say, signed, words_of

trial = command_group("trial", "Ask for single trials, and decide about those that there are.")


@trial.command("add")
@signed
def add_candidate(words: Annotated[list[str], words_of("NAME=VALUE...")], reason: Reason, store: Url = None) -> None:
    """Ask for a trial that is run next, such as 'temperature=800 degC' time=12 (material=ID where there is a pool)."""
    from loop.service.amendment_parser import pairs
    from loop.service.journal_editor import add_trial, open_journal_editor, split_file_argument

    rest, file = split_file_argument(words)
    say(add_trial(open_journal_editor(file, store, reason), pairs(rest)))


@trial.command("import")
@signed
def import_trials(
    words: Annotated[list[str], words_of("TABLE")],
    reason: Reason,
    store: Url = None,
) -> None:
    """Make completed trials of what a table holds that was measured before, or elsewhere in this laboratory.

    TABLE is read as under history in the campaign file, and may be imported again when it has grown. The trials cost
    the budget nothing.
    """
    from loop.cli.import_command import import_table, split_table_argument

    table, file = split_table_argument(words)
    say(import_table(table, file, store, reason))


@trial.command("release")
@signed
def release_trial(words: Annotated[list[str], words_of("TRIALS...")], reason: Reason, store: Url = None) -> None:
    """Accept measurements in quarantine after all: TRIALS such as 3 or 5-8 go on, and the models use them."""
    from campaigns.decisions import ReleaseTrial
    from loop.service.journal_editor import numbers, open_journal_editor, settle, split_file_argument

    rest, file = split_file_argument(words)
    say(settle(open_journal_editor(file, store, reason), *(ReleaseTrial(trial=number) for number in numbers(rest))))


@trial.command("withdraw")
@signed
def withdraw_trial(words: Annotated[list[str], words_of("TRIALS...")], reason: Reason, store: Url = None) -> None:
    """Never run trials that wait, let rest what is in quarantine or uncertain, or forget what was wrong.

    TRIALS such as 3, or 0-6 for several. A completed trial keeps its measurements, and the models do not use it.
    """
    from campaigns.decisions import WithdrawTrial
    from loop.service.journal_editor import numbers, open_journal_editor, settle, split_file_argument

    rest, file = split_file_argument(words)
    say(settle(open_journal_editor(file, store, reason), *(WithdrawTrial(trial=number) for number in numbers(rest))))


@trial.command("reanalyse")
@signed
def reanalyse_trials(
    reason: Reason,
    words: Annotated[list[str] | None, words_of("[TRIALS]")] = None,
    store: Url = None,
) -> None:
    """Analyse stored raw data anew, once an analysis was corrected: TRIALS such as 3 or 5-8, completed ones included.

    Without TRIALS, all that are in quarantine because their analysis raised an error, or have failed as it gave no
    number of a metric. It is done at once where no run
    goes on; what a trial came to before stays in its log.
    """
    from loop.cli.reanalyse_command import reanalyse
    from loop.service.journal_editor import open_journal_editor, split_file_argument

    rest, file = split_file_argument(words or [])
    say(reanalyse(open_journal_editor(file, store, reason), rest))


@trial.command("retry")
@signed
def retry_trials(words: Annotated[list[str], words_of("TRIALS...")], reason: Reason, store: Url = None) -> None:
    """Repeat the last step of trials that failed, are in quarantine or uncertain, with the same samples.

    TRIALS such as 3 or 5-8. The step is begun again, as another attempt; what it gave before is not used.
    """
    from campaigns.decisions import RetryTrial
    from loop.service.journal_editor import numbers, open_journal_editor, settle, split_file_argument

    rest, file = split_file_argument(words)
    say(settle(open_journal_editor(file, store, reason), *(RetryTrial(trial=number) for number in numbers(rest))))


@trial.command("attach")
@signed
def attach_trials(words: Annotated[list[str], words_of("TRIALS...")], reason: Reason, store: Url = None) -> None:
    """Ask the instrument again what became of uncertain jobs, by their tokens, and wait for their end.

    TRIALS such as 3 or 5-8. A job that the instrument knows is not begun again; one of which it can prove that it was
    never begun is.
    """
    from campaigns.decisions import AttachTrial
    from loop.service.journal_editor import numbers, open_journal_editor, settle, split_file_argument

    rest, file = split_file_argument(words)
    say(settle(open_journal_editor(file, store, reason), *(AttachTrial(trial=number) for number in numbers(rest))))


@trial.command("reread")
@signed
def reread_trials(words: Annotated[list[str], words_of("TRIALS...")], reason: Reason, store: Url = None) -> None:
    """Read the data of the last job again, of trials that failed, are in quarantine or uncertain.

    TRIALS such as 3 or 5-8. Nothing is measured again; it is refused where the instrument has forgotten the job.
    """
    from campaigns.decisions import RereadTrial
    from loop.service.journal_editor import numbers, open_journal_editor, settle, split_file_argument

    rest, file = split_file_argument(words)
    say(settle(open_journal_editor(file, store, reason), *(RereadTrial(trial=number) for number in numbers(rest))))


@trial.command("result")
@signed
def enter_result(
    words: Annotated[list[str], words_of("TRIAL [METRIC=VALUE...]")], reason: Reason, store: Url = None
) -> None:
    """Enter by hand what the last step gave, of a trial that failed, is in quarantine or uncertain.

    Such as 3 'capacity=151.2 ± 0.8 mAh/g'. The step counts as done, and the trial goes on with the next one; of a step
    that gives no metric, TRIAL alone says that it went well. Metrics of later steps may be given, too.
    """
    from loop.service.journal_editor import open_journal_editor, settle, split_file_argument
    from loop.service.result_parser import entered

    rest, file = split_file_argument(words)
    editor = open_journal_editor(file, store, reason)
    say(settle(editor, entered(rest, editor.campaign, editor.journal.trials())))


@trial.command("tell")
@signed
def tell_results(
    words: Annotated[list[str] | None, words_of("[TRIAL METRIC=VALUE...]")] = None,
    table: Annotated[
        Path | None,
        typer.Option("--from", metavar="TABLE", help="CSV or xlsx with a column trial, and columns of metrics."),
    ] = None,
    reason: Annotated[str, typer.Option(help="What is to be remembered of it; it stands in the journal.")] = "measured",
    store: Url = None,
) -> None:
    """Say what came of a trial that was done by hand, such as 3 yield=14.2 yield_sd=0.3, or of all in a table.

    It may have been proposed by 'athanor suggest', be asked of somebody, or have failed before. Values may have units
    and uncertainties of their own: 'yield=0.142 ± 0.003'.
    """
    from loop.cli.tell_command import tell_all

    say(tell_all(words or [], table, store, reason))


@trial.command("sheet")
def write_trial_sheet(
    words: Annotated[list[str] | None, words_of("")] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="SHEET", help="Ends in .csv, .xlsx or .html; NAME.sheet.csv if missing."),
    ] = None,
    store: Url = None,
) -> None:
    """Write what people are to do as a sheet: CSV or xlsx to be filled in, html to be printed.

    'athanor trial tell --from SHEET' reads it back; what is not filled in yet can be told later.
    """
    from loop.cli.tell_command import write_open_trials

    say(write_open_trials(words or [], out, store))


@trial.command("confirm")
@signed
def confirm_step(
    words: Annotated[list[str], words_of("TRIAL [NAME=VALUE...]")],
    reason: Annotated[str, typer.Option(help="What is to be remembered of it; it stands in the journal.")] = "done",
    store: Url = None,
) -> None:
    """Say that the manual step of a trial is done, with the readings that it asks for.

    Such as 3 'mass=12.4 mg' barcode=A17. 'athanor requests' lists what is asked. Where no run goes on, the next one
    takes it up.
    """
    from loop.service.manual_answers import confirm

    say(confirm(words, store, reason))


@trial.command("fail")
@signed
def fail_step(
    words: Annotated[list[str], words_of("TRIAL")],
    reason: Reason,
    sample: Annotated[
        bool, typer.Option("--sample", help="The sample is to blame: the models learn that it fails.")
    ] = False,
    store: Url = None,
) -> None:
    """Say that the manual step of a trial could not be done: the trial fails."""
    from loop.service.manual_answers import fail

    say(fail(words, store, reason, spoilt=sample))


@trial.command("discard")
@signed
def discard_trials(words: Annotated[list[str], words_of("TRIALS...")], reason: Reason, store: Url = None) -> None:
    """Give up samples that are lost: their trials end, and nothing is learnt from them.

    TRIALS such as 3 or 5-8, of which a step was begun and that are not completed. A job under way is aborted.
    """
    from campaigns.decisions import DiscardTrial
    from loop.service.journal_editor import numbers, open_journal_editor, settle, split_file_argument

    rest, file = split_file_argument(words)
    say(settle(open_journal_editor(file, store, reason), *(DiscardTrial(trial=number) for number in numbers(rest))))
