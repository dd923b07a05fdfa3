"""From the Bluesky documents of a plan to one reading for each signal, if they prove that it did all it announced."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from campaigns.errors import StepError

_STREAM = "primary"


def columns(documents: Iterable[tuple[str, Mapping[str, Any]]]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return signal to its reading, and to its data key: of several events, the values of all in order.

    Only the stream ``primary`` counts, of all runs together.

    Raises:
        StepError: a run ended otherwise than well, or with fewer events than its start document announces; there are
            no events.
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
    keys = {key: one for stream in streams.values() for key, one in stream["data_keys"].items()}
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
