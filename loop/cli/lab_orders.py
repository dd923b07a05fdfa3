"""What ``athanor lab`` does: be the lab process, ask it, or have it end."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from campaigns.errors import CampaignError, LabError, Problem
from loop.cli.signals import interrupts
from loop.core.formatting import date_time, duration
from loop.core.station_modes import held_stations
from loop.execution.shared_lab.messages import Handshake, Purpose, SharedLabStatus
from loop.execution.shared_lab.socket_file import connected, note_end, opened_line, was_left
from loop.storage.lab_files.lab_lock import has_lab_process, holder, is_driven
from loop.storage.lab_files.station_ledger import StationLedger, stations_file
from loop.terminal.console import Rows


def serve_lab(file: Path) -> None:
    """Be the lab process of a lab file, until somebody ends it.

    Raises:
        CampaignError: the lab file is wrong.
        LabError: no instrument answers, or another process drives them.
    """
    from loop.execution.shared_lab.lab_process import run_lab

    logging.disable(logging.INFO)  # libraries narrate; what is told says what happens
    logging.getLogger("bluesky").setLevel(logging.CRITICAL)  # it prints a traceback for each job that is given up
    stop, abort, printing = threading.Event(), threading.Event(), threading.Lock()

    def tell(text: str) -> None:
        with printing:
            print(f"{date_time(time.time())} {text}", flush=True)

    with interrupts(stop, abort):
        run_lab(file, tell, stop, abort)
    tell("ended")


def lab_rows(file: Path) -> Rows:
    """Return how a laboratory stands, in labelled lines.

    Raises:
        CampaignError: there is no such file.
        LabError: nobody serves it.
    """
    found: SharedLabStatus = _asked(file, Purpose.STATUS)
    rows = [("lab process", f"{found.pid}{', begins no more jobs' if found.closing else ''}")]
    for name, (claim, here) in found.members.items():
        away = "" if here else ", its run is away"
        rows.append((f"campaign {name}", f"priority {claim.priority}, share {claim.share:g}{away}"))
    held = held_stations((), StationLedger(stations_file(file)).orders)
    for name, one in found.stations.items():
        reserved = f"; {one.reserved}" if one.reserved else ""
        queue = f"; next: {', '.join(one.queue)}" if one.queue else ""
        people = f"{held[name].text}; " if name in held else ""
        rows.append((f"station {name}", f"{people}{one.doing}{reserved}{queue}"))
        had = ", ".join(f"{campaign} {duration(seconds)}" for campaign, seconds in one.used.items())
        rows += [("  station time", had)] if had else []
    return rows


def stop_lab(file: Path) -> Iterator[str]:
    """Have the lab process end after the jobs under way, and say so.

    Raises:
        CampaignError: there is no such file.
        LabError: nobody serves it.
    """
    if was_left(file) and not has_lab_process(file):
        note_end(file)
        yield f"the lab process of {file}, which had gone without an end, counts as ended"
        return
    jobs = [name for name, one in _asked(file, Purpose.STATUS).stations.items() if "(job " in one.reserved]
    _asked(file, Purpose.CLOSE)
    after = f"after the jobs at {', '.join(jobs)}" if jobs else "now"
    yield f"the lab process of {file} begins no more jobs, and ends {after}"


def _asked(file: Path, purpose: Purpose) -> Any:
    """Return what the lab process answers.

    Raises:
        CampaignError: there is no such file.
        LabError: there is no lab process.
    """
    if not file.exists():
        raise CampaignError([Problem(str(file), "there is no such file; name the lab file")], "")
    try:
        with connected(file) as found, contextlib.closing(opened_line(found)) as line:
            return _answer(line, purpose)
    except (OSError, EOFError) as error:
        raise LabError(_nobody(file)) from error


def _answer(line: Connection, purpose: Purpose) -> Any:
    """Return what the lab process answers.

    Raises:
        LabError: it refuses, as it is of another version.
    """
    line.send(Handshake(purpose))
    kind, found = line.recv()
    if kind == "error":
        raise found
    return found


def _nobody(file: Path) -> str:
    if has_lab_process(file):
        return f"{holder(file)} cannot be reached just now; ask again in a second, and start it again if it hangs"
    if is_driven(file):
        return f"there is no lab process: {holder(file)} drives the instruments of {file}"
    return f"there is no lab process, and nobody drives the instruments of {file}; 'athanor lab run {file}' starts one"
