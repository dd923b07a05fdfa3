"""An emergency stop is a file that anybody can make, and that stays until somebody clears it by name."""

from pathlib import Path

import pytest

from campaigns.errors import EmergencyStopError
from instruments.emergency_stop import StopFile


@pytest.fixture
def stop(tmp_path: Path) -> StopFile:
    return StopFile(tmp_path / "lab.stop")


def test_a_stop_tells_who_made_it_and_why_and_holds_until_it_is_cleared(stop: StopFile) -> None:
    stop.check()
    stop.make("anna", "smoke in the hood")
    assert StopFile(stop.path).read() == stop.read()
    with pytest.raises(
        EmergencyStopError, match=r"by anna since .*: smoke in the hood; .* athanor stop .* --clear --by"
    ):
        stop.check()
    assert stop.clear("ben", "aired") is not None
    stop.check()
    assert [(one.cleared, one.author, one.reason) for one in stop.log] == [
        (False, "anna", "smoke in the hood"),
        (True, "ben", "aired"),
    ]


def test_the_first_stop_is_not_overwritten_and_nothing_is_cleared_twice(stop: StopFile) -> None:
    stop.make("anna", "smoke")
    assert stop.make("ben", "something else").author == "anna"
    assert stop.clear("ben", "aired") is not None
    assert stop.clear("ben", "aired") is None


@pytest.mark.parametrize("text", ["", "water on the floor\n", "[1, 2]", '{"reason": "water"', "\x00\xff"])
def test_any_program_can_make_one_whatever_it_writes(stop: StopFile, text: str) -> None:
    stop.path.write_text(text, encoding="latin-1")
    there = stop.read()
    assert there is not None
    assert there.author
    assert ("water" in there.reason) == ("water" in text)


def test_what_cannot_be_looked_at_counts_as_a_stop(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(EmergencyStopError, match="cannot be looked at"):
        StopFile(tmp_path / "file" / "lab.stop").check()
    (tmp_path / "lab.stop").symlink_to("nowhere")
    StopFile(tmp_path / "lab.stop").check()  # a link to nothing is no file
