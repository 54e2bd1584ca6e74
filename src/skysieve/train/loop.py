"""Fitting one network, with Lightning; killed at any time, the same call goes on."""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from lightning import LightningDataModule, LightningModule, Trainer
from lightning.pytorch.callbacks import Callback, ModelCheckpoint, WeightAveraging
from safetensors.torch import load_model, save_model
from torch import Tensor, nn
from torch.utils.data import DataLoader
from torchmetrics.classification import BinaryAUROC, BinarySensitivityAtSpecificity

from skysieve.core.files import claim, whole_file
from skysieve.core.random import seed_of
from skysieve.core.watch import Progress, Watch, ignore
from skysieve.networks.build import build
from skysieve.recipe.networks import ConvNetPlan
from skysieve.recipe.training import FitPlan, Recipe
from skysieve.simulate.corpus import Corpus
from skysieve.train.checkpoints import WholeCheckpoints
from skysieve.train.data import Batches, Mixer
from skysieve.train.fitting import channels_last, moving_average, quiet

PLAN = "plan.json"
CHECKPOINT = "last.ckpt"
DONE = "network.safetensors"
"""The averaged weights, written when the fit is over; a fit that has them is not done again."""


@dataclass(frozen=True, eq=False)
class Fitted:
    """A fitted network and how it did on validation scenes, epoch by epoch."""

    network: nn.Module
    history: list[dict[str, float]]


def fit_network(
    recipe: Recipe,
    plan: ConvNetPlan,
    corpus: Corpus,
    folder: Path,
    *,
    seed: int,
    watch: Watch = ignore,
) -> Fitted:
    """Fit a network, or go on where an interrupted call stopped.

    Args:
        recipe: For the fit, the stretch and the mix of images.
        plan: The architecture.
        corpus: The scenes; every tenth is for validation only.
        folder: Takes the checkpoint after every epoch and ``metrics.csv``.
        seed: Decides the start, the batches and the noise.
        watch: Told of every few steps and every epoch.

    Raises:
        MismatchError: The folder holds a network that was fitted otherwise.
    """
    folder.mkdir(parents=True, exist_ok=True)
    claim(folder / PLAN, _plan_of(recipe, plan, seed), holds="a network")
    with torch.random.fork_rng():
        torch.manual_seed(seed_of(seed, "network"))
        network = build(plan, recipe.stretch, bands=len(corpus.plan.camera.bands), classes=2)
    module = LensFit(network, recipe.fit, seed=seed)
    data = MixedImages(recipe, corpus, recipe.fit, seed=seed)
    metrics = Metrics(folder / "metrics.csv", recipe.fit, watch)
    if (folder / DONE).exists():
        load_model(network, folder / DONE)
        return Fitted(network.eval(), metrics.history())
    checkpoint = folder / CHECKPOINT
    average = WeightAveraging(avg_fn=partial(moving_average, recipe.fit.average_decay))
    with quiet(), torch.random.fork_rng():
        trainer = Trainer(
            max_epochs=recipe.fit.epochs,
            precision="bf16-mixed",
            accelerator="auto",
            devices=1,
            logger=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            gradient_clip_val=recipe.fit.gradient_clip,
            reload_dataloaders_every_n_epochs=1,
            num_sanity_val_steps=0,
            plugins=[WholeCheckpoints()],
            callbacks=[
                average,
                metrics,
                ModelCheckpoint(folder, filename="last", save_top_k=1, monitor=None,
                                enable_version_counter=False),
            ],
        )  # fmt: skip
        trainer.fit(
            module, datamodule=data, ckpt_path=checkpoint if checkpoint.exists() else None,
            weights_only=True,
        )  # fmt: skip
    network = module.network.cpu().to(memory_format=torch.contiguous_format).eval()
    with whole_file(folder / DONE) as temporary:
        save_model(network, str(temporary))
    return Fitted(network, metrics.history())


