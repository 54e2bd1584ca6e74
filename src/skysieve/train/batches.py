"""Labeled images as batches: rows drawn by the name of their epoch, validation rows in order."""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float32, Int64
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from skysieve.core.random import stream
from skysieve.recipe.classifier import MemberPlan
from skysieve.recipe.learning import AugmentPlan, LearnPlan, SymmetryPlan
from skysieve.train.course import Course

LEAST = 2
"""Images in a batch that each process needs, or norms over a batch have nothing to compare."""

Rows = Int64[np.ndarray, " _"]


@runtime_checkable
class Images(Protocol):
    """What learning knows of labeled images (``LabeledImages``)."""

    @property
    def ids(self) -> tuple[str, ...]:
        """A name for each row."""
        ...

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes, in the order of the logits."""
        ...

    @property
    def labels(self) -> Rows:
        """The class of each row."""
        ...

    @property
    def pixels(self) -> Float32[np.ndarray, "n band side side"]:
        """Raw pixels, NaN where there are none."""
        ...

    @property
    def sha256(self) -> str:
        """Of all of them."""
        ...


@runtime_checkable
class Choice(Protocol):
    """Which rows learning may see (``Splits``); of the others it knows nothing."""

    @property
    def train(self) -> Rows:
        """Rows that teach."""
        ...

    @property
    def validation(self) -> Rows:
        """Rows that choose epochs, rates and the end of a phase."""
        ...

    @property
    def sha256(self) -> str:
        """Of all parts."""
        ...


class Batch(NamedTuple):
    """Images of one step.

    Args:
        step: Which, counted from 0 over all phases; of validation rows 0.
        rows: Of the images, within all labeled images.
        pixels: Raw, (n, band, y, x).
        shares: Of each class, (n, class); behind them what a teacher says, if there is one.
    """

    step: int
    rows: Tensor
    pixels: Tensor
    shares: Tensor


class Pixels:
    """Raw pixels by row; a mapped file is opened anew in another process instead of sent there."""

    def __init__(self, array: Any) -> None:
        self.array = array

    def __getstate__(self) -> dict[str, Any]:
        array = self.array
        if (
            not isinstance(array, np.memmap)
            or array.base is None
            or isinstance(array.base, np.memmap)
        ):
            return {"array": array}
        place = (str(array.filename), array.offset, array.shape, array.dtype.str)
        return {"place": place}

    def __setstate__(self, state: dict[str, Any]) -> None:
        if "place" in state:
            name, offset, shape, dtype = state["place"]
            self.array = np.memmap(name, dtype, "r", offset, shape)
        else:
            self.array = state["array"]

    def __getitem__(self, rows: Rows) -> Float32[np.ndarray, "n band y x"]:
        return np.array(self.array[rows], np.float32)


class Part(NamedTuple):
    """Rows with what is known of them.

    Args:
        rows: Within all labeled images.
        shares: Of each class, and what a teacher says, row by row.
    """

    rows: Rows
    shares: Float32[np.ndarray, "_ share"]


class Steps(Dataset):
    """Batches, one for each array of positions within a part."""

    def __init__(self, pixels: Pixels, part: Part, places: list[Rows], first: int) -> None:
        self.pixels, self.part, self.places, self.first = pixels, part, places, first

    def __len__(self) -> int:
        return len(self.places)

    def __getitem__(self, k: int) -> Batch:
        places = self.places[k]
        rows = self.part.rows[places]
        return Batch(
            step=self.first + k,
            rows=torch.from_numpy(rows),
            pixels=torch.from_numpy(self.pixels[rows]),
            shares=torch.from_numpy(self.part.shares[places]),
        )


class LabeledBatches:
    """Training rows in an order of each epoch's own, all validation rows in their order.

    Every process of several gets whole batches and takes its share after augmentation, so that an
    image is the same with any number of them; each looks at all validation rows.

    Args:
        pixels: Of all labeled images.
        train: Training rows.
        validation: Validation rows.
        course: Says which epoch begins.
        seed: Of the order.
        devices: Processes that share a batch.
    """

    def __init__(
        self,
        pixels: Pixels,
        train: Part,
        validation: Part,
        course: Course,
        *,
        seed: int,
        devices: int,
    ) -> None:
        self.pixels, self.train, self.validation = pixels, train, validation
        self.course, self.seed, self.devices = course, seed, devices
        classes = validation.shares.shape[1]
        self.labels = train.shares[:, :classes].argmax(1).astype(np.int64)

    @property
    def counts(self) -> list[int]:
        """Training images of each class."""
        return np.bincount(self.labels, minlength=self.validation.shares.shape[1]).tolist()

    @property
    def steps(self) -> int:
        """Batches in an epoch."""
        return len(epoch_of(self.labels, self.course.plan, self.seed, 0, self.devices))

    def training(self) -> DataLoader:
        """Return the batches of the epoch that begins."""
        epoch = len(self.course.history)
        places = epoch_of(self.labels, self.course.plan, self.seed, epoch, self.devices)
        return _loader(Steps(self.pixels, self.train, places, self.course.step))

    def validating(self) -> DataLoader:
        """Return all validation rows, the last batch as large as what is left."""
        places = np.arange(len(self.validation.rows))
        size = self.course.plan.batch
        cut = [places[k : k + size] for k in range(0, len(places), size)]
        return _loader(Steps(self.pixels, self.validation, cut, 0))


def epoch_of(labels: Rows, plan: LearnPlan, seed: int, epoch: int, devices: int) -> list[Rows]:
    """Return the batches of an epoch as positions within the training rows.

    A last batch that is too small for a norm joins the one before it.
    """
    from skysieve.train.sampling import batches_of  # noqa: PLC0415

    batches = batches_of(labels, plan.sampling, plan.batch, stream(seed, "order", epoch))
    if len(batches) > 1 and len(batches[-1]) < LEAST * devices:
        batches = [*batches[:-2], np.concatenate(batches[-2:])]
    return batches


def changed(batch: Batch, member: MemberPlan, counts: list[int]) -> tuple[Tensor, Tensor]:
    """Return the pixels and shares of a batch as this step sees them, changed and mixed.

    Args:
        batch: Whole, raw.
        member: Says how; its seed and the number of the step name the randomness.
        counts: Training images of each class; the rarest has changes of its own.
    """
    from skysieve.train.augment import augment, mix  # noqa: PLC0415

    rng = stream(member.seed, "augment", batch.step)
    plan = member.augment or AugmentPlan()
    rare_plan = _of_rare(plan, member.rare_augment)
    pixels, shares = batch.pixels, batch.shares
    rare = shares[:, : len(counts)].argmax(1) == int(np.argmin(counts))
    if rare_plan == plan or not rare.any():
        pixels = augment(pixels, plan, rng)
    else:
        pixels = pixels.clone()
        if not rare.all():
            pixels[~rare] = augment(pixels[~rare], plan, rng)
        pixels[rare] = augment(pixels[rare], rare_plan, rng)
    return mix(pixels, shares, plan.mixup, rng) if plan.mixup else (pixels, shares)


def _loader(steps: Steps) -> DataLoader:
    # Beside a GPU two processes read ahead; batches have numbers, so their order and content are
    # the same with any number of processes. Beside a fit on the processor they would take its cores.
    busy = torch.cuda.is_available()
    return DataLoader(steps, batch_size=None, num_workers=2 if busy else 0, pin_memory=busy)


def _of_rare(plan: AugmentPlan, symmetries: SymmetryPlan | None) -> AugmentPlan:
    """Return the changes of the rarest class: its own symmetries, all else as the others."""
    if symmetries is None:
        return plan
    own = {name: getattr(symmetries, name) for name in SymmetryPlan.model_fields}
    return plan.model_copy(update=own)
