from dataclasses import replace

import numpy as np
import pytest
import torch

from campaigns.spaces.space import SpaceConfig
from surrogates.models.encoder import Encoder, MaterialTable
from surrogates.models.exact_inference import Data, Factor, factorise
from surrogates.models.extrapolation import chemical_families, extrapolation_factor
from surrogates.models.fit import FitCache, fit_gp
from surrogates.models.gp import MetricGP
from surrogates.models.observations import Observations
from surrogates.models.problem import RegressionProblem

SPACE = SpaceConfig.model_validate({"pool": {"kind": "generator", "function": "a.b:c"}})
ANIONS = ("O3", "N3", "F3", "S3", "Cl3", "Se3")
FORMULAS = tuple(f"{a}{b}{x}" for x in ANIONS for a in ("Ba", "Sr", "Ca", "La", "Na") for b in ("Ti", "Zr", "Nb", "Ta"))


def measured(offset: float, formulas: tuple[str, ...] = FORMULAS, cache: FitCache | None = None) -> MetricGP:
    """What is learnt of 90 of 120 materials whose one view tells anions apart, but not by how much they matter."""
    rng = np.random.default_rng(1)
    anions = np.repeat(np.arange(6), 20)
    view = rng.normal(size=(120, 3)) / np.sqrt(6)
    shifts = offset * np.array([1.0, -1.2, 0.3, 1.5, -0.6, -1.0])[anions]
    values = view @ np.array([2.0, -1.0, 1.0]) + shifts + 0.02 * rng.normal(size=120)
    seen = np.column_stack([view, 0.25 * np.eye(6)[anions]])
    encoder = Encoder(SPACE, MaterialTable(FORMULAS, {"seen": seen}, {}, formulas))
    rows = torch.from_numpy(rng.permutation(120)[:90]).unsqueeze(-1).double()
    known = torch.from_numpy(values)[rows[:, 0].long()]
    return fit_gp(RegressionProblem(encoder), Observations(rows, known, torch.full_like(known, 0.02)), cache)


def factor_of(count: int) -> Factor:
    rng = np.random.default_rng(0)
    points = torch.from_numpy(rng.normal(size=(count, 2)))
    kernel = torch.exp(-0.5 * torch.cdist(points, points).square())
    none = torch.zeros(count, dtype=torch.float64)
    targets, noise = torch.from_numpy(rng.normal(size=count)), none + 0.1
    return factorise(kernel, Data(None, targets, noise))  # distances are not needed


def test_families_share_an_element_in_the_same_share() -> None:
    formulas = ["BaTiO3", "SrTiO3", "CaTiO3", "BaTaNO2", "SrTaNO2", "CaTaNO2", "LaZrF3", "NaZrF3", "KNbF3"]
    found = {tuple(group.tolist()) for group in chemical_families(formulas)}
    # Ti goes with O3, Ta with N and O2, and no other element is there three times in one share.
    assert found == {(0, 1, 2), (3, 4, 5), (6, 7, 8)}


def test_what_most_materials_have_in_common_is_no_family() -> None:
    assert chemical_families(["BaO", "SrO", "CaO", "NaCl"]) == ()
    assert chemical_families([]) == ()


def test_leaving_out_in_closed_form_is_leaving_out() -> None:
    factor = factor_of(12)
    group, rest = torch.arange(4), torch.arange(4, 12)
    covariance = factor.root @ factor.root.T
    across = covariance[group][:, rest] @ torch.linalg.inv(covariance[rest][:, rest])
    error = factor.residual[group] - across @ factor.residual[rest]
    spread = (covariance[group][:, group] - across @ covariance[rest][:, group]).diagonal()
    alone = (factor.weights.square() / factor.inverse.diagonal()).mean()
    wanted = float((error.square() / spread).mean() / alone) ** 0.5
    assert 1.0 < wanted < 1.187
    assert extrapolation_factor(factor, [group]) == pytest.approx(wanted)


def test_without_families_nothing_is_widened() -> None:
    assert extrapolation_factor(factor_of(5), []) == 1.0
    assert measured(1.0, formulas=()).outcome_transform.inflation == 1.0


def test_unknown_chemistries_that_go_astray_widen_the_intervals_within_bounds() -> None:
    gp = measured(1.0)
    assert gp.outcome_transform.inflation == pytest.approx(1.187, abs=1e-3)
    assert gp.account["widening"] == gp.outcome_transform.inflation


def test_chemistries_that_do_not_matter_widen_nothing() -> None:
    assert measured(0.0).outcome_transform.inflation < 1.05


def test_the_cache_changes_nothing() -> None:
    cache = FitCache()
    first, again, fresh = (measured(1.0, cache=each).outcome_transform for each in (cache, cache, None))
    assert first.inflation == again.inflation == fresh.inflation


def test_equal_measurements_widen_nothing() -> None:
    factor = factor_of(6)
    equal = replace(factor, weights=torch.zeros(6).double(), residual=torch.zeros(6).double())
    assert extrapolation_factor(equal, [torch.tensor([0, 1, 2])]) == 1.0
