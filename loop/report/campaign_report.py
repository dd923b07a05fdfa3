"""The report: one HTML file that shows a campaign from its store and needs no network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from campaigns.campaign import Campaign
from campaigns.objective import Objective
from campaigns.spaces.parameters import CategoricalConfig
from loop.core.campaign_records import CampaignRecord, SessionRecord
from loop.core.campaign_version import as_shown
from loop.core.candidate_results import CandidateResult, best, results
from loop.core.formatting import duration, interval_texts, one_line, score_text
from loop.core.inspection_cards import ModelInspection
from loop.core.journal import Amendment, changes_of, weights_version
from loop.core.pareto import Front, front, front_of
from loop.core.records import PosteriorBest, TrialRecord
from loop.core.stopping import Spent, spent, stop_reason
from loop.diagnostics.calibration import Pair, calibration_summary, metric_pairs, score_pairs
from loop.report.html import Page, captioned, chart, details, facts, grid, paragraph, preformatted, tiles, write_page
from loop.report.html_tables import (
    amendments_table,
    budget_meters,
    calibration_table,
    candidate_table,
    front_table,
    ranking_table,
    readings_table,
    sessions_table,
    stations_table,
    steps_table,
    terms_table,
    trials_table,
    utc,
    versions_table,
)
from loop.report.inspection_section import inspection_parts
from loop.report.model_section import surrogate_parts
from loop.report.pareto_figures import front_figures, volume_figure
from loop.report.pool_section import PoolContent, pool_parts, structure_parts
from loop.report.style import Figure
from loop.report.timeline_figure import timeline_figure
from loop.report.trial_figures import (
    parallel_figure,
    prediction_figure,
    ranking_figure,
    score_figure,
    slice_figure,
    trade_off_figures,
)
from loop.storage.campaign_status import model_text
from loop.storage.pool_snapshot import MATERIAL, POOL, MaterialSnapshot, PoolSnapshot

if TYPE_CHECKING:
    from loop.storage.reader import Reader

_DAY = 86400.0
_NOT_ASKED = ModelInspection(missing="this report was written without them")
_NONE_FEASIBLE = "No candidate has been measured yet that keeps every constraint."
_POOLED = (
    "Several readings are pooled: their mean, with the larger of the standard error of their scatter and that of their "
    "own uncertainties. Suspected outliers are left out."
)


def write_report(reader: Reader, path: Path, inspection: ModelInspection = _NOT_ASKED) -> Path:
    """Write the report of a store to ``path`` and return it; the same store gives the same bytes.

    Args:
        reader: of the store.
        path: of the file.
        inspection: what the models say of the store's trials.

    Raises:
        StoreError: the store holds no campaign.
        OSError: the file cannot be written.
    """
    content = replace(read_content(reader), inspection=inspection)
    page = Page(f"{content.record.name}: report", _header(content), _sections(content), _footer(content))
    return write_page(page, path)


@dataclass(frozen=True)
class Content:
    """What a report is made of.

    Attributes:
        now: the latest lab time known, in seconds.
        pool: what the store keeps of the pool; None where it keeps nothing.
        pictures: proposed material to what the store keeps of it.
        amendments: what was changed while the campaign lived.
        model: what is said of the best measured candidate by the models' posterior; empty where a front is looked for.
        posterior: that candidate, with the 95 % interval of its score; None while there is none.
        inspection: what the models say of the space.
    """

    record: CampaignRecord
    campaign: Campaign
    trials: Sequence[TrialRecord]
    sessions: Sequence[SessionRecord]
    now: float
    pool: PoolSnapshot | None
    pictures: Mapping[str, MaterialSnapshot]
    amendments: Sequence[Amendment] = ()
    model: str = ""
    posterior: PosteriorBest | None = None
    inspection: ModelInspection = _NOT_ASKED

    @cached_property
    def objective(self) -> Objective:
        """The campaign's objective."""
        return self.campaign.build_objective()

    @cached_property
    def front(self) -> Front | None:
        """The best compromises, where a front is looked for."""
        return front_of(self.campaign, self.trials)

    @cached_property
    def found(self) -> list[CandidateResult]:
        """The candidates that were measured, in the order in which they were first completed."""
        return results(self.objective, self.trials)

    @cached_property
    def best(self) -> CandidateResult | None:
        """The best measured candidate, by its pooled score."""
        return best(self.found)

    @cached_property
    def units(self) -> dict[str, str]:
        """Parameter to unit; empty for a categorical one."""
        parameters = self.campaign.space.all_parameters.items()
        return {name: "" if isinstance(p, CategoricalConfig) else p.unit for name, p in parameters}

    @cached_property
    def used(self) -> Spent:
        """What is spent of the budget."""
        return spent(self.trials, sum(s.ended - s.started for s in self.sessions))

    @cached_property
    def pairs(self) -> dict[str, list[Pair]]:
        """Metric, and the score, to its predictions and measurements, where there are any."""
        names = [*self.campaign.measured, *self.objective.derived]
        found = {name: metric_pairs(self.trials, name) for name in names} | {"score": score_pairs(self._alike)}
        return {name: pairs for name, pairs in found.items() if pairs}

    @property
    def _alike(self) -> list[TrialRecord]:
        """The trials whose score was predicted by the weights in force."""
        return [t for t in self.trials if t.proposal.version >= weights_version(self.amendments)]


