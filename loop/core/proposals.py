"""Why a candidate was proposed, by whom, and what was expected of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from campaigns.fidelity import FULL
from campaigns.values import Candidate, MetricValue

SPACE_FILLING, SOURCES = "space-filling", "sources"
"""The generators of the initial design: candidates that fill the space, and those that are good by sources."""
MODEL, AGAIN = "model", "re-measure"
"""The generators of proposals that a model chose: new candidates, and ones that were measured before."""
OPERATOR = "operator"
"""Generator of the proposals that somebody asked for."""
IMPORTED = "imported"
"""Generator of what was measured elsewhere, and was made a trial of the campaign."""
STRATEGY = "strategy"
"""Generator of the proposals of a generation strategy that the campaign names; their node says more."""


@dataclass(frozen=True, slots=True)
class Alternative:
    """A candidate that was considered and not chosen."""

    candidate: Candidate
    acquisition: float


@dataclass(frozen=True, slots=True)
class Proposal:
    """Why a candidate was chosen.

    Attributes:
        generator: ``space-filling``, ``sources`` (advised by earlier campaigns, before any measurement), ``model``,
            ``re-measure`` for a candidate that was measured before, ``strategy`` for the node of a strategy that the
            campaign names, ``operator`` for one that somebody asked for, or ``imported`` for what was measured
            elsewhere.
        acquisition: value of the acquisition function, log expected improvement; None unless a model chose.
        predictions: measured and derived metric to its prediction, made before the measurement.
        score: predicted score with its standard deviation; None unless a model chose.
        feasibility: predicted probability that all outcome constraints hold; None unless a model chose.
        learnt_from: numbers of the trials whose measurements the models had seen.
        pending: numbers of the trials that were under way.
        models: metric to the hyper-parameters and version of its model.
        alternatives: the best candidates that were not chosen, best first.
        fidelity: what is to be measured: the metrics, or cheaper versions of them.
        cost: what the trial was expected to cost, in USD; None in stores of earlier versions.
        duration: how long its steps were expected to take, in s; None where nothing was said of that.
        success: predicted probability that it can be made and measured; None when space-filling.
        reason: why a candidate is measured once more or was asked for, which numerics failed on the way to it, or from
            which row of which table it was imported, by whom and why; empty otherwise.
        version: number of the latest amendment of the campaign that it was proposed under; 0 for the file as it stands.
        node: name of the node of the generation strategy that made it; empty where none did, and in stores of earlier
            versions.
    """

    generator: str
    acquisition: float | None = None
    predictions: Mapping[str, MetricValue] = field(default_factory=dict)
    score: tuple[float, float] | None = None
    feasibility: float | None = None
    learnt_from: tuple[int, ...] = ()
    pending: tuple[int, ...] = ()
    models: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    alternatives: tuple[Alternative, ...] = ()
    success: float | None = None
    reason: str = ""
    cost: float | None = None
    duration: float | None = None
    fidelity: str = FULL
    version: int = 0
    node: str = ""

    @property
    def modelled(self) -> bool:
        """Whether a model chose it."""
        return self.generator in (MODEL, AGAIN)

    @property
    def origin(self) -> str:
        """Who proposed it, and for which fidelity if not for the full one."""
        return self.generator if self.fidelity == FULL else f"{self.generator}, {self.fidelity}"
