"""A small fit in a process of its own, and what the tests of learning share."""

from __future__ import annotations

import os
import signal
import sys
import traceback
import types
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

import numpy as np
import torch
from torch import nn

from skysieve.core.random import stream
from skysieve.recipe.classifier import MemberPlan
from skysieve.recipe.learning import AugmentPlan, LearnPlan
from skysieve.recipe.networks import CnnPlan, PreparationPlan
from skysieve.train import course
from skysieve.train.learn import learn

CLASSES = ("nonlens", "lens")


@dataclass(frozen=True, eq=False)
class Images:
    ids: tuple[str, ...]
    classes: tuple[str, ...]
    labels: np.ndarray
    pixels: np.ndarray
    sha256: str = "images"


@dataclass(frozen=True, eq=False)
class Splits:
    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray
    sha256: str = "splits"


class Guarded(np.ndarray):
    """Pixels that say which rows were read, and refuse some of them."""

    refused: frozenset[int] = frozenset()
    read: list[np.ndarray]

    def __getitem__(self, key):
        if isinstance(key, np.ndarray) and self.refused:
            if set(key.tolist()) & self.refused:
                raise AssertionError("a test row was read")
            self.read.append(key)
        return super().__getitem__(key)


def make_images(n=120, *, side=16, bands=2, signal=2.0, classes=CLASSES):
    """Return noise with a blob of a size that tells the class, a third of it test rows."""
    rng = np.random.default_rng(3)
    labels = (np.arange(n) % len(classes)).astype(np.int64)
    y, x = np.mgrid[:side, :side] - (side - 1) / 2
    width = 1.5 + 1.5 * labels[:, None, None, None]
    pixels = rng.normal(0, 1, (n, bands, side, side))
    pixels += signal * np.exp(-0.5 * (x**2 + y**2) / width**2)
    order = rng.permutation(n)
    splits = Splits(*(np.sort(part) for part in np.split(order, [n // 2, 2 * n // 3])))
    ids = tuple(f"row-{k}" for k in range(n))
    return Images(ids, classes, labels, pixels.astype(np.float32)), splits


def make_member(**learn):
    phases = learn.pop("phases", [{"epochs": 2, "learning_rate": 1e-2}])
    augment = learn.pop("augment", {"mixup": 0.0})
    plan = LearnPlan.model_validate(
        {"phases": phases, "batch": 16, "precision": "float32", **learn}
    )
    return MemberPlan(
        name="tiny",
        network=CnnPlan(widths=(4, 8), dense=8),
        prepare=PreparationPlan(),
        augment=AugmentPlan.model_validate(augment),
        learn=plan,
    )


class Tiny(nn.Module):
    """A stand-in with every kind of part that learning must treat with care."""

    def __init__(self, bands: int, classes: int) -> None:
        super().__init__()
        self.prepare = nn.Identity()
        self.body = nn.Sequential(
            nn.Sequential(nn.Conv2d(bands, 8, 3, 2, 1), nn.BatchNorm2d(8), nn.ReLU()),
            nn.Sequential(nn.Conv2d(8, 8, 3, 2, 1), nn.BatchNorm2d(8), nn.ReLU(), nn.Dropout(0.2)),
            nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, classes)),
        )

    def forward(self, pixels):
        return self.body(self.prepare(pixels))


def build_tiny(network, prepare, *, bands, classes, side):
    return Tiny(bands, classes)


def augment(pixels, plan, rng):
    """Mirror half of the images: anew each time they are seen, by the stream alone."""
    flip = torch.from_numpy(rng.random(len(pixels)) < 0.5).to(pixels.device)
    return torch.where(flip[:, None, None, None], pixels.flip(3), pixels)


def mix(pixels, targets, alpha, rng):
    share = float(rng.beta(alpha, alpha))
    other = torch.from_numpy(rng.permutation(len(pixels)))
    return tuple(share * a + (1 - share) * a[other] for a in (pixels, targets))


def batches_of(labels, plan, batch, rng):
    return np.array_split(rng.permutation(len(labels)), -(-len(labels) // batch))


def install(setitem=None, setattr_=None) -> None:
    """Put the stand-ins where learning looks for the parts of others."""
    from skysieve.networks import build

    setitem = setitem or sys.modules.__setitem__
    parts = {
        "skysieve.networks.classifier": {
            "Classifier": Tiny,
            "layers": lambda classifier: list(classifier.body),
        },
        "skysieve.train.augment": {"augment": augment, "mix": mix},
        "skysieve.train.sampling": {"batches_of": batches_of},
    }
    for name, members in parts.items():
        module = types.ModuleType(name)
        vars(module).update(members)
        setitem(name, module)
    (setattr_ or setattr)(build, "build_classifier", build_tiny)


def teacher_of(images, splits):
    p = stream(1, "teacher").random((len(splits.train), len(images.classes)))
    return (p / p.sum(1, keepdims=True)).astype(np.float32)


KILLED = {
    "phases": [
        {"epochs": 2, "learning_rate": 1e-2, "train": "head", "schedule": {"kind": "cosine"}},
        {"epochs": 3, "learning_rate": 1e-2, "schedule": {"kind": "plateau", "patience": 1}},
    ],
    "average_decay": 0.9,
    "augment": {"mixup": 0.3},
}


def main() -> None:
    """Fit in one folder at a stretch, and in another in processes that are killed.

    After the folders come the steps at which processes are killed, 0 for none. Each process is a
    fork of this one, which imports and does not compute: importing takes longer than fitting.
    """
    straight, broken, *stops = sys.argv[1:]
    install()
    torch.set_num_threads(1)
    for folder, stop in [(straight, 0), *((broken, int(stop)) for stop in stops)]:
        status = fit_in_fork(Path(folder), stop)
        if status != (-signal.SIGKILL if stop else 0):
            raise SystemExit(f"the process that was to stop at {stop} ended with {status}")


def fit_in_fork(folder: Path, stop: int) -> int:
    """Return how a process ended that fitted, and was killed once it had written a step."""
    read, write = os.pipe()
    process = os.fork()
    if process == 0:
        os.close(read)
        code = 1
        try:
            fit_aloud(folder, os.fdopen(write, "w", buffering=1))
            code = 0
        finally:
            if code:
                traceback.print_exc()
            os._exit(code)  # not into what the parent has to do
    os.close(write)
    with os.fdopen(read) as told:
        for line in told:
            if stop and int(line) >= stop:
                os.kill(process, signal.SIGKILL)
                break
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


def fit_aloud(folder: Path, told: TextIO) -> None:
    noted = course.Course.note_step

    def note_step(self, values):
        noted(self, values)
        print(values[0], file=told)

    course.Course.note_step = note_step
    learn(make_member(**KILLED), *make_images(), folder)


if __name__ == "__main__":
    main()
