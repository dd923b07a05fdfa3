"""What ``athanor suggest`` does: propose a batch, and show it with the commands that take its results."""

from __future__ import annotations

import gc
from pathlib import Path
from shlex import quote

from rich.table import Table

from campaigns.campaign import Campaign
from campaigns.errors import CampaignError
from campaigns.load import located, parse_campaign, read_text
from campaigns.user_code.module_files import open_folder
from loop.core.events import Event, SourceRead, Warned
from loop.core.formatting import candidate_text, format_uncertain, headed
from loop.core.records import TrialRecord
from loop.execution.options import RunOptions
from loop.sampling.nonempty import check_not_empty
from loop.storage.paths import default_store
from loop.terminal.console import new_table, print_rows, print_tables
from loop.validation.preflight import check_models


def suggest_trials(file: Path, url: str | None, count: int) -> None:
    """Propose trials, and show all that wait.

    Raises:
        CampaignError: the file is wrong.
        AthanorError: what the models or the store raise.
    """
    gc.enable()
    text = read_text(file)
    campaign = parse_campaign(text, str(file), file.absolute().parent)
    check_models(campaign, file)
    check_not_empty(campaign, str(file))
    open_folder(file.absolute().parent)  # modules beside the campaign can be named in it
    print_rows([("loading", "Ax and BoTorch, which takes seconds")])
    from loop.service.suggestions import suggest_batch

    try:
        found = suggest_batch(campaign, RunOptions(url or default_store(file), text, count), _show)
    except CampaignError as error:
        raise CampaignError(located(error.problems, file), str(file)) from error
    waiting = [trial for trial in found.trials if trial.waits]
    if waiting:
        print_tables(_table(campaign, waiting))
    print_rows([("ended", found.reason)])
    if waiting:
        named = f"--store {quote(url)}" if url else quote(str(file))
        metrics = " ".join(f"{name}=VALUE" for name in campaign.measured)
        print_rows([("result", f"athanor trial tell {waiting[0].number} {metrics} {named}")])


def _show(event: Event) -> None:
    match event:
        case SourceRead(text=text):
            print_rows([("history", text)])
        case Warned(text=text):
            print_rows([("note", text)])
        case _:
            pass  # the proposals are shown together


def _table(campaign: Campaign, trials: list[TrialRecord]) -> Table:
    """Return the trials that wait, each with what the models expect of it."""
    metrics = {name: metric.unit for name, metric in campaign.measured.items()}
    heads = [headed(f"expected {name}", unit) for name, unit in metrics.items()]
    table = new_table("trial", "candidate", *heads, "why")
    units = {name: one.unit for name, one in campaign.space.all_parameters.items()}
    for trial in trials:
        expected = [trial.proposal.predictions.get(name) for name in metrics]
        cells = ["–" if one is None else format_uncertain(one.value, one.sd) for one in expected]
        why = trial.proposal.reason or trial.proposal.generator
        table.add_row(str(trial.number), candidate_text(trial.candidate, units), *cells, why)
    return table
