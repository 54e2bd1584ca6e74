"""The report: its numbers, its page, and what hostile or empty rankings do to it."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from importlib.resources import files

import numpy as np
import pyarrow as pa
import pytest
from sklearn.metrics import roc_auc_score

from skysieve.core.errors import InputError, MismatchError
from skysieve.core.labels import Labels
from skysieve.measure.page import compose_page
from skysieve.measure.performance import Draws
from skysieve.measure.report import ReportInput, write_report

FINDER = {"name": "lens-gri", "version": "0.1.0", "positive": "lens", "bands": ("g", "r", "i")}
FEW = Draws(resamples=100)
HOSTILE = "<script>alert(1)</script>"


def ranking(p, ids=None, status=None, flags=None, message=None) -> pa.Table:
    """A ranking table; the best first, NaN where there is no score."""
    n = len(p)
    p = np.asarray(p, np.float64)
    scored = np.isfinite(p)
    return pa.table(
        {
            "rank": pa.array([k + 1 if ok else None for k, ok in enumerate(scored)], pa.int64()),
            "id": pa.array(ids or [f"c{k}" for k in range(n)], pa.string()),
            "ra": pa.nulls(n, pa.float64()),
            "dec": pa.nulls(n, pa.float64()),
            "p": pa.array(p, from_pandas=True),
            "p_survey": pa.nulls(n, pa.float64()),
            "status": pa.array(status or ["ok" if ok else "bands" for ok in scored], pa.string()),
            "flags": pa.array(flags or [""] * n, pa.string()),
            "message": pa.array(message or [""] * n, pa.string()),
        }
    )


def labels_of(values) -> Labels:
    values = np.asarray(values, np.int8)
    return Labels(ids=tuple(f"c{k}" for k in range(len(values))), values=values)


def head(table: pa.Table, n: int = 5):
    picture = np.zeros((16, 16, 3), np.uint8)
    return [(row, picture) for row in table.slice(0, n).to_pylist()]


def write(tmp_path, table, **more):
    given = ReportInput(ranking=table, finder=FINDER, pictures=head(table), draws=FEW, **more)
    html, numbers = write_report(tmp_path, given)
    return html.read_text(), json.loads(numbers.read_text())


class Tags(HTMLParser):
    """Collects the tags and the addresses of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.seen: set[str] = set()
        self.addresses: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.seen.add(tag)
        names = ("src", "href", "xlink:href", "action")
        self.addresses += [value for name, value in attrs if name in names]


def told(numbers) -> set[str]:
    """The metrics that have a value."""
    return {name for name, found in numbers["metrics"].items() if found["value"] is not None}


@pytest.fixture
def labeled():
    rng = np.random.default_rng(0)
    truth = (rng.random(300) < 0.2).astype(np.int8)
    p = np.clip(rng.normal(0.4 + 0.25 * truth, 0.15), 0, 1)
    order = np.argsort(-p)
    return ranking(p[order]), labels_of(truth[order]), truth[order], p[order]


def test_the_numbers_are_those_of_the_ranking(tmp_path, labeled):
    table, labels, truth, p = labeled
    _, numbers = write(
        tmp_path, table, labels=labels, seconds=2.0, cutouts_per_s=150.0, ignored={".csv": 2}
    )
    assert numbers["counts"]["read"] == numbers["counts"]["scored"] == 300
    assert numbers["counts"]["ignored_files"] == {".csv": 2}
    assert numbers["rate"] == {"seconds": 2.0, "cutouts_per_s": 150.0}
    auc = numbers["metrics"]["roc_auc"]
    assert auc["value"] == pytest.approx(roc_auc_score(truth, p))
    assert auc["low"] < auc["value"] < auc["high"]
    assert (auc["n_positive"], auc["n_negative"]) == (truth.sum(), (truth == 0).sum())


def test_page_and_json_say_the_same(tmp_path, labeled):
    table, labels, *_ = labeled
    html, numbers = write(tmp_path, table, labels=labels)
    for metric in numbers["metrics"].values():
        if metric["value"] is None:
            assert metric["undefined"] in html
            continue
        assert f"{metric['value']:.3f}</td>" in html
        assert f"{metric['low']:.3f} – {metric['high']:.3f}</td>" in html
        assert f"{metric['n_positive']} / {metric['n_negative']}</td>" in html


def test_every_number_has_its_interval_around_it(labeled):
    table, labels, *_ = labeled
    page = compose_page(ReportInput(ranking=table, finder=FINDER, labels=labels, draws=FEW))
    assert {"ROC", "Purity and completeness", "Completeness against number inspected"} <= set(
        page.figures
    )
    for row in page.metrics:
        measured = row.measured
        assert 0 <= measured.low <= measured.value <= measured.high <= 1, row.key


def test_the_same_input_gives_the_same_bytes(tmp_path, labeled):
    table, labels, *_ = labeled
    assert write(tmp_path, table, labels=labels) == write(tmp_path, table, labels=labels)


def test_the_page_needs_nothing_else_and_runs_nothing(tmp_path, labeled):
    table, labels, *_ = labeled
    tags = Tags(write(tmp_path, table, labels=labels)[0])
    assert not tags.seen & {"script", "link", "iframe", "object", "form"}
    assert all(address.startswith(("data:", "#")) for address in tags.addresses)


