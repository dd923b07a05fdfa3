"""The ``athanor`` command.

Nothing but typer is imported before a command is known: ``--help`` must not wait for torch, pint or the store.
"""

from __future__ import annotations

import errno
import gc
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from typer.core import TyperGroup

from campaigns.errors import AthanorError, CampaignError
from loop.cli.amend import space, weights
from loop.cli.arguments import Reason, TrialNumber, say, signed
from loop.cli.consumable_commands import consumable
from loop.cli.exit_codes import ExitCode, exit_code, unwritable
from loop.cli.lab_commands import lab
from loop.cli.pool_commands import app as pool
from loop.cli.sample_commands import sample
from loop.cli.station_commands import station
from loop.cli.surrogate_app import app as surrogate
from loop.cli.trial_commands import trial
from loop.core.author import signed_by
from loop.storage.paths import SCHEMA

_UNWRITABLE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM})
"""What a full or read-only disk, or one without the right to write, answers."""
_CODES = "\n\n".join(f"{code.value}  {code.meaning}" for code in ExitCode)


class _Group(TyperGroup):
    """A group of commands whose expected errors, and those of a disk, become a message and an exit code."""

    def invoke(self, ctx: typer.Context) -> object:  # type: ignore[override]  # typer's Context is click's
        """Run the command."""
        try:
            return super().invoke(ctx)
        except AthanorError as error:
            typer.echo(f"{error}", err=True)
            raise typer.Exit(exit_code(error)) from error
        except OSError as error:
            if error.errno not in _UNWRITABLE:
                raise
            typer.echo(f"{unwritable(error)}", err=True)
            raise typer.Exit(ExitCode.STORE) from error


app = typer.Typer(
    name="athanor",
    cls=_Group,
    help="A self-driving laboratory from one YAML file: proposes, runs, checks, records and learns until it is done.",
    epilog=f"Exit codes:\n\n{_CODES}",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["--help", "-h"]},
)


class LabKind(StrEnum):
    """The laboratories that need nothing but their name."""

    VIRTUAL = "virtual"
    EPICS = "epics"


class After(StrEnum):
    """After what a run ends."""

    STEP = "step"
    TRIAL = "trial"


_FILE = Annotated[
    Path | None,
    typer.Argument(metavar="FILE", help="The campaign file; without it, the only one in this folder that has a store."),
]
_STORE = Annotated[
    str | None,
    typer.Option(help="URL of the store; without it, sqlite beside the campaign file: NAME.yaml has NAME.db."),
]


@app.command()
def init(
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="Name of the new campaign; without --from, a ready one's.")
    ] = None,
    template: Annotated[
        str | None, typer.Option("--from", metavar="TEMPLATE", help="The ready campaign to copy; cathode if none.")
    ] = None,
    listed: Annotated[bool, typer.Option("--list", help="Say what each ready campaign asks; write nothing.")] = False,
) -> None:
    """Write a commented campaign file, NAME.yaml, to begin from."""
    from loop.cli.templates import template_table, templates, write_campaign
    from loop.terminal.console import print_tables

    if listed:
        print_tables(template_table(templates()))
        return
    chosen = template or name or "cathode"
    (file, *others), kept = write_campaign(chosen, name or chosen, Path())
    beside = f", with {', '.join(map(str, others))}" if others else ""
    used = f"; it uses {', '.join(map(str, kept))}, which is there already with the same content" if kept else ""
    typer.echo(f"{file} written{beside}{used}; next: athanor validate {file}, then athanor run {file}")


