"""What an instrument that is served to another process says of its job."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from instruments.clock import WallClock
from instruments.devices.served_instrument import ServedInstrument
from instruments.job_instrument import JobInstrument


class Oven(JobInstrument):
    """Knows each job."""

    def has_job(self, token: str) -> bool:
        return bool(token)

    def start(self, token: str) -> None:
        self.token.put(token)
        self.state.put("busy")

    def progress(self) -> str:
        return ""


def test_a_job_that_ends_while_it_is_attached_to_is_said_to_have_ended_last(monkeypatch: pytest.MonkeyPatch) -> None:
    oven, told = Oven(name="oven", clock=WallClock()), list[str]()
    served = ServedInstrument(oven, lambda _, state, __: told.append(state), {})
    ends = threading.Thread(target=oven.state.put, args=("done",))
    get = oven.state.get

    def ends_after_it_was_read() -> Any:
        found = get()
        if ends.ident is None:
            ends.start()
            ends.join(0.1)  # it has to wait until what was read is told
        return found

    monkeypatch.setattr(oven.state, "get", ends_after_it_was_read)
    served.start("1-heat-1", {}, {})
    ends.join()
    assert told[-1] == "done"
    oven.clock.close()
