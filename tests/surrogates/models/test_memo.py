"""A result is worked out once, and the oldest are forgotten where there is a limit."""

from functools import partial

from surrogates.models.memo import Memo


def test_a_result_is_worked_out_once_and_the_oldest_is_forgotten() -> None:
    called: list[int] = []

    def square(number: int) -> int:
        called.append(number)
        return number**2

    memo = Memo[int](2)
    for number in (1, 2, 1, 3, 2, 1):
        assert memo.once(number, partial(square, number)) == number**2
    assert called == [1, 2, 3, 1]
    assert list(memo) == [3, 1]
