import dataclasses
import threading
from collections.abc import Callable
from typing import Any

import event_model
import pytest
from ophyd.status import Status

from campaigns.errors import LabError, NotReservedError, StoreError
from instruments.job import Fate, Job
from instruments.station import Station
from simulators.faults import Fault, Kind
from simulators.virtual_lab import VirtualLab
from tests.labs import Crew, job


def names(crew: Crew[VirtualLab]) -> list[str]:
    return [name for _, name, _ in crew.documents]


def test_a_trial_goes_through_its_stations_in_no_wall_time(crew_of: Callable[..., Crew[VirtualLab]]) -> None:
    crew = crew_of()
    made, seen, cycled = crew.run(job("oven"), job("xrd"), job("cycler"))
    assert made.ok
    assert seen.ok
    assert cycled.ok
    assert made.ended - made.started > 12 * 3600
    assert (made.ended, seen.ended) == (seen.started, cycled.started)
    assert names(crew) == 3 * ["start", "descriptor", "event", "stop"]
    assert [result.run_uid for result in (made, seen, cycled)] == [
        document["uid"] for _, name, document in crew.documents if name == "start"
    ]


def test_documents_follow_the_schema_and_carry_units(crew_of: Callable[..., Crew[VirtualLab]]) -> None:
    crew = crew_of()
    crew.run(job("oven"), job("xrd"), job("cycler"))
    for _, name, document in crew.documents:
        event_model.schema_validators[event_model.DocumentNames[name]].validate(document)
    keys: dict[str, Any] = {}
    for _, name, document in crew.documents:
        keys |= document["data_keys"] if name == "descriptor" else {}
    units = {name: key["units"] for name, key in keys.items() if "units" in key}
    assert units["oven_temperature"] == units["oven_profile_temperature"] == "degC"
    assert (units["oven_time"], units["oven_profile_time"], units["oven_ramp_rate"]) == ("h", "s", "degC/min")
    assert (units["xrd_two_theta"], units["xrd_counts"], units["cycler_capacity"]) == ("deg", "1", "mAh/g")
    assert (units["cycler_voltage"], units["cycler_c_rate"]) == ("V", "1/h")


def test_the_event_echoes_token_and_recipe(crew_of: Callable[..., Crew[VirtualLab]]) -> None:
    crew = crew_of()
    crew.run(job("oven"))
    (event,) = crew.events()
    assert event["data"]["oven_token"] == job("oven").token
    assert event["data"]["oven_temperature"] == 850.0
    assert event["data"]["oven_lithium_excess"] == 5.0


def test_dispatch_comes_after_the_start_document_and_before_anything_moves(
    crew_of: Callable[..., Crew[VirtualLab]],
) -> None:
    crew = crew_of()
    seen = []

    def dispatch() -> None:
        seen.append((names(crew), len(list(crew.lab.ledger))))

    (result,) = crew.run(job("oven", dispatch=dispatch))
    assert seen == [(["start"], 0)]
    assert result.dispatched


def test_when_dispatch_cannot_be_committed_nothing_moves(crew_of: Callable[..., Crew[VirtualLab]]) -> None:
    crew = crew_of()

    def dispatch() -> None:
        raise StoreError("disk full")

    (result,) = crew.run(job("oven", dispatch=dispatch))
    assert (result.ok, result.dispatched, result.error) == (False, False, "disk full")
    assert list(crew.lab.ledger) == []


@pytest.mark.parametrize(
    ("recipe", "complaint"),
    [
        ({"temperature": 1300.0, "time": 1.0}, "oven: temperature got 1300.0; allowed: 100 to 1200"),
        ({"temperature": float("nan"), "time": 1.0}, "oven: temperature got nan"),
        ({"temperature": 800.0}, "oven: no value for time"),
        ({"temperature": 800.0, "time": 1.0, "speed": 1.0}, "oven has no setting 'speed'"),
        ({"temperature": 800.0, "time": 1.0, "atmosphere": "steam"}, "oven: atmosphere got 'steam'"),
    ],
)
def test_no_recipe_outside_the_limits_moves_anything(
    crew_of: Callable[..., Crew[VirtualLab]], recipe: dict[str, Any], complaint: str
) -> None:
    crew = crew_of()
    (result,) = crew.run(job("oven", recipe=recipe))
    assert result.error.startswith(complaint)
    assert not result.dispatched
    assert list(crew.lab.ledger) == []
    assert crew.lab.instrument("oven").temperature.get() == 25.0


def test_limits_that_the_device_does_not_state_mean_that_nothing_moves(
    crew_of: Callable[..., Crew[VirtualLab]],
) -> None:
    crew = crew_of()
    crew.lab.instrument("oven").temperature._limits = (0, 0)
    (result,) = crew.run(job("oven"))
    assert "the limits of temperature cannot be read" in result.error
    assert (result.dispatched, list(crew.lab.ledger)) == (False, [])


