"""Peers as they come: each suggests new rows of the pool, and refuses a pool whose rows it cannot tell apart."""

from __future__ import annotations

import importlib.util

import pytest

from benchmarks.errors import UnfitError
from benchmarks.pools.arms import ARMS
from benchmarks.pools.engine import Arm, Plan, conduct
from tests.benchmarks.crystal_tables import constant, setting

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]  # theirs, of which there are many kinds

PEERS = [
    pytest.param(arm, id=arm.name, marks=pytest.mark.skipif(
        arm.needs is not None and importlib.util.find_spec(arm.needs) is None, reason="not installed"
    ))
    for arm in ARMS
    if arm.name in ("Ax", "BayBE")
]  # fmt: skip


@pytest.mark.parametrize("task", ["heat", "score"])
@pytest.mark.parametrize("peer", PEERS)
def test_a_peer_suggests_new_rows(peer: Arm, task: str) -> None:
    record = conduct(Arm(peer.name, peer.start, peer.about, plan=Plan(8, 3, 14)), setting(task, 60), 0)
    assert len(set(record.rows)) == 14


@pytest.mark.parametrize("peer", PEERS)
def test_a_peer_refuses_a_pool_of_one_composition(peer: Arm) -> None:
    with pytest.raises(UnfitError, match="do not vary"):
        peer.start(constant("heat"), 0)
