"""Samples that steps make, move and consume, and places that are full, in whole campaigns."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from campaigns.errors import CampaignError
from campaigns.values import TrialState
from loop.cli.run_orders import stop_after
from loop.cli.sample_orders import describe_sample, lose_sample, move_sample, split_sample
from loop.core.events import Event, StepEnded, StepStarted
from loop.report.report_content import read_content
from loop.report.sample_section import sample_parts
from loop.storage.reader import Reader
from loop.terminal.requests_view import request_lines, stored_requests
from loop.terminal.sample_view import position_rows, sample_rows, stored_samples
from loop.terminal.status_view import status_rows
from tests.loop.sampled import loaded, run_sampled, sampled

pytestmark = [pytest.mark.slow, pytest.mark.timeout(100)]

MAKES: dict[str, Any] = {"makes": "200 + 100 * x", "moves_to": "tray"}
MEASURES: dict[str, Any] = {"at": "holder", "moves_to": "shelf", "consumes": "20 mg"}


class KilledError(Exception):
    """Stands for the end of the process in the middle of things."""


def url(folder: Path) -> str:
    return f"sqlite:///{folder / 'test.db'}"


def test_samples_go_through_their_positions_killed_or_not(tmp_path: Path) -> None:
    data = sampled(tmp_path, MAKES, MEASURES)

    def kill(event: Event) -> None:
        if isinstance(event, StepEnded):
            raise KilledError

    with pytest.raises(KilledError):
        run_sampled(data, tmp_path, kill)
    trials = run_sampled(data, tmp_path).trials
    assert [trial.state for trial in trials] == [TrialState.COMPLETED] * 3
    found = stored_samples(Reader(url(tmp_path)))
    assert [(s.id, s.position, s.gone) for s in found.by_id.values()] == [(str(n), "shelf", "") for n in range(3)]
    x = float(trials[0].candidate.parameters["x"])
    assert found.by_id["0"].mass == pytest.approx(180 + 100 * x)
    assert ("at shelf", "samples 0, 1, 2") in position_rows(Reader(url(tmp_path)))
    assert ("position", "shelf") in sample_rows(Reader(url(tmp_path)), "0")
    shown = "".join(sample_parts(read_content(Reader(url(tmp_path)))))
    assert "<td>20 mg consumed</td><td>step_1 at bench_1</td>" in shown


class Colleague:
    """Somebody who waits for a request in another thread, and answers it."""

    def __init__(self, folder: Path, answer: Callable[[], object], awaited: str = "") -> None:
        self.asked: list[str] = []
        self._folder, self._answer, self._awaited = folder, answer, awaited
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __call__(self, event: Event) -> None:
        if isinstance(event, StepStarted) and self._thread.ident is None:
            self._thread.start()

    def _watch(self) -> None:
        ends = time.monotonic() + 60
        while time.monotonic() < ends:
            store = Reader(url(self._folder))
            if any(self._awaited in one.what for one in stored_requests(store)):
                self.asked.extend(request_lines(store, None, url(self._folder)))
                self.asked.extend(f"{label}: {text}" for label, text in status_rows(store))
                self._answer()
                return
            time.sleep(0.05)


def test_a_full_position_holds_the_next_job_back_until_somebody_makes_room(tmp_path: Path) -> None:
    """The holder keeps the first sample, as no step takes it away."""
    data = sampled(tmp_path, MAKES, {"at": "holder"}, budget={"trials": 2})
    colleague = Colleague(tmp_path, lambda: list(move_sample(["0", "shelf"], url(tmp_path), "measured")))
    trials = run_sampled(data, tmp_path, colleague).trials
    assert [trial.state for trial in trials] == [TrialState.COMPLETED] * 2
    assert any("bench_1 waits" in line and "holder is full: sample 0" in line for line in colleague.asked)
    assert any("athanor sample move 0 POSITION" in line for line in colleague.asked)
    assert "at holder: sample 0" in colleague.asked


def test_a_lost_sample_ends_its_trial_unless_a_part_of_it_is_left(tmp_path: Path) -> None:
    data = sampled(tmp_path, MAKES | {"splits": 2}, {"at": "holder", "moves_to": "shelf"}, budget={"trials": 2})

    def on_event(event: Event) -> None:
        if isinstance(event, StepEnded) and event.step == "step_0":
            list(stop_after("step", None, url(tmp_path), "to look at it"))

    run_sampled(data, tmp_path, on_event)
    said = list(lose_sample(["0.1"], url(tmp_path), "dropped"))
    assert said == ["amendment 2: sample 0.1 is lost", "trial 0 goes on with sample 0.2"]
    with pytest.raises(CampaignError, match=r"is lost.*allowed: 0\.2"):
        list(lose_sample(["0.1"], url(tmp_path), "dropped"))
    first, *_ = run_sampled(data, tmp_path).trials
    assert first.state is TrialState.COMPLETED
    store = Reader(url(tmp_path))
    starts = [document.body for document in store.documents(0) if document.kind == "start"]
    assert [start["sample"] for start in starts] == ["0", "0.2"]
    assert stored_samples(store).by_id["0.2"].position == "shelf"


def test_the_last_sample_of_a_trial_that_is_lost_discards_it(tmp_path: Path) -> None:
    data = sampled(tmp_path, MAKES, {"at": "holder", "moves_to": "shelf"}, budget={"trials": 1})

    def on_event(event: Event) -> None:
        if isinstance(event, StepEnded) and event.step == "step_0":
            list(stop_after("step", None, url(tmp_path), "to look at it"))

    run_sampled(data, tmp_path, on_event)
    said = " ".join(lose_sample(["0"], url(tmp_path), "dropped"))
    assert "amendment 3: trial 0 is discarded, its sample is lost, done" in said


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A campaign of three trials whose samples lie on the shelf, but for a full holder."""
    folder = tmp_path_factory.mktemp("made")
    data = sampled(folder, MAKES | {"moves_to": "shelf"})
    run_sampled(data, folder)
    list(move_sample(["0", "holder"], url(folder), "to look at it"))
    return folder


