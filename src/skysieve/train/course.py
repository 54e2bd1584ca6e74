"""How far a fit is: its epochs so far, the weights it keeps, the lines it has written."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32
from torch import Tensor

from skysieve.core.files import whole_file, write_text
from skysieve.recipe.learning import LearnPlan
from skysieve.train.checkpoints import read_checkpoint

CHECKPOINT = "last.ckpt"
METRICS, STEPS = "metrics.csv", "steps.csv"
COLUMNS: tuple[str, ...] = (
    "epoch", "step", "phase", "learning_rate", "train_loss", "validation_loss", "auc", "accuracy",
    "seconds",
)  # fmt: skip
STEP_COLUMNS = ("step", "epoch", "phase", "learning_rate", "loss")
_WHOLE = {"epoch", "step", "phase"}
_KEY = "course"
"""Of a course in a checkpoint."""

Row = dict[str, float]


class Course:
    """What has been done of a fit; a checkpoint holds it, and ``metrics.csv`` and ``steps.csv`` show it.

    A half-done epoch is no part of it: going on begins that epoch again, and its lines are replaced.

    Args:
        plan: Says which epoch is kept, and when a phase is over.
        folder: Takes the files.

    Attributes:
        history: The epochs that are done, in order; epochs, steps and phases count from 1.
        kept: The weights of the epoch that is kept; None before the first.
        logits: What they said of the validation rows.
    """

    def __init__(self, plan: LearnPlan, folder: Path) -> None:
        self.plan = plan
        self.folder = folder
        self.history: list[Row] = []
        self.kept: dict[str, Tensor] | None = None
        self.logits: Tensor | None = None

    @property
    def step(self) -> int:
        """Steps of the epochs that are done."""
        return int(self.history[-1]["step"]) if self.history else 0

    def add(self, row: Row, weights: Mapping[str, Tensor], logits: Tensor) -> None:
        """Add an epoch; its weights are kept if it is the best so far, or if the last is wanted."""
        best = max(map(self._rank, self.history), default=None)
        if self.plan.keep == "last" or best is None or self._rank(row) > best:
            self.kept = {name: value.detach().cpu().clone() for name, value in weights.items()}
            self.logits = logits.detach().cpu().clone()
        self.history.append(row)

    def figure(self, row: Row) -> float:
        """Return the validation figure of an epoch, the higher the better."""
        return -row["validation_loss"] if self.plan.monitor == "loss" else row[self.plan.monitor]

    def is_over(self, phase: int) -> bool:
        """Return whether a phase, counted from 0, has no epoch left."""
        figures = [self.figure(row) for row in self.history if row["phase"] == phase + 1]
        if len(figures) >= self.plan.phases[phase].epochs:
            return True
        best = int(np.argmax(figures)) if figures else 0
        return self.plan.patience is not None and len(figures) - 1 - best >= self.plan.patience

    def last_phase(self) -> int:
        """Return the phase of the last epoch, counted from 0; -1 before the first."""
        return int(self.history[-1]["phase"]) - 1 if self.history else -1

    def save(self, checkpoint: dict[str, Any]) -> None:
        """Put the course into a checkpoint."""
        checkpoint[_KEY] = {"history": self.history, "kept": self.kept, "logits": self.logits}

    def load(self) -> None:
        """Take the course from the folder's checkpoint, if there is one."""
        path = self.folder / CHECKPOINT
        if path.exists():
            state = read_checkpoint(path)[_KEY]
            self.history, self.kept, self.logits = state["history"], state["kept"], state["logits"]

    def note_step(self, values: tuple[int, int, int, float, float]) -> None:
        """Append a line to ``steps.csv``."""
        with (self.folder / STEPS).open("a", encoding="utf-8") as file:
            file.write(",".join(map(repr, values)) + "\n")

    def write(self) -> None:
        """Write ``metrics.csv``, and take the lines of a half-done epoch out of ``steps.csv``."""
        text = io.StringIO()
        table = csv.DictWriter(text, COLUMNS, lineterminator="\n")
        table.writeheader()
        for row in self.history:
            table.writerow({k: int(v) if k in _WHOLE else v for k, v in row.items()})
        write_text(self.folder / METRICS, text.getvalue())
        steps = self.folder / STEPS
        lines = steps.read_text(encoding="utf-8").splitlines()[1:] if steps.exists() else []
        whole = [",".join(STEP_COLUMNS), *lines[: self.step]]
        write_text(steps, "\n".join(whole) + "\n")

    def settle(self) -> None:
        """Flush ``steps.csv`` to the disk, so that it is never behind a checkpoint."""
        with (self.folder / STEPS).open("rb") as file:
            os.fsync(file.fileno())

    def _rank(self, row: Row) -> tuple[float, float]:
        # Of epochs with the same figure, such as an AUC of 1, the one with the lower loss.
        return self.figure(row), -row["validation_loss"]


def read_history(path: Path) -> list[Row]:
    """Return the epochs of a ``metrics.csv``."""
    with path.open(newline="", encoding="utf-8") as file:
        return [{k: float(v) for k, v in row.items()} for row in csv.DictReader(file)]


def write_logits(path: Path, logits: Float32[np.ndarray, "n class"]) -> None:
    """Write logits as an npy file, whole or not at all."""
    with whole_file(path) as temporary, temporary.open("wb") as file:
        np.save(file, logits, allow_pickle=False)