@app.command()
def validate(file: Annotated[Path, typer.Argument(metavar="FILE", help="The campaign file.")]) -> None:
    """Check a campaign file offline: OK with a summary, or the errors with their lines.

    All errors of the file's form come at once; checks that need a file of valid form follow once they are corrected.
    """
    from campaigns.load import load_campaign
    from loop.sampling.nonempty import check_not_empty
    from loop.terminal.campaign_summary import summary_rows
    from loop.terminal.console import print_rows
    from loop.validation.lab_checks import check_lab
    from loop.validation.preflight import check_history, check_models
    from loop.validation.unit_notes import unit_notes
    from loop.validation.unused_keys import unused_by_strategy

    with _more_checks():
        campaign = load_campaign(file)
        sources, history = check_models(campaign, file), check_history(campaign, file)
        check_not_empty(campaign, str(file))
    notes = [*check_lab(campaign, file), *unit_notes(campaign, file)]
    typer.echo(f"{file}: OK")
    rows = [*summary_rows(campaign, sources), *(("history", text) for text in history)]
    rows += [("not used", text) for text in unused_by_strategy(campaign)]
    print_rows([*rows, *(("note", note) for note in notes)])


@contextmanager
def _more_checks() -> Iterator[None]:
    """Say after errors that they keep later checks from being made."""
    try:
        yield
    except CampaignError as error:
        typer.echo(f"{error}\nmore checks follow once these are corrected", err=True)
        raise typer.Exit(exit_code(error)) from error


@app.command()
def schema() -> None:
    """Print the JSON schema of campaign files, from which editors complete."""
    typer.echo(SCHEMA.read_text(encoding="utf-8"), nl=False)


@app.command()
def run(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The campaign file.")],
    store: _STORE = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Seed to use in place of the campaign's.")] = None,
    max_trials: Annotated[int | None, typer.Option(min=1, help="Most trials to propose before stopping.")] = None,
    lab: Annotated[LabKind | None, typer.Option(help="Laboratory to use in place of the campaign's.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be proposed next; move nothing.")] = False,
) -> None:
    """Run a campaign until a stopping rule holds, or continue it.

    Ctrl-C once finishes what is under way and stops; press twice to abort. Either way, the same command
    continues later.
    """
    from loop.cli.run_command import Request, run_campaign

    request = Request(file, store, seed, max_trials, None if lab is None else lab.value, dry_run)
    raise typer.Exit(run_campaign(request))


@app.command()
def suggest(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The campaign file.")],
    count: Annotated[int, typer.Option("--count", "-n", min=1, help="How many trials to propose.")] = 1,
    store: _STORE = None,
) -> None:
    """Propose trials without a run: for people who do them by hand, or to look at before instruments do.

    They wait in the store: 'athanor trial tell' enters what came of them, 'athanor run' does those that instruments can
    do.
    """
    from loop.cli.suggest_command import suggest_trials

    suggest_trials(file, store, count)


@app.command()
def stop(
    file: Annotated[
        Path | None,
        typer.Argument(
            metavar="FILE",
            help="A campaign, lab or stop file; without it, all laboratories of this folder, or its one campaign.",
        ),
    ] = None,
    emergency: Annotated[
        bool,
        typer.Option("--emergency", help="Bring all stations into their safe states now; nothing moves afterwards."),
    ] = False,
    clear: Annotated[bool, typer.Option("--clear", help="Clear the emergency stop, so that things may move.")] = False,
    after: Annotated[
        After | None,
        typer.Option(help="End the run after the current steps, or after all steps of the current trials."),
    ] = None,
    by: Annotated[str, typer.Option("--by", metavar="NAME", help="Who decides; --clear needs it.")] = "",
    reason: Annotated[str, typer.Option(help="Why; it is written down.")] = "",
    store: _STORE = None,
) -> None:
    """Stop a laboratory in an emergency, or clear such a stop once its cause is gone; or end the run that goes on.

    An emergency stop acts on all stations within half a second, and holds until somebody clears it.
    """
    from loop.cli.stop_command import StopRequest, clear_stop, stop_everything

    if [emergency, clear, after is not None].count(True) != 1:
        raise typer.BadParameter("needed: one of --emergency, --clear and --after", param_hint="--emergency")
    if store and after is None:
        raise typer.BadParameter("allowed: --store with --after", param_hint="--after")
    if after is not None:
        from loop.cli.run_orders import stop_after  # the store, which an emergency does not wait for

        with signed_by(by):
            say(stop_after(after.value, file, store, reason))
        return
    if clear and not (by and reason):
        raise typer.BadParameter("needed: --by NAME and --reason WHY, which are written down", param_hint="--clear")
    request = StopRequest(file, by, reason)
    for line in (stop_everything if emergency else clear_stop)(request):
        typer.echo(line)


