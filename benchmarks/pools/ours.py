"""Athanor's own arms: the planner that runs campaigns, on the rows of a table."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.looking import looking
from benchmarks.pools.calibration import Fit, Posterior
from benchmarks.pools.crystals import Crystals
from benchmarks.pools.tasks import Extreme, Quantity, Score, Setting, Term
from benchmarks.trials import completed
from campaigns.campaign import Campaign
from campaigns.lab.laboratory import ProcessesConfig
from campaigns.spaces.space import SpaceConfig
from campaigns.surrogate import SurrogateConfig
from campaigns.values import Candidate, MetricValue
from loop.core.proposals import Proposal
from loop.core.records import TrialRecord
from loop.planning.planner import Planner
from loop.planning.pool_data import build_views
from surrogates.models.encoder import Encoder, MaterialTable
from surrogates.models.fit import fit_gp
from surrogates.models.observations import Observations
from surrogates.models.problem import RegressionProblem
from surrogates.pools.pool import Pool, PoolEntry

Numbers = NDArray[np.float64]
Priors = Callable[[Setting], Mapping[str, Numbers]]
"""From a setting to what is known beforehand of some quantities, n each."""

_SAMPLES = 256
_DATABASE_ROWS = 1000


def no_priors(_: Setting) -> Mapping[str, Numbers]:
    """Know nothing beforehand."""
    return {}


def formation_energy(setting: Setting) -> Mapping[str, Numbers]:
    """Know CHGNet's formation energy, which needs no label, as a prior of every quantity; its slope is learnt."""
    energies = formation_energies(setting.pool)
    return {q.column: energies if q.unit == "eV/atom" else -energies for q in setting.task.quantities}


def database(setting: Setting) -> Mapping[str, Numbers]:
    """Know what a Gaussian process says that has seen crystals of other chemistries."""
    rows = np.random.default_rng(0).permutation(len(setting.database))[:_DATABASE_ROWS]
    both = np.concatenate([np.arange(len(setting.pool)), rows + len(setting.pool)])
    views = {name: view[both] for name, view in _views_of_both(setting).items()}
    formulas = (*_formulas(setting.pool), *(_formulas(setting.database)[row] for row in rows))
    table = MaterialTable(tuple(map(str, range(len(both)))), views, {}, formulas)
    encoder = Encoder(_campaign(setting).space, table)
    size = len(setting.pool)
    columns = setting.database.columns
    return {q.column: _from_database(encoder, q, columns[q.column][rows], size) for q in setting.task.quantities}


def _from_database(encoder: Encoder, quantity: Quantity, values: Numbers, size: int) -> Numbers:
    places = torch.arange(size, size + len(values)).unsqueeze(-1).double()
    known = torch.from_numpy(values)
    task = RegressionProblem(encoder, floor=None if quantity.detection is None else 0.0)
    gp = fit_gp(task, Observations(places, known, torch.full_like(known, quantity.sd)))
    return gp.marginals(torch.arange(size).unsqueeze(-1).double())[0].numpy()


class PlannerEngine:
    """Suggests what the planner of a campaign would."""

    def __init__(self, setting: Setting, seed: int, priors: Priors = no_priors, features: Sequence[str] = ()) -> None:
        torch.set_num_threads(1)
        self._setting = setting
        known = priors(setting)
        self._campaign = _campaign(setting, seed, known, features)
        views = {n: v for n, v in _views(setting.pool).items() if not features or n in features}
        numbers = {f"prior:{name}": known[q.column] for name, q in _named(setting).items() if q.column in known}
        self._ids = tuple(map(str, range(len(setting.pool))))
        encoder = Encoder(self._campaign.space, MaterialTable(self._ids, views, numbers, _formulas(setting.pool)))
        self._planner = Planner(self._campaign, encoder)
        self._open: dict[int, tuple[int, Proposal]] = {}
        self._count = 0

    def suggest(self, q: int) -> list[int]:
        """Return q rows, one suggestion after the other with those before it under way."""
        rows = []
        for _ in range(q):
            number, candidate, proposal = self._planner.suggest()
            row = int(str(candidate.material))
            self._open[row] = (number, proposal)
            self._count = number + 1
            rows.append(row)
        return rows

    def tell(self, rows: Sequence[int], values: Mapping[str, Numbers]) -> None:
        """Learn readings; rows that were not suggested here are the start that all engines share."""
        for place, row in enumerate(rows):
            metrics = {
                name: MetricValue(float(values[q.column][place]), q.sd, q.unit or "1")
                for name, q in _named(self._setting).items()
            }
            if row in self._open:
                self._planner.ingest(self._record(row, *self._open.pop(row), metrics))
            else:
                self._planner.recall([self._record(row, self._count, Proposal("start"), metrics)])
                self._count += 1

    def predict(self, rows: Sequence[int]) -> Mapping[str, Numbers]:
        """Return samples, s x n, of each quantity as the latest suggestion saw them."""
        posterior = self._planner.models.posterior()
        places = torch.tensor(list(rows)).unsqueeze(-1).double()
        values = posterior.marginal(places, _SAMPLES, seed=0)
        return {q.column: values[name].numpy() for name, q in _named(self._setting).items()}

    def _record(self, row: int, number: int, proposal: Proposal, metrics: Mapping[str, MetricValue]) -> TrialRecord:
        return completed(number, Candidate({}, self._ids[row]), proposal, metrics)


