"""From the Bluesky documents of a plan to one reading for each signal, if they prove that it did all it announced."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from campaigns.errors import StepError
from instruments.job_instrument import OF_SAMPLE
from instruments.load_samples import FAILED, PLACE

_STREAM = "primary"
_OF_PLACE = frozenset({*OF_SAMPLE, "token", "state", "message"})
"""What a place says itself of its sample."""
Documents = Iterable[tuple[str, Mapping[str, Any]]]


Columns = tuple[dict[str, Any], dict[str, Any]]
"""Signal to its reading, and to its data key."""


def columns(documents: Documents) -> Columns:
    """Return signal to its reading, and to its data key: of several events, the values of all in order.

    Only the stream ``primary`` counts, of all runs together.

    Raises:
        StepError: a run ended otherwise than well, or with fewer events than its start document announces; there are
            no events.
    """
    streams, events = _proven(documents)
    return _columns(streams, events)


def placed_columns(documents: Documents, places: Sequence[int]) -> dict[int, Columns]:
    """Return place to the columns of its events, which read that as ``place``; 0 to those of all others.

    Args:
        documents: of a plan for several samples.
        places: where samples stand.

    Raises:
        StepError: as ``columns``; an event is of a place without a sample, or hides what the place itself says.
    """
    streams, events = _proven(documents)
    found: dict[int, list[Mapping[str, Any]]] = {}
    for event in events:
        place = int(event["data"].get(PLACE, 0))
        if place not in (0, *places):
            raise StepError(f"the plan gave an event of place {place}, where no sample stands")
        if place and (hidden := _OF_PLACE.intersection(event["data"])):
            raise StepError(
                f"the plan reads {min(hidden)}, which is what a place says of its sample; rename the signal"
            )
        found.setdefault(place, []).append(event)
    return {place: _columns(streams, mine) for place, mine in found.items()}


def ends_of_places(documents: Documents, places: Sequence[int]) -> dict[int, tuple[str, str]]:
    """Return place to the state in which a plan for several samples has left its sample, and a message.

    Args:
        documents: of the plan.
        places: where samples stand.
    """
    streams: dict[str, str] = {}
    found = dict.fromkeys(places, ("fault", "the plan gave no event of this sample"))
    failed: dict[int, tuple[str, str]] = {}
    for name, document in documents:
        if name == "descriptor":
            streams[document["uid"]] = document["name"]
        elif name == "event" and (place := int(document["data"].get(PLACE, 0))) in found:
            stream = streams[document["descriptor"]]
            if stream == _STREAM:
                found[place] = ("done", "")
            elif stream == FAILED:
                failed[place] = (str(document["data"]["state"]), str(document["data"]["message"]))
    return found | failed


def _proven(documents: Documents) -> tuple[dict[str, Mapping[str, Any]], list[Any]]:
    """Return the streams that count, by their descriptors, and their events, if all runs ended well.

    Raises:
        StepError: as ``columns``.
    """
    runs: dict[str, Mapping[str, Any]] = {}
    streams: dict[str, Mapping[str, Any]] = {}
    events: list[Mapping[str, Any]] = []
    ended: dict[str, str] = {}
    for name, document in documents:
        match name:
            case "start":
                runs[document["uid"]] = document
            case "descriptor" if document.get("name") == _STREAM:
                streams[document["uid"]] = document
            case "event" if document["descriptor"] in streams:
                events.append(document)
            case "stop":
                ended[document["run_start"]] = document["exit_status"]
    _check(runs, ended, [streams[event["descriptor"]]["run_start"] for event in events])
    return streams, events


def _columns(streams: Mapping[str, Mapping[str, Any]], events: list[Mapping[str, Any]]) -> Columns:
    read = {event["descriptor"] for event in events}
    keys = {key: one for uid, stream in streams.items() if uid in read for key, one in stream["data_keys"].items()}
    readings = {key: _reading(key, events) for key in keys}
    return readings, {key: one if len(events) == 1 else _listed(one, len(events)) for key, one in keys.items()}


def _check(runs: Mapping[str, Mapping[str, Any]], ended: Mapping[str, str], run_of_events: list[str]) -> None:
    if not run_of_events:
        raise StepError(f"the plan ended without an event in the stream {_STREAM!r}, so that nothing was measured")
    for uid, start in runs.items():
        wanted, got = start.get("num_points"), run_of_events.count(uid)
        if ended.get(uid) != "success" or (wanted is not None and got < wanted):
            of = "" if wanted is None else f" of {wanted}"
            raise StepError(f"the run ended as {ended.get(uid, 'nothing')} with {got}{of} events")


def _reading(key: str, events: list[Mapping[str, Any]]) -> dict[str, Any]:
    given = [event for event in events if key in event["data"]]
    values = [event["data"][key] for event in given]
    value = values[0] if len(events) == 1 else values
    return {"value": value, "timestamp": given[-1]["timestamps"][key]}


def _listed(key: Mapping[str, Any], count: int) -> dict[str, Any]:
    """Return the data key of a signal that is read several times."""
    return {**{k: v for k, v in key.items() if k != "dtype_numpy"}, "dtype": "array", "shape": [count, *key["shape"]]}
