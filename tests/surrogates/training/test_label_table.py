"""Rows are read as pools are; those that cannot be used are listed with their reason."""

from pathlib import Path

import pytest

from campaigns.errors import CampaignError
from surrogates.training.dataset import Target
from surrogates.training.label_table import read_table
from tests.trained import salt, salts, write_table

HEAT = Target("heat", "eV/atom")


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ATHANOR_CACHE", str(tmp_path / "cache"))


def test_structures_come_with_their_values(tmp_path: Path) -> None:
    data = read_table(write_table(tmp_path / "a.csv", salts(5), [0.1, 0.2, 0.3, 0.4, 0.5]), "cif", HEAT)
    assert data.source == "a.csv"
    assert data.values.tolist() == [0.1, 0.2, 0.3, 0.4, 0.5]
    assert [structure.composition for structure in data.structures] == [s.composition for s in salts(5)]
    assert data.skipped == ()


def test_rows_that_cannot_be_used_are_listed_with_their_reason(tmp_path: Path) -> None:
    structures = [*salts(4), salt("Na", "Cl", 0.5), salts(1)[0]]
    data = read_table(write_table(tmp_path / "a.csv", structures, [1, "", "nan", 4, 5, 6]), "cif", HEAT)
    assert data.values.tolist() == [1, 4]
    reasons = {row.where: row.reason for row in data.skipped}
    assert "allowed: a length above 1 Å" in reasons["a.csv row 5"]
    assert reasons["a.csv row 6"].startswith("is the same crystal as")
    assert list(reasons.values()).count("has no heat") == 2


@pytest.mark.parametrize(
    ("name", "structure", "target", "said"),
    [
        ("none.csv", "cif", HEAT, "none.csv"),
        ("a.csv", "poscar", HEAT, "has no column: got 'poscar'"),
        ("a.csv", "cif", Target("gap", "eV"), "has no column: got 'gap'; its columns: 'cif', 'heat'"),
        ("a.txt", "cif", HEAT, r"got 'a.txt'; allowed: a table whose name ends in .csv, .csv.gz, .csv.xz, .parquet"),
    ],
)
def test_what_is_no_table_or_has_no_such_column_is_refused(
    tmp_path: Path, name: str, structure: str, target: Target, said: str
) -> None:
    write_table(tmp_path / "a.csv", salts(2), [1, 2])
    with pytest.raises(CampaignError, match=said) as caught:
        read_table(tmp_path / name, structure, target)
    assert {problem.where for problem in caught.value.problems} == {"--data"}


def test_progress_is_told(tmp_path: Path) -> None:
    told = []
    read_table(write_table(tmp_path / "a.csv", salts(5), [*range(5)]), "cif", HEAT, lambda *words: told.append(words))
    assert told
    assert told[-1][1] == told[-1][2]


@pytest.mark.parametrize(
    ("head", "first", "said"),
    [
        ("heat [meV/atom]", None, None),
        ("heat", "meV/atom", None),
        ("heat [V]", None, "column 'heat \\[V\\]': got .*allowed: a quantity like eV/atom"),
        ("heat", "eV", "per atom, or of all"),
    ],
)
def test_the_unit_that_a_table_states_is_converted_or_refused(
    tmp_path: Path, head: str, first: str | None, said: str | None
) -> None:
    file = write_table(tmp_path / "a.csv", salts(4)[1:], [100, 200, 300])
    lines = file.read_text().replace("heat", head, 1)
    file.write_text(lines if first is None else lines.replace("\n", f"\n,{first}\n", 1))
    if said is None:
        assert read_table(file, "cif", HEAT).values == pytest.approx([0.1, 0.2, 0.3])
    else:
        with pytest.raises(CampaignError, match=said):
            read_table(file, "cif", HEAT)
