"""A campaign as an experiment of Ax: what was searched, what was tried, and what came out. The one file that knows Ax.

Ax's Client holds it from then on, with its analyses (sensitivities, contours, cross-validation) and suggestions.
The planner keeps its trials itself: any part of Ax takes seconds and 250 MB to import, and the client a minute to take
up 2,000 trials.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TypeAlias

from ax.api.client import Client
from ax.api.configs import ChoiceParameterConfig, RangeParameterConfig
from ax.utils.common.logger import set_ax_logger_levels

from campaigns.campaign import Campaign
from campaigns.constraints import LinearConstraint
from campaigns.objective import Bound, FindParetoConfig, Objective
from campaigns.parameters import CategoricalConfig, FloatConfig, IntegerConfig, OrdinalConfig, ParameterConfig
from campaigns.space import SpaceConfig
from campaigns.values import Candidate, Scalar, TrialState
from loop.edition import as_shown, stored_campaign
from loop.reader import Reader
from loop.records import TrialRecord, trusted

MATERIAL = "material"
SCORE = "score"

_Parameter: TypeAlias = RangeParameterConfig | ChoiceParameterConfig


def write_experiment(reader: Reader, path: Path) -> Path:
    """Write the campaign of a store, as it is now, for ``Client.load_from_json_file``, and return the path.

    Raises:
        StoreError: the store holds no campaign, or one of a version with another format.
        OSError: the file cannot be written.
    """
    client = experiment(as_shown(stored_campaign(reader), reader.amendments()), reader.trials())
    client.save_to_json_file(str(path))
    return path


def experiment(campaign: Campaign, trials: Sequence[TrialRecord]) -> Client:
    """Return a client that knows a campaign and all of its trials by their numbers.

    Every parameter has a value there, and one that does not apply its lowest. A material is one of those that were
    tried. What Ax cannot hold is left out: constraints that are not linear, or are equalities; trials at a lower
    fidelity, not believed, in quarantine or uncertain are abandoned.

    Args:
        campaign: as its trials are scored, with room for all of them.
        trials: in the order of their numbers.
    """
    set_ax_logger_levels(logging.WARNING)
    client, objective = Client(random_seed=campaign.seed), campaign.build_objective()
    client.configure_experiment(
        parameters=[*_parameters(campaign.space), *_materials(trials)],
        parameter_constraints=[_inequality(c) for c in campaign.space.linear_constraints if not c.equal],
        name=campaign.name,
        description=campaign.description,
    )
    bounds = [b for b in objective.bounds if b.metric in campaign.measured]
    client.configure_optimization(", ".join(_axes(objective)), [_outcome(b) for b in bounds])
    constrained = {b.metric for b in bounds}
    client.configure_tracking_metrics([n for n in campaign.measured if n not in constrained])
    client.configure_generation_strategy(initialization_budget=0)
    for trial in trials:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", ".* out-of-design")  # imported trials may lie outside of the space
            client.attach_trial(_values(campaign.space, trial.candidate))
        _settle(client, campaign, trial)
    return client


def _settle(client: Client, campaign: Campaign, trial: TrialRecord) -> None:
    """Tell how a trial ended, if it has."""
    match trial.state:
        case _ if trusted([trial]) and trial.metrics.keys() >= campaign.measured.keys():
            client.complete_trial(trial.number, raw_data=_data(campaign, trial))
        case TrialState.FAILED:
            client.mark_trial_failed(trial.number, failed_reason=trial.reason)
        case _ if trial.state.ended:
            client.mark_trial_abandoned(trial.number)
        case _:
            pass  # for Ax, it runs


def _data(campaign: Campaign, trial: TrialRecord) -> dict[str, float | tuple[float, float]]:
    """Return what was measured with its uncertainties, and what it is worth."""
    objective = campaign.build_objective()
    measured: dict[str, float | tuple[float, float]] = {
        name: (trial.metrics[name].value, trial.metrics[name].sd) for name in campaign.measured
    }
    if not isinstance(objective.find, FindParetoConfig):
        return measured | {SCORE: (trial.score or 0.0, trial.score_sd or 0.0)}
    points = objective.points({name: metric.value for name, metric in trial.metrics.items()})
    return measured | dict(zip(_axes(objective), map(float, points), strict=True))


def _axes(objective: Objective) -> list[str]:
    """Return the names of what is maximised: the score, or the points of each term of a front."""
    if not isinstance(objective.find, FindParetoConfig):
        return [SCORE]
    return [f"points_of_{term.metric}_{place}" for place, term in enumerate(objective.terms)]


def _outcome(bound: Bound) -> str:
    return f"{bound.metric} {'>=' if bound.at_least else '<='} {bound.limit!r}"


def _inequality(constraint: LinearConstraint) -> str:
    terms = " + ".join(f"{coefficient!r} * {name}" for name, coefficient in constraint.coefficients.items())
    return f"{terms} <= {constraint.bound!r}"


def _values(space: SpaceConfig, candidate: Candidate) -> dict[str, Scalar]:
    rest = {} if candidate.material is None else {MATERIAL: candidate.material}
    return {name: p.at(0.0) for name, p in space.parameters.items() if p.when} | dict(candidate.parameters) | rest


def _parameters(space: SpaceConfig) -> list[_Parameter]:
    return [_parameter(name, parameter) for name, parameter in space.all_parameters.items()]


def _materials(trials: Sequence[TrialRecord]) -> list[_Parameter]:
    """Return the choice among the materials that were tried; Ax refuses a choice of one."""
    names = list(dict.fromkeys(t.candidate.material for t in trials if t.candidate.material is not None))
    if not names:
        return []
    spare = [f"not {names[0]}"] * (len(names) == 1)
    return [ChoiceParameterConfig(MATERIAL, [*names, *spare], parameter_type="str", is_ordered=False)]


def _parameter(name: str, parameter: ParameterConfig) -> _Parameter:
    match parameter:
        case FloatConfig(low=low, high=high, scale=scale):
            return RangeParameterConfig(name=name, bounds=(low, high), parameter_type="float", scaling=scale)
        case IntegerConfig(low=low, high=high):
            return RangeParameterConfig(name=name, bounds=(int(low), int(high)), parameter_type="int")
        case OrdinalConfig(levels=levels):
            return ChoiceParameterConfig(name=name, values=list(levels), parameter_type="float", is_ordered=True)
        case CategoricalConfig(levels=levels):
            return ChoiceParameterConfig(name=name, values=list(levels), parameter_type="str", is_ordered=False)
