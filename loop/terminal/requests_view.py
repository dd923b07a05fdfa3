"""What ``athanor requests`` prints: what a campaign needs from people, with the commands that answer it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING

from campaigns.parsing.yaml_lines import read_document
from loop.core.campaign_records import time_spent
from loop.core.formatting import date_time, duration
from loop.core.open_requests import Answer, AskedStep, CampaignFacts, LowStock, OpenRequest, StationWait, open_requests
from loop.core.standard_runs import StandardRun
from loop.core.station_modes import held_stations
from loop.storage.artefacts import ASKED, FORGETFUL, GIVEN_UP, STANDARD_RUN, UNSAFE, WAITS
from loop.storage.integrity.lease import current_lease
from loop.storage.stored_laboratory import stored_orders, stored_stocks, stored_stop

if TYPE_CHECKING:
    from loop.storage.reader import Reader

_REASON = "--reason 'WHY'"


def stored_requests(store: Reader, deadline: float | None = None) -> list[OpenRequest]:
    """Return what the campaign of a store needs from people, where its wall time is spent at a deadline."""
    source = read_document(store.campaign().source).data
    waits = {name: one for name, one in stored_waits(store).items() if one.asks}
    given_up, unsafe = _reasons(store, GIVEN_UP), stored_unsafe(store)
    stations = (given_up, unsafe, waits, store.artefacts(FORGETFUL).keys(), stored_standards(store))
    asked = {token: AskedStep(**kept) for token, kept in store.artefacts(ASKED).items()}
    facts = CampaignFacts(
        store.trials(), store.amendments(), source, *stations, deadline, asked, _low(store), stored_orders(store)
    )
    return [*_emergency(store), *open_requests(facts)]


def stored_waits(store: Reader) -> dict[str, StationWait]:
    """Return station to why it waits in the run that goes on now; nothing where none does."""
    if current_lease(store.path) is None:
        return {}
    found = store.artefacts(WAITS).items()
    return {name: StationWait(**{**kept, "ways": tuple(map(tuple, kept["ways"]))}) for name, kept in found}


def stored_unsafe(store: Reader) -> dict[str, tuple[str, float]]:
    """Return station to why it may not be in its safe state, and since when, until somebody has settled that."""
    return _reasons(store, UNSAFE)


def stored_standards(store: Reader) -> list[StandardRun]:
    """Return what stations gave for their calibration standards, in order."""
    found = (StandardRun(**kept) for kept in store.artefacts(STANDARD_RUN).values())
    return sorted(found, key=lambda run: (run.station, run.number))


def _reasons(store: Reader, kind: str) -> dict[str, tuple[str, float]]:
    return {name: (kept["reason"], kept["since"]) for name, kept in store.artefacts(kind).items()}


def _low(store: Reader) -> dict[str, LowStock]:
    """Return the consumables that are to be refilled, where the campaign uses any."""
    low = {name: (one, one.low_since) for name, one in stored_stocks(store).items()}
    return {name: LowStock(one.text, one.limit_text, since) for name, (one, since) in low.items() if since is not None}


def _emergency(store: Reader) -> Iterator[OpenRequest]:
    """Yield that an emergency stop is to be cleared, if there is one."""
    stop = stored_stop(store)
    if (there := stop.read()) is not None:
        answer = Answer("stop --clear --by 'NAME'", "it is safe again: let things move", str(stop.path))
        yield OpenRequest(f"nothing moves: {there.text}", there.since, (answer,))


def _deadline(store: Reader) -> float | None:
    """Return when the campaign's wall time is spent if its run goes on; None where that needs no answer."""
    if not held_stations(store.amendments(), stored_orders(store)) or current_lease(store.path) is None:
        return None
    limit, now = store.stored_campaign().budget.wall_time, time.time()  # slow: it takes units
    return None if limit is None else now + limit - time_spent(store.sessions(), now)


def request_lines(store: Reader, file: Path | None, url: str | None) -> Iterator[str]:
    """Yield what is asked of people, each with its age, and with the command lines that answer it.

    Args:
        store: of the campaign.
        file: the campaign file, as somebody has named it.
        url: of the store, as somebody has named it.
    """
    found = stored_requests(store, _deadline(store))
    if not found:
        yield "nothing is asked of anybody"
    named = f"--store {quote(url)}" if url else quote(str(file or store.path.with_suffix(".yaml").name))
    for number, one in enumerate(found, 1):
        limit = "" if one.until is None else f"; the campaign's wall time is spent at {date_time(one.until)}"
        limit = f"{limit}; {one.otherwise}" if one.otherwise else limit
        yield f"{number}. {one.what} (for {duration(time.time() - one.since)}{limit})"
        for answer in one.answers:
            yield f"     {answer.effect}:"
            yield f"       athanor {answer.command} {quote(answer.file) if answer.file else named} {_REASON}"
