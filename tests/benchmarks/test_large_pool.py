"""The benchmark of large pools: a small one goes the same way."""

from pathlib import Path

import pytest

from benchmarks import large_pool


@pytest.mark.slow
def test_all_its_structures_can_be_used_and_none_is_embedded_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ATHANOR_CACHE", str(tmp_path / "cache"))
    large_pool.write(tmp_path, 24)
    for stage, words in (("build", "24 entries; 0 bad, 0 duplicates"), ("embed", "24 were"), ("embed", "0 were")):
        large_pool.stage(stage, tmp_path)
        assert f'"words": "{words}' in capsys.readouterr().out