def read_content(reader: Reader) -> Content:
    """Read all that the report needs; the campaign file's text was validated when the campaign began.

    Raises:
        StoreError: the store holds no campaign, or one of a version with another format.
    """
    campaign, record, sessions = reader.stored_campaign(), reader.campaign(), reader.sessions()
    now = max((change.lab for change in reader.transitions()), default=0.0)
    pool = next((PoolSnapshot.of(kept) for kept in reader.artefacts(POOL).values()), None)
    pictures = {name: MaterialSnapshot.read(kept) for name, kept in reader.artefacts(MATERIAL).items()}
    amendments = reader.amendments()
    shown, trials = as_shown(campaign, amendments), reader.trials()
    content = Content(record, shown, trials, sessions, now, pool, pictures, amendments)
    if content.front is not None:
        return content
    kept = reader.posterior_best()
    said = model_text(reader, content.found, content.units)
    return replace(content, model=said, posterior=None if kept is None else kept[0])


def _sections(content: Content) -> list[tuple[str, str, list[str]]]:
    on_it = content.front.numbers if content.front else frozenset[int]()
    shown = PoolContent(content.pool, content.pictures, content.trials, content.found, content.units, on_it)
    pooled = content.campaign.space.pool is not None
    front = content.front
    return [
        ("best", "Best candidate", _best(content)) if front is None else ("front", "The front", _front(content, front)),
        *([("structures", "Best structures", structure_parts(shown))] if pooled else []),
        ("score", "Score over trials", _score(content)) if front is None else _volume(content),
        *([("pool", "Pool", pool_parts(shown))] if pooled else []),
        ("predictions", "Predicted against measured", _predictions(content)),
        ("models", "What the models say", inspection_parts(content.campaign, content.trials, content.inspection)),
        ("surrogates", "Surrogates", surrogate_parts(content.campaign, content.trials)),
        ("trials", "Parameters and metrics of all trials", _trials(content)),
        *([] if front else [("trade-offs", "Trade-offs", _trade_offs(content))]),
        *([] if front else [("ranking", "Ranking", _ranking(content))]),
        ("timeline", "Stations over lab time", _timeline(content)),
        *([("amendments", "Amendments", _amendments(content))] if content.amendments else []),
        ("budget", "Budget", _budget(content)),
        ("reproducibility", "Reproducibility", _reproducibility(content)),
    ]


def _header(content: Content) -> str:
    campaign = content.campaign
    numbers = [
        *_merit(content),
        ("trials", f"{content.used.trials} of {campaign.budget.trials}"),
        ("cost", f"{content.used.cost:,.0f} USD"),
        ("lab time", f"{content.now / _DAY:.1f} d"),
        ("wall clock", duration(content.used.wall_time)),
    ]
    status = paragraph(_status(content), "status")
    return f"<h1>{escape(content.record.name)}</h1>{paragraph(campaign.description)}{status}{tiles(numbers)}"


