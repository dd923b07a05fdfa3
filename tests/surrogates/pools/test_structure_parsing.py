import json
import sys
from pathlib import Path

import pytest
from pymatgen.core import Structure

from surrogates.pools.cif.block import blocks
from surrogates.pools.cif.problems import UnreadableError
from surrogates.pools.structure_parsing import parse_structure, read_noted
from surrogates.structures import structure_key
from tests.surrogates.pools.crystal_files import cif, perovskite, poscar, salt

BARE_CIF = """\
data_salt
_cell_length_a 5.64
_cell_length_b 5.64
_cell_length_c 5.64
_cell_angle_alpha 90
_cell_angle_beta 90
_cell_angle_gamma 90
_symmetry_Int_Tables_number {group}
loop_
_atom_site_label
_atom_site_fract_x
_atom_site_fract_y
_atom_site_fract_z
{sites}
"""
TWO_SITES = "Na1 0 0 0\nCl1 0.5 0.5 0.5"


@pytest.mark.parametrize(
    "text",
    [
        cif(perovskite()),
        poscar(perovskite()),
        json.dumps(perovskite().as_dict()),
        json.dumps({"structure": perovskite().as_dict(), "energy": -1.0}),
        json.dumps({"structure": cif(perovskite())}),
        json.dumps(poscar(perovskite())),
    ],
    ids=["cif", "poscar", "json", "mapping", "mapping of cif", "text of poscar"],
)
@pytest.mark.parametrize("change", [str, lambda t: t.replace("\n", "\r\n"), lambda t: "\ufeff" + t, lambda t: "\n" + t])
def test_formats_are_told_apart_by_what_stands_there(text: str, change: object) -> None:
    if text.startswith("Sr") and callable(change) and change("x") == "\nx":
        return  # the first line of a POSCAR is its title
    structure = parse_structure(change(text))  # type: ignore[operator]
    assert structure.composition.reduced_formula == "SrTiO3"
    assert structure.volume == pytest.approx(3.905**3, rel=1e-4)
    assert len(structure) == 5


def test_symmetry_is_applied() -> None:
    structure = parse_structure(BARE_CIF.format(group=225, sites=TWO_SITES))
    assert len(structure) == 8
    assert structure.composition.reduced_formula == "NaCl"


def test_json_keeps_every_digit() -> None:
    structure = salt(a=5.641234567891)
    assert structure_key(parse_structure(json.dumps(structure.as_dict()))) == structure_key(structure)


def test_json_that_says_two_things_is_refused() -> None:
    data = salt().as_dict()
    stretched = {**data, "lattice": {"matrix": [[4, 0, 0], [0, 4, 0], [0, 0, 4]]}}
    with pytest.raises(UnreadableError, match="has site 2 at two places: its abc and xyz are"):
        parse_structure(json.dumps(stretched))
    with pytest.raises(UnreadableError, match="has a lattice whose a, b, c"):
        parse_structure(json.dumps({**data, "lattice": {**data["lattice"], "a": 9.0}}))


def test_json_runs_no_code_that_it_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "payload.py").write_text("raise SystemExit('was imported')")
    monkeypatch.syspath_prepend(str(tmp_path))
    named = {"@module": "payload", "@class": "X"}
    data = salt().as_dict()
    data["sites"][0]["properties"] = {"p": named, "deep": [{"inner": named}]}
    data["properties"] = {"p": named}
    data["lattice"]["extra"] = named
    data["sites"][0]["species"][0]["properties"] = named
    assert parse_structure(json.dumps(data)) == salt()
    assert "payload" not in sys.modules


def test_json_keeps_charges_and_labels() -> None:
    structure = salt().add_oxidation_state_by_element({"Na": 1, "Cl": -1})
    read = parse_structure(json.dumps(structure.as_dict()))
    assert (read, read.labels) == (structure, structure.labels)


def test_json_of_a_layer_is_read_with_a_note() -> None:
    data = salt().as_dict()
    data["lattice"]["pbc"] = [True, True, False]
    assert read_noted(json.dumps(data)).notes == ("says that it is not periodic in all directions; read as a crystal",)


def test_json_whose_angles_are_not_those_of_its_matrix_is_refused() -> None:
    data = salt().as_dict()
    data["lattice"]["gamma"] = 90
    with pytest.raises(UnreadableError, match="a lattice whose angles \\(60, 60, 90 degrees\\) are not its matrix's"):
        read_noted(json.dumps(data))


def test_fractions_in_json_that_are_in_angstrom_are_refused_unless_confirmed() -> None:
    data = perovskite().as_dict()
    data["sites"][0]["abc"], data["sites"][0]["xyz"] = [3, 0, 0], [3 * 3.905, 0, 0]
    assert len(read_noted(json.dumps(data)).structure) == 5
    del data["sites"][0]["xyz"]
    with pytest.raises(UnreadableError, match="abc up to 3, which seem to be in Å"):
        read_noted(json.dumps(data))