@pytest.mark.parametrize(
    ("order", "words", "why"),
    [
        (move_sample, ["1", "holder"], "is full: 0; move one of them first"),
        (move_sample, ["1", "shelve"], "is no position, did you mean 'shelf'"),
        (move_sample, ["7", "shelf"], "is no sample"),
        (move_sample, ["1"], "allowed: SAMPLE POSITION"),
        (split_sample, ["1", "one"], "is no number of parts; allowed: 2 to 100"),
        (lose_sample, ["1-2"], "is no sample"),
        (describe_sample, ["1"], "got 1; allowed: SAMPLE 'mass=18.2 mg' barcode=A17"),
        (describe_sample, ["1", "colour=red"], "allowed: SAMPLE"),
        (describe_sample, ["1", "mass=3 K"], "mass: "),
        (describe_sample, ["1", "mass=0 g"], "got 0 g; allowed: more than 0 mg"),
        (describe_sample, ["1", "mass=nan"], "allowed"),
        (describe_sample, ["1", "barcode=2"], "allowed: a text that is not the id of a sample"),
        (describe_sample, ["1", "barcode= "], "allowed: a text"),
    ],
)
def test_what_nobody_can_have_done_with_a_sample_is_refused(
    order: Callable[[list[str], str, str], Any], words: list[str], why: str, made: Path
) -> None:
    with pytest.raises(CampaignError, match=re.escape(why)):
        list(order(words, url(made), "why"))


def test_a_sample_is_found_by_the_bar_code_that_it_was_given_and_no_other_gets_it(tmp_path: Path) -> None:
    run_sampled(sampled(tmp_path, MAKES | {"moves_to": "shelf"}), tmp_path)
    told = list(describe_sample(["1", "mass=0.0182 g", "barcode=A17"], url(tmp_path), "weighed again"))
    assert told == ["amendment 1: sample 1 weighs 18.2 mg and has bar code A17"]
    with pytest.raises(CampaignError, match="A17 is that of sample 1"):
        list(describe_sample(["2", "barcode=A17"], url(tmp_path), "why"))
    list(describe_sample(["A17", "mass=18"], url(tmp_path), "dried"))
    rows = list(sample_rows(Reader(url(tmp_path)), "A17"))
    assert ("sample", "1 of trial 1, there") in rows
    assert ("mass", "18 mg") in rows
    assert rows[-1][1].startswith("weighs 18 mg, ")


def test_the_parts_of_a_sample_are_listed_and_shown(made: Path) -> None:
    first, _ = split_sample(["2", "2"], url(made), "cut")
    assert first == "amendment 2: sample 2 is split into 2"
    store = Reader(url(made))
    assert ("split from", "2") in sample_rows(store, "2.1")
    with pytest.raises(CampaignError, match="is no sample"):
        sample_rows(store, "9")


@pytest.mark.parametrize(
    ("uses", "why"),
    [
        (({"at": "holdr"},), "unknown position 'holdr', did you mean 'holder'"),
        (({"makes": "10 mg", "consumes": "20 mg"},), "10 mg are left of the sample"),
        (({"makes": "10 mL"},), "which is a quantity like mL"),
        (({"makes": "2 + z"},), "unknown name 'z'"),
        (({"makes": "10 mg", "consumes": "all"}, {"at": "holder"}), "step_1 has no sample, as step_0 consumes all"),
        (({"splits": 1},), "greater than or equal to 2"),
    ],
)
def test_a_campaign_whose_samples_cannot_be_there_is_refused(
    uses: tuple[dict[str, Any], ...], why: str, tmp_path: Path
) -> None:
    with pytest.raises((CampaignError, ValidationError)) as caught:
        loaded(sampled(tmp_path, *uses), tmp_path)
    assert why in str(caught.value)
