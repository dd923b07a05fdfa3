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
from loop.report.html import captioned, chart, details, grid, paragraph
from loop.report.inspection_figures import contour_figure, cross_validation_figure, importance_figure, slice_figure
from loop.report.style import Figure

_IMPORTANCE = (
    "Which parameters matter: the share of an outcome's variance over the whole space that would be left if every "
    "other parameter were known (total Sobol index). Where parameters act together, the bars add up to more than one. "
    "The colour says which way the outcome goes on average; a choice, such as a material, has no direction."
)
_SURFACE = (
    "What the models expect along the most important parameters, with everything else as in {held}: the mean, and a "
    "band of one standard deviation, which is narrow near to what was measured. What a constraint forbids is left out."
)
_CROSS_VALIDATION = (
    "How far the models can be trusted: each candidate as it is predicted by models that have not seen it, with one "
    "standard deviation. Candidates are left out one by one, or in ten parts where there are more than ten. Points on "
    "the dashed line are predicted exactly; a column of points says that the models have learnt nothing. R² is 1 for "
    "exact predictions, and 0 for predictions no better than the mean."
)


def inspection_parts(campaign: Campaign, trials: Sequence[TrialRecord], said: ModelInspection) -> list[str]:
    """Return the pieces of the section."""
    if said.missing:
        return [paragraph(f"The models cannot be asked: {said.missing}.", "note")]
    shown = _Shown(campaign, trials, said)
    return [*shown.importances(), *shown.surfaces(), *shown.cross_validation(), *_left_out(said)]


@dataclass(frozen=True)
class _Shown:
    """What the models said, and what is needed to draw it."""

    campaign: Campaign
    trials: Sequence[TrialRecord]
    said: ModelInspection

    def importances(self) -> list[str]:
        """Return which parameters matter."""
        cards = self._of(InspectionKind.IMPORTANCE)
        charts = [captioned(card.outcome, _ranked(card), chart(importance_figure(card))) for card in cards]
        return [paragraph(_IMPORTANCE, "note"), grid(charts)] if charts else []

    def surfaces(self) -> list[str]:
        """Return slices and contours: of what the campaign looks for at once, of other metrics folded away."""
        names = dict.fromkeys(card.outcome for card in self._of(InspectionKind.SLICE, InspectionKind.CONTOUR))
        if not names:
            return []
        reference = self.said.reference
        held = "the middle of the space" if reference is None else f"the best candidate, that of trial {reference}"
        wanted = {SCORE} | {term.metric for term in self.campaign.objective.terms if SCORE not in names}
        open_ = [chart_ for name in names if name in wanted for chart_ in self._surfaces(name)]
        folded = [details(f"along the parameters: {n}", grid(self._surfaces(n))) for n in names if n not in wanted]
        return [paragraph(_SURFACE.format(held=held), "note"), grid(open_), *folded]

    def cross_validation(self) -> list[str]:
        """Return how well the models predict what they have not seen."""
        cards = self._of(InspectionKind.CROSS_VALIDATION)
        charts = [
            captioned(card.outcome, _fit(card), chart(cross_validation_figure(card, self._units))) for card in cards
        ]
        return [paragraph(_CROSS_VALIDATION, "note"), grid(charts)] if charts else []

    def _of(self, *kinds: InspectionKind) -> list[InspectionCard]:
        return [card for card in self.said.cards if card.kind in kinds]

    def _surfaces(self, outcome: str) -> list[str]:
        cards = [card for card in self._of(InspectionKind.SLICE, InspectionKind.CONTOUR) if card.outcome == outcome]
        return [
            captioned(outcome, f"along {' and '.join(card.parameters)}", chart(self._figure(card))) for card in cards
        ]

    def _figure(self, card: InspectionCard) -> Figure:
        draw = slice_figure if card.kind is InspectionKind.SLICE else contour_figure
        return draw(card, self._units, self._held, self._logs)

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


def _fit(card: InspectionCard) -> str:
    count = len(card.columns["trial"])
    return f"R² = {card.numbers['r2']:.2f} over {count} measurements"


def _left_out(said: ModelInspection) -> list[str]:
    if not said.left_out:
        return []
    items = "".join(f"<li>{escape(text)}</li>" for text in said.left_out)
    return [details("what is left out, and why", f"<ul>{items}</ul>")]
