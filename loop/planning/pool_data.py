"""The data of a campaign's pool that need no experiment: views, computed metrics, priors, and the rows of models."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from campaigns.campaign import Campaign
from campaigns.errors import CampaignError, Problem, called
from campaigns.lab.laboratory import ComputeConfig
from campaigns.metrics import MeasuredConfig, TrainedPriorConfig
from campaigns.surrogate import FALLBACK, ChgnetConfig, MatglConfig, SurrogateConfig, view_names
from campaigns.units import convert
from campaigns.user_code.dotted_paths import Use
from campaigns.user_code.loading import load_object
from surrogates.features.embeddings import embed
from surrogates.features.factory import build_embedder
from surrogates.models.encoder import Encoder, MaterialTable, embedding_view, feature_view
from surrogates.pools.pool import Pool, Progress, load_pool
from surrogates.pools.pool_embeddings import embed_pool

Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class PoolData:
    """The pool, and its data that need no experiment.

    Attributes:
        views: name to n x e features, scaled.
        computed: computed metric to n values, in the metric's unit.
        priors: measured metric to n values of its prior, in the metric's unit.
    """

    pool: Pool
    views: Mapping[str, Numbers]
    computed: Mapping[str, Numbers]
    priors: Mapping[str, Numbers]

    def computed_of(self, material: str | None) -> dict[str, float]:
        """Return the computed metrics of one material."""
        place = self.pool.ids.index(str(material))
        return {name: float(values[place]) for name, values in self.computed.items()}


def build_pool_data(campaign: Campaign, progress: Progress | None = None) -> PoolData | None:
    """Return the campaign's pool with all its data, or None without a pool.

    Args:
        campaign: pool, metrics, surrogate, and where to compute.
        progress: called with what is being done to the pool, how much of it is done, and how much there is.

    Raises:
        CampaignError: the pool is not available.
        ModelError: a model is not available, or cannot evaluate a structure.
    """
    if campaign.space.pool is None:
        return None
    report = progress or _silent
    pool = load_pool(campaign.space.pool, report)
    # Lithiated and delithiated cells in one pass: the priors find both in the cache.
    hosts = [entry.host for entry in pool.entries if entry.host is not None] if any(pool.index.host_keys) else []
    views = build_views(campaign.surrogate, pool, report, campaign.lab.compute)
    if hosts:
        model = build_embedder(campaign.surrogate.features[0])
        embed(hosts, model, progress=partial(report, "embedding delithiated cells"), compute=campaign.lab.compute)
    computed = _computed(campaign, pool)
    priors = {n: _prior(pool, m, n, report) for n, m in campaign.measured.items() if m.prior}
    return PoolData(pool, views, computed, priors)


def load_pool_data(campaign: Campaign) -> PoolData | None:
    """Return the campaign's pool with what is computed of it without any model, or None without a pool.

    Raises:
        CampaignError: the pool, or what is computed of it, is not available.
    """
    if campaign.space.pool is None:
        return None
    pool = load_pool(campaign.space.pool)
    return PoolData(pool, {}, _computed(campaign, pool), {})


def caveats_of(campaign: Campaign, materials: PoolData) -> list[str]:
    """Return what should be known of the pool and of trained priors before they are relied upon, one sentence each."""
    report, texts = materials.pool.report, []
    if report.bad:
        texts.append(f"{len(report.bad)} of {report.read} entries of the pool cannot be used, such as {report.bad[0]}")
    if report.duplicates:
        texts.append(f"{len(report.duplicates)} entries of the pool are duplicates of others and were folded into them")
    if report.notes:
        noted = len({note.place for note in report.notes})
        texts.append(f"{noted} entries of the pool were not read as written, or on trust, such as {report.notes[0]}")
    if report.unsettled:
        texts.append(f"{len(report.unsettled)} lattices stay as they were given, such as {report.unsettled[0]}")
    for metric in campaign.measured.values():
        if isinstance(metric.prior, TrainedPriorConfig):
            from surrogates.predictors.trained import caveats

            texts += caveats(metric.prior.place, materials.pool)
    return texts


def _silent(_doing: str, _done: int, _total: int) -> None:
    """Tell nobody."""


def build_views(
    surrogate: SurrogateConfig, pool: Pool, progress: Progress, compute: ComputeConfig
) -> dict[str, Numbers]:
    """Return the views of a pool by name, each n x e and scaled (see ``MaterialTable``), and one to fall back to.

    Raises:
        ModelError: a model is not available, or cannot evaluate a structure.
    """
    views: dict[str, Numbers] = {}
    names, simple = view_names(surrogate)
    fallback = [] if set(simple) <= set(names) else [(FALLBACK.kind, FALLBACK)]
    for i, (name, config) in enumerate([*zip(names, surrogate.features, strict=True), *fallback]):
        model = build_embedder(config, f"surrogate.features[{i}]")
        vectors = embed_pool(pool, model, partial(progress, f"embedding with {name}"), compute).vectors
        match config:
            case ChgnetConfig() | MatglConfig():
                views[name] = embedding_view(vectors)
            case _:
                views[name] = feature_view(vectors)
    return views


def build_encoder(campaign: Campaign, materials: PoolData | None) -> Encoder:
    """Return the layout of rows for the models."""
    if materials is None:
        return Encoder(campaign.space)
    pool = materials.pool
    numbers = {f"prior:{n}": v for n, v in materials.priors.items()} | dict(materials.computed)
    return Encoder(campaign.space, MaterialTable(pool.ids, materials.views, numbers, pool.formulas))


def _computed(campaign: Campaign, pool: Pool) -> dict[str, Numbers]:
    """Return each computed metric of each entry, in the metric's unit."""
    return {n: _predicted(pool, m.function, m.unit, f"metrics.{n}.function") for n, m in campaign.computed.items()}


def _prior(pool: Pool, metric: MeasuredConfig, name: str, progress: Progress) -> Numbers:
    """Return a metric's prior of each entry, in the metric's unit."""
    match metric.prior:
        case TrainedPriorConfig() as trained:
            from surrogates.predictors.trained import prior_values

            return prior_values(trained.place, pool, metric.unit, partial(progress, f"predicting {name}"))
        case str(path):
            return _predicted(pool, path, metric.unit, f"metrics.{name}.prior")
        case None:
            raise ValueError(f"{name} has no prior")


def _predicted(pool: Pool, path: str, unit: str, where: str) -> Numbers:
    predictor = load_object(path, where, Use.PREDICTOR)
    declared = getattr(predictor, "unit", None)
    if declared is None:
        raise CampaignError(
            [Problem(where, f"{path} declares no unit; decorate it with surrogates.pools.pool.in_unit")]
        )
    values = _values(predictor, pool, path, where)
    return np.array([convert(float(value), declared, unit) for value in values])


def _values(predictor: Callable[[Pool], Any], pool: Pool, path: str, where: str) -> Numbers:
    """Return what a predictor says of each entry: n finite numbers."""
    given = called(predictor, path, where, pool)
    values: Numbers = called(np.asarray, path, where, given, dtype=float)
    if values.shape != (len(pool),):
        message = f"{path} gave values of shape {values.shape}; allowed: one for each of {len(pool)} entries"
        raise CampaignError([Problem(where, message)])
    if not (finite := np.isfinite(values)).all():
        first = pool.ids[int(np.argmin(finite))]
        message = f"{path} gave {np.sum(~finite)} values that are not finite, the first for {first}; allowed: numbers"
        raise CampaignError([Problem(where, message)])
    return values
