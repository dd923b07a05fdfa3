"""On a pool where an embedding says nothing of a metric, the simple view that does is found by itself."""

from pathlib import Path

import numpy as np
import pytest
import torch
from pymatgen.core import Lattice, Structure
from scipy.stats import spearmanr

from campaigns.lab.laboratory import ProcessesConfig
from campaigns.spaces.space import SpaceConfig
from campaigns.surrogate import SurrogateConfig
from loop.planning.pool_data import build_views
from surrogates.models.encoder import Encoder, MaterialTable
from surrogates.models.fit import fit_gp
from surrogates.models.observations import Observations
from surrogates.models.problem import RegressionProblem
from surrogates.pools.pool import Pool, load_pool
from tests.surrogates.pools.crystal_files import cif, table

VIEWS = SurrogateConfig.model_validate({"features": [{"kind": "chgnet"}, {"kind": "physical"}]})
SPACE = SpaceConfig.model_validate({"parameters": {}, "pool": {"kind": "generator", "function": "a.b:c"}})


def carbons(count: int = 80) -> list[Structure]:
    """Return layers, slabs and chains of carbon, each with pores of another width between them."""
    rng = np.random.default_rng(0)
    diamond: list[list[float]] = [[0, 0, 0], [0.5, 0.5, 0], [0.25, 0.25, 0.25], [0.75, 0.75, 0.25]]
    found = []
    for i in range(count):
        pore = rng.uniform(3.2, 12.0)
        match i % 3:
            case 0:
                lattice, sites = Lattice.hexagonal(2.46, pore), [[1 / 3, 2 / 3, 0.5], [2 / 3, 1 / 3, 0.5]]
            case 1:
                lattice = Lattice.orthorhombic(3.57, 3.57, 1.79 + pore)
                sites = [[x, y, z * 3.57 / lattice.c] for x, y, z in diamond]
            case _:
                lattice, sites = Lattice.orthorhombic(2.6, pore, pore), [[0, 0.5, 0.5], [0.5, 0.5, 0.5]]
        crystal = Structure(lattice, ["C"] * len(sites), sites)
        crystal.apply_strain([*rng.uniform(-0.04, 0.04, 2), 0.0])
        crystal.perturb(rng.uniform(0.05, 0.2), seed=i)
        found.append(crystal)
    return found


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Pool:
    folder = tmp_path_factory.mktemp("carbon")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ATHANOR_CACHE", str(folder / "cache"))
        return load_pool(table(folder, [{"cif": cif(crystal)} for crystal in carbons()]))


@pytest.mark.slow
def test_volume_per_atom_wins_over_an_embedding_that_does_not_see_it(
    pool: Pool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ATHANOR_CACHE", str(tmp_path))
    assert set(pool.formulas) == {"C"}
    assert len(pool) > 50
    encoder = Encoder(SPACE, MaterialTable(pool.ids, views_of(pool), {}))
    rng = np.random.default_rng(1)
    places = rng.permutation(len(pool))
    seen, rest = places[:30], places[30:]
    truth = np.log(pool.index.volumes)
    values = torch.from_numpy(truth[seen] + 0.02 * rng.normal(size=len(seen)))
    observed = Observations(rows(seen), values, torch.full_like(values, 0.02))
    both = fit_gp(RegressionProblem(encoder), observed)
    account = both.account
    assert account["features"]["physical"] > 0.8, account
    assert account["loo"]["physical"] > account["loo"]["chgnet"] + 0.5
    alone = fit_gp(RegressionProblem(encoder, views=("chgnet",)), observed)
    said, embedded = (model.marginals(rows(rest))[0].numpy() for model in (both, alone))
    assert np.abs(said - truth[rest]).mean() < 0.5 * np.abs(embedded - truth[rest]).mean()
    assert spearmanr(said, truth[rest]).statistic > 0.9


def views_of(pool: Pool) -> dict[str, np.ndarray]:
    return build_views(VIEWS, pool, lambda _doing, _done, _total: None, ProcessesConfig(kind="processes"))


def rows(places: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(places.astype(float)).unsqueeze(-1)
