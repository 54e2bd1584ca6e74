"""The main job, as a user sees it: killed, repeated, offline, and refused where it must be."""

from __future__ import annotations

import json
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from skysieve import pipeline
from skysieve.core.cutouts import Cutouts
from skysieve.core.errors import InputError, MismatchError, MissingError
from skysieve.core.files import sha256_of
from skysieve.finder.cascade import Finder
from skysieve.images.shards import write_shard
from tests.finder.tiny import tiny_finder
from tests.search.sky import cutouts, write_sky

LONGEST_S = 120
"""A run takes seconds; one that hangs must fail its test, not stop the suite."""

FIND = """
import sys
from skysieve import pipeline
pipeline.find([sys.argv[1]], sys.argv[2], sys.argv[3])
"""

OFFLINE = """
import sys
used = []
def watch(event, arguments):
    if event.startswith("socket."):
        used.append(event)
        raise OSError("no socket may be opened")
sys.addaudithook(watch)
from skysieve import pipeline
pipeline.find([sys.argv[1]], sys.argv[2], sys.argv[3], prior=0.001)
pipeline.report(sys.argv[3], sys.argv[4])
pipeline.rank(sys.argv[3])
torch = sorted(name for name in sys.modules if name.split(".")[0] in ("torch", "lightning", "timm"))
telemetry = sorted(name for name in sys.modules if name.startswith("openvino_telemetry"))
import json
print(json.dumps({"sockets": used, "torch": torch, "telemetry": telemetry}))
"""


@pytest.fixture(scope="module")
def finder(tmp_path_factory: pytest.TempPathFactory) -> Finder:
    return tiny_finder(tmp_path_factory.mktemp("finders") / "tiny", stages=2)


@pytest.fixture
def images(tmp_path: Path) -> Path:
    return write_sky(tmp_path / "images", n=20)


def test_a_killed_run_started_again_ends_byte_identical(tmp_path: Path, finder: Finder) -> None:
    images = write_sky(tmp_path / "images", n=1500, files=4)
    pipeline.find([images], finder, tmp_path / "undisturbed")
    run = tmp_path / "run"
    command = [sys.executable, "-c", FIND, str(images), str(finder.folder), str(run)]
    delays = random.Random(1)
    n_killed = 0
    for wanted in (1, 3):
        with subprocess.Popen(command) as process:
            _wait_for_parts(process, run, wanted)
            time.sleep(delays.uniform(0, 0.02))
            process.kill()
        n_killed += process.returncode == -signal.SIGKILL
    assert n_killed, "it was never stopped: the test needs more rows"
    subprocess.run(command, check=True, timeout=LONGEST_S)
    ranking = (run / "ranking.parquet").read_bytes()
    assert ranking == (tmp_path / "undisturbed" / "ranking.parquet").read_bytes()
    assert (run / "report.html").is_file()
    assert not list(run.rglob(".tmp-*"))


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="needs the /proc of Linux")
def test_workers_end_with_their_parent(tmp_path: Path, finder: Finder) -> None:
    images = write_sky(tmp_path / "images", n=1500, files=4)
    run = tmp_path / "run"
    command = [sys.executable, "-c", FIND.replace("argv[3]", "argv[3], workers=2")]
    command += [str(images), str(finder.folder), str(run)]
    with subprocess.Popen(command) as process:
        _wait_for_parts(process, run, 1)
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        process.kill()
    assert children, "it was never stopped: the test needs more rows"
    until = time.monotonic() + 20
    while any(_is_alive(child) for child in children) and time.monotonic() < until:
        time.sleep(0.01)
    assert not [child for child in children if _is_alive(child)]


def _wait_for_parts(process: subprocess.Popen[bytes], run: Path, wanted: int) -> None:
    """Wait until a run has this many parts, or has ended."""
    until = time.monotonic() + LONGEST_S
    while process.poll() is None and time.monotonic() < until:
        if len(list(run.glob("parts/part-*"))) >= wanted:
            return
        time.sleep(0.002)


def _is_alive(process: str) -> bool:
    status = Path(f"/proc/{process}/status")
    return status.exists() and "State:\tZ" not in status.read_text()


def test_nothing_is_imported_or_opened_that_must_not_be(
    tmp_path: Path, images: Path, finder: Finder
) -> None:
    labels = tmp_path / "labels.csv"
    names = [f"stack-0#{k},{k % 2}" for k in range(20)]
    labels.write_text("\n".join(["id,label", *names]))
    arguments = [str(images), str(finder.folder), str(tmp_path / "run"), str(labels)]
    done = subprocess.run(
        [sys.executable, "-c", OFFLINE, *arguments],
        check=True,
        stdout=subprocess.PIPE,
        timeout=LONGEST_S,
    )
    assert json.loads(done.stdout) == {"sockets": [], "torch": [], "telemetry": []}


def test_a_run_writes_what_the_design_promises(
    tmp_path: Path, images: Path, finder: Finder
) -> None:
    summary = pipeline.find([images], finder.folder, tmp_path / "run", prior=0.001)
    written = {path.name for path in (tmp_path / "run").iterdir()}
    assert written >= {"plan.json", "parts", "ranking.parquet", "report.html", "_SUCCESS"}
    assert summary.n_rows == 61
    told = json.loads((tmp_path / "run" / "_SUCCESS").read_text())
    assert told["n_ok"] == 60
    table = pq.read_table(tmp_path / "run" / "ranking.parquet")
    p, survey = (table[name].drop_null().to_numpy() for name in ("p", "p_survey"))
    assert (survey < p).all(), "the survey has fewer lenses than the calibration"
    assert (np.diff(survey) <= 0).all() or len(set(table["stage"].to_pylist())) > 1


