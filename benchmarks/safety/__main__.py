"""Drive random campaigns and random devices with a million commands, and print what arrived and should not have."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Annotated

import typer
from rich.console import Console

from benchmarks.safety import campaigns, devices
from benchmarks.safety.campaigns import Driven


def main(
    commands: Annotated[int, typer.Option(min=1, help="Commands in all.")] = 1_000_000,
    whole: Annotated[int, typer.Option(min=0, help="Whole campaigns.")] = 200,
    tries: Annotated[int, typer.Option(min=10, help="Commands of a user's code in one job.")] = 500,
    epics: Annotated[int, typer.Option(min=0, help="Campaigns on a kiln on EPICS.")] = 3,
    each: Annotated[int, typer.Option(min=1, help="Commands to the devices of one laboratory.")] = 500,
    seed: Annotated[int, typer.Option(help="Of the first laboratory.")] = 0,
) -> None:
    """Drive whole campaigns, then devices until all commands are given."""
    console, wrong = Console(), list[str]()
    logging.disable(logging.CRITICAL)  # what is refused on purpose is no news
    done = _drive_campaigns(console, wrong, range(seed, seed + whole), partial(campaigns.drive, tries=tries))
    kiln = partial(campaigns.drive, tries=tries // 10, epics=True)
    done += _drive_campaigns(console, wrong, range(seed, seed + epics), kiln)
    began, setpoints, labs = time.monotonic(), 0, 0
    for given in range(done, commands, each):
        account = devices.drive(seed + labs, min(each, commands - given))
        setpoints, labs = setpoints + account.setpoints, labs + 1
        wrong += [f"laboratory {seed + labs - 1}: {one}" for one in account.wrong]
    console.print(
        f"{max(commands - done, 0)} commands to the devices of {labs} laboratories, {setpoints} setpoints arrived; "
        f"{time.monotonic() - began:.0f} s"
    )
    console.print(
        f"{len(wrong)} setpoints outside of limits, too fast, against an interlock, in an emergency or forbidden "
        "beside others"
    )
    for one in wrong[:20]:
        console.print(one)
    raise typer.Exit(1 if wrong else 0)


def _drive_campaigns(console: Console, wrong: list[str], seeds: range, drive: Callable[[int], Driven]) -> int:
    """Drive whole campaigns, add what was wrong, and return how many commands were given."""
    began, done, setpoints, refused, states = time.monotonic(), 0, 0, 0, Counter[str]()
    for one in seeds:
        driven = drive(one)
        done, setpoints = done + driven.commands, setpoints + driven.account.setpoints
        refused += driven.refused
        states.update(driven.states)
        wrong += [f"campaign {one}: {text}" for text in driven.account.wrong]
    told = ", ".join(f"{count} {state}" for state, count in states.most_common())
    console.print(
        f"{done} commands in {len(seeds)} campaigns ({refused} refused by validate), {setpoints} setpoints arrived; "
        f"trials: {told}; {time.monotonic() - began:.0f} s"
    )
    return done


if __name__ == "__main__":
    typer.run(main)
