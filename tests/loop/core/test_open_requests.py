"""What is asked of people is asked once, however many stations wait for it."""

from __future__ import annotations

from loop.core.open_requests import Answer, CampaignFacts, StationWait, open_requests

LACK = "heat uses 100 mg of powder, and 0 mg are left"
REFILL = ("consumable refill powder AMOUNT", "powder was refilled")


def test_stations_that_wait_for_the_same_are_one_request() -> None:
    waits = {
        "furnace_1": StationWait(LACK, 20.0, asks=True, ways=(REFILL,), about="refill"),
        "oven": StationWait("tray is full", 5.0, asks=True, about="position"),
        "furnace_2": StationWait(LACK, 10.0, asks=True, ways=(REFILL,), about="refill"),
    }
    tray, powder = open_requests(CampaignFacts((), (), {}, {}, waits=waits))
    assert tray.what == "oven waits, and goes on by itself once this is mended: tray is full"
    assert powder.what == f"furnace_1, furnace_2 wait, and go on by themselves once this is mended: {LACK}"
    assert powder.since == 10.0
    assert powder.answers == (
        Answer(*REFILL),
        Answer("station out furnace_1", "leave furnace_1 out, and ask no more"),
        Answer("station out furnace_2", "leave furnace_2 out, and ask no more"),
    )