@app.command()
@signed
def abort(
    trial: TrialNumber,
    reason: Reason,
    file: _FILE = None,
    store: _STORE = None,
) -> None:
    """Give up the job of a trial that is under way; the trial is uncertain then, or withdrawn if nothing has moved.

    Devices and plans of your own are stopped; an instrument that runs a job by itself may go on with it.
    The next trial may begin at the station at once: 'athanor station pause NAME FILE' before holds it.
    """
    from loop.cli.run_orders import abort_trial

    say(abort_trial(trial, file, store, reason))


@app.command()
def status(file: _FILE = None, store: _STORE = None) -> None:
    """Show the progress of a campaign: trials, cost, best so far, what is under way."""
    from loop.storage.paths import open_existing
    from loop.terminal.console import print_rows
    from loop.terminal.status_view import status_rows

    print_rows(status_rows(open_existing(file, store)))


@app.command()
def requests(
    files: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[FILES]", help="Campaign files; without them, all in this folder that have a store."),
    ] = None,
    store: _STORE = None,
) -> None:
    """List what campaigns need from people, with the commands that answer it."""
    from loop.storage.paths import open_existing, started_campaigns
    from loop.terminal.requests_view import request_lines

    chosen: list[Path | None] = list(files or ([] if store else started_campaigns(Path())))
    for file in chosen or [None]:
        if len(chosen) > 1:
            typer.echo(f"{file}:")
        say(request_lines(open_existing(file, store), file, store))


@app.command()
def ranking(
    file: _FILE = None,
    store: _STORE = None,
    readings: Annotated[
        bool, typer.Option("--readings", help="Show the single readings below each candidate.")
    ] = False,
    csv: Annotated[bool, typer.Option("--csv", help="Print one row per candidate, as CSV.")] = False,
) -> None:
    """Rank the candidates of a campaign, each once: readings of the same candidate are pooled."""
    from loop.core.campaign_version import metric_order, parameter_units
    from loop.storage.campaign_status import model_text, stored_front, stored_objective, stored_results
    from loop.storage.paths import open_existing
    from loop.terminal.console import print_tables
    from loop.terminal.trial_tables import ShownRanking, front_table, ranking_csv, ranking_table

    if readings and csv:
        raise typer.BadParameter(
            "got --readings and --csv; 'athanor trials --csv' prints each reading", param_hint="--csv"
        )
    reader = open_existing(file, store)
    source, records = reader.campaign().source, reader.trials()
    units, order = parameter_units(source), metric_order(source)
    found = stored_results(reader, records)
    front = stored_front(reader, records)
    if csv:
        typer.echo(ranking_csv(found, units, order, front), nl=False)
        return
    if front is not None:
        print_tables("the front, best in the first term first:", front_table(front, units), "all by their score:")
    shown = ShownRanking(units, stored_objective(reader), None, readings, order, reader.doubts())
    print_tables(ranking_table(found, shown))
    if front is None:
        typer.echo(f"best by the model: {model_text(reader, found, units)}")


@app.command()
def trials(
    file: _FILE = None,
    store: _STORE = None,
    json: Annotated[bool, typer.Option("--json", help="Print all that is known, as JSON.")] = False,
    csv: Annotated[bool, typer.Option("--csv", help="Print one row per trial, as CSV.")] = False,
) -> None:
    """List the trials of a campaign."""
    from loop.core.campaign_version import metric_order, parameter_units
    from loop.core.standard_runs import with_doubts
    from loop.storage.campaign_status import stored_front, stored_objective
    from loop.storage.paths import open_existing
    from loop.terminal.console import print_tables
    from loop.terminal.requests_view import stored_standards
    from loop.terminal.trial_tables import trials_csv, trials_json, trials_table

    if json and csv:
        raise typer.BadParameter("got --json and --csv; allowed: one of them", param_hint="--json")
    reader = open_existing(file, store)
    source = reader.campaign().source
    records = with_doubts(reader.trials(), stored_standards(reader), reader.amendments())
    units = parameter_units(source)
    if json:
        typer.echo(trials_json(records))
        return
    front = stored_front(reader, records)
    objective = stored_objective(reader) if any(trial.feasible is False for trial in records) else None
    if csv:
        typer.echo(trials_csv(records, units, front, metric_order(source), objective), nl=False)
    else:
        print_tables(trials_table(records, units, front, objective))


