import pytest

from loop.core.events import PosteriorBestChanged
from loop.core.trial_selection import completed
from loop.storage.campaign_status import model_text, stored_results
from loop.storage.reader import Reader
from tests.loop.conftest import Bench, troubled


@pytest.mark.slow
def test_trials_that_lack_a_measured_metric_make_no_model_to_ask(bench: Bench) -> None:
    table = bench.folder / "before.csv"
    table.write_text("x,y,height\n0.1,0.2,0.5\n0.3,0.4,0.6\n0.5,0.6,0.7\n0.6,0.6,0.8\n")
    data = troubled("Bench", history=[{"kind": "table", "name": "before", "file": str(table)}])
    data["metrics"]["colour"] = {"kind": "measured", "unit": "1"}
    second = {"name": "look", "stations": ["eye"], "analysis": "tests.loop.bench_analyses:last", "gives": ["colour"]}
    data["stations"]["eye"] = data["stations"]["bench"]
    data["workflow"].append(data["workflow"][0] | second)
    outcome = bench.run(data, max_trials=1)
    assert len([t for t in completed(outcome.trials) if t.score is not None]) == 5
    assert not [event for event in bench.events if isinstance(event, PosteriorBestChanged)]
    reader = Reader(bench.url)
    text = model_text(reader, stored_results(reader, outcome.trials), {})
    assert text == "there is no model before 3 trials are completed"
