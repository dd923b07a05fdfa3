from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaigns.errors import LabError
from simulators.job_ledger import JobLedger, LedgerEntry

ENTRY = LedgerEntry("oven", "t1", "1", None, "calcine", 1, {"temperature": 850.0, "atmosphere": "air"}, 3600.0)


def reopen(ledger: JobLedger, path: Path) -> JobLedger:
    ledger.close()
    return JobLedger(path)


def test_jobs_survive_the_process(tmp_path: Path) -> None:
    path = tmp_path / "lab" / "jobs.jsonl"
    ledger = JobLedger(path)
    ledger.append(ENTRY)
    ledger = reopen(ledger, path)
    assert list(ledger) == [ENTRY]
    assert ledger.find("oven", "t1") == ledger.last("oven") == ENTRY
    assert ledger.find("xrd", "t1") is None
    assert ledger.latest == 3600.0
    ledger.close()


@given(cut=st.integers(1, 150))
def test_a_line_torn_by_a_crash_is_cut_and_the_next_job_follows(
    tmp_path_factory: pytest.TempPathFactory, cut: int
) -> None:
    path = tmp_path_factory.mktemp("lab") / "jobs.jsonl"
    ledger = JobLedger(path)
    ledger.append(ENTRY)
    whole = path.read_bytes()
    path.write_bytes(whole + whole[: min(cut, len(whole) - 1)])
    ledger = reopen(ledger, path)
    assert list(ledger) == [ENTRY]
    ledger.append(ENTRY)
    ledger = reopen(ledger, path)
    assert list(ledger) == [ENTRY, ENTRY]
    ledger.close()


def test_a_damaged_line_in_the_middle_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "jobs.jsonl"
    path.write_text('{"instrument": "oven"}\n')
    with pytest.raises(LabError, match=r"jobs.jsonl:1: got .* allowed: one job as JSON"):
        JobLedger(path)