def test_an_interlock_forbids_to_start(crew_of: Callable[..., Crew[VirtualLab]]) -> None:
    crew = crew_of()
    crew.lab.instrument("oven").door.put("open")
    (result,) = crew.run(job("oven"))
    assert result.error == "oven: interlock: door is 'open'; allowed: 'closed'; nothing was moved"
    assert (result.dispatched, list(crew.lab.ledger)) == (False, [])


def test_a_setting_that_does_not_arrive_is_noticed_before_anything_moves(
    crew_of: Callable[..., Crew[VirtualLab]], monkeypatch: pytest.MonkeyPatch
) -> None:
    crew = crew_of()
    signal = crew.lab.instrument("oven").temperature
    monkeypatch.setattr(signal, "put", lambda value, **_: type(signal).put(signal, value - 10.0))
    (result,) = crew.run(job("oven"))
    assert result.error.startswith("oven_temperature was set to 850.0 and reads 840.0; nothing was started")
    assert (result.dispatched, list(crew.lab.ledger)) == (False, [])


@pytest.mark.parametrize(
    ("kind", "complaint"),
    [
        ("raise", "xrd: the driver failed, as the simulated fault asks"),
        ("hang", "xrd did not end within 100 h of lab time"),
    ],
)
def test_a_failing_job_costs_itself_and_the_station_goes_on(
    crew_of: Callable[..., Crew[VirtualLab]], kind: Kind, complaint: str
) -> None:
    crew = crew_of(Fault(3, "xrd", kind))
    crew.run(job("oven"), job("oven", trial=4))
    bad, good = crew.run(job("xrd"), job("xrd", trial=4))
    assert bad.error.startswith(complaint)
    assert bad.dispatched
    assert good.ok


def test_a_furnace_that_does_not_heat_is_no_success(crew_of: Callable[..., Crew[VirtualLab]]) -> None:
    crew = crew_of(Fault(3, "oven", "cold"))
    (result,) = crew.run(job("oven"))
    assert result.error.startswith("oven: peak got 25.0 degC; allowed: 850 ± 10 degC")
    assert crew.events() == []


@pytest.mark.slow
def test_a_blocked_driver_loses_its_station_and_no_other(crew_of: Callable[..., Crew[VirtualLab]]) -> None:
    crew = crew_of(Fault(3, "xrd", "block"), backstop=1.0)
    crew.run(job("oven"))
    crew.submit(job("oven", trial=4))
    crew.submit(job("xrd"))
    blocked, other = sorted((crew.wait(), crew.wait()), key=lambda result: result.ok)
    assert "the driver blocks its station" in blocked.error
    assert blocked.dispatched
    assert other.ok
    assert crew.stations["xrd"].lost
    assert crew.stations["xrd"].describe() == "lost: a driver blocks it"
    with pytest.raises(LabError, match="station xrd is lost"):
        crew.submit(job("xrd", trial=5))
    recorded = len(crew.documents)
    crew.close()
    crew.stations["xrd"]._thread.join(10)
    assert len(crew.documents) == recorded


@pytest.mark.slow
def test_a_foreign_status_that_never_ends_is_given_up_after_the_backstop(
    crew_of: Callable[..., Crew[VirtualLab]], monkeypatch: pytest.MonkeyPatch
) -> None:
    crew = crew_of(backstop=1.0)
    monkeypatch.setattr(crew.lab.instrument("oven"), "set", lambda *_, **__: Status())
    (result,) = crew.run(job("oven"))
    assert result.error.startswith("aborted: no progress for")
    assert not crew.stations["oven"].lost


def test_an_abort_from_another_thread_ends_the_job_but_not_the_furnace(
    crew_of: Callable[..., Crew[VirtualLab]],
) -> None:
    crew = crew_of()
    oven = crew.lab.instrument("oven")
    crew.submit(job("oven", dispatch=lambda: crew.stations["oven"].abort("the user said so")))
    assert crew.stopped.wait(10)
    result = crew.wait()
    assert result.error == "aborted: the user said so"
    assert oven.state.get() == "busy"
    assert [document["exit_status"] for _, name, document in crew.documents if name == "stop"] == ["abort"]


def test_a_job_is_not_started_on_an_instrument_that_is_still_busy(crew_of: Callable[..., Crew[VirtualLab]]) -> None:
    crew = crew_of()
    oven = crew.lab.instrument("oven")
    oven.state.put("busy")
    (result,) = crew.run(job("oven"))
    assert "wait until it has ended" in result.error
    assert not result.dispatched


