"""What the fitted models say of the space: sensitivity, slices, contours and cross-validation, computed by Ax."""

from __future__ import annotations

import logging
import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import torch
from ax.analysis.plotly.cross_validation import CrossValidationPlot
from ax.analysis.plotly.surface.contour import ContourPlot
from ax.analysis.plotly.surface.slice import SlicePlot
from ax.analysis.plotly.utils import Z_SCORE_95_CI
from ax.core.arm import Arm
from ax.core.data import Data, DataRow
from ax.core.experiment import Experiment
from ax.core.metric import Metric
from ax.core.observation import ObservationFeatures
from ax.core.parameter import ChoiceParameter, FixedParameter, Parameter
from ax.exceptions.core import AxError
from ax.utils.common.logger import set_ax_logger_levels
from ax.utils.sensitivity.sobol_measures import ax_parameter_sens
from ax.utils.stats.model_fit_stats import coefficient_of_determination
from pandas import DataFrame
from torch import Tensor

from campaigns.campaign import Campaign
from campaigns.spaces.parameters import CategoricalConfig, IntegerConfig
from campaigns.values import Scalar
from loop.core.candidate_results import results
from loop.core.inspection_cards import SCORE, Column, InspectionCard, InspectionKind, ModelInspection
from loop.core.pareto import front_of, wants_front
from loop.core.records import FEWEST, TrialRecord
from loop.core.trial_selection import trusted
from loop.planning.ax_adapter import CampaignAdapter, CampaignModels, Layout, Moments, OutcomeModel, completed_mixtures
from loop.planning.experiment import CampaignExperiment
from loop.planning.model_fitter import ModelFitter
from loop.planning.posterior import CampaignPosterior
from loop.planning.search_space import MATERIAL, parameters_of

Progress = Callable[[str, int, int], None]
"""Called with what is being done, how much of it is done, and how much there is."""

_POINTS = 4096  # not tuned: random points, and as many again for each parameter and two; indices to about .02
_SAMPLES = 64  # not tuned: quasi-random, of each metric at each point; little beside what a posterior is unsure of
_FEASIBLE_SAMPLES = 256  # not tuned: a probability is exact to 0.03 where it is one half
_SEED = 0  # not tuned: any fixed number, so that the same store gives the same report
_SLICED = 6  # parameters that are sliced, the most important first; not tuned: what a page shows at a glance
_PARTS = 10  # in which candidates are left out; not tuned: the usual ten-fold cross-validation, half a second each


def inspect_models(fitter: ModelFitter, trials: Sequence[TrialRecord], progress: Progress) -> ModelInspection:
    """Return what the fitted models say, as Ax computes it.

    Args:
        fitter: of the models, fitted to the trials.
        trials: all of the store, in the order of their numbers.
        progress: told of each computation.
    """
    if fitter.scored < FEWEST:
        return ModelInspection(missing=f"there is no model before {FEWEST} trials are completed; {fitter.scored} are")
    set_ax_logger_levels(logging.CRITICAL)  # what fails is told by the cards
    with torch.random.fork_rng():
        torch.manual_seed(_SEED)
        return _Inspector(fitter, trials, progress).inspection()


