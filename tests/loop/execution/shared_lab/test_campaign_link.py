"""A campaign's run says once that the lab process does not answer, and that it is back."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from campaigns.lab.lab_claim import LabClaim
from loop.cli.lab_orders import serve_lab
from loop.execution.shared_lab import lab_process, messages
from loop.execution.shared_lab.attached_lab import AttachedStations
from loop.execution.shared_lab.campaign_link import CampaignLink
from loop.execution.shared_lab.messages import PROTOCOL, CampaignStatus, Member
from loop.execution.shared_lab.socket_file import line_of, listening
from tests.shared_labs import until


def test_a_lab_process_that_is_away_is_told_once_and_that_it_is_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab = tmp_path / "lab.yaml"
    lab.touch()
    (tmp_path / "lab.lab").mkdir()
    listener, lines, told = listening(lab), list[Any](), list[str]()
    signs: list[object] = []
    monkeypatch.setattr(messages, "HEARTBEAT", 0.01)

    def serve() -> None:
        for _ in range(2):
            found, _ = listener.accept()
            line = line_of(found)
            lines.append((found, line))
            assert line.recv_bytes() == PROTOCOL
            line.recv()
            line.send(("status", CampaignStatus()))
            if not signs:
                signs.append(line.recv())

    threading.Thread(target=serve, daemon=True).start()
    link = CampaignLink(lab, Member("one", "one", LabClaim(), tmp_path, {}, ""))
    link.on_news = told.append
    until(lambda: signs)
    found, line = lines[0]
    line.close()
    found.close()
    until(lambda: len(told) == 2)
    link.close()
    for one in (lines[1][1], lines[1][0], listener):
        one.close()
    assert signs[0] == ("call", "alive", ())
    away, back = told
    assert away == f"the lab process does not answer; 'athanor lab run {lab}' starts it again"
    assert back == "the lab process is back"


def test_a_run_is_woken_when_it_waits_for_another_reason(tmp_path: Path) -> None:
    link: Any = SimpleNamespace(changed=None)
    stations, woken = AttachedStations(link, tmp_path / "lab.yaml", ()), list[None]()
    stations.woken = lambda: woken.append(None)
    away = CampaignStatus(waits={"oven": "reserved for campaign one, whose run is away"})
    link.changed(away, away)
    assert woken == []
    link.changed(away, CampaignStatus(waits={"oven": "reserved for campaign one"}))
    assert woken == [None]


@pytest.fixture
def levels() -> Iterator[None]:
    """Put what is logged back as it was."""
    logger = logging.getLogger("bluesky")
    before, disabled = logger.level, logger.manager.disable
    yield
    logger.setLevel(before)
    logging.disable(disabled)


@pytest.mark.usefixtures("levels")
def test_bluesky_prints_no_traceback_into_the_terminal_of_a_lab_process(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    heard: list[bool] = []
    listens = lambda *_: heard.append(logging.getLogger("bluesky").isEnabledFor(logging.ERROR))  # noqa: E731
    monkeypatch.setattr(lab_process, "run_lab", listens)
    serve_lab(tmp_path / "lab.yaml")
    assert heard == [False]


def test_a_run_is_woken_when_a_station_is_given_to_it_again_as_its_job_ends(tmp_path: Path) -> None:
    link: Any = SimpleNamespace(changed=None)
    stations, woken = AttachedStations(link, tmp_path / "lab.yaml", ()), list[None]()
    stations.woken = lambda: woken.append(None)
    link.changed(CampaignStatus(has={"oven": ""}), CampaignStatus(has={"oven": "job 1"}))
    assert woken == []
    link.changed(CampaignStatus(has={"oven": "job 1"}), CampaignStatus(has={"oven": ""}))
    assert woken == [None]
