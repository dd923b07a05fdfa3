"""The report's section on what the models say of the space: which parameters matter, and what happens along them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from html import escape

from campaigns.campaign import Campaign
from campaigns.spaces.parameters import FloatConfig
from campaigns.values import Scalar
from loop.core.inspection_cards import SCORE, InspectionCard, InspectionKind, ModelInspection
from loop.core.records import TrialRecord
from loop.report.html import captioned, chart, details, facts, finding, grid, paragraph
from loop.report.inspection_figures import (
    contour_figure,
    cross_validation_figure,
    importance_figure,
    levels_figure,
    slice_figure,
)
from loop.report.inspection_text import MEANINGS, importance_sentence, quality_sentence
from loop.report.style import Figure

_WAYS = {InspectionKind.LEVELS: "by", InspectionKind.SLICE: "along", InspectionKind.CONTOUR: "over"}
_IMPORTANCE = "The longer the bar, the more a parameter matters. Its colour says which way the outcome goes on average."
_SURFACE = (
    "What the models predict along the most important parameters, with everything else as in {held}: what matters here "
    "may differ from what matters over the whole space. Bands and bars are one standard deviation. Dotted line and "
    "ring: the best candidate. The number behind a level is how many measurements there are with it. Settings that the "
    "space's own constraints forbid are left blank."
)
_FEASIBLE = " Grey: outcome constraints ({bounds}) are more likely broken than kept, by the models."
_CROSS_VALIDATION = (
    "Each candidate as models predict it that have not seen it. Points on the dashed line are predicted exactly; a "
    "column of points shows a model that predicts the same for all."
)


def inspection_parts(campaign: Campaign, trials: Sequence[TrialRecord], said: ModelInspection) -> list[str]:
    """Return the pieces of the section."""
    if said.missing:
        return [paragraph(f"There are no models to inspect: {said.missing}.", "note")]
    shown = _Shown(campaign, trials, said)
    figures = [*shown.importances(), *shown.surfaces(), *shown.cross_validation()]
    meanings = details("what the numbers mean", facts(MEANINGS.items()))
    return [*shown.verdict(), *figures, *_left_out(said), meanings]


@dataclass(frozen=True)
class _Shown:
    """What the models said, and what is needed to draw it."""

    campaign: Campaign
    trials: Sequence[TrialRecord]
    said: ModelInspection

    def verdict(self) -> list[str]:
        """Return a paragraph for each outcome that the campaign looks for: what matters, and how good its model is."""
        kinds = {InspectionKind.IMPORTANCE: importance_sentence, InspectionKind.CROSS_VALIDATION: quality_sentence}
        said: dict[str, list[str]] = {name: [] for name in self._outcomes if name in self._wanted}
        for card in self._of(*kinds):
            if card.outcome in said:
                said[card.outcome].append(kinds[card.kind](card))
        return [finding(name, " ".join(texts)) for name, texts in said.items() if texts]

    def importances(self) -> list[str]:
        """Return which parameters matter."""
        cards = self._of(InspectionKind.IMPORTANCE)
        charts = [captioned(card.outcome, _ranked(card), chart(importance_figure(card))) for card in cards]
        return [paragraph(_IMPORTANCE, "note"), grid(charts)] if charts else []

    def surfaces(self) -> list[str]:
        """Return levels, slices and contours: of what the campaign looks for at once, of other metrics folded away."""
        names = dict.fromkeys(card.outcome for card in self._of(*_WAYS))
        if not names:
            return []
        reference = self.said.reference
        held = "the middle of the space" if reference is None else f"the best candidate, that of trial {reference}"
        open_ = [chart_ for name in names if name in self._wanted for chart_ in self._surfaces(name)]
        folded = [
            details(f"along the parameters: {n}", grid(self._surfaces(n))) for n in names if n not in self._wanted
        ]
        bounds = ", ".join(bound.text for bound in self.campaign.build_objective().bounds)
        note = _SURFACE.format(held=held) + (_FEASIBLE.format(bounds=bounds) if bounds else "")
        return [paragraph(note, "note"), grid(open_), *folded]

    def cross_validation(self) -> list[str]:
        """Return how well the models predict what they have not seen."""
        cards = self._of(InspectionKind.CROSS_VALIDATION)
        charts = [
            captioned(card.outcome, quality_sentence(card), chart(cross_validation_figure(card, self._units)))
            for card in cards
        ]
        return [paragraph(_CROSS_VALIDATION, "note"), grid(charts)] if charts else []

    def _of(self, *kinds: InspectionKind) -> list[InspectionCard]:
        return [card for card in self.said.cards if card.kind in kinds]

    def _surfaces(self, outcome: str) -> list[str]:
        cards = [card for card in self._of(*_WAYS) if card.outcome == outcome]
        return [
            captioned(outcome, f"{_WAYS[card.kind]} {' and '.join(card.parameters)}", chart(self._figure(card)))
            for card in cards
        ]

    def _figure(self, card: InspectionCard) -> Figure:
        match card.kind:
            case InspectionKind.LEVELS:
                return levels_figure(card, self._units, self._held)
            case InspectionKind.SLICE:
                return slice_figure(card, self._units, self._held, self._logs)
            case _:
                return contour_figure(card, self._units, self._held, self._logs)

    @property
    def _outcomes(self) -> list[str]:
        """What was asked of, in the order of the cards."""
        return list(dict.fromkeys(card.outcome for card in self.said.cards))

    @property
    def _wanted(self) -> set[str]:
        """What the campaign looks for: the score, or the metrics of the terms of a front."""
        return {SCORE} if SCORE in self._outcomes else {term.metric for term in self.campaign.objective.terms}

    @cached_property
    def _held(self) -> Mapping[str, Scalar]:
        """The settings of the best candidate."""
        found = (trial.candidate.parameters for trial in self.trials if trial.number == self.said.reference)
        return next(found, {})

    @cached_property
    def _units(self) -> dict[str, str]:
        """Parameter, metric and score to unit."""
        parameters = {name: parameter.unit for name, parameter in self.campaign.space.all_parameters.items()}
        return parameters | {name: metric.unit for name, metric in self.campaign.metrics.items()} | {SCORE: "points"}

    @cached_property
    def _logs(self) -> tuple[str, ...]:
        parameters = self.campaign.space.all_parameters.items()
        return tuple(name for name, p in parameters if isinstance(p, FloatConfig) and p.scale == "log")


def _ranked(card: InspectionCard) -> str:
    first, share = card.columns["parameter"][0], float(card.columns["importance"][0])
    return f"most of all by {first}: {share:.2f}" if share > 0 else "by no parameter, as far as the models can tell"


def _left_out(said: ModelInspection) -> list[str]:
    if not said.left_out:
        return []
    items = "".join(f"<li>{escape(text)}</li>" for text in said.left_out)
    return [details("what is left out, and why", f"<ul>{items}</ul>")]
