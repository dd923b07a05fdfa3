import gzip
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner, Result

from loop.cli.app import app
from tests.surrogates.pools.cif.texts import OCCUPANCY, ZNO, named, text
from tests.surrogates.pools.crystal_files import cif, crowded, disordered, perovskite, poscar, salt, table_text

ROOT = Path(__file__).parents[3]
GOOD = [
    {"name": "salt", "crystal": cif(salt()), "gap": "8.5"},
    {"name": "twice", "crystal": cif(salt() * (1, 1, 2)), "gap": "8.5"},
    {"name": "perovskite", "crystal": poscar(perovskite()), "gap": ""},
    {"name": "potash", "crystal": cif(salt("K", a=6.29)), "gap": "8.4"},
]
BAD = [
    {"name": "crowded", "crystal": cif(crowded()), "gap": "1"},
    {"name": "alloy", "crystal": cif(disordered()), "gap": "1"},
]
ROUNDED = text("Zn1 Zn2+ 0.333 0.667 0\nO1 O2- 0.333 0.667 0.3821", cell=ZNO, symmetry=named("P 63 m c"))
ALMOST_FULL = text("Mg1 Mg 0 0 0 1.000(2)\nO1 O 0.5 0.5 0.5 0.998(5)", OCCUPANCY)
COLUMNS = ("--structure", "crystal", "--id", "name", "--property", "gap")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with files of crystals, and a cache beside it."""
    monkeypatch.setenv("ATHANOR_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "good.csv").write_text(table_text(GOOD))
    (tmp_path / "mixed.csv").write_text(table_text([*GOOD, *BAD]))
    (tmp_path / "bad.csv").write_text(table_text(BAD * 6))
    return tmp_path


def pool(*words: str) -> Result:
    return CliRunner().invoke(app, ["pool", *words])


def lines(result: Result) -> list[str]:
    return [" ".join(line.split()) for line in result.stdout.splitlines()]


def plain(text: str) -> str:
    """Return a message without its box."""
    return " ".join(text.replace("│", " ").split())


def campaign(folder: Path, **changes: object) -> None:
    data = yaml.safe_load((ROOT / "campaigns" / "cathode.yaml").read_text(encoding="utf-8"))
    data["space"]["pool"] = {"kind": "table", "file": "mixed.csv", "structure": "crystal", "id": "name"} | changes
    (folder / "campaign.yaml").write_text(yaml.safe_dump(data), encoding="utf-8")


def test_build_says_what_came_of_it_and_keeps_it(folder: Path) -> None:
    first = pool("build", "mixed.csv", *COLUMNS)
    assert first.exit_code == 0
    assert "pool: mixed, 3 entries" in lines(first)
    assert "read: 6, 2 of them bad, 1 duplicate folded" in lines(first)
    (kept,) = (folder / "cache" / "pools").iterdir()
    assert f"kept in: {kept}" in lines(first)
    assert pool("build", "mixed.csv", *COLUMNS).stdout == first.stdout


def test_check_lists_bad_entries_and_duplicates() -> None:
    result = pool("check", "mixed.csv", *COLUMNS)
    assert result.exit_code == 0
    text = lines(result)
    assert "mixed.csv 5 Na (site 1) and Cl (site 2) are 0.20 Å apart; at least 0.5 Å is allowed" in text
    assert any(line.startswith("mixed.csv 6 site 1") and "partly occupied" in line for line in text)
    assert "mixed.csv 2 twice salt" in text


def test_check_lists_what_was_not_read_as_written(folder: Path) -> None:
    (folder / "cifs").mkdir()
    (folder / "cifs" / "zno.cif").write_text(ROUNDED)
    (folder / "cifs" / "mgo.cif").write_text(ALMOST_FULL)
    result = pool("check", "cifs")
    assert result.exit_code == 0
    assert "notes: 2 entries not read as written, or on trust; 'athanor pool check' lists them" in lines(result)
    text = " ".join(lines(result))
    assert "mgo.cif mgo the occupancy 0.998 ± 0.005 of O1 was read as 1" in text
    assert "zno.cif zno Zn1 at 0.333 0.667 0 was read as 0.33333 0.66667 0, where symmetry wants it" in text
    shown = lines(pool("show", "cifs"))
    assert "AB P6_3mc 1 50.0%" in " ".join(shown)
    assert "AB Fm-3m 1 50.0%" in " ".join(shown)


def test_check_of_a_strict_pool_with_bad_entries_ends_with_two() -> None:
    result = pool("check", "mixed.csv", *COLUMNS, "--strict")
    assert result.exit_code == 2
    assert "mixed.csv 5 Na (site 1)" in " ".join(lines(result))
    assert pool("check", "good.csv", *COLUMNS, "--strict").exit_code == 0


def test_a_strict_build_is_refused_with_the_file_in_the_message() -> None:
    result = pool("build", "mixed.csv", *COLUMNS, "--strict")
    assert result.exit_code == 2
    assert "mixed.csv: space.pool: mixed.csv row 5: Na (site 1)" in result.stderr


def test_check_lists_every_bad_entry_even_if_nothing_is_left() -> None:
    result = pool("check", "bad.csv", "--structure", "crystal")
    assert result.exit_code == 2
    assert sum(line.startswith("bad.csv ") for line in lines(result)) == 12
    assert "holds no entry that can be used" in result.stderr
    assert " row " not in result.stderr  # the table has them all


def test_show_tells_elements_prototypes_and_ranges() -> None:
    result = pool("show", "good.csv", *COLUMNS)
    assert result.exit_code == 0
    text = lines(result)
    assert "formulas: 3 different" in text
    assert "elements (6)" in text
    assert any(line.startswith("Cl 2 66.7% █") for line in text)
    assert any(line.startswith("AB Fm-3m 2 66.7% █") for line in text)
    assert any(line.startswith("ABC3 Pm-3m 1 33.3% █") for line in text)
    assert "atoms in the cell 2 2 5 0" in text
    assert "gap 8.4 8.45 8.5 1" in text
    assert any(line.startswith("volume per atom [Å3] 11.91 22.43 31.1") for line in text)


@pytest.mark.slow
def test_a_campaign_s_pool_needs_no_options(folder: Path) -> None:
    campaign(folder)
    assert "pool: mixed, 3 entries" in lines(pool("build", "campaign.yaml"))
    assert pool("check", "campaign.yaml").exit_code == 0
    campaign(folder, strict=True)
    assert pool("check", "campaign.yaml").exit_code == 2
    assert pool("show", "campaign.yaml").exit_code == 2
    refused = pool("show", "campaign.yaml", "--id", "name")
    assert refused.exit_code == 2
    assert "leave the option out" in plain(refused.stderr)


def test_a_campaign_whose_file_is_not_there_is_refused_by_validate(folder: Path) -> None:
    campaign(folder, file="gone.csv")
    for words in (["validate", "campaign.yaml"], ["pool", "check", "campaign.yaml"]):
        result = CliRunner().invoke(app, words)
        assert result.exit_code == 2
        assert "space.pool.file: got 'gone.csv', but" in result.stderr
        assert result.stderr.startswith("campaign.yaml:")


def test_a_generated_pool_can_be_shown(folder: Path) -> None:
    (folder / "my_pool.py").write_text(
        "from pymatgen.core import Lattice, Structure\n"
        "from surrogates.pools.pool import Pool, PoolEntry\n"
        "def metals():\n"
        "    cell = Lattice.cubic(3)\n"
        "    names = ('Fe', 'Cr', 'V')\n"
        "    return Pool('metals', tuple(PoolEntry(n, Structure(cell, [n], [[0, 0, 0]])) for n in names))\n"
    )
    data = yaml.safe_load((ROOT / "campaigns" / "cathode.yaml").read_text(encoding="utf-8"))
    data["space"]["pool"] = {"kind": "generator", "function": "my_pool:metals"}
    (folder / "campaign.yaml").write_text(yaml.safe_dump(data), encoding="utf-8")
    text = lines(pool("show", "campaign.yaml"))
    assert "pool: metals, 3 entries" in text
    assert "kept in: memory, made anew each time" in text
    assert any(line.startswith("A Pm-3m 3 100.0%") for line in text)


def test_folders_and_json_are_told_by_their_names(folder: Path) -> None:
    (folder / "cifs").mkdir()
    (folder / "cifs" / "salt.cif").write_text(cif(salt()))
    (folder / "crystals.json.gz").write_bytes(gzip.compress(json.dumps({"a": salt().as_dict()}).encode()))
    for name in ("cifs", "crystals.json.gz"):
        assert pool("check", name).exit_code == 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["show", "good.txt"], "allowed: a folder, or a file that ends in .yaml, .csv"),
        (["show", "gone.csv"], "gone.csv does not exist"),
        (["show", "good.csv"], "has no column"),
        (["check", "cifs", "--id", "x"], "does not apply to cifs"),
    ],
)
def test_wrong_use_ends_with_two_and_a_message(words: list[str], message: str, folder: Path) -> None:
    (folder / "cifs").mkdir()
    result = pool(*words)
    assert result.exit_code == 2
    assert message in plain(result.stderr)


def test_two_structures_of_one_name_are_refused_with_both_rows() -> None:
    Path("clash.csv").write_text(table_text([GOOD[0], GOOD[2] | {"name": "salt"}]))
    result = pool("check", "clash.csv", *COLUMNS)
    assert result.exit_code == 2
    assert "clash.csv row 1 and clash.csv row 2 hold different structures" in result.stderr


@pytest.mark.slow
@pytest.mark.parametrize("words", [["--help"], ["build", "--help"]])
def test_help_imports_nothing_heavy(words: list[str]) -> None:
    code = (
        "import sys, io, contextlib\nfrom loop.cli.app import app\n"
        "with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):\n    app()\n"
        "print(*sys.modules, sep='\\n')"
    )
    result = subprocess.run(
        [sys.executable, "-c", code, "pool", *words],
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    loaded = {name.split(".")[0] for name in result.stdout.split()}
    assert "typer" in loaded
    assert not loaded & {"torch", "pymatgen", "numpy", "pint", "ase", "spglib", "pyarrow"}


def test_clean_says_what_goes_and_how_much_it_frees(folder: Path) -> None:
    pool("build", "good.csv", *COLUMNS)
    assert pool("clean").stdout == "0.00 MB freed; the embeddings of single structures are kept\n"
    result = pool("clean", "--older-than", "0")
    assert result.exit_code == 0
    head, row, freed = lines(result)
    assert head == "pool last used MB"
    assert "good.csv" in row.replace(" ", "")
    assert row.endswith("removed")
    assert not freed.startswith("0.00 MB")
    assert list((folder / "cache" / "pools").iterdir()) == []


def test_a_json_database_of_ase_is_told_from_a_json_of_pymatgen(folder: Path) -> None:
    from ase.build import bulk
    from ase.db import connect

    connect(folder / "crystals.json").write(bulk("NaCl", "rocksalt", a=5.64))
    result = pool("check", "crystals.json")
    assert result.exit_code == 0, result.output
    assert lines(result)[0] == "pool: crystals, 1 entry"
