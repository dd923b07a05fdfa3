"""How much there is of consumables: counted once for each job, whoever writes, and whatever is cut short."""

from __future__ import annotations

from pathlib import Path

import pytest

from campaigns.errors import LabError
from campaigns.lab.consumables import ConsumableConfig
from loop.storage.lab_files.stock_ledger import StockLedger, read_stock, remaining, stock_beside

SALT = {"salt": ConsumableConfig.model_validate({"stock": "0.5 kg", "reorder_at": "50 g"})}


@pytest.fixture
def lab(tmp_path: Path) -> Path:
    file = tmp_path / "lab.yaml"
    file.write_text("")
    return file


def left(lab: Path) -> float:
    return StockLedger(lab, SALT).now()["salt"].left


def test_a_job_uses_what_it_needs_once_and_gives_it_back_once(lab: Path) -> None:
    ledger = StockLedger(lab, SALT)
    assert ledger.now()["salt"].text == "0.5 kg"
    ledger.take("a-1", {"salt": 0.1}, "make")
    ledger.take("a-1", {"salt": 0.1}, "make")
    StockLedger(lab, SALT).take("a-1", {"salt": 0.1}, "after a kill")
    assert left(lab) == pytest.approx(0.4)
    ledger.give_back("a-1", "nothing was moved")
    ledger.give_back("a-1", "nothing was moved")
    assert left(lab) == pytest.approx(0.5)
    ledger.take("a-1", {"salt": 0.1}, "the same attempt is begun")
    assert left(lab) == pytest.approx(0.4)


def test_equal_amounts_use_up_all_whatever_rounding_makes_of_them(lab: Path) -> None:
    ledger = StockLedger(lab, SALT)
    ledger.count("salt", 0.3, ("kim", "counted"))
    for token in ("a", "b"):
        ledger.take(token, {"salt": 0.1}, "make")
    assert remaining(left(lab), 0.1) == 0.0  # enough for another one
    ledger.take("c", {"salt": 0.1}, "make")
    assert left(lab) == 0.0
    ledger.count("salt", 0.2 - 0.1 - 0.05, ("kim", "counted"))
    assert ledger.now()["salt"].low_since is None  # it is at the level, not below


def test_what_is_in_the_lab_file_counts_until_something_was_counted(lab: Path) -> None:
    assert StockLedger(lab, SALT).refill("salt", 1.0, ("kim", "new bag")).text == "1.5 kg"
    other = {"salt": ConsumableConfig.model_validate({"stock": "9 kg"})}
    assert StockLedger(lab, other).now()["salt"].left == 1.5
    assert StockLedger(lab, SALT).count("salt", 0.2, ("kim", "spilt")).left == 0.2


def test_it_runs_low_since_the_job_that_took_it_below_the_level(lab: Path) -> None:
    ledger = StockLedger(lab, SALT)
    ledger.take("a-1", {"salt": 0.46}, "make")
    since = ledger.now()["salt"].low_since
    assert since is not None
    ledger.take("a-2", {"salt": 0.01}, "make")
    assert ledger.now()["salt"].low_since == since
    assert ledger.refill("salt", 1.0, ("kim", "new bag")).low_since is None


def test_a_line_that_was_torn_never_counted(lab: Path) -> None:
    ledger = StockLedger(lab, SALT)
    ledger.take("a-1", {"salt": 0.1}, "make")
    with ledger.path.open("ab") as file:
        file.write(b'{"name": "salt", "chan')
    assert left(lab) == pytest.approx(0.4)
    StockLedger(lab, SALT).take("a-2", {"salt": 0.1}, "make")
    assert left(lab) == pytest.approx(0.3)
    assert read_stock(stock_beside(lab.with_suffix(".stop")))["salt"].left == pytest.approx(0.3)


def test_a_line_that_cannot_be_read_is_named(lab: Path) -> None:
    ledger = StockLedger(lab, SALT)
    ledger.path.parent.mkdir()
    ledger.path.write_bytes(b"nonsense\n")
    with pytest.raises(LabError, match=r"stock\.jsonl.*nonsense"):
        ledger.now()
