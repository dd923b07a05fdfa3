"""Code of the user's own is waited for no longer than it may take, and ends nothing but itself."""

import threading
from pathlib import Path

import pytest

from campaigns.user_code.guarded_calls import OverdueError, UserCodeError, call_within


def forever() -> None:
    while True:
        pass


def test_what_a_function_returns_is_returned() -> None:
    assert call_within(60.0, lambda: 3) == 3
    assert call_within(60.0, lambda: None) is None


@pytest.mark.parametrize("error", [SystemExit(2), KeyboardInterrupt(), GeneratorExit(), ValueError("no")])
def test_what_a_function_raises_is_kept_whatever_it_is(error: BaseException) -> None:
    def fail() -> None:
        raise error

    with pytest.raises(UserCodeError) as found:
        call_within(60.0, fail)
    assert found.value.raised is error


def test_what_does_not_come_back_is_left_with_the_line_that_it_is_in_and_ended() -> None:
    before = set(threading.enumerate())
    with pytest.raises(OverdueError) as found:
        call_within(0.05, forever)
    file, line = found.value.lines[-1]
    assert Path(file) == Path(__file__)
    assert line in range(forever.__code__.co_firstlineno + 1, forever.__code__.co_firstlineno + 3)
    for thread in set(threading.enumerate()) - before:
        thread.join(60.0)
        assert not thread.is_alive()