def test_a_run_may_be_made_among_its_images(images: Path, finder: Finder) -> None:
    first = pipeline.find([images], finder, images / "run")
    again = pipeline.find([images], finder, images / "run")
    assert first == again
    assert first.n_rows == 61


def test_a_report_with_labels_stays(tmp_path: Path, images: Path, finder: Finder) -> None:
    run = tmp_path / "run"
    pipeline.find([images], finder, run)
    labels = tmp_path / "labels.csv"
    rows = [f"stack-0#{k},{k % 2},{'a' if k < 10 else 'b'}" for k in range(20)]
    labels.write_text("\n".join(["id,label,source", *rows]))
    paths = pipeline.report(run, labels, ["source=a"])
    told = json.loads(paths.json.read_text())
    assert told["metrics"]["roc_auc"]["n_positive"] == 5
    pipeline.find([images], finder, run)
    assert json.loads(paths.json.read_text()) == told


class TestBeside:
    """Two runs of one finder, side by side."""

    def label(self, folder: Path, first: int) -> Path:
        path = folder / f"labels-{first}.csv"
        rows = [f"stack-0#{k},{k % 2}" for k in range(first, first + 20)]
        path.write_text("\n".join(["id,label", *rows]))
        return path

    def test_shows_the_measures_of_both(self, tmp_path: Path, images: Path, finder: Finder) -> None:
        for name in ("sky", "simulated"):
            pipeline.find([images], finder, tmp_path / name)
        labels = self.label(tmp_path, 0)
        beside = pipeline.ReportWants(beside=[tmp_path / "simulated"])
        other = json.loads(
            pipeline.report(tmp_path / "simulated", self.label(tmp_path, 6)).json.read_text()
        )
        paths = pipeline.report(tmp_path / "sky", labels, wants=beside)
        told = json.loads(paths.json.read_text())
        assert told["beside"]["simulated"]["metrics"] == other["metrics"]
        assert told["metrics"] != other["metrics"]
        assert "Side by side" in paths.html.read_text()
        assert told["draws"] == {"resamples": 2000, "seed": 0}
        assert told["sha256"]["labels"] == sha256_of(labels)
        assert told["sha256"]["ranking"] == sha256_of(tmp_path / "sky" / "ranking.parquet")

    def test_refuses_one_without_measures(
        self, tmp_path: Path, images: Path, finder: Finder
    ) -> None:
        for name in ("sky", "simulated"):
            pipeline.find([images], finder, tmp_path / name)
        labels = self.label(tmp_path, 0)
        beside = pipeline.ReportWants(beside=[tmp_path / "simulated"])
        with pytest.raises(InputError, match="has no measures"):
            pipeline.report(tmp_path / "sky", labels, wants=beside)
        with pytest.raises(MissingError, match="There is no report"):
            pipeline.report(
                tmp_path / "sky", labels, wants=pipeline.ReportWants(beside=[tmp_path / "nowhere"])
            )
        other = tmp_path / "simulated" / "report.json"
        told = json.loads(pipeline.report(tmp_path / "simulated", labels).json.read_text())
        told["finder"]["sha256"] = "0" * 64
        other.write_text(json.dumps(told))
        with pytest.raises(MismatchError, match="not of this very finder"):
            pipeline.report(tmp_path / "sky", labels, wants=beside)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, finder: Finder) -> Path:
    """A finished run that no test changes."""
    folder = tmp_path_factory.mktemp("ranked")
    pipeline.find([write_sky(folder / "images", n=20)], finder, folder / "run")
    return folder / "run"


class TestRank:
    def test_gives_the_head(self, run: Path) -> None:
        assert pipeline.rank(run, 7)["rank"].to_pylist() == list(range(1, 8))
        assert pipeline.rank(run, 1000).num_rows == 61

    def test_ranks_by_another_class(self, run: Path) -> None:
        table = pipeline.rank(run, 5, "nonlens")
        p = table["p_nonlens"].to_pylist()
        assert p == sorted(p, reverse=True)
        assert table["rank"].to_pylist() == [1, 2, 3, 4, 5]

    def test_refuses_a_class_that_is_none(self, run: Path) -> None:
        with pytest.raises(MismatchError, match="nonlens, lens"):
            pipeline.rank(run, 5, "spiral")

    def test_refuses_a_run_that_is_not_finished(self, run: Path, tmp_path: Path) -> None:
        copy = Path(shutil.copytree(run, tmp_path / "copy"))
        (copy / "_SUCCESS").unlink()
        with pytest.raises(InputError, match="not finished"):
            pipeline.rank(copy)


def test_bands_that_no_image_can_have_are_refused_before_anything_is_written(
    tmp_path: Path, finder: Finder
) -> None:
    images = tmp_path / "images"
    images.mkdir()
    pixels = cutouts(3).astype(np.float32)[:, :2]
    write_shard(images / "a.parquet", Cutouts(ids=("a", "b", "c"), pixels=pixels, bands=("J", "H")))
    with pytest.raises(MismatchError, match=r"needs the bands g, r, i; the images have J, H \(3\)"):
        pipeline.find([images], finder, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_folder_without_images_is_refused(tmp_path: Path, finder: Finder) -> None:
    (tmp_path / "notes.txt").write_text("no image")
    with pytest.raises(MissingError):
        pipeline.find([tmp_path], finder, tmp_path / "run")
