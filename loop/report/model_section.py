"""The report's section on the surrogates: how good their predictions were over time, and what became of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from campaigns.campaign import Campaign
from loop.core.formatting import one_line
from loop.core.model_words import compared_name
from loop.core.records import TrialRecord
from loop.diagnostics.calibration import LEVELS, Pair, metric_pairs
from loop.diagnostics.model_health import Figures, MetricHealth, figures_of, health
from loop.diagnostics.prediction_history import stored_factor
from loop.report.html import captioned, chart, details, grid, paragraph, table
from loop.report.model_figures import features_figure, health_figure, prior_figure, running
from loop.report.timeline_figure import model_figure

_HEALTH = (
    "Each prediction was made before its measurement. Coverage is the share of the latest measurements inside the "
    "interval of their prediction, dotted where it should be; red: the thresholds of the campaign file. A vertical "
    "line is a change of the model."
)
_USED = (
    "What the models relied on when they proposed a trial, chosen anew each time by how well each measurement is "
    "predicted from all others (leave-one-out)."
)
_TAUGHT = (
    "What the models of the latest proposal use of earlier campaigns and cheaper measurements. The slope is that of "
    "the metric along what a source predicts, both scaled to unit variance; a source is used for a metric where its "
    "measurements are explained better with it than without, by leave-one-out."
)
_HYPER = (
    "Hyper-parameters of each metric's Gaussian process, for metrics scaled to unit variance and parameters scaled to "
    "0..1: along a short length the metric changes fast."
)


def surrogate_parts(campaign: Campaign, trials: Sequence[TrialRecord]) -> list[str]:
    """Return the pieces of the section."""
    proposed = [t for t in trials if t.proposal.models]
    if not proposed:
        return [paragraph("No model has proposed a trial yet.", "note")]
    told = _Told(campaign, trials, proposed)
    return [*_quality(told), *_used(told), *_taught(told), *_hyper(told)]


@dataclass(frozen=True)
class _Told:
    """What the store says of the models.

    Attributes:
        proposed: trials that a model proposed.
    """

    campaign: Campaign
    trials: Sequence[TrialRecord]
    proposed: Sequence[TrialRecord]

    @property
    def metrics(self) -> list[str]:
        """Metrics that have a model."""
        return list(dict.fromkeys(name for t in self.proposed for name in t.proposal.models))

    @property
    def window(self) -> int:
        """How many predictions are judged together."""
        return self.campaign.surrogate.health.window

    def pairs(self, metric: str) -> list[Pair]:
        """Return predictions and measurements in the order in which they were measured."""
        return sorted(metric_pairs(self.trials, metric), key=lambda p: p.trial.completed_order or 0)

    @property
    def health(self) -> Mapping[str, MetricHealth]:
        """Metric to what became of its model; nothing of models whose health was not looked at."""
        watched = [m for m in self.metrics if any("health" in t.proposal.models.get(m, {}) for t in self.proposed)]
        config, droppable = self.campaign.surrogate.health, self.campaign.space.pool is not None
        outliers = frozenset(t.number for t in self.trials if t.outlier)
        return health(config, self.trials, dict.fromkeys(watched, outliers), droppable)

    def latest(self, metric: str) -> Mapping[str, Any]:
        """Return the latest description of a metric's model."""
        return next(t.proposal.models[metric] for t in reversed(self.proposed) if metric in t.proposal.models)


def _quality(told: _Told) -> list[str]:
    health_of = told.health
    charts = []
    for metric in told.metrics:
        found = running(told.pairs(metric), told.window)
        changes = health_of[metric].transitions if metric in health_of else ()
        if found:
            figure = chart(health_figure(found, told.campaign.surrogate.health, changes))
            charts.append(captioned(metric, _standing(health_of.get(metric), found[-1][1], told.campaign), figure))
    if not charts:
        return [paragraph("Too few predictions have been measured to say how good they are.", "note")]
    numbers = details("in numbers, window by window", _windows_table(told))
    return [paragraph(_HEALTH, "note"), grid(charts), *_events(told), numbers]


def _standing(found: MetricHealth | None, latest: Figures, campaign: Campaign) -> str:
    if found is None:
        return ""
    least = 100 * campaign.surrogate.health.coverage
    inside = f": 95 % intervals contain {100 * latest.coverage[-1]:.0f} % (recalibrated below {least:.0f} %)"
    factor = f"; standard deviations are multiplied by {found.sd_factor:.2g}" if found.sd_factor > 1 else ""
    return f"{found.state}{inside}{factor}"