def _merit(content: Content) -> list[tuple[str, str]]:
    front, found = content.front, content.best
    if front is None:
        score, low, high = interval_texts(content.posterior) if content.posterior else ("–", "", "")
        return [
            ("best score by the model [points]", score + (f" ({low} to {high})" if low else "")),
            ("best measured score [points]", "–" if found is None else score_text(found)),
        ]
    volume = f"{front.volume:.4g}" if front.candidates else "–"
    return [
        ("candidates on the front", str(len(front.candidates))),
        (f"volume [points^{len(content.objective.terms)}]", volume),
    ]


def _status(content: Content) -> str:
    """Return whether the campaign is finished, and why."""
    if not content.sessions:
        return "Not started yet."
    under_way = sum(t.begun and not t.state.ended for t in content.trials)
    outcome = one_line(content.sessions[-1].outcome)
    if not outcome:
        return f"Not finished: the last session is running or was killed; trials under way: {under_way}."
    first = max((one.first or 0 for one in content.amendments if changes_of([one])), default=0)
    if stop_reason(content.campaign, content.trials, content.used, first) is None or under_way:
        return f"Not finished: the last session ended: {outcome}; trials under way: {under_way}."
    return f"Finished: {outcome}."


def _best(content: Content) -> list[str]:
    found, model = content.best, paragraph(f"Best by the model: {one_line(content.model)}.")
    if found is None:
        return [model, paragraph(_NONE_FEASIBLE, "note")]
    bounds = "; ".join(bound.text for bound in content.objective.bounds)
    name = f"Best measured: {found.label}"
    text = name + (f": {one_line(found.candidate.material)}" if found.candidate.material else "")
    kept = [paragraph(f"It keeps every constraint: {bounds}.", "note")] if bounds else []
    terms = f"<div>{terms_table(content.objective, found)}{''.join(kept)}</div>"
    pair = f'<div class="pair">{candidate_table(found, content.units)}{terms}</div>'
    if len(found.trials) == 1:
        return [model, paragraph(text), pair]
    return [model, paragraph(text), pair, paragraph(_POOLED, "note"), details("single readings", readings_table(found))]


def _front(content: Content, front: Front) -> list[str]:
    if not front.candidates:
        return [paragraph(_NONE_FEASIBLE, "note")]
    where = ", ".join(f"{x:.4g}" for x in front.reference)
    note = (
        "The candidates that no other feasible one beats in one term without losing in another (ringed), among all "
        f"that were measured, with standard errors. They dominate {front.volume:.4g} points^{len(front.reference)} "
        f"above the reference ({where} points). Blue: feasible; orange rings: breaks a constraint."
    )
    figures = front_figures(front, content.found, content.objective, content.units)
    return [
        paragraph(note, "note"),
        grid([chart(one) for one in figures]),
        front_table(front, content.objective, content.units),
    ]


def _volume(content: Content) -> tuple[str, str, list[str]]:
    note = (
        "The volume that the front dominates above the reference, in the order of the trials' numbers. A candidate "
        "counts from its first reading on, with its pooled values."
    )
    figure = volume_figure(content.trials, content.objective, content.units)
    return "volume", "Volume over trials", [paragraph(note, "note"), chart(figure)]


def _score(content: Content) -> list[str]:
    note = (
        "Single readings with one standard deviation. The line is the pooled score of the best feasible candidate so "
        "far, in the order of the trials' numbers; a candidate counts from its first reading on. Trials that gave no "
        "score stand in the lanes below."
    )
    return [paragraph(note, "note"), chart(score_figure(content.trials, content.found, content.units))]


def _predictions(content: Content) -> list[str]:
    if not content.pairs:
        return [paragraph("No trial that a model proposed has been completed yet.", "note")]
    note = (
        "Each prediction was made before its measurement. Bars are one standard deviation; an interval holds when the "
        "measurement lies in it, with the variances of prediction and measurement added. ± on a share is what chance "
        "alone gives perfect predictions."
    )
    charts = [
        captioned(name, calibration_summary(pairs), chart(prediction_figure(pairs, name, content.units)))
        for name, pairs in content.pairs.items()
    ]
    return [paragraph(note, "note"), grid(charts), calibration_table(content.pairs)]


