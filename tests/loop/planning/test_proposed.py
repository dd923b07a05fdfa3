"""Which trials there are, and which of them are under way."""

from campaigns.fidelity import FULL
from campaigns.values import Candidate
from loop.planning.proposed import ProposedCandidates


def at(x: float) -> Candidate:
    return Candidate({"x": x})


def test_a_trial_is_under_way_from_its_proposal_to_its_end() -> None:
    proposed = ProposedCandidates()
    assert [proposed.add(at(x), FULL) for x in (0.0, 1.0)] == [0, 1]
    proposed.end(0)
    assert (proposed.under_way, proposed.pending, proposed.ended) == ((1,), [at(1.0)], {at(0.0).key()})


def test_a_candidate_that_was_lost_twice_to_the_lab_counts_as_tried() -> None:
    proposed = ProposedCandidates()
    for number in range(2):
        assert proposed.seen(FULL) == frozenset()
        proposed.add(at(0.0), FULL)
        assert proposed.seen(FULL) == {at(0.0).key()}
        proposed.end(number, lost=True)
    assert proposed.lost(at(0.0), FULL) == (0, 1)
    assert proposed.seen(FULL) == proposed.ended == {at(0.0).key()}


def test_fidelities_are_told_apart() -> None:
    proposed = ProposedCandidates()
    for fidelity, x in (("quick", 0.0), (FULL, 1.0), ("quick", 2.0)):
        proposed.add(at(x), fidelity)
    assert proposed.under_way == (0, 1, 2)
    assert proposed.pending == [at(1.0)]
    assert proposed.seen("quick") == {at(0.0).key(), at(2.0).key()}
    assert (proposed.count(FULL), proposed.count("quick"), len(proposed)) == (1, 2, 3)
    proposed.end(0)
    assert not proposed.ended
