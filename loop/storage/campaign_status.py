"""How a campaign stands by its store, for those who look: without torch, and without a unit where none is needed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from campaigns.objective import Objective
from campaigns.parsing.yaml_lines import read_document
from loop.core.candidate_results import CandidateResult, by_trial, replicated, results
from loop.core.formatting import candidate_text, posterior_text
from loop.core.journal import weights_version
from loop.core.pareto import Front, front_of
from loop.core.records import FEWEST, TrialRecord
from loop.core.trial_selection import fully_measured

if TYPE_CHECKING:
    from loop.storage.reader import Reader


EARLIER_WEIGHTS = "by the earlier weights"


def stored_results(reader: Reader, trials: Sequence[TrialRecord]) -> list[CandidateResult]:
    """Return the candidates of a store's trials.

    The campaign, which takes units to be loaded, is loaded only where a score has to be worked out.
    """
    return results(reader.shown_campaign().build_objective() if replicated(trials) else None, trials)


def stored_front(reader: Reader, trials: Sequence[TrialRecord]) -> Front | None:
    """Return the front of a store's trials; None where the campaign does not look for one, and is not loaded."""
    objective = read_document(reader.campaign().source).data["objective"]
    if dict(objective.get("find") or {}).get("kind") != "pareto":
        return None
    return front_of(reader.shown_campaign(), trials)


def stored_objective(reader: Reader) -> Objective | None:
    """Return the objective of a store's campaign, with the latest weights.

    None is returned of a single term without constraints: nothing more can be said of it than the score, and no
    campaign is loaded.
    """
    objective = read_document(reader.campaign().source).data["objective"]
    if len(objective["terms"]) == 1 and not objective.get("constraints"):
        return None
    return reader.scored_campaign().build_objective()


def model_text(reader: Reader, found: Sequence[CandidateResult], units: Mapping[str, str]) -> str:
    """Return the best measured candidate by the models' posterior, or why there is none.

    Args:
        reader: of the store.
        found: the candidates that were measured.
        units: parameter to unit.
    """
    kept = reader.posterior_best()
    if kept is None:
        metrics = dict(read_document(reader.campaign().source).data["metrics"])
        measured = [name for name, metric in metrics.items() if dict(metric)["kind"] == "measured"]
        few = len(fully_measured((t for one in found for t in one.trials), measured)) < FEWEST
        return f"there is no model before {FEWEST} trials are completed" if few else "not known before the next run"
    top, version = kept
    if top is None:
        return "no measured candidate is likely feasible"
    one = by_trial(found).get(top.trial)
    name = "" if one is None else f": {candidate_text(one.candidate, units)}"
    old = f", {EARLIER_WEIGHTS} until the next run" if version != weights_version(reader.amendments()) else ""
    return f"{posterior_text(top)}, after {top.after} measurements{old}{name}"