def _trials(content: Content) -> list[str]:
    scored = [one for one in content.found if one.score is not None]
    parameters = content.campaign.space.all_parameters
    parts: list[str] = []
    if scored:
        slices = [slice_figure(scored, name, parameter, content.units) for name, parameter in parameters.items()]
        note = (
            "Each candidate once, with its pooled values. Blue: feasible; orange rings: breaks a constraint. Below, a "
            "line is a candidate and its colour the score, "
            "the lowest tenth alike; drag along an axis to keep only some lines."
        )
        parts += [
            paragraph(note, "note"),
            grid([chart(one) for one in slices]),
            chart(parallel_figure(scored, parameters)),
        ]
    note = (
        "Each row is a trial, a single reading. Parameters are set points; metrics and score are given with one "
        "standard deviation where they are measured."
    )
    return [*parts, paragraph(note, "note"), trials_table(content.trials, content.units, _tops(content))]


def _tops(content: Content) -> dict[int, str]:
    """Return the number of each trial that stands out to why it does."""
    if content.front is not None:
        return dict.fromkeys(content.front.numbers, "on the front")
    return {} if content.best is None else dict.fromkeys(content.best.numbers, "best candidate")


def _trade_offs(content: Content) -> list[str]:
    found: list[Figure] = trade_off_figures(
        content.found, front(content.objective, content.trials).candidates, content.objective, content.units
    )
    if not found:
        return [
            paragraph("There is no trade-off to show: fewer than two metrics in the objective, or no trial.", "note")
        ]
    note = (
        "The metrics of the objective, pair by pair. Grey rings: the Pareto front of all terms, the feasible "
        "candidates that no other one beats in one term without losing in another. Blue: feasible; orange rings: "
        "breaks a constraint."
    )
    return [paragraph(note, "note"), grid([chart(one) for one in found])]


def _ranking(content: Content) -> list[str]:
    if not any(one.score is not None for one in content.found):
        return [paragraph("No trial has been completed yet.", "note")]
    note = (
        "Each candidate once: n readings are pooled, with the standard error of their mean. The score is the sum of "
        "the terms' contributions: weight over all weights, times points, one point per scale."
    )
    figure = chart(ranking_figure(content.found, content.objective, content.units))
    return [
        paragraph(note, "note"),
        figure,
        details("as a table", ranking_table(content.found, content.objective, content.units)),
    ]


def _timeline(content: Content) -> list[str]:
    stations = list(content.campaign.stations)
    if not any(t.steps for t in content.trials):
        return [paragraph("No step has been started yet.", "note")]
    note = (
        "One bar per attempt, with the trial's number where it fits. Hatched, with a cross: the attempt failed, or "
        "gave what its trial was condemned for. Pale: not over."
    )
    figure = chart(timeline_figure(content.trials, stations, content.now))
    return [paragraph(note, "note"), figure, stations_table(content.trials, stations, content.now)]


def _amendments(content: Content) -> list[str]:
    note = (
        "What was changed while the campaign lived. The file stays as it was; scores are by the latest weights, and "
        "each trial was proposed by what applied at that time."
    )
    return [paragraph(note, "note"), amendments_table(content.campaign, content.amendments)]


def _budget(content: Content) -> list[str]:
    return [budget_meters(content.campaign, content.used), steps_table(content.trials, content.campaign)]


def _reproducibility(content: Content) -> list[str]:
    record = content.record
    rows = [
        ("seed", str(record.seed)),
        ("fingerprint of all that determines the trials", record.fingerprint),
        ("campaign begun", utc(record.created)),
    ]
    tables = f'<div class="pair">{sessions_table(content.sessions)}{versions_table(content.sessions)}</div>'
    return [facts(rows), tables, details("the campaign file", preformatted(record.source))]


def _footer(content: Content) -> str:
    if not content.sessions:
        return "Athanor"
    last = content.sessions[-1]
    return f"Athanor {last.versions.get('athanor-sdl', '')}, from the store as of {utc(last.ended)}"