def test_hostile_names_are_text(tmp_path):
    table = ranking(
        [0.9, np.nan],
        ids=[HOSTILE, "' onerror=alert(1) \u202e\x1b[31m"],
        status=["ok", "unreadable"],
        flags=[HOSTILE, ""],
        message=["", HOSTILE],
    )
    html, _ = write(tmp_path, table, run_name=HOSTILE, ignored={HOSTILE: 1})
    assert "script" not in Tags(html).seen
    assert html.count("&lt;script&gt;") >= 5


def test_a_class_that_looks_like_a_formula_is_drawn(tmp_path):
    table = ranking([0.9, 0.1])
    given = ReportInput(ranking=table, finder={"name": "x", "positive": r"$\frac{<b>$"})
    html, _ = write_report(tmp_path, given)
    assert "b" not in Tags(html.read_text()).seen


def test_a_file_name_that_is_no_text_does_not_stop_the_report(tmp_path):
    html, numbers = write(tmp_path, ranking([0.5]), labels_name="x", run_name="run-\udcff")
    assert "run-?" in html
    assert numbers["run"] == "run-\udcff"


def test_without_labels_there_are_no_metrics(tmp_path):
    html, numbers = write(tmp_path, ranking([0.9, 0.2, np.nan]))
    assert numbers["labels"] is None
    assert numbers["metrics"] == {}
    assert numbers["counts"]["status"] == {"ok": 2, "bands": 1}
    assert "Against the labels" not in html
    assert "the finder needs bands" in html


@pytest.mark.parametrize("n", [0, 3])
def test_a_run_without_scores_says_so(tmp_path, n):
    html, numbers = write(tmp_path, ranking([np.nan] * n))
    assert numbers["counts"]["scored"] == 0
    assert "No cutout could be scored" in html
    assert "img" not in Tags(html).seen


def test_labels_of_one_class_still_tell_something(tmp_path):
    html, numbers = write(tmp_path, ranking([0.9, 0.8, 0.4, 0.1]), labels=labels_of([1, 1]))
    assert "All labeled cutouts with a score are of one class" in html
    assert told(numbers) == {"completeness_at_p_0.5"}
    assert "0 negatives" in numbers["metrics"]["roc_auc"]["undefined"]
    assert numbers["metrics"]["completeness_at_p_0.5"]["value"] == 1
    _, numbers = write(tmp_path, ranking([0.9, 0.8]), labels=labels_of([0, 0]))
    assert told(numbers) == {"fpr_at_p_0.5"}


def test_labels_without_row_or_score_are_counted(tmp_path):
    table = ranking([0.9, 0.2, np.nan])
    _, numbers = write(tmp_path, table, labels=labels_of([1, 0, 1, 1, -1]))
    counts = numbers["labels"]
    assert (counts["n_labels"], counts["n_positive"], counts["n_negative"]) == (5, 1, 1)
    assert (counts["n_positive_unscored"], counts["n_orphans"], counts["n_unknown"]) == (1, 2, 1)


def test_labels_of_something_else_are_refused(tmp_path):
    other = Labels(ids=("lens/c0",), values=np.array([1], np.int8))
    with pytest.raises(MismatchError, match="'lens/c0', a row is 'c0'"):
        write(tmp_path, ranking([0.5]), labels=other)
    assert not list(tmp_path.iterdir())


def test_a_table_that_is_no_ranking_and_a_bad_prior_are_refused(tmp_path):
    with pytest.raises(InputError, match="no column p, status"):
        write(tmp_path, ranking([0.5]).drop_columns(["p", "status"]))
    with pytest.raises(InputError, match="prior"):
        ReportInput(ranking=ranking([0.5]), finder=FINDER, prior=0.0)


def test_flags_are_counted_one_by_one(tmp_path):
    table = ranking([0.9, 0.8, 0.7], flags=["padded,rgb", "rgb", ""])
    assert write(tmp_path, table)[1]["counts"]["flags"] == {"rgb": 2, "padded": 1}


def test_a_hundred_thousand_rows_are_drawn_with_few_points(tmp_path):
    rng = np.random.default_rng(0)
    truth = (rng.random(100_000) < 0.001).astype(np.int8)
    p = np.sort(rng.random(len(truth)))[::-1]
    html, _ = write(tmp_path, ranking(p), labels=labels_of(truth))
    assert len(html) < 1_000_000


def test_the_template_is_part_of_the_package():
    folder = files("skysieve.measure")
    assert all(folder.joinpath(name).is_file() for name in ("report.html.j2", "report.css"))


@pytest.mark.parametrize("width", [1280, 390])
def test_a_browser_shows_the_page_without_error(tmp_path, labeled, chromium, width):
    from playwright.sync_api import sync_playwright

    table, labels, *_ = labeled
    write(tmp_path, table, labels=labels, run_name=HOSTILE)
    events = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium,
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )
        page = browser.new_page(viewport={"width": width, "height": 800})
        page.on("console", lambda message: events.append(message.text))
        page.on("request", lambda request: events.append(request.url))
        page.goto((tmp_path / "report.html").as_uri())
        assert page.locator("figure svg").count() == 5
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        broken = "[...document.images].filter(image => !image.naturalWidth).length"
        assert page.evaluate(broken) == 0
        browser.close()
    assert [event for event in events if not re.match("data:|file:", event)] == []