@dataclass(frozen=True)
class _Inspector:
    """Asks the models of a campaign, one computation of Ax after the other."""

    fitter: ModelFitter
    trials: Sequence[TrialRecord]
    progress: Progress
    left_out: list[str] = field(default_factory=list)
    _parts: dict[int, CampaignPosterior] = field(default_factory=dict)

    def inspection(self) -> ModelInspection:
        """Return the cards, and what is left out."""
        self.left_out.extend(_caveats(self.campaign))
        importances = list(self._importances())
        cards = (*importances, *self._surfaces(importances), *self._cross_validation())
        return ModelInspection(cards, None if self.reference is None else self.reference.number, tuple(self.left_out))

    @property
    def campaign(self) -> Campaign:
        """The current campaign version."""
        return self.posterior.problem.campaign

    @cached_property
    def posterior(self) -> CampaignPosterior:
        """The posterior after all trials."""
        return self.fitter.posterior()

    @cached_property
    def outcomes(self) -> dict[str, Moments]:
        """What is asked of: the score, or what the terms of a front are derived from, and each metric with a model."""
        metrics = {name: _metric(name) for name in self.posterior.models}
        if not wants_front(self.campaign):
            return {SCORE: _score, **metrics}
        objective = self.posterior.problem.objective
        derived = dict.fromkeys(term.metric for term in objective.terms if term.metric in objective.derived)
        return {name: _sampled(name) for name in derived} | metrics

    @cached_property
    def materials(self) -> dict[str, int]:
        """Material to its row in the pool."""
        table = self.posterior.problem.encoder.materials
        return {} if table is None else {name: row for row, name in enumerate(table.ids)}

    @cached_property
    def reference(self) -> TrialRecord | None:
        """A trial of the best candidate in the space: by the models, else as measured; of a front, of its middle."""
        front, top = front_of(self.campaign, self.trials), self.fitter.posterior_best()
        measured = [one for one in results(self.posterior.problem.objective, self.trials) if one.score is not None]
        ranked = sorted(measured, key=lambda one: (one.eligible, one.score), reverse=True)
        trials = [one.readings[0] for one in ranked]
        if front is not None and front.candidates:
            trials.insert(0, front.candidates[len(front.candidates) // 2].readings[0])
        elif top is not None:
            trials.insert(0, self.trials[top.trial])
        return next((trial for trial in trials if self.campaign.space.contains(trial.candidate)), None)

    @cached_property
    def settings(self) -> dict[str, Any]:
        """The settings that slices and contours hold, as Ax has them."""
        if self.reference is None:
            return {name: _middle(parameter) for name, parameter in self.space.search_space.parameters.items()}
        return dict(parameters_of(self.campaign.space, self.reference.candidate, self.materials))

    @cached_property
    def space(self) -> Experiment:
        """The experiment without trials: slices and contours are asked of the space, not of each trial's settings."""
        found = self._experiment().ax
        if self.reference is not None:
            found.status_quo = Arm(dict(self.settings))
        return found

    @cached_property
    def adapter(self) -> CampaignAdapter:
        """The adapter to the models, with what was measured in full and is no suspected outlier."""
        held = self._experiment(self.trials)
        data = Data(data_rows=[row for trial in trusted(self.trials) for row in self._data(held, trial)])
        models = CampaignModels(list(self.outcomes), self._model, self.campaign.space, self.settings)
        return CampaignAdapter(held.ax, data, models)

    def _experiment(self, trials: Sequence[TrialRecord] = ()) -> CampaignExperiment:
        held = CampaignExperiment(self.campaign, list(self.materials))
        held.restore(trials)
        for name in self.outcomes:
            if name not in held.ax.metrics:
                held.ax.add_metric(Metric(name))
        return held

    def _data(self, held: CampaignExperiment, trial: TrialRecord) -> Iterator[DataRow]:
        observed, arm = held.observed(trial), held.ax.trials[trial.number].arms[0].name
        if all(name in observed for name in self.outcomes):
            yield from (DataRow(trial.number, arm, name, name, *observed[name]) for name in self.outcomes)

    def _model(self, columns: Sequence[str], left_out: frozenset[int]) -> OutcomeModel:
        """Return the model of what Ax varies, fitted without some trials and those that are left out with them."""
        problem = self.posterior.problem
        layout = Layout(problem.encoder, self.campaign.space, columns, self.settings)
        return OutcomeModel(self._fitted_without(left_out), layout, self.outcomes)

    def _fitted_without(self, left_out: frozenset[int]) -> CampaignPosterior:
        """Return the posterior without a candidate's trials: up to ten candidates one by one, more in ten parts."""
        if not left_out:
            return self.posterior
        keys = list(dict.fromkeys(trial.candidate.key() for trial in self.fitter.trials))
        count = min(len(keys), _PARTS)
        part = keys.index(self.trials[min(left_out)].candidate.key()) % count
        if part not in self._parts:
            self.progress("cross-validating the models", len(self._parts), count)
            self._parts[part] = self.fitter.without(keys[part::count])
        return self._parts[part]

    def _importances(self) -> Iterator[InspectionCard]:
        """Yield the total Sobol index of each parameter for each outcome, signed by the average slope."""
        for done, outcome in enumerate(self.outcomes):
            self.progress("sensitivity of the metrics", done, len(self.outcomes))
            if len(self.adapter.parameters) < 2:
                continue  # it is all there is
            # Not by its quasi-random points: both samples then share the first digits of each point, and indices grow.
            found = ax_parameter_sens(self.adapter, [outcome], order="total", num_mc_samples=_POINTS)[outcome]
            ranked = sorted(found, key=lambda name: (-abs(float(found[name])), name))
            named = [name for name in ranked if name == MATERIAL or self._unordered(name)]
            columns = {
                "parameter": tuple(ranked),
                "importance": _rounded(abs(float(found[name])) for name in ranked),
                "slope": tuple(0.0 if name in named else math.copysign(1.0, found[name]) for name in ranked),
            }
            yield InspectionCard(InspectionKind.IMPORTANCE, outcome, tuple(ranked), columns, {})

    def _unordered(self, name: str) -> bool:
        return isinstance(self.campaign.space.all_parameters.get(name), CategoricalConfig)

    def _surfaces(self, importances: Sequence[InspectionCard]) -> Iterator[InspectionCard]:
        """Yield what is predicted along the most important parameters, and over the first two numbers of them."""
        ranked = {card.outcome: card.parameters for card in importances}
        for outcome in self.outcomes:
            names = [name for name in ranked.get(outcome, tuple(self.adapter.parameters)) if name != MATERIAL]
            for name in names[:_SLICED]:
                kind = InspectionKind.LEVELS if self._unordered(name) else InspectionKind.SLICE
                yield from self._surface(kind, outcome, (name,))
            numbers = [name for name in names if not self._unordered(name)]
            if len(numbers) > 1:
                yield from self._surface(InspectionKind.CONTOUR, outcome, (numbers[0], numbers[1]))

    def _surface(self, kind: InspectionKind, outcome: str, names: tuple[str, ...]) -> Iterator[InspectionCard]:
        try:
            found = self._predicted(kind, outcome, names)
        except AxError as error:
            self.left_out.append(f"{kind} of {outcome} along {' and '.join(names)}: {error}")
            return
        space = self.campaign.space
        points = [dict(zip(names, row, strict=True)) for row in found[list(names)].astype(object).to_numpy().tolist()]
        settings = [completed_mixtures(space, self.settings | point, self.settings) for point in points]
        allowed = [bool(one) for one in space.keeping(settings)]
        if not all(len({p[name] for p, keeps in zip(points, allowed, strict=True) if keeps}) > 1 for name in names):
            text = f"{kind} of {outcome} along {' and '.join(names)}"
            self.left_out.append(f"{text}: with the rest as it is, what the space allows leaves no choice")
            return
        columns: dict[str, Column] = {name: tuple(point[name] for point in points) for name in names}
        columns |= {"mean": _rounded(found[f"{outcome}_mean"]), "sd": _rounded(found[f"{outcome}_sem"])}
        columns["allowed"] = tuple(allowed)
        if self.posterior.problem.objective.bounds:
            columns["feasible"] = self._feasible(settings)
        if kind is InspectionKind.LEVELS:
            columns["measured"] = self._measured(names[0], columns[names[0]])
        yield InspectionCard(kind, outcome, names, columns, {})

    def _feasible(self, settings: Sequence[Mapping[str, Scalar]]) -> Column:
        """Return the predicted probability at settings that all outcome constraints hold."""
        posterior, present = self.posterior, [self.campaign.space.present(one) for one in settings]
        rows = posterior.problem.encoder.encode_product(present, [int(self.settings.get(MATERIAL, 0))])
        with torch.no_grad():
            values = posterior.marginal(rows, _FEASIBLE_SAMPLES, _SEED)
            return _rounded(posterior.problem.feasible(values).double().mean(dim=0).tolist())

    def _predicted(self, kind: InspectionKind, outcome: str, names: tuple[str, ...]) -> DataFrame:
        """Return what Ax predicts along parameters, with the others as in the best candidate."""
        if kind is InspectionKind.LEVELS:
            return self._with_each_level(outcome, names[0])
        plot = ContourPlot(*names, outcome) if kind is InspectionKind.CONTOUR else SlicePlot(*names, outcome)
        found = plot.compute(experiment=self.space, adapter=self.adapter).df
        whole = [name for name in names if isinstance(self.campaign.space.all_parameters[name], IntegerConfig)]
        # Ax predicts between whole numbers, too.
        return found.astype(dict.fromkeys(whole, int)).drop_duplicates(list(names))

    def _with_each_level(self, outcome: str, name: str) -> DataFrame:
        """Return what is predicted with each level of a categorical parameter.

        Ax has no plot of it: its slices want an order, and its marginal effects are of the measured arms.
        """
        levels = list(self.space.search_space.parameters[name].values)
        points = [ObservationFeatures(dict(self.settings) | {name: level}) for level in levels]
        means, covariances = self.adapter.predict(points)
        sds = [math.sqrt(variance) for variance in covariances[outcome][outcome]]
        return DataFrame({name: levels, f"{outcome}_mean": means[outcome], f"{outcome}_sem": sds})

    def _measured(self, name: str, levels: Column) -> Column:
        """Return how many of the trials that the models know have each level of a parameter."""
        counts = Counter(trial.candidate.parameters.get(name) for trial in trusted(self.trials))
        return tuple(counts[level] for level in levels)

    def _cross_validation(self) -> Iterator[InspectionCard]:
        """Yield what the models predict of each candidate when they have not seen it."""
        plot = CrossValidationPlot(list(self.outcomes), untransform=True)
        try:
            found = plot.compute(experiment=self.adapter._experiment, adapter=self.adapter)
        except AxError as error:
            self.left_out.append(f"cross-validation: {error}")
            return
        for outcome, card in zip(self.outcomes, found.children, strict=False):  # a summary follows
            rows = card.df.assign(trial=[int(name.split("_")[0]) for name in card.df["arm_name"]])
            rows = rows.sort_values(["trial", "observed"])
            observed, predicted = rows["observed"].to_numpy(), rows["predicted"].to_numpy()
            columns = {
                "trial": tuple(rows["trial"].tolist()),
                "measured": _rounded(observed),
                "measured sd": _rounded(rows["observed_95_ci"].fillna(0.0) / Z_SCORE_95_CI),
                "predicted": _rounded(predicted),
                "predicted sd": _rounded(rows["predicted_95_ci"] / Z_SCORE_95_CI),
            }
            fit = float(coefficient_of_determination(observed, predicted))
            yield InspectionCard(InspectionKind.CROSS_VALIDATION, outcome, (), columns, {"r2": fit})


def _caveats(campaign: Campaign) -> Iterator[str]:
    """Yield what is computed without, or not at all."""
    space = campaign.space
    if space.parsed_constraints:
        yield "constraints between parameters: importance is that over the whole box, forbidden settings included"
    if campaign.objective.constraints:
        yield "outcome constraints: importance is that over the whole space, settings that break them included"
    if space.mixtures:
        yield "totals of mixtures: along a slice, the other shares keep their proportions"
    if space.rows is not None:
        yield f"rows {space.rows.file}: importance is that over the whole box, not over these rows"
    if space.pool is not None:
        yield "slices along the material: it has no order, and its features are too many to be shown one by one"
    if campaign.surrogate.retrain is not None:
        yield "tunings of the prior while the campaign ran: the models have the prior of the campaign file"


def _rounded(values: Iterable[float]) -> tuple[float, ...]:
    """Return numbers with six digits, which are the same on every machine."""
    return tuple(float(f"{value:.6g}") for value in values)


def _middle(parameter: Parameter) -> Any:
    match parameter:
        case FixedParameter():
            return parameter.value
        case ChoiceParameter():
            return parameter.values[len(parameter.values) // 2]
        case _:
            return (parameter.lower + parameter.upper) / 2


def _score(posterior: CampaignPosterior, rows: Tensor) -> tuple[Tensor, Tensor]:
    """Return mean and variance, n and n, of the score."""
    score = posterior.problem.score(posterior.marginal(rows, _SAMPLES, _SEED))
    return score.mean(dim=0), score.var(dim=0)


def _sampled(name: str) -> Moments:
    """Return the moments of a metric by its samples."""

    def moments(posterior: CampaignPosterior, rows: Tensor) -> tuple[Tensor, Tensor]:
        values = posterior.marginal(rows, _SAMPLES, _SEED)[name]
        return values.mean(dim=0), values.var(dim=0)

    return moments


def _metric(name: str) -> Moments:
    """Return the moments of a measured metric: its model's, or by samples where that is of something else."""
    sampled = _sampled(name)

    def moments(posterior: CampaignPosterior, rows: Tensor) -> tuple[Tensor, Tensor]:
        metric = posterior.problem.campaign.measured[name]
        if metric.floor is not None or metric.within is not None or metric.proportional_to is not None:
            return sampled(posterior, rows)
        mean, sd = posterior.models[name].marginals(rows)
        return mean, sd.square()

    return moments
