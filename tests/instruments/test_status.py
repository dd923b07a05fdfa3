import threading
from collections.abc import Iterator

import pytest
from ophyd import Device
from ophyd.status import Status

from campaigns.errors import StepError
from instruments.clock import Party
from instruments.status import LabStatus, LabWait
from simulators.virtual_clock import VirtualClock


class Lab:
    def __init__(self) -> None:
        self.clock = VirtualClock()
        self.party = Party(self.clock)
        self.device = Device("", name="oven")
        self.wait = LabWait(self.party)
        self.clock.leave()

    def status(self, timeout: float = 100.0) -> LabStatus:
        return LabStatus(self.device, self.clock, timeout)


@pytest.fixture
def lab() -> Iterator[Lab]:
    lab = Lab()
    yield lab
    lab.clock.close()


def test_a_status_times_out_in_lab_time(lab: Lab) -> None:
    status = lab.status(timeout=7.2e7)
    lab.wait({status})
    with pytest.raises(StepError, match=r"oven did not end within 20000 h of lab time"):
        status.wait(10)
    assert lab.clock.now() == 7.2e7


def test_whoever_waits_is_at_work_again_before_the_status_ends(lab: Lab) -> None:
    status, at_work = lab.status(), []
    status.add_callback(lambda _: at_work.append(lab.party.at_work))
    lab.clock.call_later(10.0, status.end)
    lab.wait({status})
    status.wait(10)
    assert at_work == [True]
    assert lab.clock.now() == 10.0


def test_waiting_for_several_ends_with_the_last(lab: Lab) -> None:
    first, last = lab.status(), lab.status()
    lab.clock.call_later(10.0, first.end)
    lab.clock.call_later(20.0, last.end)
    lab.wait({first, last})
    last.wait(10)
    assert first.done
    assert lab.party.at_work
    assert lab.clock.now() == 20.0


def test_waiting_for_several_ends_with_the_first_failure(lab: Lab) -> None:
    failing, other = lab.status(), lab.status()
    lab.clock.call_later(10.0, lambda: failing.end(StepError("broken")))
    lab.wait({failing, other})
    assert isinstance(failing.exception(10), StepError)
    assert lab.party.at_work
    assert not other.done
    assert lab.clock.now() == 10.0


def test_lab_time_stands_still_while_a_driver_that_knows_no_lab_time_is_waited_for(lab: Lab) -> None:
    foreign, ours = Status(), lab.status(timeout=1.0)
    lab.wait({foreign, ours})
    assert lab.party.at_work
    assert not ours.done
    foreign.set_finished()


def test_giving_up_a_wait_goes_back_to_work(lab: Lab) -> None:
    status = lab.status()
    lab.wait({status})
    lab.wait(None)
    assert lab.party.at_work
    status.end()
    assert lab.party.at_work


def test_a_status_ends_once_whoever_calls(lab: Lab) -> None:
    status, barrier = lab.status(), threading.Barrier(8)

    def end(number: int) -> None:
        barrier.wait()
        status.end(StepError("late") if number % 2 else None)

    threads = [threading.Thread(target=end, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert status.done
