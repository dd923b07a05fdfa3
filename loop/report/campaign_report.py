"""The report: one HTML file that shows a campaign from its store and needs no network."""

from __future__ import annotations

from dataclasses import replace
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from loop.core.campaign_version import first_trial
from loop.core.formatting import duration, interval_texts, number_text, one_line, score_text
from loop.core.inspection_cards import ModelInspection
from loop.core.stopping import stop_reason
from loop.report.html import Page, details, facts, paragraph, preformatted, tiles, write_page
from loop.report.html_tables import (
    amendments_table,
    budget_meters,
    sessions_table,
    steps_table,
    utc,
    versions_table,
)
from loop.report.inspection_section import inspection_parts
from loop.report.model_section import surrogate_parts
from loop.report.pool_section import PoolContent, pool_parts, structure_parts
from loop.report.report_content import NOT_ASKED, Content, read_content
from loop.report.result_section import (
    best_parts,
    front_parts,
    ranking_parts,
    score_parts,
    trade_off_parts,
    volume_parts,
)
from loop.report.sample_section import sample_parts
from loop.report.standard_section import standard_parts
from loop.report.stock_section import stock_parts
from loop.report.trial_section import all_trial_parts, prediction_parts, timeline_parts
from loop.storage.campaign_status import EARLIER_WEIGHTS

if TYPE_CHECKING:
    from loop.storage.reader import Reader

_DAY = 86400.0  # seconds


def write_report(reader: Reader, path: Path, inspection: ModelInspection = NOT_ASKED) -> Path:
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


def _sections(content: Content) -> list[tuple[str, str, list[str]]]:
    on_it = content.front.numbers if content.front else frozenset[int]()
    shown = PoolContent(content.pool, content.pictures, content.trials, content.found, content.units, on_it)
    pooled = content.campaign.space.pool is not None
    front = content.front
    if front is None:
        found = ("best", "Best candidate", best_parts(content))
        progress = ("score", "Score over trials", score_parts(content))
    else:
        found = ("front", "The front", front_parts(content, front))
        progress = ("volume", "Volume over trials", volume_parts(content))
    return [
        found,
        *([("structures", "Best structures", structure_parts(shown))] if pooled else []),
        progress,
        *([("pool", "Pool", pool_parts(shown))] if pooled else []),
        ("predictions", "Predicted against measured", prediction_parts(content)),
        ("models", "What the models say", inspection_parts(content.campaign, content.trials, content.inspection)),
        ("surrogates", "Surrogates", surrogate_parts(content.campaign, content.trials)),
        ("trials", "Parameters and metrics of all trials", all_trial_parts(content)),
        *([] if front else [("trade-offs", "Trade-offs", trade_off_parts(content))]),
        *([] if front else [("ranking", "Ranking", ranking_parts(content))]),
        ("timeline", "Stations over lab time", timeline_parts(content)),
        *([("standards", "Calibration standards", standard_parts(content))] if content.standards else []),
        *([("samples", "Samples", sample_parts(content))] if content.samples else []),
        *([("stock", "Stock", stock_parts(content))] if content.stocks else []),
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
        old = f", {EARLIER_WEIGHTS}" if content.earlier_weights else ""
        score, low, high = interval_texts(content.posterior) if content.posterior else ("–", "", "")
        return [
            (f"best score by the model{old} [points]", score + (f" ({low} to {high})" if low else "")),
            ("best measured score [points]", "–" if found is None else score_text(found)),
        ]
    volume = number_text(front.volume) if front.candidates else "–"
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
    first = first_trial(content.amendments, len(content.trials))
    if stop_reason(content.campaign, content.trials, content.used, first) is None or under_way:
        return f"Not finished: the last session ended: {outcome}; trials under way: {under_way}."
    return f"Finished: {outcome}."


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
