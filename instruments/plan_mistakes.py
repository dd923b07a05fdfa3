"""Tell a mistake in a user's plan, which comes back however often it is tried, from what its devices raise."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from bluesky.utils import Msg, ensure_generator

from campaigns.errors import PlanError, raised_by
from instruments.plan_runner import Plan
from instruments.step_errors import is_silence

_MISTAKES = (TypeError, NameError, AttributeError, LookupError, ArithmeticError, ImportError, NotImplementedError)
"""Errors of code that is wrong, rather than of a laboratory that is not ready."""


def watched(call: Callable[[], Any], path: str) -> Plan:
    """Yield the messages of a user's plan.

    Args:
        call: calls the plan.
        path: dotted path of the plan.

    Raises:
        PlanError: it gives no messages, or its own code raises what comes of a mistake.
    """
    answer, thrown = None, None
    plan = _messages(call, path)
    while True:
        try:
            message = plan.send(answer) if thrown is None else plan.throw(thrown)
        except StopIteration as end:
            return end.value
        except _MISTAKES as error:
            if error is thrown or is_silence(error):
                raise
            raise PlanError(raised_by(error, path)) from error
        if not isinstance(message, Msg):
            plan.close()
            raise PlanError(_useless(path, message))
        try:
            answer, thrown = (yield message), None
        except GeneratorExit:
            plan.close()
            raise
        except BaseException as error:  # noqa: BLE001  the plan may clean up, whatever its devices have raised
            answer, thrown = None, error


def _messages(call: Callable[[], Any], path: str) -> Plan:
    made = call()
    if not isinstance(made, Iterable):
        raise PlanError(_useless(path, made))
    return (yield from ensure_generator(made))


def _useless(path: str, got: object) -> str:
    return f"the plan {path} gave a {type(got).__name__}; needed: messages of Bluesky, by 'yield from' or 'return'"
