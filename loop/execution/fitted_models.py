"""The models of a campaign as BoTorch models, for scripts of the user's own: fitted to what its store holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from botorch.models.model import Model
from torch import Tensor

from campaigns.load import load_campaign
from campaigns.metrics import MeasuredConfig
from loop.core.campaign_version import campaign_version
from loop.planning.planner import Planner
from loop.planning.pool_data import build_encoder, build_pool_data
from loop.storage.prior_campaigns import read_sources
from loop.storage.reader import Reader
from surrogates.models.base import MetricModel
from surrogates.models.encoder import Encoder
from surrogates.models.logit_transform import Floor, LogitTransform
from surrogates.models.transformed import TransformedModel


@dataclass(frozen=True)
class FittedModels:
    """The models of a campaign.

    Attributes:
        encoder: from candidates to the rows that models see, and what is known of the pool.
        models: measured metric to a BoTorch model with one output, in the metric's unit; of a metric that is
            proportional to another, of their ratio.
        rows: n x d, what was measured, in the order in which it came.
    """

    encoder: Encoder
    models: Mapping[str, Model]
    rows: Tensor


def fitted_models(file: Path, store: str | None = None) -> FittedModels:
    """Return the models of a campaign, fitted to the trials of its store as its next suggestion would be.

    Args:
        file: the campaign file.
        store: URL of the store; by default, that beside the file.

    Raises:
        CampaignError: the file or what it names cannot be used.
        StoreError: there is no such store.
    """
    torch.set_num_threads(1)  # as in a run, so that sums have one order
    campaign = load_campaign(file)
    reader = Reader(store or f"sqlite:///{file.with_suffix('.db')}")
    encoder = build_encoder(campaign, build_pool_data(campaign))
    planner = Planner(campaign, encoder, read_sources(campaign))
    planner.amend(campaign_version(campaign, reader.amendments()))
    planner.recall(reader.trials())
    posterior = planner.models.posterior()
    metrics = campaign.measured
    models = {name: in_metric_unit(model, metrics[name]) for name, model in posterior.models.items()}
    return FittedModels(posterior.problem.encoder, models, posterior.rows)


def in_metric_unit(model: MetricModel, metric: MeasuredConfig) -> Model:
    """Return a metric's model in the metric's unit: within its limits, or not beneath its floor."""
    if metric.within is not None:
        return TransformedModel(model, LogitTransform(*metric.within))
    return model if metric.floor is None else TransformedModel(model, Floor(metric.floor))