def _campaign(
    setting: Setting, seed: int = 0, known: Mapping[str, Numbers] | None = None, features: Sequence[str] = ()
) -> Campaign:
    """Return the task as a campaign file would put it."""
    metrics = {name: _metric(q, q.column in (known or {})) for name, q in _named(setting).items()}
    data: dict[str, Any] = {
        "name": "pool",
        "seed": seed,
        "space": {"pool": {"kind": "generator", "function": "benchmarks.pools:rows"}},
        "metrics": metrics,
        "objective": {"terms": _terms(setting), "find": {"kind": "many"}},
        "planner": {"initial": 2},
        "budget": {"trials": 200},
    } | looking(metrics)
    if features:
        data["surrogate"] = {"features": [{"kind": name} for name in features]}
    return Campaign.model_validate(data)


def _metric(quantity: Quantity, prior: bool) -> dict[str, Any]:
    found: dict[str, Any] = {"kind": "measured", "unit": quantity.unit or "1"}
    if quantity.detection is not None:
        found["floor"] = 0.0
    return found | ({"prior": "benchmarks.pools:prior"} if prior else {})


def _named(setting: Setting) -> dict[str, Quantity]:
    """Return the quantities by names that may stand in a campaign file, as columns need not."""
    return {f"quantity_{i}": quantity for i, quantity in enumerate(setting.task.quantities)}


def _terms(setting: Setting) -> list[dict[str, Any]]:
    names = {quantity.column: name for name, quantity in _named(setting).items()}
    match setting.task.merit:
        case Extreme(column, sign):
            return [{"goal": "maximise" if sign > 0 else "minimise", "metric": names[column], "scale": 1.0}]
        case Score(terms):
            return [_desirable(term, names[term.column]) for term in terms]


def _desirable(term: Term, metric: str) -> dict[str, Any]:
    edges = {"above" if edge.sign > 0 else "below": edge.at for edge in term.edges}
    return {"goal": "desirable", "metric": metric, "width": term.edges[0].width, **edges}


def fit_of(crystals: Crystals) -> Fit:
    """Return what fits the model of a metric to rows of a table, for the calibration."""
    pool = {"kind": "generator", "function": "benchmarks.pools:rows"}
    encoder = Encoder(
        SpaceConfig.model_validate({"pool": pool}),
        MaterialTable(tuple(map(str, range(len(crystals)))), _views(crystals), {}, _formulas(crystals)),
    )

    def fitted(quantity: Quantity, rows: Sequence[int], values: Numbers) -> Posterior:
        known = torch.from_numpy(values)
        floor = None if quantity.detection is None else 0.0
        gp = fit_gp(
            RegressionProblem(encoder, floor=floor),
            Observations(_rows(rows), known, torch.full_like(known, quantity.sd)),
        )

        def sampled(wanted: Sequence[int]) -> Numbers:
            mean, sd = gp.marginals(_rows(wanted))
            drawn = mean + sd * torch.randn(_SAMPLES, 1, generator=torch.Generator().manual_seed(0)).double()
            return np.asarray((drawn if floor is None else drawn.clamp_min(floor)).numpy())

        return sampled

    return fitted


def _rows(places: Sequence[int]) -> torch.Tensor:
    return torch.tensor(list(places)).unsqueeze(-1).double()


@lru_cache(maxsize=4)
def _views(crystals: Crystals) -> dict[str, Numbers]:
    return build_views(SurrogateConfig(), _pool(crystals), _silent, ProcessesConfig(kind="processes"))


@lru_cache(maxsize=4)
def _formulas(crystals: Crystals) -> tuple[str, ...]:
    return tuple(structure.composition.reduced_formula for structure in crystals.structures)


@lru_cache(maxsize=4)
def formation_energies(crystals: Crystals) -> Numbers:
    """Return CHGNet's formation energy of each crystal, eV/atom."""
    from surrogates.predictors.formation_energy import chgnet_formation_energy

    return chgnet_formation_energy(_pool(crystals))


@lru_cache(maxsize=2)
def _views_of_both(setting: Setting) -> dict[str, Numbers]:
    both = (*_pool(setting.pool, "pool").entries, *_pool(setting.database, "database").entries)
    return build_views(SurrogateConfig(), Pool("both", both), _silent, ProcessesConfig(kind="processes"))


def _pool(crystals: Crystals, prefix: str = "row") -> Pool:
    return Pool(crystals.name, tuple(PoolEntry(f"{prefix} {i}", s) for i, s in enumerate(crystals.structures)))


def _silent(_doing: str, _done: int, _total: int) -> None:
    """Tell nobody."""
