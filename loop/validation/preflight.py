"""Whether models and earlier measurements that a campaign names are available, found without asking a network."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from campaigns.campaign import Campaign
from campaigns.errors import CampaignError, ModelError, Problem
from campaigns.lab.laboratory import RayConfig
from campaigns.load import located
from campaigns.metrics import TrainedPriorConfig
from campaigns.pool_source import FolderPoolConfig, TablePoolConfig
from campaigns.warm_start import Source
from loop.storage.paths import default_store
from surrogates.features.matgl_files import problems
from surrogates.parallel.ray_cluster import trouble


def check_models(campaign: Campaign, file: Path) -> list[Source]:
    """Check that every model is there and predicts what it is named for; return what every source teaches.

    Args:
        campaign: the validated campaign.
        file: where it stands, for the lines.

    Raises:
        CampaignError: models and sources that are missing or do not fit, all of them, each with what to do.
    """
    sources, wrong = _sources(campaign)
    problems = [*_pool(campaign), *_features(campaign), *_priors(campaign), *_compute(campaign), *wrong]
    if problems:
        raise CampaignError(located(problems, file), str(file))
    return sources


def check_history(campaign: Campaign, file: Path) -> list[str]:
    """Check that what was measured before can be read, and still holds what was imported; say what became of it.

    Raises:
        CampaignError: tables that cannot be read, all of them, or rows that were imported and are gone.
    """
    if not campaign.history:
        return []
    from loop.storage.external_measurements import (
        stated_history,  # the store's library, which most campaigns need not yet
    )

    try:
        return stated_history(campaign, default_store(file))
    except CampaignError as error:
        raise CampaignError(located(error.problems, file), str(file)) from error


def _pool(campaign: Campaign) -> Iterator[Problem]:
    """Yield what is wrong with a pool's files as far as a glance tells; the rest is told by 'athanor pool check'."""
    pool = campaign.space.pool
    try:
        if isinstance(pool, TablePoolConfig) and pool.path.suffix.lower() != ".parquet":
            from surrogates.pools.sources.data_table import check_header  # numpy, which most campaigns need not yet

            check_header(pool)
        elif isinstance(pool, FolderPoolConfig):
            from surrogates.pools.sources.folder import folder_source  # pymatgen

            folder_source(pool)
    except CampaignError as error:
        yield from error.problems


def _features(campaign: Campaign) -> Iterator[Problem]:
    if campaign.space.pool is None:
        return
    for i, features in enumerate(campaign.surrogate.features):
        if (trouble := problems(features)) is not None:
            yield Problem(f"surrogate.features[{i}]", trouble)


def _priors(campaign: Campaign) -> Iterator[Problem]:
    for name, metric in campaign.measured.items():
        if not isinstance(metric.prior, TrainedPriorConfig):
            continue
        from surrogates.predictors.trained import check_prior  # numpy and pymatgen, which most campaigns need not yet

        try:
            check_prior(metric.prior.place, metric.unit)
        except ModelError as error:
            yield Problem(f"metrics.{name}.prior.model", str(error))


def _compute(campaign: Campaign) -> Iterator[Problem]:
    if isinstance(campaign.lab.compute, RayConfig) and (found := trouble()) is not None:
        yield Problem("lab.compute", found)


def _sources(campaign: Campaign) -> tuple[list[Source], list[Problem]]:
    if not campaign.warm_start:
        return [], []
    from loop.storage.prior_campaigns import read_sources  # the store's library, which most campaigns need not yet

    try:
        return read_sources(campaign), []
    except CampaignError as error:
        return [], error.problems
