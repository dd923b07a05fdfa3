from campaigns.errors import StepError
from instruments.step_errors import is_silence, reason_of


def test_a_circuit_that_is_cut_is_silence_as_caproto_says_it_and_a_missing_key_is_not() -> None:
    cut = KeyError("response")
    assert is_silence(cut)
    assert reason_of(cut) == "the link was cut while its answer was waited for"
    assert not is_silence(KeyError("register"))
    assert reason_of(KeyError("register")) == "KeyError: 'register'"
    assert not is_silence(StepError("the door is open"))
