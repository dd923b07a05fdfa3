from collections import Counter
from functools import cache

import numpy as np
import pytest
from pymatgen.core import Composition

from campaigns.pool_source import GeneratorPoolConfig
from surrogates.pools.chemistry import ANIONS, INERT, REDOX, TETRAHEDRAL
from surrogates.pools.pool import Pool, PoolEntry, load_pool
from surrogates.pools.prototypes import FAMILIES, Rejected, substitute_all


@cache
def built() -> tuple[Pool, tuple[Rejected, ...]]:
    return substitute_all()


def pool() -> Pool:
    return built()[0]


def neighbours(entry: PoolEntry, element: str, reach: float) -> list[float]:
    """Distances in Å from the first site of an element to its anions."""
    site = next(i for i, s in enumerate(entry.structure) if s.specie.symbol == element)
    return sorted(float(n.nn_distance) for n in entry.structure.get_neighbors(entry.structure[site], reach)
                  if n.specie.symbol in ANIONS)  # fmt: skip


@pytest.mark.parametrize(
    ("entry_id", "element", "coordination", "mean"),
    [
        ("LiCoO2-layered", "Co", 6, 1.92),
        ("LiCoO2-layered", "Li", 6, 2.09),
        ("LiFePO4-olivine", "Fe", 6, 2.16),
        ("LiFePO4-olivine", "P", 4, 1.54),
        ("LiFePO4-olivine", "Li", 6, 2.15),
        ("LiMn2O4-spinel", "Mn", 6, 1.96),
        ("LiMn2O4-spinel", "Li", 4, 1.97),
        ("LiVPO4F-tavorite", "V", 6, 1.99),
        ("LiVPO4F-tavorite", "P", 4, 1.57),
        ("LiNiVO4-inverse-spinel", "V", 4, 1.72),
        ("LiCrSi2O6-pyroxene", "Si", 4, 1.62),
        ("LiFeSO4F-tavorite", "S", 4, 1.51),
    ],
)
def test_published_compounds_have_published_bonds(entry_id: str, element: str, coordination: int, mean: float) -> None:
    bonds = neighbours(pool()[entry_id], element, 2.6 if mean > 1.8 else 2.1)
    assert len(bonds) == coordination
    assert np.mean(bonds) == pytest.approx(mean, abs=0.02)


@pytest.mark.parametrize(
    ("entry_id", "volume"),
    [
        ("LiNiO2-layered", 33.9),  # Å3 per formula unit; Hirano et al., Solid State Ionics 78, 123 (1995)
        ("LiMnPO4-olivine", 302.4 / 4),  # olivines: Yamada, Chung and Hinokuma, J. Electrochem. Soc. 148, A224 (2001)
        ("LiNiPO4-olivine", 274.9 / 4),  # Abrahams and Easson, Acta Cryst. C49, 925 (1993)
    ],
)
def test_ionic_radii_give_volumes_of_other_compounds_within_five_per_cent(entry_id: str, volume: float) -> None:
    structure = pool()[entry_id].structure
    units = structure.composition.get_reduced_composition_and_factor()[1]
    assert structure.volume / units == pytest.approx(volume, rel=0.05)


def test_the_pool_is_large_its_cells_small_and_every_family_is_there() -> None:
    families = Counter(entry.provenance["family"] for entry in pool().entries)
    sizes = [len(entry.structure) for entry in pool().entries]
    assert 600 <= len(pool()) <= 1500
    assert np.median(sizes) <= 28
    assert max(sizes) <= 56
    assert set(families) == {family.framework.name for family in FAMILIES}
    assert min(families.values()) >= 10
    assert max(families.values()) <= 0.25 * len(pool())


def test_every_substitution_is_either_in_the_pool_or_rejected_with_a_reason() -> None:
    entries, rejected = built()
    tried = sum(1 for family in FAMILIES for _ in family.recipes())
    assert len(entries) + len(rejected) == tried
    assert all(one.reasons for one in rejected)
    assert not {one.id for one in rejected} & set(entries.ids)


@pytest.mark.slow
def test_ids_depend_on_nothing_but_the_compound() -> None:
    backwards, _ = substitute_all(FAMILIES[::-1])
    assert set(backwards.ids) == set(pool().ids)
    part, _ = substitute_all(FAMILIES[:1])
    assert set(part.ids) == {entry.id for entry in pool().entries if entry.provenance["family"] == "layered"}
    for entry in part.entries:
        assert entry.structure == pool()[entry.id].structure
        assert Composition(entry.id.rsplit("-", 1)[0]).reduced_formula == entry.structure.composition.reduced_formula


@pytest.mark.slow
def test_two_builds_have_one_fingerprint() -> None:
    config = GeneratorPoolConfig(kind="generator", function="surrogates.pools.prototypes:cathodes")
    assert load_pool(config).fingerprint() == pool().fingerprint()


def test_no_cathode_lives_on_inert_metals() -> None:
    for entry in pool().entries:
        metals = {element.symbol for element in entry.structure.composition} - {"Li", *ANIONS}
        assert metals & set(REDOX) - ({"V"} if entry.provenance["family"] == "inverse-spinel" else set())
        assert metals <= {*REDOX, *INERT, *TETRAHEDRAL}


def charge(entry: PoolEntry, side: str, lithium: float) -> float:
    """Charge of a cell from the states in its provenance, read back as text."""
    counts = {token.lstrip("0123456789"): int(token.rstrip("LTVCMFNAZSabcdefghijklmnopqrstuvwxyz")) for token in
              entry.provenance["metals"].split()}  # fmt: skip
    total = lithium
    for token in entry.provenance[side].split():
        ion = token.lstrip("0123456789")
        element, state = ion[:-2], int(ion[-2])
        total += state * int(token[: len(token) - len(ion)] or counts[element])
    cell = entry.structure.composition
    total += sum(ANIONS[e] * cell[e] for e in ANIONS)
    on_metal_sites = {element: counts.get(element, 0) for element in TETRAHEDRAL}
    return total + sum(state * (cell[e] - on_metal_sites[e]) for e, state in TETRAHEDRAL.items())


def test_every_entry_is_neutral_on_both_sides() -> None:
    for entry in pool().entries:
        assert entry.host is not None
        assert charge(entry, "lithiated", entry.structure.composition["Li"]) == 0, entry.id
        assert charge(entry, "delithiated", entry.host.composition["Li"]) == 0, entry.id


def test_hosts_are_the_same_framework_with_less_lithium() -> None:
    for entry in pool().entries:
        assert entry.host is not None
        full, left = entry.structure.composition, entry.host.composition
        assert entry.host.lattice == entry.structure.lattice
        assert left["Li"] <= 0.5 * full["Li"]
        assert {e: n for e, n in full.items() if e.symbol != "Li"} == {
            e: n for e, n in left.items() if e.symbol != "Li"
        }
        assert entry.provenance["lithium_removed"] == f"{full['Li'] - left['Li']:.0f}/{full['Li']:.0f}"


def test_lithium_left_in_a_host_keeps_its_distance() -> None:
    host = pool()["Li2FeSiO4-orthosilicate"].host
    assert host is not None
    sites = [i for i, site in enumerate(host) if site.specie.symbol == "Li"]
    assert len(sites) == 2
    assert host.get_distance(*sites) > 4
