import re
import sqlite3
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
import yaml

from campaigns.amendments import SetWeights
from campaigns.errors import StoreError
from campaigns.values import Candidate, MetricValue, TrialState
from loop.core.campaign_records import CampaignRecord
from loop.core.formatting import outcome_text, state_text
from loop.core.proposals import Proposal
from loop.core.records import PosteriorBest, StepRecord, TrialRecord, TrialResult
from loop.report.campaign_report import write_report
from loop.report.style import state_mark
from loop.storage.reader import BEST, POSTERIOR, Reader
from loop.storage.store import Store
from tests.offline import assert_offline
from tests.pools import keep_pool, perovskites
from tests.stores import fill
from tests.trials import MODELS, campaign, completed, predicted, trial

SECTIONS = [
    "best",
    "score",
    "predictions",
    "models",
    "surrogates",
    "trials",
    "trade-offs",
    "ranking",
    "timeline",
    "budget",
    "reproducibility",
]
POOLED = ["best", "structures", "score", "pool", *SECTIONS[2:]]
VOID = {"meta", "input"}


class Page(HTMLParser):
    """What stands in a page: its ids, addresses, texts and unclosed elements."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.elements: list[str] = []
        self.open: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(tag)
        self.ids += [value for name, value in attrs if name == "id" and value]
        self.links += [value for name, value in attrs if name in ("src", "href", "srcset", "data", "action") and value]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@dataclass
class Shop:
    """Writes a store of made-up trials, and its report."""

    folder: Path

    def report(self, trials: Sequence[TrialRecord], outcome: str = "stopped for the night", **changes: object) -> str:
        source = yaml.safe_dump(campaign(**changes).model_dump(mode="json", exclude_none=True))
        store = Store(self.url)
        store.begin(CampaignRecord("made_up", source, 4, "f1ngerpr1nt", 1.7e9), {"athanor-sdl": "0.1.0", "torch": "2"})
        for one in trials:
            keep(store, one)
        store.close(outcome)
        return self.page()

    @property
    def url(self) -> str:
        return f"sqlite:///{self.folder / 'made_up.db'}"

    def page(self) -> str:
        return write_report(Reader(self.url), self.folder / "made_up.html").read_text(encoding="utf-8")


def keep(store: Store, one: TrialRecord) -> None:
    """Bring a trial into the store as the manager would."""
    store.propose(one.number, one.candidate, one.proposal, 0.0)
    if one.state is TrialState.QUEUED:
        return
    token = f"t{one.number}"
    step = StepRecord("make", 1, "furnace_1", token, TrialState.CLAIMED, None, None, None, "", 60.0)
    store.claim(one.number, step, one.number * 3600.0)
    store.mark(token, TrialState.DISPATCHED, one.number * 3600.0)
    if not one.state.ended:
        return
    verdict = TrialResult(one.state, one.reason, one.metrics, one.flags, one.score, one.score_sd, one.feasible)
    if one.state in (TrialState.COMPLETED, TrialState.QUARANTINED):
        store.mark(token, TrialState.ACQUIRED, (one.number + 1) * 3600.0)
    else:
        store.mark(token, one.state, (one.number + 1) * 3600.0, one.reason)
    store.end(one.number, verdict, (one.number + 1) * 3600.0)


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


def body(page: str) -> str:
    """Return the page without scripts."""
    return re.sub(r"<script.*?</script>", "", page, flags=re.DOTALL)


MANY = [
    completed(i, 100.0 + i, proposal=predicted(98.0 + i * i % 7, 5.0) if i > 3 else Proposal("space-filling"))
    for i in range(12)
]
NASTY = "</script><script>alert(1)</script><img src=x onerror=alert(2)>"


@pytest.mark.slow
def test_the_report_has_every_section_and_is_well_formed(shop: Shop) -> None:
    page = Page(shop.report(MANY))
    assert [name for name in page.ids if name in SECTIONS] == SECTIONS
    assert page.open == []
    assert {f"#{name}" for name in SECTIONS} == set(page.links)


@pytest.mark.slow
def test_the_report_asks_nothing_of_any_network(shop: Shop) -> None:
    assert_offline(shop.report(MANY))


@pytest.mark.slow
def test_numbers_stand_with_uncertainty_and_unit(shop: Shop) -> None:
    text = body(shop.report(MANY))
    assert "111.0 ± 2.0 mAh/g" in text
    assert re.search(r"8\.3[23] ± 0\.15", text)
    assert "temperature [degC]" in text
    assert "capacity &gt;= 50" in text


@pytest.mark.slow
def test_what_comes_from_the_store_is_text_and_never_markup(shop: Shop) -> None:
    spoilt = [
        trial(0, TrialState.FAILED, reason=NASTY),
        completed(1, 100.0, candidate=Candidate({"temperature": 600.0, "time": 2.0, "atmosphere": "<argon>"}, NASTY)),
        trial(2, TrialState.QUARANTINED, reason="spike\x1b[2J", flags=(NASTY,)),
    ]
    text = shop.report(spoilt, outcome=NASTY, description=NASTY)
    page = Page(text)
    assert page.open == []
    assert "img" not in page.elements
    assert "alert(1)</script>" not in text
    assert "&lt;argon&gt;" in text
    assert "\x1b" not in text


@pytest.mark.slow
def test_every_trial_is_listed_with_its_state_and_reason(shop: Shop) -> None:
    fates = [
        completed(0, 100.0),
        completed(1, 40.0),
        trial(2, TrialState.FAILED, reason="the lid was open"),
        trial(3, TrialState.QUARANTINED, reason="a spike"),
        trial(4, TrialState.UNCERTAIN, reason="nobody knows"),
        trial(5, TrialState.DISPATCHED),
        trial(6, TrialState.QUEUED),
    ]
    rows = re.findall(
        r"<tr>.*?</tr>", re.findall(r'<div class="sortable">.*?</div></div>', body(shop.report(fates)))[0]
    )
    words = ["best candidate", "breaks a constraint", "lid was open", "a spike", "nobody knows", *["under way"] * 2]
    assert all(word in row for word, row in zip(words, rows[1:], strict=True))


@pytest.mark.slow
def test_a_trial_without_one_metric_is_completed_in_part_and_breaks_no_constraint(shop: Shop) -> None:
    partly = replace(completed(1, 40.0), score=None, score_sd=None, feasible=None)
    text = body(shop.report([completed(0, 100.0), partly]))
    assert "completed in part" in text
    assert state_text(partly) == outcome_text(partly) == state_mark(partly) == "completed in part"


@pytest.mark.slow
def test_the_same_store_gives_the_same_bytes(shop: Shop) -> None:
    assert shop.report(MANY) == shop.page()


@pytest.mark.slow
@pytest.mark.parametrize(
    "trials",
    [
        [],
        [trial(0, TrialState.QUEUED)],
        [completed(0, 100.0)],
        [completed(0, 10.0)],
        [trial(i, TrialState.FAILED, reason="no power") for i in range(3)],
        [completed(0, 100.0), completed(1, 90.0, proposal=predicted(95.0, 5.0))],
        [completed(0, 100.0, metrics={**MANY[0].metrics, "mean_voltage": MetricValue(3.5, 0.0, "V")})],
        [trial(0, TrialState.DISPATCHED, proposal=Proposal("model", models=MODELS))],
    ],
    ids=["none", "queued", "one", "infeasible", "failed", "two", "exact", "running"],
)
def test_few_or_bad_trials_make_a_report_too(shop: Shop, trials: list[TrialRecord]) -> None:
    page = Page(shop.report(trials))
    assert [name for name in page.ids if name in SECTIONS] == SECTIONS
    assert page.open == []


@pytest.mark.slow
def test_the_headline_says_whether_the_campaign_is_finished_and_why(shop: Shop) -> None:
    assert "Not finished: the last session ended: stopped for the night; trials under way: 0." in shop.report(MANY)


def in_pool(one: TrialRecord, material: str) -> TrialRecord:
    return replace(one, candidate=replace(one.candidate, material=material))


def with_pool() -> dict[str, object]:
    """Return the space of the made-up campaign with a pool."""
    return campaign().space.model_dump(exclude_none=True) | {
        "pool": {"kind": "generator", "function": "tests.pools:it"}
    }


@pytest.mark.slow
def test_a_pool_and_the_best_structures_are_shown_from_the_store_alone(shop: Shop) -> None:
    trials = [in_pool(one, name) for one, name in zip(MANY, perovskites().ids, strict=False)]
    shop.report(trials, space=with_pool())
    keep_pool(shop.folder, list(perovskites().ids[:10]))
    text = shop.page()
    assert_offline(text)
    page = Page(text)
    assert page.open == []
    assert [name for name in page.ids if name in POOLED] == POOLED
    assert text.count('"type":"mesh3d"') == 6 * 3, "six structures of three elements"
    assert "trial 9, score" in body(text)
    assert "trial 11, score" not in body(text), "its structure was not kept"
    assert "15: 2 could not be used, 1 were duplicates" in body(text)
    assert "oxides.csv row 4, BaSnO3: the energy still falls &lt;here&gt;" in text
    assert "oxides.csv row 3: atoms 0.2 Å apart &lt;b&gt;" in body(text)
    assert "&lt;made up&gt;" in body(text)
    assert len(text) < 8e6


@pytest.mark.slow
def test_a_store_without_pictures_of_its_pool_has_a_report(shop: Shop) -> None:
    page = shop.report([in_pool(one, "SrTiO3") for one in MANY], space=with_pool())
    assert "The store keeps no picture of this pool" in page
    assert [name for name in Page(page).ids if name in POOLED] == POOLED


@pytest.mark.slow
def test_a_store_of_another_format_says_which_version_can_read_it(shop: Shop) -> None:
    shop.report(MANY)
    with sqlite3.connect(shop.folder / "made_up.db") as database:
        database.execute("UPDATE campaign SET source = replace(source, 'weight:', 'wait:')")
    database.close()
    with pytest.raises(StoreError, match=r"version that ran it \(athanor-sdl 0\.1\.0\)"):
        shop.page()


@pytest.mark.slow
def test_a_score_by_the_model_of_before_an_amendment_is_marked(shop: Shop) -> None:
    shop.report(MANY[:2])
    store = Store(shop.url)
    best = asdict(PosteriorBest(1, 8.4, (7.9, 8.9), 1.0, 2))
    store.keep(POSTERIOR, BEST, {"found": best, "weighed": 0, "doubts": {}})
    assert "best score by the model [points]" in shop.page()
    store.amend([SetWeights(weights={0: 9.0})], ("kim", "why"), {})
    assert "best score by the model, by the earlier weights [points]" in shop.page()


@pytest.mark.slow
def test_a_spent_budget_is_finished(shop: Shop) -> None:
    assert "Finished: all 12 trials are spent." in shop.report(MANY, "all 12 trials are spent", budget={"trials": 12})


def test_a_killed_session_is_not_finished(shop: Shop) -> None:
    page = shop.report([*MANY[:2], trial(2, TrialState.DISPATCHED)], outcome="")
    assert "Not finished: the last session is running or was killed; trials under way: 1." in page


@pytest.mark.slow
def test_what_is_needed_to_repeat_the_campaign_is_there(shop: Shop) -> None:
    text = body(shop.report(MANY))
    assert "<th>seed</th><td>4</td>" in text
    assert "f1ngerpr1nt" in text
    assert "<td>torch</td><td>2</td>" in text
    assert "goal: maximise" in text


@pytest.mark.slow
def test_a_new_version_gets_a_column_of_its_own(shop: Shop) -> None:
    shop.report(MANY)
    for torch in ("2", "3"):
        store = Store(shop.url)
        store.begin(store.campaign(), {"athanor-sdl": "0.1.0", "torch": torch})
        store.close("enough")
    text = body(shop.page())
    assert "<td>torch</td><td>2</td><td>3</td>" in text
    assert "from session 3" in text
    assert "from session 2" not in text


@pytest.mark.slow
def test_a_store_as_the_commands_know_it_has_a_report(tmp_path: Path) -> None:
    fill(tmp_path)
    path = write_report(Reader(f"sqlite:///{tmp_path / 'small.db'}"), tmp_path / "small.html")
    assert Page(path.read_text(encoding="utf-8")).open == []


def test_an_empty_store_has_no_report(tmp_path: Path) -> None:
    store = Store(f"sqlite:///{tmp_path / 'empty.db'}")
    with pytest.raises(StoreError, match="holds no campaign"):
        write_report(store, tmp_path / "empty.html")
    store.close("")