@app.command()
def show(
    trial: TrialNumber,
    file: _FILE = None,
    store: _STORE = None,
) -> None:
    """Show a trial's whole life: proposal with predictions, steps, documents, measurement, result."""
    from loop.storage.paths import open_existing
    from loop.terminal.console import print_tables
    from loop.terminal.trial_view import trial_parts

    print_tables(trial_parts(open_existing(file, store), trial))


@app.command()
def report(
    file: _FILE = None,
    store: _STORE = None,
    out: Annotated[Path | None, typer.Option(help="Where to write it; without it, NAME.html beside the store.")] = None,
) -> None:
    """Write a campaign's report: one HTML file that needs no network.

    The models are fitted once more to what the store holds, and asked what matters, which takes some seconds.
    """
    from loop.cli.report_command import report_campaign
    from loop.storage.paths import open_existing

    reader = open_existing(file, store)
    target = out or reader.path.with_suffix(".html")
    with _writing(target):
        report_campaign(reader, (file or reader.path).absolute().parent, target)


@contextmanager
def _writing(target: Path) -> Iterator[None]:
    """Say that a file was written, or why it cannot be."""
    try:
        yield
    except OSError as error:
        raise typer.BadParameter(f"cannot write {target}: {error.strerror}", param_hint="--out") from error
    typer.echo(f"{target} written")


@app.command()
def export(
    file: _FILE = None,
    store: _STORE = None,
    out: Annotated[
        Path | None, typer.Option(help="Where to write it; without it, NAME.ax.json beside the store.")
    ] = None,
) -> None:
    """Hand a campaign over to Ax: one JSON file, from which ax.api.client.Client.load_from_json_file goes on.

    Each trial is there with its number, and a replicate is an arm that is repeated. What Ax does not hold is printed.
    """
    from loop.planning.export import write_experiment
    from loop.storage.paths import open_existing

    reader = open_existing(file, store)
    target = out or reader.path.with_suffix(".ax.json")
    with _writing(target):
        left_out = write_experiment(reader.scored_campaign(), reader.trials(), target)
    for text in left_out:
        typer.echo(f"left out: {text}")


@app.command()
def backup(
    file: _FILE = None,
    store: _STORE = None,
    to: Annotated[
        Path | None,
        typer.Option(help="A new file, or a folder; without it, NAME.backup-TIME.db beside the store."),
    ] = None,
) -> None:
    """Copy a campaign's store as it is now; a run that goes on is not disturbed."""
    from loop.cli.backup_commands import back_up_campaign

    for line in back_up_campaign(file, store, to):
        typer.echo(line)


@app.command()
def restore(
    copy: Annotated[Path, typer.Argument(metavar="BACKUP", help="The copy, as 'athanor backup' has written it.")],
    file: Annotated[
        Path | None, typer.Argument(metavar="FILE", help="The campaign file; without it, by the name of the copy.")
    ] = None,
    store: _STORE = None,
) -> None:
    """Bring a campaign's store back from a copy; what is there now is kept beside it.

    It is refused while a process runs the campaign.
    """
    from loop.cli.backup_commands import restore_campaign

    for line in restore_campaign(copy, file, store):
        typer.echo(line)


app.add_typer(pool, name="pool", no_args_is_help=True)
app.add_typer(surrogate, name="surrogate", no_args_is_help=True)
for group in (weights, space, trial, station, sample, consumable, lab):
    app.add_typer(group, no_args_is_help=True)


def main() -> None:
    """Run the command line."""
    gc.disable()  # a short command ends before it has anything to collect; run turns it on again
    app(prog_name="athanor")


if __name__ == "__main__":
    main()
