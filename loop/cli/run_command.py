"""What ``athanor run`` does: read, override, run, and say what came of it."""

from __future__ import annotations

import gc
import logging
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from campaigns.campaign import Campaign
from campaigns.errors import CampaignError
from campaigns.lab.laboratory import LabConfig
from campaigns.load import located, parse_campaign, read_text
from campaigns.user_code.module_files import open_folder
from loop.cli.exit_codes import ExitCode
from loop.cli.memory import peak_memory
from loop.cli.signals import interrupts
from loop.core.campaign_records import time_spent
from loop.core.events import Loading
from loop.core.formatting import duration
from loop.core.pareto import front_of
from loop.execution.options import RunOptions, SessionResult
from loop.sampling.nonempty import check_not_empty
from loop.storage.campaign_status import model_text
from loop.storage.lab_files.stop_files import stop_file_of
from loop.storage.paths import default_store
from loop.storage.reader import store_path
from loop.terminal.console import print_rows, print_tables
from loop.terminal.live import display_for
from loop.terminal.status_view import request_rows
from loop.terminal.trial_tables import ShownRanking, front_table, ranking_table
from loop.validation.lab_checks import check_lab
from loop.validation.preflight import check_models
from loop.validation.unused_keys import unused_by_strategy


@dataclass(frozen=True, slots=True)
class Request:
    """What the command line asked for; None leaves what the campaign says."""

    file: Path
    store: str | None = None
    seed: int | None = None
    max_trials: int | None = None
    lab: str | None = None
    dry_run: bool = False


def run_campaign(request: Request) -> ExitCode:
    """Run a campaign until a stopping rule holds and return the exit code.

    Raises:
        CampaignError: the file is wrong.
        AthanorError: what the lab, the models or the store raise.
    """
    gc.enable()
    text = read_text(request.file)
    campaign = overridden(parse_campaign(text, str(request.file), request.file.absolute().parent), request)
    check_models(campaign, request.file)
    check_not_empty(campaign, str(request.file))
    url = request.store or default_store(request.file)
    if not request.dry_run:
        stop_file_of(campaign, store_path(url)).check()
    for note in check_lab(campaign, request.file, begun=store_path(url).exists()):
        print_rows([("note", note)])
    for unused in unused_by_strategy(campaign):
        print_rows([("not used", unused)])
    open_folder(request.file.absolute().parent)  # modules beside the campaign can be named in it
    options = RunOptions(url, text, request.max_trials, request.dry_run)
    logging.disable(logging.INFO)  # libraries narrate; the display says what happens
    logging.getLogger("bluesky").setLevel(logging.CRITICAL)  # it prints a traceback for a failure that the store keeps
    with interrupts(options.stop, options.abort), display_for(campaign, sys.stdout, options.stop.set) as display:
        display(Loading("Ax, BoTorch and Bluesky"))
        # Importing the loop takes seconds: the display and Ctrl-C are there before.
        from loop.run import run

        gc.freeze()  # else a collection, in the middle of a suggestion, goes for 0.1 s through what modules hold
        try:
            outcome = run(campaign, options, display)
        except CampaignError as error:
            raise CampaignError(located(error.problems, request.file), str(request.file)) from error
    if request.dry_run:
        print_rows([("dry run", outcome.reason)])
    else:
        _print_outcome(campaign, outcome, url)
    return exit_of(outcome)


def overridden(campaign: Campaign, request: Request) -> Campaign:
    """Return the campaign with the seed and the lab of the command line, checked again."""
    changes: dict[str, Any] = {}
    if request.seed is not None:
        changes["seed"] = request.seed
    if request.lab is not None and request.lab != campaign.lab.kind:
        lab = TypeAdapter(LabConfig).validate_python({"kind": request.lab, "compute": campaign.lab.compute})
        changes["lab"] = lab.ruled_by(campaign.rules, campaign.claim)
    if not changes:
        return campaign
    return Campaign.model_validate({name: getattr(campaign, name) for name in Campaign.model_fields} | changes)


def exit_of(outcome: SessionResult) -> ExitCode:
    """Return the exit code of a session."""
    if outcome.aborted:
        return ExitCode.ABORTED
    return ExitCode.INTERRUPTED if outcome.interrupted else ExitCode.FINISHED


def _print_outcome(campaign: Campaign, outcome: SessionResult, url: str) -> None:
    from loop.storage.reader import Reader

    units = {name: parameter.unit for name, parameter in campaign.space.all_parameters.items()}
    front, store = front_of(campaign, outcome.trials), Reader(url)
    shown = ShownRanking(units, store.scored_campaign().build_objective(), doubts=store.doubts())
    print_tables("", ranking_table(outcome.found, shown) if front is None else front_table(front, units), "")
    model = [] if front else [("best by the model", model_text(store, outcome.found, units))]
    print_rows(
        [
            *model,
            ("ended", outcome.reason),
            *request_rows(store),
            ("trials", str(len(outcome.trials))),
            ("wall time", duration(time_spent(store.sessions()))),
            ("peak memory", f"{peak_memory() / 2**30:.2f} GiB"),
        ]
    )
