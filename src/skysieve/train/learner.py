"""One phase of learning from labeled images, as Lightning sees it."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int64
from lightning import LightningModule
from torch import Tensor, nn
from torch.optim.lr_scheduler import ReduceLROnPlateau
from torch.optim.swa_utils import AveragedModel
from torch.utils.data import DataLoader

from skysieve.core.errors import RecipeError
from skysieve.core.random import seed_of
from skysieve.core.watch import Progress, Watch
from skysieve.measure.rare import roc_auc
from skysieve.recipe.classifier import DistillPlan, MemberPlan
from skysieve.train.batches import Batch, LabeledBatches, changed
from skysieve.train.course import CHECKPOINT
from skysieve.train.fitting import channels_last, moving_average
from skysieve.train.losses import distillation, loss_of
from skysieve.train.optimizing import free, optimizer_of, scheduler_of, set_to_learn

Report = Callable[[int, float], None]
"""Told the number of an epoch and its validation figure, the higher the better."""
EVERY_S = 0.5
"""How often the watch is told."""


class Learner(LightningModule):
    """A phase: its free layers, its optimizer and schedule, its steps, its validation.

    Args:
        network: A classifier, as ``build_classifier`` returns it.
        member: How it learns; everything filled in.
        data: Its batches; every epoch is added to their course.
        ids: Of all labeled images, to name those that spoil a loss.
        phase: Which, counted from 0.
        distill: How a teacher's word counts; None has no teacher.
        report: Told of every epoch once it is written down.
        watch: Told how far the fit is.
    """

    def __init__(  # noqa: PLR0913  a network, its data, and who is told
        self,
        network: nn.Module,
        member: MemberPlan,
        data: LabeledBatches,
        *,
        ids: tuple[str, ...],
        phase: int,
        distill: DistillPlan | None,
        report: Report | None,
        watch: Watch,
    ) -> None:
        super().__init__()
        self.network = network
        self.member = member
        self.data, self.course, self.plan = data, data.course, data.course.plan
        self.counts, self.steps = data.counts, data.steps
        self.ids, self.distill, self.report, self.watch = ids, distill, report, watch
        self.phase, self.phase_number = self.plan.phases[phase], phase + 1
        self.loss = loss_of(self.plan.loss, self.counts)
        free(network, self.phase.train)
        decay = self.plan.average_decay
        self.average = (
            AveragedModel(network, avg_fn=partial(moving_average, decay), use_buffers=True)
            if decay
            else None
        )
        self.step, self.used_rate = self.course.step, 0.0
        self.losses: list[tuple[float, int]] = []
        self.told: list[tuple[Tensor, Tensor]] = []
        self.begun = self.last_told = time.monotonic()
        self.train()

    @property
    def validated(self) -> nn.Module:
        """The network that is validated and kept: the average, if there is one."""
        return self.average.module if self.average else self.network

    def train_dataloader(self) -> DataLoader:
        """Return the batches of the epoch that begins."""
        return self.data.training()

    def val_dataloader(self) -> DataLoader:
        """Return the validation rows."""
        return self.data.validating()

    def configure_optimizers(self) -> Any:
        """Return the optimizer; its schedule is stepped, saved and loaded here."""
        optimizer = optimizer_of(self.network, self.plan.optimizer, self.phase.learning_rate)
        self.schedule = scheduler_of(
            optimizer, self.phase.schedule, epochs=self.phase.epochs, steps=self.steps
        )
        return optimizer

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Add the schedule and the course."""
        checkpoint["schedule"] = self.schedule.state_dict()
        self.course.save(checkpoint)

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep the state of the schedule until there is one."""
        self.saved_schedule = checkpoint["schedule"]

    def on_train_start(self) -> None:
        """Go on with the schedule that was saved."""
        if hasattr(self, "saved_schedule"):
            self.schedule.load_state_dict(self.saved_schedule)

    def on_train_epoch_start(self) -> None:
        """Begin an epoch."""
        set_to_learn(self.network, self.phase.train)
        self.losses, self.begun = [], time.monotonic()

    def on_after_batch_transfer(self, batch: Batch, dataloader_idx: int) -> Batch:
        """Change the images of a training batch, and take this process' share of them."""
        del dataloader_idx
        if not self.trainer.training:
            return batch
        with torch.no_grad():
            pixels, shares = changed(batch, self.member, self.counts)
        mine = slice(self.trainer.global_rank, None, self.trainer.world_size)
        return Batch(batch.step, batch.rows[mine], pixels[mine], shares[mine])

    def on_train_batch_start(self, batch: Batch, batch_idx: int) -> None:
        """Name the randomness of the step (dropout), so that going on is like never stopping."""
        del batch_idx
        purpose = "dropout" if self.trainer.global_rank == 0 else f"dropout/{self.global_rank}"
        torch.manual_seed(seed_of(self.member.seed, purpose, batch.step))

    def training_step(self, batch: Batch, index: int) -> Tensor:
        """Return the loss of a batch."""
        del index
        logits = self.network(channels_last(batch.pixels)).float()
        classes = logits.shape[1]
        loss = self.loss(logits, batch.shares[:, :classes])
        if self.distill:
            word = distillation(logits, batch.shares[:, classes:], self.distill.temperature)
            loss = (1 - self.distill.weight) * loss + self.distill.weight * word
        whole = self.trainer.strategy.reduce(loss.detach().clone(), reduce_op="mean")
        self._note(batch, logits.detach(), float(whole))
        return loss

    def on_train_batch_end(self, outputs: Any, batch: Batch, batch_idx: int) -> None:
        """Move the average and the schedule, and tell the watch."""
        del outputs, batch, batch_idx
        if self.average:
            self.average.update_parameters(self.network)
        if not isinstance(self.schedule, ReduceLROnPlateau):
            self.schedule.step()
        now = time.monotonic()
        if now - self.last_told > EVERY_S:
            self.last_told = now
            self._tell()

    def validation_step(self, batch: Batch, index: int) -> None:
        """Keep what the network says of a batch."""
        del index
        logits = self.validated(channels_last(batch.pixels)).float()
        self.told.append((logits, batch.shares))

    def on_validation_epoch_end(self) -> None:
        """Add the epoch to the course, and end the phase if the figure no longer rises."""
        logits, shares = (torch.cat(parts) for parts in zip(*self.told, strict=True))
        self.told = []
        if not logits.isfinite().all():
            raise self._broken(self.used_rate, "the loss of the validation rows", [])
        # Processes may differ in the last bits; all of them must come to the same decisions.
        row = self.trainer.strategy.broadcast(self._row(logits, shares))
        self.course.add(row, self.validated.state_dict(), logits)
        if isinstance(self.schedule, ReduceLROnPlateau):
            self.schedule.step(self.course.figure(row))
        self.trainer.should_stop = self.course.is_over(self.phase_number - 1)
        note = ", ".join(f"{name} {row[name]:.4f}" for name in ("validation_loss", "auc"))
        if self.trainer.is_global_zero:
            self.watch(Progress("validated", len(self.course.history), self.plan.epochs, note))

    def on_train_epoch_end(self) -> None:
        """Write down what has been done."""
        if self.trainer.is_global_zero:
            self.course.settle()
        self.trainer.save_checkpoint(self.course.folder / CHECKPOINT)
        if self.trainer.is_global_zero:
            self.course.write()
            if self.report:
                last = self.course.history[-1]
                self.report(int(last["epoch"]), self.course.figure(last))

    def _note(self, batch: Batch, logits: Tensor, loss: float) -> None:
        """Write down a step, or stop the fit if its loss is none."""
        rate = self._rate()
        if not np.isfinite(loss):
            spoiled = batch.rows[~logits.isfinite().all(1)].tolist()
            whole = len(spoiled) == len(logits) or not spoiled
            raise self._broken(rate, "the loss", batch.rows.tolist() if whole else spoiled)
        self.step, self.used_rate = batch.step + 1, rate
        self.losses.append((loss, len(logits)))
        if self.trainer.is_global_zero:
            epoch = len(self.course.history) + 1
            self.course.note_step((self.step, epoch, self.phase_number, rate, loss))

    def _rate(self) -> float:
        return float(max(group["lr"] for group in self.schedule.optimizer.param_groups))

    def _broken(self, rate: float, what: str, rows: list[int]) -> RecipeError:
        names = ", ".join(self.ids[row] for row in rows[:8]) + (" ..." if len(rows) > 8 else "")
        look = f", and look at the images {names}" if rows else ""
        return RecipeError(
            f"In epoch {len(self.course.history) + 1}, step {self.step + 1}, {what} is no finite"
            f" number; the learning rate was {rate:.3g}",
            f"Lower the learning_rate of phase {self.phase_number} in learn.phases{look}; the last"
            f" whole epoch is in {self.course.folder / CHECKPOINT}",
        )

    def _row(self, logits: Tensor, shares: Tensor) -> dict[str, float]:
        """Return the line of the epoch."""
        weight = sum(n for _, n in self.losses)
        labels = shares.argmax(1)
        return {
            "epoch": len(self.course.history) + 1,
            "step": self.step,
            "phase": self.phase_number,
            "learning_rate": self.used_rate,
            "train_loss": sum(loss * n for loss, n in self.losses) / max(weight, 1),
            "validation_loss": float(self.loss(logits, shares)),
            "auc": macro_auc(logits.double().cpu().numpy(), labels.cpu().numpy()),
            "accuracy": float((logits.argmax(1) == labels).double().mean()),
            "seconds": round(time.monotonic() - self.begun, 3),
        }

    def _tell(self) -> None:
        if not self.trainer.is_global_zero:
            return
        images = sum(n for _, n in self.losses) * self.trainer.world_size
        speed = images / max(time.monotonic() - self.begun, 1e-9)
        recent = np.mean([loss for loss, _ in self.losses[-20:]])
        total = self.course.step + self.steps * self._epochs_left()
        self.watch(
            Progress("learning", self.step, total, f"loss {recent:.3f}, {speed:.0f} images/s")
        )

    def _epochs_left(self) -> int:
        """Return how many epochs there can be yet, the present one among them."""
        here = sum(row["phase"] == self.phase_number for row in self.course.history)
        later = sum(phase.epochs for phase in self.plan.phases[self.phase_number :])
        return self.phase.epochs - here + later


def macro_auc(logits: Float[np.ndarray, "n class"], labels: Int64[np.ndarray, " n"]) -> float:
    """Return the mean over classes of the area under the ROC curve of that class against the rest.

    What ranks is the log of the odds, not the probability, which is 1 long before logits are large.
    """
    areas = []
    for k in range(logits.shape[1]):
        rest = np.delete(logits, k, axis=1)
        most = rest.max(1)
        odds = logits[:, k] - most - np.log(np.exp(rest - most[:, None]).sum(1))
        areas.append(roc_auc((labels == k).astype(np.int64), odds))
    return float(np.mean(areas))