@pytest.mark.parametrize("at", ["start", "descriptor", "event", "stop"])
def test_a_document_that_cannot_be_stored_is_no_success(crew_of: Callable[..., Crew[VirtualLab]], at: str) -> None:
    crew = crew_of()

    def store(job: Job, name: str, document: dict[str, Any]) -> None:
        if name == at:
            raise StoreError(f"no room for the {name}")

    crew.stations["oven"].close()
    crew.stations["oven"] = Station("oven", crew.lab.instrument("oven"), crew.lab.clock, store)
    (result,) = crew.run(job("oven"))
    assert result.error == f"no room for the {at}"


@pytest.mark.slow
@pytest.mark.parametrize("exit_", [SystemExit("no licence"), KeyboardInterrupt()])
@pytest.mark.parametrize("where", ["set", "read", "has_finished", "check_ready"])
def test_a_driver_that_exits_python_costs_its_job_and_the_station_goes_on(
    crew_of: Callable[..., Crew[VirtualLab]], monkeypatch: pytest.MonkeyPatch, where: str, exit_: BaseException
) -> None:
    crew = crew_of()
    oven = crew.lab.instrument("oven")

    def leave(*_: Any, **__: Any) -> None:
        raise exit_

    with monkeypatch.context() as patch:
        patch.setattr(oven, where, leave)
        if where == "has_finished":
            patch.setattr(oven, "verify", lambda _: 1 / 0)
        (bad,) = crew.run(job("oven"))
    (good,) = crew.run(job("oven", trial=4))
    assert not bad.ok
    assert bad.dispatched == (where != "check_ready")
    assert where == "has_finished" or type(exit_).__name__ in str(bad.error)
    assert good.ok


@pytest.mark.parametrize(
    ("answers", "fate"),
    [
        ({"never_began": True}, Fate.NEVER_BEGAN),
        ({"never_began": False, "has_finished": True}, Fate.OVER),
        ({"never_began": False, "has_finished": False}, Fate.UNKNOWN),
        ({"never_began": False, "has_finished": False, "is_at": True}, Fate.UNDER_WAY),
        ({"never_began": ConnectionError("no route")}, Fate.UNDER_WAY),
        ({"never_began": KeyError("no register")}, Fate.UNKNOWN),
    ],
)
def test_the_instrument_is_asked_what_became_of_a_job_that_failed(
    crew_of: Callable[..., Crew[VirtualLab]], monkeypatch: pytest.MonkeyPatch, answers: dict[str, Any], fate: Fate
) -> None:
    crew = crew_of(Fault(3, "oven", "cold"))

    def answering(answer: Any) -> Callable[[str], Any]:
        def reply(_token: str) -> Any:
            if isinstance(answer, Exception):
                raise answer
            return answer

        return reply

    for name, answer in answers.items():
        monkeypatch.setattr(crew.lab.instrument("oven"), name, answering(answer))
    (result,) = crew.run(job("oven"))
    assert (result.ok, result.fate) == (False, fate)


