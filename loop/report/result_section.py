"""What was found: the best candidate or the front, its progress over the trials, ranking and trade-offs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from loop.core.formatting import number_text, one_line
from loop.core.pareto import Front, front
from loop.report.html import chart, details, grid, paragraph
from loop.report.html_tables import (
    candidate_table,
    front_table,
    ranking_table,
    readings_table,
    terms_table,
)
from loop.report.pareto_figures import front_figures, volume_figure
from loop.report.style import Figure
from loop.report.trial_figures import (
    ranking_figure,
    score_figure,
    trade_off_figures,
)

if TYPE_CHECKING:
    pass

from loop.report.report_content import Content

_NONE_FEASIBLE = "No candidate has been measured yet that keeps every constraint."
_POOLED = (
    "Several readings are pooled: their mean, with the larger of the standard error of their scatter and that of their "
    "own uncertainties. Suspected outliers are left out."
)


def best_parts(content: Content) -> list[str]:
    """Return the best candidate by the model and the best measured one, with its terms and readings."""
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


def front_parts(content: Content, front: Front) -> list[str]:
    """Return the best compromises: figures and a table."""
    if not front.candidates:
        return [paragraph(_NONE_FEASIBLE, "note")]
    where = ", ".join(number_text(x) for x in front.reference)
    note = (
        "The candidates that no other feasible one beats in one term without losing in another (ringed), among all "
        f"that were measured, with standard errors. They dominate {number_text(front.volume)} "
        f"points^{len(front.reference)} above the reference ({where} points). Blue: feasible; orange rings: breaks a "
        "constraint."
    )
    figures = front_figures(front, content.found, content.objective, content.units)
    return [
        paragraph(note, "note"),
        grid([chart(one) for one in figures]),
        front_table(front, content.objective, content.units),
    ]


def volume_parts(content: Content) -> list[str]:
    """Return how the dominated volume grew."""
    note = (
        "The volume that the front dominates above the reference, in the order of the trials' numbers. A candidate "
        "counts from its first reading on, with its pooled values."
    )
    figure = volume_figure(content.trials, content.objective, content.units)
    return [paragraph(note, "note"), chart(figure)]


def score_parts(content: Content) -> list[str]:
    """Return how the best score grew."""
    note = (
        "Single readings with one standard deviation. The line is the pooled score of the best feasible candidate so "
        "far, in the order of the trials' numbers; a candidate counts from its first reading on. Trials that gave no "
        "score are shown in the rows below."
    )
    return [paragraph(note, "note"), chart(score_figure(content.trials, content.found, content.units))]


def ranking_parts(content: Content) -> list[str]:
    """Return the candidates by their pooled score."""
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


def trade_off_parts(content: Content) -> list[str]:
    """Return the metrics of the objective, pair by pair."""
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
