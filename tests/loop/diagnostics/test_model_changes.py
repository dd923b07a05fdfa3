from typing import Any

from loop.core.proposals import Proposal
from loop.diagnostics.model_changes import model_changes


def proposals(*models: dict[str, Any]) -> list[Proposal]:
    return [Proposal("space-filling"), *(Proposal("model", models={"gap": m}) for m in models)]


def share(chgnet: float, **more: Any) -> dict[str, Any]:
    return {"features": {"chgnet": chgnet, "composition": 0.9 - chgnet}, **more}


def test_a_view_is_dropped_when_it_was_relied_upon_and_says_little_now() -> None:
    assert model_changes(proposals(share(0.7), share(0.45))) == []
    (change,) = model_changes(proposals(share(0.65), share(0.45), share(0.1)))[:1]
    assert change == ("gap", "chgnet is dropped: 10 % of what the model knows")


def test_it_is_told_once_and_again_when_it_comes_back() -> None:
    seen = [share(0.7), share(0.1), share(0.12)]
    assert not any("chgnet" in text for _, text in model_changes(proposals(*seen)))
    assert ("gap", "chgnet is relied upon: 60 % of what the model knows") in model_changes(proposals(*seen, share(0.6)))


def test_a_prior_that_is_dropped_is_told_with_its_slope() -> None:
    used = {"slope": -0.31, "sd": 0.12, "used": True}
    unused = {"slope": 0.0, "sd": 0.0, "used": False}
    seen = proposals(share(0.7, prior=used), share(0.7, prior=unused))
    assert model_changes(seen) == [("gap", "the prior is dropped: slope -0.31 ± 0.1 before")]
    assert model_changes([*seen, *proposals(share(0.7, prior=used))]) == [("gap", "the prior is used again")]


def test_one_proposal_and_records_without_a_choice_change_nothing() -> None:
    assert model_changes(proposals(share(0.7))) == []
    assert model_changes(proposals({"kind": "gp"}, {"kind": "gp"})) == []


def kernel(choice: str) -> dict[str, Any]:
    return {"choice": choice, "loo": {"matern": -0.8, "gaussian": -0.75, "warped": 0.412}}


def test_another_kernel_is_told_with_what_each_explains() -> None:
    assert model_changes(proposals(kernel("matern"))) == []
    assert model_changes(proposals(kernel("warped"), kernel("warped"))) == []
    ((metric, text),) = model_changes(proposals(kernel("matern"), kernel("warped")))
    assert metric == "gap"
    assert text.startswith(
        "its kernel is Matérn of warped parameters from now on; log density of a measurement by the "
    )
    assert text.endswith("others: Matérn -0.80, Gaussian -0.75, Matérn of warped parameters 0.41")
    (back,) = model_changes(proposals(kernel("warped"), kernel("matern")))
    assert back[1].startswith("its kernel is Matérn from now on")


def test_a_source_that_is_used_from_the_first_model_on_is_told() -> None:
    first = {"source": "paper", "sources": {"paper": {"slope": 0.8, "sd": 0.1}}}
    assert model_changes(proposals(first)) == [("gap", "the models use paper: slope 0.8 ± 0.1")]
    (change,) = model_changes(proposals(first, {"source": None, "sources": first["sources"]}))
    assert change[1].startswith("the models no longer use paper")
