"""The commands about stations: ``athanor station``."""

from __future__ import annotations

from typing import Annotated

from loop.cli.arguments import Reason, Url, command_group, say, signed, words_of

station = command_group("station", "Hold stations, and take them into use again.")

_Words = Annotated[list[str], words_of("STATION...")]


@station.command()
@signed
def pause(words: _Words, reason: Reason, store: Url = None) -> None:
    """Let stations begin no new job until they are resumed; what is under way goes on."""
    from campaigns.decisions import StationMode
    from loop.cli.station_orders import set_stations

    say(set_stations(words, store, reason, StationMode.PAUSED))


@station.command()
@signed
def resume(words: _Words, reason: Reason, store: Url = None) -> None:
    """Let paused stations begin jobs again."""
    from campaigns.decisions import StationMode
    from loop.cli.station_orders import set_stations

    say(set_stations(words, store, reason, StationMode.IN, of=StationMode.PAUSED))


@station.command()
@signed
def drain(words: _Words, reason: Reason, store: Url = None) -> None:
    """Let stations finish what is under way, and be out then; what waits for them goes elsewhere."""
    from campaigns.decisions import StationMode
    from loop.cli.station_orders import set_stations

    say(set_stations(words, store, reason, StationMode.DRAINED))


@station.command()
@signed
def out(words: _Words, reason: Reason, store: Url = None) -> None:
    """Use stations no more until they are in again; no job that was begun there is asked for by a later run.

    Of one that did not reach its safe state, this says, as 'in' does, that somebody has looked and that it is safe.
    """
    from campaigns.decisions import StationMode
    from loop.cli.station_orders import set_stations

    say(set_stations(words, store, reason, StationMode.OUT))


@station.command("in")
@signed
def take_in(words: _Words, reason: Reason, store: Url = None) -> None:
    """Use stations again that were drained, out, paused, given up after failures, or did not reach their safe state."""
    from campaigns.decisions import StationMode
    from loop.cli.station_orders import set_stations

    say(set_stations(words, store, reason, StationMode.IN))


@station.command()
@signed
def recalibrated(words: _Words, reason: Reason, store: Url = None) -> None:
    """Say that stations were adjusted: their calibration standards are measured again before their next jobs."""
    from loop.cli.station_orders import repeat_standards

    say(repeat_standards(words, store, reason))
