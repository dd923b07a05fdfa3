"""From a campaign to the things that run it: pool, planner, lab, and each step's recipe in the instruments' units."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, assert_never

import numpy as np
from numpy.typing import NDArray

from campaigns.campaign import Campaign
from campaigns.dotted_paths import Use
from campaigns.errors import CampaignError, Problem, called
from campaigns.lab import ComputeConfig, CustomLabConfig, EpicsLabConfig, StationConfig, StepConfig, VirtualLabConfig
from campaigns.metrics import MeasuredConfig, TrainedPriorConfig
from campaigns.surrogate import FALLBACK, ChgnetConfig, MatglConfig, SurrogateConfig, view_names
from campaigns.units import convert
from campaigns.user_code import load_object
from campaigns.values import Candidate, Scalar
from instruments.instrument import JobInstrument
from instruments.lab import Lab
from loop.limits import constant, converted
from surrogates.features.build import build_embedder
from surrogates.features.embeddings import embed
from surrogates.features.pooled import embed_pool
from surrogates.pools.pool import Pool, Progress, load_pool
from surrogates.posterior.encoder import Encoder, MaterialTable, embedding_view, feature_view

Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class Materials:
    """The pool, and what is known of it before any experiment.

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


def build_materials(campaign: Campaign, progress: Progress | None = None) -> Materials | None:
    """Return the campaign's pool with all that is known of it, or None without a pool.

    Args:
        campaign: pool, metrics, surrogate, and where to compute.
        progress: called with what is being done to the pool, how much of it is done, and how much there is.

    Raises:
        CampaignError: the pool cannot be had.
        ModelError: a model cannot be had, or cannot evaluate a structure.
    """
    if campaign.space.pool is None:
        return None
    told = progress or _silent
    pool = load_pool(campaign.space.pool, told)
    # Lithiated and delithiated cells in one pass: the priors find both in the cache.
    hosts = [entry.host for entry in pool.entries if entry.host is not None] if any(pool.index.host_keys) else []
    views = build_views(campaign.surrogate, pool, told, campaign.lab.compute)
    if hosts:
        model = build_embedder(campaign.surrogate.features[0])
        embed(hosts, model, progress=partial(told, "embedding delithiated cells"), compute=campaign.lab.compute)
    computed = _computed(campaign, pool)
    priors = {n: _prior(pool, m, n, told) for n, m in campaign.measured.items() if m.prior}
    return Materials(pool, views, computed, priors)


def load_materials(campaign: Campaign) -> Materials | None:
    """Return the campaign's pool with what is computed of it without any model, or None without a pool.

    Raises:
        CampaignError: the pool, or what is computed of it, cannot be had.
    """
    if campaign.space.pool is None:
        return None
    pool = load_pool(campaign.space.pool)
    return Materials(pool, {}, _computed(campaign, pool), {})


def caveats_of(campaign: Campaign, materials: Materials) -> list[str]:
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
        ModelError: a model cannot be had, or cannot evaluate a structure.
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


def build_encoder(campaign: Campaign, materials: Materials | None) -> Encoder:
    """Return the layout of rows for the models."""
    if materials is None:
        return Encoder(campaign.space)
    pool = materials.pool
    numbers = {f"prior:{n}": v for n, v in materials.priors.items()} | dict(materials.computed)
    return Encoder(campaign.space, MaterialTable(pool.ids, materials.views, numbers, pool.formulas))


def build_lab(campaign: Campaign, materials: Materials | None, state: Path, start: float) -> Lab:
    """Return the laboratory, with every instrument that the campaign names.

    Args:
        campaign: lab and stations.
        materials: the pool, which the virtual lab has to know.
        state: folder for what virtual instruments remember.
        start: lab time in seconds at which the lab starts at the earliest.
    """
    match campaign.lab:
        case VirtualLabConfig() | EpicsLabConfig():
            from simulators.labs import build_simulated_lab

            return build_simulated_lab(campaign, () if materials is None else materials.pool.entries, state, start)
        case CustomLabConfig(factory=factory):
            return _lab(called(load_object(factory, "lab.factory", Use.LAB), factory, "lab.factory"), factory)
        case _:
            assert_never(campaign.lab)


def _lab(made: Any, factory: str) -> Lab:
    """Return what a factory has made, if it is a laboratory."""
    lacking = [name for name in ("clock", "instrument", "close") if not hasattr(made, name)]
    if lacking:
        message = (
            f"{factory} returned a {type(made).__name__} without {', '.join(lacking)}; needed: instruments.lab:Lab"
        )
        raise CampaignError([Problem("lab.factory", message)])
    lab: Lab = made
    return lab


def build_instrument(name: str, config: StationConfig, lab: Lab) -> JobInstrument:
    """Return a station's instrument: the lab's, or a device of the user's own."""
    if config.device is None:
        return _begun(lab.instrument(name), f"stations.{name}")
    where = f"stations.{name}.device"
    device = load_object(config.device, where, Use.DEVICE, config.settings)
    return _begun(called(device, config.device, where, name=name, clock=lab.clock, **config.settings), where)


def _begun(made: Any, where: str) -> JobInstrument:
    """Return what stands at a station, if it is an instrument that was made as JobInstrument makes it."""
    if not isinstance(made, JobInstrument):
        got = f"the laboratory has a {type(made).__name__} there; needed: an instruments.instrument:JobInstrument"
        raise CampaignError([Problem(where, got)])
    if not made.begun:
        advice = "begin it with super().__init__(prefix, name=name, clock=clock, **kwargs)"
        raise CampaignError([Problem(where, f"{type(made).__name__}.__init__ never calls that of its base; {advice}")])
    return made


def recipe(campaign: Campaign, step: StepConfig, candidate: Candidate, instrument: JobInstrument) -> dict[str, Scalar]:
    """Return what a step tells an instrument, in the instrument's units."""
    found: dict[str, Scalar] = {}
    for key, value in step.recipe.items():
        if isinstance(value, str) and value.startswith("$"):
            parameter = campaign.space.all_parameters[value[1:]]
            told = candidate.parameters.get(value[1:], parameter.otherwise)
            if told is None:
                raise ValueError(f"{value} does not apply to the candidate, and the parameter has no otherwise")
            found[key] = converted(told, parameter.unit, key, instrument)
        else:
            found[key] = constant(value, key, instrument)
    return found


def load_analysis(step: StepConfig) -> Callable[..., Any] | None:
    """Return the function that turns a step's raw data into a measurement, or None."""
    if step.analysis is None:
        return None
    settings = step.analysis_settings
    found = load_object(step.analysis, f"workflow.{step.name}.analysis", Use.ANALYSIS, settings)
    return partial(found, **settings) if settings else found


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
