"""What ``athanor report`` does: read the store, fit its models once more, ask them, and write the page."""

from __future__ import annotations

from pathlib import Path

from campaigns.campaign import Campaign
from campaigns.errors import AthanorError
from campaigns.load import parse_campaign
from campaigns.user_code.module_files import open_folder
from loop.core.campaign_version import CampaignVersion, as_scored
from loop.core.formatting import one_line
from loop.core.inspection_cards import ModelInspection
from loop.core.records import FEWEST, TrialRecord
from loop.core.trial_selection import fully_measured, learnable
from loop.report.campaign_report import write_report
from loop.storage.prior_campaigns import read_sources
from loop.storage.reader import Reader
from loop.terminal.waiting import Waiting


def report_campaign(reader: Reader, folder: Path, path: Path) -> None:
    """Write the report of a store.

    Args:
        reader: of the store.
        folder: where the campaign file's modules and data are.
        path: of the report.

    Raises:
        StoreError: the store holds no campaign, or one of a version with another format.
        OSError: the file cannot be written.
    """
    trials = reader.trials()
    with Waiting() as waiting:
        write_report(reader, path, _inspection(reader, folder, trials, waiting))


def _inspection(reader: Reader, folder: Path, trials: list[TrialRecord], waiting: Waiting) -> ModelInspection:
    """Return what the models say; where there are none, why."""
    measured = reader.stored_campaign().measured
    if (count := len(fully_measured(learnable(trials), measured))) < FEWEST:
        return ModelInspection(missing=f"there is no model before {FEWEST} trials are completed; {count} are")
    open_folder(folder)
    try:
        campaign = parse_campaign(reader.campaign().source, str(reader.path), folder)
        campaign = campaign.model_copy(update={"seed": reader.campaign().seed})
        return _asked(campaign, as_scored(campaign, reader.amendments()), trials, waiting)
    except AthanorError as error:
        return ModelInspection(missing=one_line(str(error)))


def _asked(campaign: Campaign, now: CampaignVersion, trials: list[TrialRecord], waiting: Waiting) -> ModelInspection:
    """Fit the models to all trials, as a run that goes on would, and ask them."""
    # torch and Ax take seconds to import: a report without models does without them.
    import torch

    from loop.planning.mc_objective import OptimizationProblem
    from loop.planning.model_fitter import ModelFitter
    from loop.planning.model_inspection import inspect_models
    from loop.planning.pool_data import build_encoder, build_pool_data

    torch.set_num_threads(1)  # sums then have one order
    materials = build_pool_data(campaign, waiting)
    fitter = ModelFitter(OptimizationProblem(campaign, build_encoder(campaign, materials)), read_sources(campaign))
    fitter.amend(now)
    fitter.recall(sorted((t for t in trials if t.state.ended), key=lambda t: (t.completed_order or 0, t.number)))
    return inspect_models(fitter, trials, waiting)
