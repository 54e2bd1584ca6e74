"""Learning from labeled images: what it may see, what it keeps, how it stops and goes on."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs the extra [train]")
pytest.importorskip("lightning", reason="training needs the extra [train]")

from skysieve.core.errors import InputError, MismatchError, RecipeError  # noqa: E402
from skysieve.core.random import seed_of, stream  # noqa: E402
from skysieve.recipe.classifier import DistillPlan  # noqa: E402
from skysieve.recipe.learning import LearnPlan, SymmetryPlan  # noqa: E402
from skysieve.recipe.networks import CnnPlan  # noqa: E402
from skysieve.train.batches import LEAST, LabeledBatches, Part, Pixels, epoch_of  # noqa: E402
from skysieve.train.course import Course  # noqa: E402
from skysieve.train.learn import learn  # noqa: E402
from skysieve.train.learner import Learner, macro_auc  # noqa: E402
from tests.train import learning  # noqa: E402


@pytest.fixture(autouse=True)
def standins(monkeypatch):
    import sys as modules

    learning.install(
        lambda name, module: monkeypatch.setitem(modules.modules, name, module),
        lambda place, name, value: monkeypatch.setattr(place, name, value, raising=False),
    )


@pytest.fixture
def data():
    return learning.make_images()


def read(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def guarded(images, refused):
    pixels = images.pixels.view(learning.Guarded)
    pixels.refused, pixels.read = frozenset(refused.tolist()), []
    return replace(images, pixels=pixels)


class TestRows:
    def test_test_rows_are_never_read(self, data, tmp_path):
        images, splits = data
        watched = guarded(images, splits.test)
        with pytest.raises(AssertionError, match="a test row"):
            watched.pixels[splits.test[:1]]  # the guard guards
        member = learning.make_member(
            phases=[
                {"epochs": 2, "learning_rate": 1e-2, "schedule": {"kind": "plateau", "patience": 1}}
            ],
            patience=1,
        )
        learn(member, watched, splits, tmp_path)
        seen = set(np.concatenate(watched.pixels.read).tolist())
        assert seen == {*splits.train.tolist(), *splits.validation.tolist()}

    def test_epochs_come_in_orders_of_their_own_and_hold_every_row_once(self, data, tmp_path):
        images, splits = data
        watched = guarded(images, splits.test)
        learn(learning.make_member(), watched, splits, tmp_path)
        rows = np.concatenate(watched.pixels.read)
        n, m = len(splits.train), len(splits.validation)
        first, second = rows[:n], rows[n + m :][:n]
        for epoch in (first, second):
            assert sorted(epoch) == sorted(splits.train)
        assert not np.array_equal(first, second)
        assert not np.array_equal(first, splits.train)
        assert len(set(images.labels[first[:16]])) == 2

    def test_a_last_batch_too_small_for_a_norm_joins_the_one_before(self, monkeypatch):
        def batches_of(labels, plan, batch, rng):
            return np.split(np.arange(len(labels)), [batch, 2 * batch])

        monkeypatch.setattr(sys.modules["skysieve.train.sampling"], "batches_of", batches_of)
        plan = learning.make_member().learn
        batches = epoch_of(np.zeros(33, np.int64), plan, 1, 0, 1)
        assert [len(batch) for batch in batches] == [16, 17]
        assert min(map(len, batches)) >= LEAST

    def test_all_validation_rows_count_the_last_batch_too(self, data, tmp_path):
        images, splits = data
        splits = replace(splits, validation=splits.validation[:19])  # 16 and 3
        learned = learn(learning.make_member(average_decay=None), images, splits, tmp_path)
        pixels = torch.from_numpy(images.pixels[splits.validation])
        with torch.no_grad():
            logits = learned.network(pixels)
        labels = torch.from_numpy(images.labels[splits.validation])
        assert learned.validation_logits.shape == (19, 2)
        np.testing.assert_allclose(learned.validation_logits, logits.numpy(), atol=1e-5)
        best = max(learned.history, key=lambda row: (row["auc"], -row["validation_loss"]))
        assert best["validation_loss"] == pytest.approx(
            float(torch.nn.functional.cross_entropy(logits, labels)), abs=1e-5
        )
        assert best["accuracy"] == pytest.approx(
            float((logits.argmax(1) == labels).double().mean())
        )

    def test_validation_is_in_evaluation_mode_and_does_not_move_norms(
        self, data, tmp_path, monkeypatch
    ):
        modes, norms = [], []
        step = Learner.validation_step

        def look(self, batch, index):
            modes.append(any(part.training for part in self.validated.modules()))
            norms.append(self.validated.body[0][1].running_mean.clone())
            step(self, batch, index)
            torch.testing.assert_close(norms[-1], self.validated.body[0][1].running_mean)

        monkeypatch.setattr(Learner, "validation_step", look)
        learn(learning.make_member(), *data, tmp_path)
        assert modes
        assert not any(modes)
        assert not torch.equal(norms[0], norms[-1])  # but training does

    def test_a_class_without_rows_is_refused(self, data, tmp_path):
        images, splits = data
        alone = splits.validation[images.labels[splits.validation] == 0]
        with pytest.raises(InputError, match="No validation row is of class lens"):
            learn(learning.make_member(), images, replace(splits, validation=alone), tmp_path)


class TestCourse:
    def course(self, tmp_path, figures, **plan):
        given = {"phases": [{"epochs": 9, "learning_rate": 1e-3}], **plan}
        course = Course(LearnPlan.model_validate(given), tmp_path)
        for k, (auc, loss) in enumerate(figures):
            row = {"epoch": k + 1, "step": k, "phase": 1, "auc": auc, "validation_loss": loss}
            course.add(row, {"w": torch.tensor(float(k))}, torch.zeros(1, 2))
        return course

    def test_the_best_epoch_is_kept(self, tmp_path):
        course = self.course(tmp_path, [(0.7, 0.5), (0.9, 0.4), (0.8, 0.3)])
        assert course.kept["w"] == 1
        course = self.course(tmp_path, [(0.7, 0.5), (0.9, 0.4), (0.8, 0.3)], monitor="loss")
        assert course.kept["w"] == 2

    def test_among_equals_the_lower_loss_is_kept(self, tmp_path):
        assert self.course(tmp_path, [(1.0, 0.5), (1.0, 0.2), (1.0, 0.3)]).kept["w"] == 1

    def test_the_last_is_kept_if_that_is_wanted(self, tmp_path):
        assert self.course(tmp_path, [(0.9, 0.1), (0.5, 0.9)], keep="last").kept["w"] == 1

    def test_kept_weights_do_not_change_afterwards(self, tmp_path):
        course = self.course(tmp_path, [])
        weight = torch.zeros(2)
        row = {"epoch": 1, "step": 1, "phase": 1, "auc": 0.5, "validation_loss": 1.0}
        course.add(row, {"w": weight}, torch.zeros(1, 2))
        weight += 1
        assert course.kept["w"].tolist() == [0, 0]

    @pytest.mark.parametrize(("epochs", "over"), [(2, False), (3, False), (4, True)])
    def test_a_phase_ends_when_the_figure_no_longer_rises(self, tmp_path, epochs, over):
        figures = [(0.6, 1.0), (0.8, 1.0), (0.7, 0.9), (0.8, 0.8)][:epochs]
        assert self.course(tmp_path, figures, patience=2).is_over(0) is over
        assert not self.course(tmp_path, figures).is_over(0)


class TestPhases:
    def test_held_layers_and_their_norms_stay_as_they_are(self, data, tmp_path):
        images, splits = data
        member = learning.make_member(
            phases=[{"epochs": 2, "learning_rate": 1e-2, "train": "head"}]
        )
        learned = learn(member, images, splits, tmp_path)
        with torch.random.fork_rng():
            torch.manual_seed(seed_of(member.seed, "network"))
            fresh = learning.Tiny(2, 2)
        for name, value in learned.network.state_dict().items():
            same = torch.equal(value, fresh.state_dict()[name])
            assert same != name.startswith("body.2"), name

    def test_a_phase_begins_with_what_was_kept(self, data, tmp_path):
        member = learning.make_member(
            phases=[
                {"epochs": 3, "learning_rate": 1e-2, "schedule": {"kind": "constant"}},
                {"epochs": 1, "learning_rate": 1e-12, "schedule": {"kind": "constant"}},
            ],
            optimizer={"kind": "sgd", "weight_decay": 0.0},
            monitor="loss",
        )
        images, splits = data
        history = learn(member, images, splits, tmp_path).history
        assert [row["phase"] for row in history] == [1, 1, 1, 2]
        best = min(row["validation_loss"] for row in history[:3])
        # Nothing but the running means of norms moves at this rate.
        assert history[3]["validation_loss"] == pytest.approx(best, abs=0.05)

    def test_early_stopping_ends_a_phase_and_not_the_next(self, data, tmp_path, monkeypatch):
        figures = iter([0.9, 0.8, 0.8, 0.7, 0.8, 0.6])
        monkeypatch.setattr("skysieve.train.learner.macro_auc", lambda *_: next(figures))
        phases = [{"epochs": 9, "learning_rate": 1e-3}, {"epochs": 3, "learning_rate": 1e-3}]
        learned = learn(learning.make_member(phases=phases, patience=2), *data, tmp_path)
        assert [row["phase"] for row in learned.history] == [1, 1, 1, 2, 2, 2]

    def test_plateau_lowers_the_rate_by_the_validation_figure(self, data, tmp_path, monkeypatch):
        figures = iter([0.9, 0.8, 0.8, 0.95, 0.6])
        monkeypatch.setattr("skysieve.train.learner.macro_auc", lambda *_: next(figures))
        schedule = {"kind": "plateau", "patience": 2, "factor": 0.5}
        phases = [{"epochs": 5, "learning_rate": 0.01, "schedule": schedule}]
        history = learn(learning.make_member(phases=phases), *data, tmp_path).history
        rates = [row["learning_rate"] for row in history]
        assert rates == pytest.approx([0.01, 0.01, 0.01, 0.005, 0.005])


class TestGoingOn:
    def test_a_fit_killed_in_any_epoch_ends_with_the_same_bits(self, tmp_path, root):
        straight, broken = tmp_path / "straight", tmp_path / "broken"
        # In the first epoch, in a later one, just after a phase began, in the last.
        stops = ["2", "6", "9", "19", "0"]
        command = [sys.executable, "-m", "tests.train.learning", straight, broken, *stops]
        paths = os.pathsep.join([str(root / "src"), str(root)])
        subprocess.run(command, cwd=root, env={**os.environ, "PYTHONPATH": paths}, check=True)
        for name in ("steps.csv", "network.safetensors", "validation-logits.npy"):
            assert (broken / name).read_bytes() == (straight / name).read_bytes(), name
        for a, b in zip(*(read(f / "metrics.csv") for f in (straight, broken)), strict=True):
            assert {**a, "seconds": ""} == {**b, "seconds": ""}
        steps = [int(row["step"]) for row in read(broken / "steps.csv")]
        assert steps == list(range(1, 21))

    def test_what_is_done_is_not_done_again(self, data, tmp_path):
        first = learn(learning.make_member(), *data, tmp_path)
        before = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
        again = learn(learning.make_member(), *data, tmp_path)
        assert {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()} == before
        assert again.history == first.history
        np.testing.assert_array_equal(again.validation_logits, first.validation_logits)

    @pytest.mark.parametrize("other", ["member", "images", "splits"])
    def test_a_folder_of_another_fit_is_refused(self, data, tmp_path, other):
        images, splits = data
        learn(learning.make_member(), images, splits, tmp_path)
        member = learning.make_member(batch=8) if other == "member" else learning.make_member()
        images = replace(images, sha256="x") if other == "images" else images
        splits = replace(splits, sha256="x") if other == "splits" else splits
        with pytest.raises(MismatchError, match="another plan"):
            learn(member, images, splits, tmp_path)


class TestBrokenLosses:
    def test_an_image_that_spoils_the_loss_is_named(self, data, tmp_path):
        images, splits = data
        bad = int(splits.train[3])
        pixels = images.pixels.copy()
        pixels[bad] = np.inf
        member = learning.make_member(
            phases=[{"epochs": 2, "learning_rate": 1e-2, "train": "head"}]
        )
        with pytest.raises(RecipeError) as raised:
            learn(member, replace(images, pixels=pixels), splits, tmp_path)
        text = str(raised.value)
        assert f"row-{bad}" in text
        assert "epoch 1" in text
        assert "phase 1" in text
        assert "learning rate was" in text

    def test_a_rate_that_is_too_high_stops_at_once_and_keeps_the_last_good_epoch(
        self, data, tmp_path
    ):
        phases = [
            {"epochs": 1, "learning_rate": 1e-3},
            {"epochs": 2, "learning_rate": 1e30, "schedule": {"kind": "constant"}},
        ]
        member = learning.make_member(phases=phases, optimizer={"kind": "sgd"}, gradient_clip=None)
        with pytest.raises(RecipeError, match=r"epoch 2.*phase 2 in learn.phases.*last\.ckpt"):
            learn(member, *data, tmp_path)
        assert [row["epoch"] for row in read(tmp_path / "metrics.csv")] == ["1"]
        course = Course(member.learn, tmp_path)
        course.load()
        assert all(value.isfinite().all() for value in course.kept.values())


def test_it_learns_and_says_so(data, tmp_path):
    seen = []
    phases = [{"epochs": 8, "learning_rate": 2e-2}]
    learned = learn(learning.make_member(phases=phases), *data, tmp_path, watch=seen.append)
    assert learned.history[-1]["auc"] > 0.95
    assert learned.history[-1]["train_loss"] < learned.history[0]["train_loss"]
    assert not any(part.training for part in learned.network.modules())
    assert [step.done for step in seen if step.stage == "validated"] == list(range(1, 9))


def test_a_student_learns_from_its_teacher(data, tmp_path):
    images, splits = data
    # The teacher is sure of the opposite of every label: only its word can turn the student.
    teacher = np.where(np.eye(2)[images.labels[splits.train]] == 1, 0.02, 0.98).astype(np.float32)
    member = learning.make_member(phases=[{"epochs": 10, "learning_rate": 2e-2}], keep="last")
    plan = DistillPlan(network=CnnPlan(), weight=0.9)
    learned = learn(member, images, splits, tmp_path, teacher=teacher, distill=plan)
    assert learned.history[-1]["auc"] < 0.1
    with pytest.raises(RecipeError, match="go together"):
        learn(member, images, splits, tmp_path, teacher=teacher)
    with pytest.raises(InputError, match="teacher's word"):
        learn(member, images, splits, tmp_path, teacher=teacher[1:], distill=plan)


def test_the_rarest_class_is_changed_in_its_own_way(data, tmp_path, monkeypatch):
    images, splits = data
    fewer = splits.train[(images.labels[splits.train] == 0) | (splits.train % 3 == 0)]
    seen = []

    def augment(pixels, plan, rng):
        seen.append((plan.mirror, plan.noise, len(pixels)))
        return pixels

    monkeypatch.setattr(sys.modules["skysieve.train.augment"], "augment", augment)
    member = learning.make_member(phases=[{"epochs": 1, "learning_rate": 1e-3}])
    noisy = member.augment.model_copy(update={"noise": 0.5})
    rare = SymmetryPlan(mirror=0.5)
    member = member.model_copy(update={"augment": noisy, "rare_augment": rare})
    learn(member, images, replace(splits, train=fewer), tmp_path)
    lenses = int(images.labels[fewer].sum())
    assert sum(n for mirror, _, n in seen if mirror) == lenses
    assert sum(n for mirror, _, n in seen if not mirror) == len(fewer) - lenses
    assert {noise for _, noise, _ in seen} == {0.5}, "noise would give one class away"


def test_macro_auc_is_that_of_scikit_learn():
    from sklearn.metrics import roc_auc_score

    rng = stream(1, "auc")
    logits, labels = rng.normal(0, 2, (200, 3)), rng.integers(0, 3, 200)
    p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    expected = roc_auc_score(labels, p, multi_class="ovr", average="macro")
    assert macro_auc(logits, labels) == pytest.approx(expected)
    # Probabilities of such logits are all 0 or 1, and could not be told apart.
    two, labels = logits[:, :2], labels % 2
    assert macro_auc(100 * two, labels) == pytest.approx(macro_auc(two, labels))


def test_a_mapped_file_is_opened_anew_in_another_process(tmp_path):
    import pickle

    np.save(tmp_path / "pixels.npy", np.arange(5 * 2 * 3 * 3, dtype=np.float32).reshape(5, 2, 3, 3))
    mapped = np.load(tmp_path / "pixels.npy", mmap_mode="r")
    rows = np.array([4, 1])
    for array in (mapped, np.array(mapped), mapped[1:]):
        sent = pickle.dumps(Pixels(array))
        assert (len(sent) < 300) is (array is mapped)
        np.testing.assert_array_equal(pickle.loads(sent)[rows[-1:]], array[rows[-1:]])


def test_batches_have_their_rows_shares(data, tmp_path):
    images, splits = data
    part = Part(splits.train, np.eye(2, dtype=np.float32)[images.labels[splits.train]])
    course = Course(learning.make_member().learn, tmp_path)
    batches = LabeledBatches(Pixels(images.pixels), part, part, course, seed=1, devices=1)
    for batch in batches.training():
        rows = batch.rows.numpy()
        np.testing.assert_array_equal(batch.pixels.numpy(), images.pixels[rows])
        np.testing.assert_array_equal(batch.shares.argmax(1).numpy(), images.labels[rows])