def unheard(crew: Crew[VirtualLab], monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the oven end its jobs without saying so."""
    monkeypatch.setattr(crew.lab.instrument("oven"), "_settle", lambda *_: None)


def silent(crew: Crew[VirtualLab], monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the oven answer nothing when it is read."""

    def read() -> Any:
        raise TimeoutError("no answer")

    monkeypatch.setattr(crew.lab.instrument("oven"), "read", read)


def silent_for_long(crew: Crew[VirtualLab], monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the oven answer nothing when it is read until the job's time is over."""
    clock = crew.lab.clock

    def read() -> Any:
        over = threading.Event()

        def come_back() -> None:
            clock.enter()
            over.set()

        clock.call_later(job("oven").timeout, come_back)
        clock.leave()
        assert over.wait(20.0)
        raise TimeoutError("no answer")

    monkeypatch.setattr(crew.lab.instrument("oven"), "read", read)


def silent_and_failed(crew: Crew[VirtualLab], monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the oven answer only when the job's time is over, and say then that it is at fault."""
    unheard(crew, monkeypatch)
    monkeypatch.setattr(crew.lab.instrument("oven"), "has_finished", lambda _: _fail(crew))


def _fail(crew: Crew[VirtualLab]) -> bool:
    crew.lab.instrument("oven").state.put("fault")
    return True


@pytest.mark.parametrize(
    ("meets", "adopt", "fate"),
    [
        (unheard, False, Fate.UNDER_WAY),
        (unheard, True, Fate.OVER),
        (silent, False, Fate.OVER),
        (silent_for_long, False, Fate.UNDER_WAY),
        (silent_and_failed, False, Fate.OVER),
    ],
)
def test_what_has_ended_unseen_when_its_time_was_over_is_collected_later_and_once(
    crew_of: Callable[..., Crew[VirtualLab]],
    monkeypatch: pytest.MonkeyPatch,
    meets: Callable[[Crew[VirtualLab], pytest.MonkeyPatch], None],
    adopt: bool,
    fate: Fate,
) -> None:
    monkeypatch.setattr("instruments.patience._PAUSE", 0.001)
    crew = crew_of()
    if adopt:
        crew.run(job("oven"))
    meets(crew, monkeypatch)
    (result,) = crew.run(job("oven", adopt=adopt))
    assert (result.ok, result.fate) == (False, fate)


@pytest.mark.slow
def test_a_link_that_is_silent_as_a_job_begins_is_asked_again_by_its_token(
    crew_of: Callable[..., Crew[VirtualLab]], monkeypatch: pytest.MonkeyPatch
) -> None:
    crew = crew_of()
    oven = crew.lab.instrument("oven")
    begin, said = oven.start, list[str]()

    def start(token: str) -> None:
        begin(token)
        if not said:
            said.append("told, but nobody heard the answer")
            raise TimeoutError("no answer")

    def has_job(token: str) -> bool:
        said.append(crew.stations["oven"].describe())
        return type(oven).has_job(oven, token)

    monkeypatch.setattr(oven, "start", start)
    monkeypatch.setattr(oven, "has_job", has_job)
    (result,) = crew.run(job("oven"))
    assert result.ok
    assert said[1:] == ["oven trial 3: disconnected"]
    assert len(list(crew.lab.ledger)) == 1


def test_a_job_that_the_instrument_knows_is_not_begun_again_by_a_store_that_does_not(
    crew_of: Callable[..., Crew[VirtualLab]],
) -> None:
    crew = crew_of()
    told: list[str] = []
    crew.run(job("oven"))
    (result,) = crew.run(dataclasses.replace(job("oven"), dispatch=lambda: told.append("dispatched")))
    assert (result.ok, result.dispatched, told) == (True, True, ["dispatched"])
    assert len(list(crew.lab.ledger)) == 1


@pytest.mark.parametrize(
    ("refuses", "fate"), [("start", Fate.NEVER_BEGAN), ("start again", Fate.UNKNOWN), ("verify", Fate.UNKNOWN)]
)
def test_only_what_was_never_told_its_instrument_never_began_where_the_station_is_another_campaigns(
    crew_of: Callable[..., Crew[VirtualLab]], monkeypatch: pytest.MonkeyPatch, refuses: str, fate: Fate
) -> None:
    crew = crew_of()
    oven = crew.lab.instrument("oven")
    if refuses == "start again":
        crew.run(job("oven"))

    def refuse(_: object) -> None:
        raise NotReservedError("oven is not reserved for this campaign")

    monkeypatch.setattr(oven, refuses.removesuffix(" again"), refuse)
    (result,) = crew.run(job("oven"))
    assert (result.ok, result.refused, result.busy, result.dispatched) == (False, True, True, True)
    assert (result.fate, result.error) == (fate, "oven is not reserved for this campaign")


def test_a_job_that_the_instrument_knows_waits_for_another_one_there(
    crew_of: Callable[..., Crew[VirtualLab]],
) -> None:
    crew = crew_of()
    crew.run(job("oven"))
    crew.lab.instrument("oven").start("another job")
    (result,) = crew.run(job("oven"))
    assert (result.ok, result.busy, result.dispatched) == (False, True, True)


def test_a_station_takes_one_job_at_a_time(crew_of: Callable[..., Crew[VirtualLab]]) -> None:
    crew = crew_of()
    crew.submit(job("oven"))
    with pytest.raises(LabError, match="station oven is busy"):
        crew.submit(job("oven", trial=4))
    assert crew.wait().ok
    assert not crew.stations["oven"].busy


def test_a_station_says_what_it_does(crew_of: Callable[..., Crew[VirtualLab]]) -> None:
    crew = crew_of()
    assert crew.stations["oven"].describe() == "idle"
    said = []
    crew.lab.clock.call_at(7.2 * 3600, lambda: said.append(crew.stations["oven"].describe()))
    crew.run(job("oven"))
    assert said == ["oven trial 3: soak 850 degC, 40 %"]


def test_closing_in_the_middle_of_a_job_ends_all_threads(crew_of: Callable[..., Crew[VirtualLab]]) -> None:
    crew = crew_of()
    started = threading.Event()
    crew.submit(job("oven", dispatch=started.set))
    assert started.wait(10)
    crew.close()
    assert crew.lab.instrument("oven").state.get() in {"busy", "idle"}


def test_a_station_stays_busy_until_its_result_is_handed_over(crew_of: Callable[..., Crew[VirtualLab]]) -> None:
    crew = crew_of()
    crew.submit(job("oven", recipe={}))
    assert crew.stopped.wait(10)
    assert crew.stations["oven"].busy
    crew.wait()
    assert not crew.stations["oven"].busy
