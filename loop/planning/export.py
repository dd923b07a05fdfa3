"""Hands a campaign over to Ax: the experiment that its runs hold, as a file, with what this leaves out in words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from campaigns.campaign import Campaign
from campaigns.errors import CampaignError
from campaigns.spaces.ax_space import inexpressible, inexpressible_bounds
from campaigns.spaces.parameters import CategoricalConfig
from campaigns.values import TrialState
from loop.core.formatting import trials_text
from loop.core.records import TrialRecord
from loop.planning.experiment import CampaignExperiment, held_metrics
from surrogates.pools.pool import load_pool


def write_experiment(campaign: Campaign, trials: Sequence[TrialRecord], path: Path) -> list[str]:
    """Write the experiment of a campaign, for ``Client.load_from_json_file``; return what is left out.

    Args:
        campaign: its current version.
        trials: of the store, by their numbers.
        path: of the file.

    Raises:
        OSError: the file cannot be written.
    """
    materials, troubles = _materials(campaign, trials)
    experiment = CampaignExperiment(campaign, materials)
    experiment.restore(trials)
    experiment.save(path)
    return [*troubles, *left_out(campaign, trials)]


def left_out(campaign: Campaign, trials: Sequence[TrialRecord]) -> Iterator[str]:
    """Yield what an experiment of Ax does not hold of a campaign, or holds in another way."""
    yield from _unheld(campaign)
    for trial in trials:
        if trial.outlier:
            yield f"measurement of trial {trial.number}: a suspected outlier, a failed trial for Ax"
        elif trial.state.ended and trial.state is not TrialState.COMPLETED:
            yield f"measurement of trial {trial.number}: {trial.state}, a failed trial for Ax"
        elif trial.in_part:
            yield f"score of trial {trial.number}: measured in part, a trial that was stopped early for Ax"
    if outside := [trial.number for trial in trials if not campaign.space.contains(trial.candidate)]:
        yield f"{trials_text(outside)}: outside of the current space, out of design for Ax"


def _materials(campaign: Campaign, trials: Sequence[TrialRecord]) -> tuple[Sequence[str], list[str]]:
    """Return the materials of the pool, row by row; those that were tried where it cannot be read, and why."""
    if campaign.space.pool is None:
        return (), []
    try:
        return load_pool(campaign.space.pool).ids, []
    except CampaignError as error:
        tried = dict.fromkeys(t.candidate.material for t in trials if t.candidate.material is not None)
        return list(tried), [f"materials that were not tried: the pool cannot be read ({error})"]


def _unheld(campaign: Campaign) -> Iterator[str]:
    """Yield what the campaign file says and Ax does not hold."""
    space = campaign.space
    yield from (text for _, text in inexpressible(space))
    yield from (text for _, text in inexpressible_bounds(bound.metric for bound in campaign.build_objective().bounds))
    for name, parameter in space.parameters.items():
        if parameter.when:
            yield f"condition of {name}: where it does not apply, it has its lowest value {parameter.at(0.0)}"
        if isinstance(parameter, CategoricalConfig) and parameter.descriptors:
            yield f"descriptors of {name}"
    if space.pool is not None:
        yield "structures of the pool: Ax knows the number of each row, and its id as a property of the experiment"
    for name in campaign.fidelities:
        yield f"fidelity {name}: for Ax, its trials were stopped early, and what they measured has a name of its own"
    held = held_metrics(campaign)
    for name in campaign.metrics:
        if name not in held:
            yield f"metric {name}: computed or derived, not measured; Ax holds the score alone"
    yield from (f"warm start from {source.name}" for source in campaign.warm_start)
    yield "stations, workflow, budget and stopping rules: Ax has none"
