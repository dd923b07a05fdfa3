import sys
from pathlib import Path

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest

from campaigns.errors import CampaignError, ModelError
from campaigns.pool_source import TablePoolConfig
from surrogates.pools.pool import load_pool
from tests.surrogates.pools.crystal_files import cif, formulas, perovskite, salt

COLUMNS = {
    "number": [7, 8, None, 10],
    "crystal": [cif(salt()), cif(perovskite()), cif(salt("K", a=6.29)), None],
    "gap": [8.5, None, 8.4, 1.0],
}


def written(folder: Path) -> TablePoolConfig:
    file = folder / "crystals.parquet"
    pyarrow.parquet.write_table(pyarrow.table(COLUMNS), file)
    return TablePoolConfig(kind="table", file=str(file), structure="crystal", id="number", properties=("gap",))


def test_rows_are_entries(tmp_path: Path) -> None:
    pool = load_pool(written(tmp_path))
    assert formulas(pool) == {"7": "NaCl", "8": "SrTiO3"}
    assert np.array_equal(pool.properties["gap"], [8.5, np.nan], equal_nan=True)
    assert [(bad.place.row, bad.reason[:15]) for bad in pool.report.bad] == [
        (3, "got None as num"),
        (4, "its crystal is "),
    ]


def test_missing_columns_and_damaged_files_are_refused(tmp_path: Path) -> None:
    config = written(tmp_path)
    with pytest.raises(CampaignError, match=r"no column.*got 'cif'"):
        load_pool(config.model_copy(update={"structure": "cif"}))
    config.path.write_bytes(config.path.read_bytes()[:300])
    with pytest.raises(CampaignError, match="cannot be read"):
        load_pool(config)


def test_without_pyarrow_the_message_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = written(tmp_path)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ModelError, match=r"pip install 'athanor-sdl\[parquet\]'"):
        load_pool(config)
