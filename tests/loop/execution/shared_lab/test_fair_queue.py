"""Stations are given by priority and, within one, by shares of station time; nobody waits for ever."""

from __future__ import annotations

import random
from itertools import combinations

import pytest

from campaigns.lab.lab_claim import LabClaim
from loop.execution.shared_lab.fair_queue import FairQueue


def serve(queue: FairQueue, claims: dict[str, LabClaim], jobs: list[tuple[str, float]]) -> list[str]:
    """Serve one job after the other, given how long each campaign's next jobs take; return who was served."""
    served = []
    lengths = {name: [length for one, length in jobs if one == name] for name in claims}
    for name in claims:
        queue.ask(name, claims[name])
    while queue.waiting:
        campaign = queue.waiting[0]
        queue.begin(campaign)
        served.append(campaign)
        length = lengths[campaign].pop(0)
        if lengths[campaign]:
            queue.ask(campaign, claims[campaign])
        queue.end(campaign, length)
    return served


def test_two_campaigns_with_shares_of_two_and_one_get_two_jobs_and_one_in_turn() -> None:
    claims = {"large": LabClaim(share=2), "small": LabClaim(share=1)}
    served = serve(FairQueue(), claims, [("large", 1.0), ("small", 1.0)] * 12)
    assert [served[i : i + 3].count("large") for i in range(0, 15, 3)] == [2] * 5


def test_shares_are_of_station_time_and_not_of_jobs() -> None:
    claims = {"long": LabClaim(), "short": LabClaim()}
    served = serve(FairQueue(), claims, [("long", 10.0)] * 5 + [("short", 1.0)] * 50)
    assert served[:22].count("long") == 2


def test_a_higher_priority_goes_first_whatever_it_has_had() -> None:
    claims = {"urgent": LabClaim(priority=1), "other": LabClaim(share=100)}
    served = serve(FairQueue(), claims, [("urgent", 5.0), ("other", 1.0)] * 3)
    assert served == ["urgent"] * 3 + ["other"] * 3


def test_who_has_asked_for_nothing_for_long_has_no_more_than_its_share_afterwards() -> None:
    queue, claim = FairQueue(), LabClaim()
    serve(queue, {"busy": claim}, [("busy", 1.0)] * 100)
    served = serve(queue, {"busy": claim, "late": claim}, [("busy", 1.0), ("late", 1.0)] * 10)
    assert abs(served[:10].count("busy") - 5) <= 1


@pytest.mark.parametrize("seed", range(20))
def test_with_random_arrivals_nobody_gets_more_than_one_job_beyond_its_share(seed: int) -> None:
    """The bound of Goyal, Vin & Cheng (1997), theorem 1, for any time in which two campaigns have jobs waiting."""
    rng = random.Random(seed)
    claims = {name: LabClaim(share=rng.choice([0.5, 1, 2, 5])) for name in "abcd"}
    queue = FairQueue()
    had = dict.fromkeys(claims, 0.0)
    longest = dict.fromkeys(claims, 0.0)
    since = {pair: dict(had) for pair in combinations(claims, 2)}
    for _ in range(400):
        for name in claims:
            if name not in queue.waiting and rng.random() < 0.5:
                queue.ask(name, claims[name])
        for pair in since:
            if not set(pair) <= set(queue.waiting):
                since[pair] = dict(had)
        if not queue.waiting:
            continue
        campaign = queue.waiting[0]
        queue.begin(campaign)
        length = rng.expovariate(1.0)
        longest[campaign] = max(longest[campaign], length)
        if rng.random() < 0.8:
            queue.ask(campaign, claims[campaign])
        queue.end(campaign, length)
        had[campaign] += length
        for (one, other), before in since.items():
            gained = [(had[name] - before[name]) / claims[name].share for name in (one, other)]
            bound = sum(longest[name] / claims[name].share for name in (one, other))
            assert abs(gained[0] - gained[1]) <= bound + 1e-9


def test_what_was_had_counts_after_a_restart() -> None:
    queue, claims = FairQueue(), {"one": LabClaim(), "other": LabClaim()}
    queue.ask("one", claims["one"])
    queue.begin("one")
    queue.ask("other", claims["other"])
    queue.end("one", 10.0)
    again = FairQueue()
    again.restore(queue.saved())
    served = serve(again, claims, [("one", 1.0)] * 3 + [("other", 1.0)] * 12)
    assert served[:10] == ["other"] * 10