def _windows_table(told: _Told) -> str:
    """Return how good the predictions of each metric were, window after window."""
    heads = ("metric", "trials", "predictions", *(f"inside {100 * level:.0f} % interval" for level in LEVELS))
    rows = []
    for metric in told.metrics:
        pairs = told.pairs(metric)
        for start in range(0, len(pairs), told.window):
            part = pairs[start : start + told.window]
            found, factor = figures_of(part), stored_factor(part[-1].trial, metric)
            shares = [f"{100 * share:.0f} %" for share in found.coverage]
            rank = "–" if found.rank is None else f"{found.rank:.2f}"
            deviation = f"{found.rmsd:.3g} {part[0].measured.unit}"
            numbers = [p.trial.number for p in part]
            span = f"{min(numbers)} to {max(numbers)}"
            rows.append((metric, span, str(len(part)), *shares, rank, deviation, f"{factor:.2g}"))
    return table((*heads, "rank correlation", "root-mean-square deviation", "sd multiplied by"), rows)


def _events(told: _Told) -> list[str]:
    if not told.health:
        return []
    rows = [
        (str(change.trial), metric, one_line(change.text))
        for metric, found in told.health.items()
        for change in found.transitions
    ]
    if not rows:
        return [paragraph("No model had to be recalibrated or dropped.", "note")]
    return [table(("after trial", "metric", "what became of its model"), sorted(rows, key=lambda row: int(row[0])))]


def _used(told: _Told) -> list[str]:
    charts = []
    for metric in told.metrics:
        features, prior = features_figure(told.proposed, metric), prior_figure(told.proposed, metric)
        charts += [captioned(metric, "features of the material", chart(features))] if features else []
        charts += [captioned(metric, "prior", chart(prior))] if prior else []
    rows = [row for metric in told.metrics for row in _compared(metric, told.latest(metric))]
    if not charts and not rows:
        return []
    heads = ("metric", "model", "leave-one-out log density [1]", "")
    compared = [details("what was compared for the latest proposal", table(heads, rows))] if rows else []
    return [paragraph(_USED, "note"), grid(charts), *compared]


def _compared(metric: str, model: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """Return how well kernels or features predict, then the process and the models beside it."""
    loo, models = model.get("loo", {}), model.get("models", {})
    used = model.get("members", list(models)[:1])
    ways = [(compared_name(n), loo[n], "chosen" if n == model.get("choice") else "") for n in _by_value(loo)]
    listed = [(compared_name(n), models[n], "used" if n in used else "") for n in _by_value(models)]
    return [(metric, one_line(name), f"{value:.3f}", word) for name, value, word in ways + listed]


def _by_value(found: Mapping[str, float]) -> list[str]:
    return sorted(found, key=lambda name: -found[name])


def _taught(told: _Told) -> list[str]:
    """Return what the latest models made of earlier campaigns."""
    rows = [row for metric in told.metrics for row in _sources(told, metric)]
    if not rows:
        return []
    heads = ("metric", "source", "slope", "gain in leave-one-out log density [1]", "", "used in proposals")
    return [paragraph(_TAUGHT, "note"), table(heads, rows)]


def _sources(told: _Told, metric: str) -> list[tuple[str, ...]]:
    model = told.latest(metric)
    asked = [t.proposal.models[metric] for t in told.proposed if t.proposal.models.get(metric, {}).get("sources")]
    found: Mapping[str, Mapping[str, float]] = model.get("sources", {})
    return [
        (
            metric,
            one_line(name),
            f"{source['slope']:.2f} ± {source['sd']:.2f}",
            f"{source['gain']:+.3f}",
            "chosen" if name == model["source"] else "",
            f"{sum(m['source'] == name for m in asked)} of {len(asked)}",
        )
        for name, source in found.items()
    ]


def _hyper(told: _Told) -> list[str]:
    parameters = told.campaign.space.all_parameters
    charts = []
    for metric in told.metrics:
        trials = [t for t in told.proposed if "hyper_parameters" in t.proposal.models.get(metric, {})]
        if trials:
            charts.append(captioned(metric, "", chart(model_figure(trials, metric, parameters))))
    return [details("hyper-parameters", paragraph(_HYPER, "note"), *charts)] if charts else []
