from typing import Any

import plotly.graph_objects as go
import pytest

from campaigns.values import Candidate, TrialState
from loop.core.candidate_results import results
from loop.core.records import TrialRecord
from loop.report.pool_figures import ProposedMaterials, composition_figure, map_figure
from loop.storage.pool_snapshot import MaterialSnapshot, PoolSnapshot
from tests.pools import atlas, perovskites
from tests.trials import campaign, completed, trial

OBJECTIVE = campaign().build_objective()
POOL = PoolSnapshot.of(atlas().summary())


def of(material: str, temperature: float = 600.0) -> Candidate:
    return Candidate({"temperature": temperature}, material)


def proposed(*trials: TrialRecord) -> ProposedMaterials:
    materials = {str(t.candidate.material) for t in trials}
    pictures = {name: MaterialSnapshot.read(atlas().material(name)) for name in materials}
    return ProposedMaterials(pictures, trials, results(OBJECTIVE, trials), {"temperature": "degC"})


SOME = proposed(
    completed(0, 100.0, candidate=of("SrTiO3")),
    completed(1, 130.0, candidate=of("SrZrO3")),
    completed(2, 110.0, candidate=of("SrTiO3", 700.0)),
    completed(3, 10.0, candidate=of("BaHfO3")),
    trial(4, TrialState.FAILED, candidate=of("CaSnO3"), reason="<no> power"),
    trial(5, TrialState.QUEUED, candidate=of("CaTiO3")),
)


def named(figure: dict[str, Any]) -> dict[str, dict[str, Any]]:
    go.Figure(figure)
    return {trace.get("name", ""): trace for trace in figure["data"]}


def test_measured_materials_are_coloured_by_their_best_score_and_the_best_is_ringed() -> None:
    traces = named(map_figure(POOL, SOME))
    assert traces["measured"]["marker"]["color"] == [t.score for t in (SOME.trials[3], SOME.trials[2], SOME.trials[1])]
    assert "and 1 more of this material" in traces["measured"]["text"][1]
    ring = traces["best so far"]
    assert (ring["x"][0], ring["y"][0]) == SOME.pictures["SrZrO3"].place
    assert len(traces["failed"]["x"]) == len(traces["under way"]["x"]) == 1
    assert "&lt;no&gt; power" in traces["failed"]["text"][0]


def test_the_whole_pool_lies_beneath_and_says_so() -> None:
    traces = named(map_figure(POOL, SOME))
    assert traces["pool (all)"]["text"] == list(perovskites().ids)
    sampled = PoolSnapshot.of(atlas().summary() | {"size": 100_000})
    assert "pool (12 of 100,000)" in named(map_figure(sampled, SOME))


def test_axes_say_which_view_and_how_much_of_it() -> None:
    title = map_figure(POOL, SOME)["layout"]["xaxis"]["title"]["text"]
    assert title.startswith("principal component 1 of chgnet, ")
    assert title.endswith(" % of its variance [1]")


def test_each_element_says_how_many_hold_it_and_how_many_of_these_were_measured() -> None:
    figure = composition_figure(POOL, SOME)
    go.Figure(figure)
    hovers = {text.split(":")[0]: text for text in figure["data"][0]["text"]}
    assert hovers["Sr"] == "Sr: in 4 of 12 materials (33.3 %), 2 measured"
    assert hovers["Ca"].endswith(", 0 measured")
    badges = figure["data"][-1]
    assert sorted(badges["text"]) == ["1", "1", "1", "1", "2", "3"]  # Ti, Zr, Hf, Ba; Sr; O


def test_the_elements_of_the_best_are_framed() -> None:
    shapes = composition_figure(POOL, SOME)["layout"]["shapes"]
    frames = [(s["x0"] + s["x1"]) / 2 for s in shapes if s["line"]["width"] > 0]
    assert frames == pytest.approx([16, 2, 4])  # O, Sr, Zr in their groups
    assert len(shapes) == 8 + 3


@pytest.mark.parametrize("some", [proposed(), proposed(trial(0, TrialState.FAILED, candidate=of("SrTiO3")))])
def test_a_pool_of_which_nothing_was_measured_is_shown_too(some: ProposedMaterials) -> None:
    for figure in (map_figure(POOL, some), composition_figure(POOL, some)):
        go.Figure(figure)
        assert "measured" not in named(figure)