@pytest.mark.parametrize("key", ["formula", "formula_pretty", "composition"])
def test_another_formula_beside_a_structure_is_noted(key: str) -> None:
    for said in ("K0.2 Na0.8 Cl", {"K": 0.2, "Na": 0.8, "Cl": 1}):
        notes = read_noted(json.dumps({key: said, "structure": salt().as_dict()})).notes
        assert [note.partition(", but")[2] for note in notes] == [" was read as NaCl, as its sites say"]
    for same in ("Na4 Cl4", {"Na": 1, "Cl": 1}, None, "x"):
        assert read_noted(json.dumps({key: same, "structure": salt().as_dict()})).notes == ()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        (" \r\n ", "is empty"),
        ("nonsense", "is neither CIF, POSCAR nor pymatgen's JSON"),
        ("a longer text\n\nof several\nlines\nthat is\nno\ncrystal\nat all\n", "is neither CIF, POSCAR nor"),
        ("data_x\n_cell_length_a 5\n", "is a CIF without atoms"),
        (cif(salt()).replace("_cell_length_a", "_cell_length_z"), "cannot be read as CIF"),
        (cif(salt())[:400], "CIF"),
        ("{", "cannot be read as pymatgen's JSON"),
        ('{"lattice": 1}', "no structure of pymatgen's"),
        ("[1, 2]", "no structure of pymatgen's"),
        ('{"lattice": {"matrix": 1}, "sites": []}', "cannot be read as pymatgen's JSON"),
        (cif(salt()) + cif(perovskite()), "holds 2 structures (NaCl, SrTiO3)"),
        (
            poscar(salt()).replace("\nNa Cl\n", "\n").replace(" Na\n", "\n").replace(" Cl\n", "\n"),
            "without the symbols",
        ),
        (BARE_CIF.format(group=1, sites="Vac1 0 0 0"), "has a site 'Vac1'"),
        (BARE_CIF.format(group=1, sites="Na1 0 0 0\nXx1 0.5 0 0"), "has a site 'Xx1'"),
        (BARE_CIF.format(group=1, sites="Wat1 0 0 0"), "has a site 'Wat1'"),
        (BARE_CIF.format(group=1, sites="D1 0 0 0"), "has a site 'D1'"),
        (BARE_CIF.format(group=1, sites="?1 0 0 0"), "has a site '?1'"),
        (BARE_CIF.format(group=1, sites=TWO_SITES) + "_chemical_formula_sum 'Na2 H1 Cl1'\n", "atoms are missing"),
        (BARE_CIF.format(group=1, sites="Na1 0 0 0\nCl1 0 0 0"), "cannot be read as CIF"),
        ("x\n1\n1 0 0\n0 1 0\n0 0 1\nNa\n2\nDirect\n0 0 0\n", "cannot be read as POSCAR"),
    ],
)
def test_what_holds_no_structure_says_why(text: str, message: str) -> None:
    with pytest.raises(UnreadableError) as caught:
        parse_structure(text)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("symbol", ["Na1+", "Na+", "NA", "na", "Na0+", "Na1"])
def test_charges_and_numbers_behind_a_symbol_are_fine(symbol: str) -> None:
    text = BARE_CIF.format(group=1, sites=f"{symbol} 0 0 0\nCl1 0.5 0.5 0.5")
    assert parse_structure(text).composition.remove_charges().reduced_formula == "NaCl"


def test_a_formula_that_fits_but_for_a_factor_is_fine() -> None:
    text = BARE_CIF.format(group=225, sites=TWO_SITES) + "_chemical_formula_sum 'Na Cl'\n"
    assert isinstance(parse_structure(text), Structure)


def test_blocks_that_were_not_filled_in_do_not_count() -> None:
    form = cif(salt()).replace("data_NaCl", "data_form").split("  Na ")[0] + "  ?  ?  ?  ?  ?  ?  ?\n"
    assert [name for name, _ in blocks(form + cif(salt()))] == ["NaCl"]
    with pytest.raises(UnreadableError, match="is a CIF without atoms"):
        parse_structure(form)


def test_blocks_without_atoms_do_not_count() -> None:
    text = "data_global\n_journal_year 1999\n" + cif(salt()) + cif(perovskite())
    assert [name for name, _ in blocks(text)] == ["NaCl", "SrTiO3"]
    assert parse_structure(blocks(text)[1][1]).composition.reduced_formula == "SrTiO3"
    assert parse_structure("data_global\n_journal_year 1999\n" + cif(salt())).composition.reduced_formula == "NaCl"