class LensFit(LightningModule):
    """Cross-entropy on batches of raw pixels, AdamW on a one-cycle schedule."""

    def __init__(self, network: nn.Module, plan: FitPlan, *, seed: int) -> None:
        super().__init__()
        self.seed = seed
        self.network = network
        self.plan = plan
        self.loss = nn.CrossEntropyLoss(label_smoothing=plan.label_smoothing)
        self.auc = BinaryAUROC()
        self.sensitivity = BinarySensitivityAtSpecificity(min_specificity=0.99)

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
        """Name the randomness of the step (dropout), so that going on is like never stopping."""
        del batch, batch_idx
        torch.manual_seed(seed_of(self.seed, "dropout", self.global_step))

    def training_step(self, batch: list[Tensor], index: int) -> Tensor:
        """Return the loss of a batch."""
        del index
        pixels, labels = batch
        return self.loss(self.network(channels_last(pixels)).float(), labels)

    def validation_step(self, batch: list[Tensor], index: int) -> None:
        """Add a batch to the validation metrics."""
        del index
        pixels, labels = batch
        logits = self.network(channels_last(pixels)).float()
        score = torch.sigmoid(logits[:, 1] - logits[:, 0])
        self.auc.update(score, labels)
        self.sensitivity.update(score, labels)
        self.log("validation_loss", self.loss(logits, labels), batch_size=len(labels))

    def on_validation_epoch_end(self) -> None:
        """Log the metrics of the epoch."""
        self.log("auc", self.auc.compute())
        self.log("completeness_at_fpr_1e-2", self.sensitivity.compute()[0])
        self.auc.reset()
        self.sensitivity.reset()

    def configure_optimizers(self) -> Any:
        """Return the optimizer and its schedule."""
        plan = self.plan
        self.network.to(memory_format=torch.channels_last)
        optimizer = torch.optim.AdamW(
            self.network.parameters(), lr=plan.learning_rate, weight_decay=plan.weight_decay
        )
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimizer, plan.learning_rate, total_steps=plan.epochs * plan.steps, pct_start=0.15
        )
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": schedule, "interval": "step"},
        }


class MixedImages(LightningDataModule):
    """New training images every epoch, the same validation images always."""

    def __init__(self, recipe: Recipe, corpus: Corpus, plan: FitPlan, *, seed: int) -> None:
        super().__init__()
        self.plan = plan
        self.mixer = Mixer(corpus, recipe.mix, held_out=False, seed=seed)
        self.held_out = Mixer(corpus, recipe.mix, held_out=True, seed=recipe.simulation.seed)

    def train_dataloader(self) -> DataLoader:
        """Return the batches of the epoch that begins."""
        epoch = self.trainer.current_epoch if self.trainer else 0
        return _loader(
            Batches(self.mixer, epoch * self.plan.steps, self.plan.steps, self.plan.batch)
        )

    def val_dataloader(self) -> DataLoader:
        """Return the validation batches."""
        batches = max(self.plan.validation_images // self.plan.batch, 1)
        return _loader(Batches(self.held_out, 0, batches, self.plan.batch))


class Metrics(Callback):
    """Writes a line of metrics.csv per epoch and tells the watch how far the fit is."""

    def __init__(self, path: Path, plan: FitPlan, watch: Watch) -> None:
        self.path, self.plan, self.watch = path, plan, watch
        self.recent = 0.0

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Tell the watch every ten steps."""
        del pl_module, batch
        self.recent += 0.05 * (float(outputs["loss"]) - self.recent)
        if batch_idx % 10 == 9:
            total = self.plan.epochs * self.plan.steps
            self.watch(Progress("fitting", trainer.global_step, total, f"loss {self.recent:.3f}"))

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Append the epoch's metrics."""
        del pl_module
        row = {"epoch": trainer.current_epoch, "step": trainer.global_step}
        row |= {name: round(float(value), 5) for name, value in trainer.callback_metrics.items()}
        new = not self.path.exists()
        with self.path.open("a", newline="") as file:
            writer = csv.DictWriter(file, list(row))
            if new:
                writer.writeheader()
            writer.writerow(row)
        note = ", ".join(f"{name} {value}" for name, value in row.items())
        self.watch(Progress("validated", trainer.global_step, None, note))

    def history(self) -> list[dict[str, float]]:
        """Return all epochs; of an epoch that was done twice, the last."""
        with self.path.open(newline="") as file:
            rows = [{k: float(v) for k, v in row.items()} for row in csv.DictReader(file)]
        return list({row["epoch"]: row for row in rows}.values())


def _plan_of(recipe: Recipe, plan: ConvNetPlan, seed: int) -> str:
    """Return everything that decides a fitted network."""
    parts = {
        "simulation": recipe.simulation,
        "mix": recipe.mix,
        "stretch": recipe.stretch,
        "network": plan,
        "fit": recipe.fit,
    }
    decided = {name: part.model_dump(mode="json") for name, part in parts.items()}
    return json.dumps(decided | {"seed": seed}, indent=1)


def _loader(batches: Batches) -> DataLoader:
    # One process makes the next images while this one fits; batches are numbered, so the order
    # and the content are the same with any number of processes.
    return DataLoader(batches, batch_size=None, num_workers=1, prefetch_factor=4)
