from pathlib import Path

import pytest

from campaigns.errors import CampaignError
from campaigns.pool_source import FolderPoolConfig
from surrogates.pools.pool import load_pool
from tests.surrogates.pools.crystal_files import cif, crowded, formulas, perovskite, poscar, reasons, salt


def pool_of(folder: Path) -> FolderPoolConfig:
    return FolderPoolConfig(kind="folder", folder=str(folder))


def test_cif_and_poscar_files_are_entries_here_and_in_folders_below(tmp_path: Path) -> None:
    (tmp_path / "oxides" / "run").mkdir(parents=True)
    (tmp_path / ".hidden").mkdir()
    (tmp_path / "salt.cif").write_text(cif(salt()))
    (tmp_path / "KCl.VASP").write_text(poscar(salt("K", a=6.29)))
    (tmp_path / "oxides" / "run" / "CONTCAR").write_text(poscar(perovskite()))
    (tmp_path / "POSCAR.rb").write_text(poscar(salt("Rb", a=6.58)))
    for name in ("notes.txt", ".hidden/salt2.cif", ".salt3.cif"):
        (tmp_path / name).write_text("not a crystal")
    pool = load_pool(pool_of(tmp_path))
    assert formulas(pool) == {"KCl": "KCl", "POSCAR.rb": "RbCl", "oxides/run/CONTCAR": "SrTiO3", "salt": "NaCl"}
    assert pool.report.bad == ()
    assert pool["salt"].provenance == {"file": "salt.cif"}


def test_windows_files_with_a_byte_order_mark_are_read(tmp_path: Path) -> None:
    for name, text in (("a.cif", cif(salt())), ("b.vasp", poscar(perovskite()))):
        (tmp_path / name).write_bytes(b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode())
    assert formulas(load_pool(pool_of(tmp_path))) == {"a": "NaCl", "b": "SrTiO3"}


def test_each_structure_of_a_cif_with_several_is_an_entry(tmp_path: Path) -> None:
    (tmp_path / "two.cif").write_text("data_global\n_journal_year 1999\n" + cif(salt()) + cif(perovskite()))
    assert formulas(load_pool(pool_of(tmp_path))) == {"two:NaCl": "NaCl", "two:SrTiO3": "SrTiO3"}


def test_bad_files_are_told_by_name(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "good.cif").write_text(cif(salt()))
    (tmp_path / "empty.cif").write_text("")
    (tmp_path / "binary.cif").write_bytes(bytes(range(256)) * 4)
    (tmp_path / "deep" / "crowded.cif").write_text(cif(crowded()))
    (tmp_path / "gone.cif").symlink_to(tmp_path / "nowhere")
    found = reasons(pool_of(tmp_path))
    assert list(found) == ["binary.cif", "deep/crowded.cif", "empty.cif", "gone.cif"]
    assert found["binary.cif"] == "is neither CIF, POSCAR nor pymatgen's JSON"
    assert "0.20 Å apart" in found["deep/crowded.cif"]
    assert found["empty.cif"] == "is empty"
    assert found["gone.cif"] == "cannot be read: No such file or directory"


def test_compressed_files_are_told_and_not_passed_over(tmp_path: Path) -> None:
    (tmp_path / "salt.cif").write_text(cif(salt()))
    for name in ("a.cif.gz", "POSCAR.bz2"):
        (tmp_path / name).write_bytes(b"\x1f\x8b")
    assert reasons(pool_of(tmp_path)) == dict.fromkeys(["POSCAR.bz2", "a.cif.gz"], "is compressed; unpack it")


def test_a_folder_without_structures_says_which_files_count(tmp_path: Path) -> None:
    (tmp_path / "salt.txt").write_text(cif(salt()))
    with pytest.raises(CampaignError, match=r"holds no structures; files that count.*\*\.cif, \*\.vasp"):
        load_pool(pool_of(tmp_path))


def test_a_loop_of_links_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "salt.cif").write_text(cif(salt()))
    (tmp_path / "again").symlink_to(tmp_path)
    assert load_pool(pool_of(tmp_path)).ids == ("salt",)


def test_one_name_for_two_structures_names_both_files(tmp_path: Path) -> None:
    (tmp_path / "x.cif").write_text(cif(salt()))
    (tmp_path / "x.vasp").write_text(poscar(perovskite()))
    with pytest.raises(CampaignError, match=r"x\.cif and x\.vasp hold different structures, and both are called 'x'"):
        load_pool(pool_of(tmp_path))


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252", "utf-16", "utf-8-sig"])
def test_old_and_foreign_encodings_are_read(encoding: str, tmp_path: Path) -> None:
    text = cif(salt()) + "_publ_author_name 'M\u00fcller'\n"
    (tmp_path / "salt.cif").write_bytes(text.encode(encoding))
    assert formulas(load_pool(pool_of(tmp_path))) == {"salt": "NaCl"}


def test_kinds_that_are_not_read_are_told_and_not_passed_over(tmp_path: Path) -> None:
    (tmp_path / "salt.cif").write_text(cif(salt()))
    (tmp_path / "water.xyz").write_text("3\n\nO 0 0 0\nH 0 0 1\nH 0 1 0\n")
    assert reasons(pool_of(tmp_path)) == {
        "water.xyz": "is a .xyz file, which is not read; convert it to CIF, such as with ASE"
    }


def test_blocks_of_one_name_cost_no_more_than_the_second(tmp_path: Path) -> None:
    (tmp_path / "two.cif").write_text(cif(salt()) + cif(perovskite()).replace("data_SrTiO3", "data_NACL"))
    pool = load_pool(pool_of(tmp_path))
    assert formulas(pool) == {"two:NaCl": "NaCl"}
    assert [str(bad) for bad in pool.report.bad] == ["two.cif: has two data blocks called 'NACL'; name them apart"]
