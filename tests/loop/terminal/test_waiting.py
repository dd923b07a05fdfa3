import pytest

from loop.terminal.waiting import Waiting


def test_work_of_a_moment_shows_nothing_and_long_work_each_new_thing_once(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    with Waiting() as shown:
        shown("embedding", 0, 9)
        now[0] = 2.5
        for done in range(3):
            shown("embedding", done, 9)
        shown("asking", 0, 1)
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.splitlines() == ["embedding …", "asking …"]
