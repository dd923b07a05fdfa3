"""Whatever campaigns, laboratories, their drivers, faults and people do, no setpoint arrives that is not allowed."""

import logging
import math
from collections.abc import Iterator

import pytest

from benchmarks.safety import campaigns, devices

COMMANDS = 10_000
LEAST = 4_000
EACH = 250
CAMPAIGNS = (153, 110, 117, 207)
"""Seeds: campaigns with stations of all kinds, and one that widens the limits of its lab file."""


@pytest.fixture
def quiet() -> Iterator[None]:
    """No log of what is refused on purpose."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.slow
@pytest.mark.usefixtures("quiet")
def test_of_ten_thousand_commands_none_sets_what_limits_interlocks_or_an_emergency_forbid() -> None:
    driven = [campaigns.drive(seed, 150) for seed in CAMPAIGNS]
    accounts = [one.account for one in driven]
    left = max(COMMANDS - sum(one.commands for one in driven), LEAST)
    accounts += [devices.drive(seed, EACH) for seed in range(math.ceil(left / EACH))]
    assert [text for one in accounts for text in one.wrong] == []
    assert [one.account.setpoints > 0 for one in driven] == [True, True, True, False]
    assert "a campaign may only tighten" in driven[-1].ends[0]


def test_setpoints_arrive_where_they_are_allowed_and_parts_outside_come_back() -> None:
    driven = [devices.drive(seed, 100) for seed in (0, 1, 6, 16, 24)]
    assert sum(one.setpoints for one in driven) > 30
    assert sum(one.back for one in driven) > 0
