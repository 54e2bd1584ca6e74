"""Learning from labeled images; killed at any time, the same call goes on to the same bits."""

from __future__ import annotations

import json
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float32
from lightning import Trainer
from safetensors.torch import load_model, save_model
from torch import nn

from skysieve.core.errors import InputError, RecipeError
from skysieve.core.files import claim, remove_leftovers, whole_file
from skysieve.core.random import seed_of
from skysieve.core.watch import Watch, ignore
from skysieve.finder.runtime import cpu_precision
from skysieve.recipe.classifier import DistillPlan, MemberPlan
from skysieve.recipe.learning import LearnPlan
from skysieve.train.batches import (
    LEAST,
    Choice,
    Images,
    LabeledBatches,
    Part,
    Pixels,
)
from skysieve.train.checkpoints import WholeCheckpoints
from skysieve.train.course import CHECKPOINT, METRICS, Course, read_history, write_logits
from skysieve.train.fitting import quiet
from skysieve.train.learner import Learner, Report
from skysieve.train.losses import soften

PLAN = "plan.json"
LOGITS = "validation-logits.npy"
DONE = "network.safetensors"
"""The weights that are kept, written last; a fit that has them is not done again."""

Probabilities = Float32[np.ndarray, "n class"]


@dataclass(frozen=True, eq=False, kw_only=True)
class Learned:
    """A network that has learned.

    Args:
        network: In evaluation mode, on the processor.
        history: A line per epoch, as in ``metrics.csv``.
        validation_logits: What it says of the validation rows, in their order.
    """

    network: nn.Module
    history: list[dict[str, float]]
    validation_logits: Float32[np.ndarray, "n class"]


@dataclass(frozen=True, eq=False, kw_only=True)
class _Task:
    """What a fit is about, checked."""

    member: MemberPlan
    plan: LearnPlan
    images: Images
    splits: Choice
    teacher: Probabilities | None
    distill: DistillPlan | None
    devices: int


def learn(  # noqa: PLR0913  a member, its data, its teacher, and where
    member: MemberPlan,
    images: Images,
    splits: Choice,
    folder: Path,
    *,
    teacher: Probabilities | None = None,
    distill: DistillPlan | None = None,
    devices: int = 1,
    report: Report | None = None,
    watch: Watch = ignore,
) -> Learned:
    """Let a network learn from the training rows, or go on where an interrupted call stopped.

    Epochs, schedules and the end of a phase are chosen on the validation rows; no other rows are
    read. Each phase begins with the weights that were kept before it. With the same processor and
    threads the bits do not depend on interruptions.

    Args:
        member: With network, prepare, augment and learn filled in (``ClassifierRecipe.member``).
        images: All labeled images.
        splits: Which rows teach and which choose.
        folder: Takes ``plan.json``, the checkpoint after every epoch, ``metrics.csv`` with a line
            per epoch, ``steps.csv`` with the loss of every step, and the weights.
        teacher: Probabilities of the training rows, in their order, to learn from beside labels.
        distill: How; needed with a teacher and only then.
        devices: Processors or graphics cards that share a batch.
        report: Told the validation figure of each epoch, the higher the better; what it raises ends
            the fit, which a later call goes on with.
        watch: Told of steps and epochs; not with several devices, which are other processes.

    Raises:
        MismatchError: The folder holds a network that learned otherwise.
        InputError: A class has no training or no validation row.
        RecipeError: The loss became infinite or no number; or the plan does not fit the devices.
    """
    from skysieve.networks.build import build_classifier  # noqa: PLC0415

    task = _checked(member, images, splits, teacher, distill, devices)
    if member.network is None or member.prepare is None:
        raise RecipeError(f"Member {member.name} is not filled in", "Use ClassifierRecipe.member")
    folder.mkdir(parents=True, exist_ok=True)
    remove_leftovers(folder)
    claim(folder / PLAN, _decided(task), holds="a network")
    with torch.random.fork_rng():
        torch.manual_seed(seed_of(member.seed, "network"))
        network = build_classifier(
            member.network,
            member.prepare,
            bands=images.pixels.shape[1],
            classes=len(images.classes),
            side=images.pixels.shape[-1],
        )
    if not (folder / DONE).exists():
        _fit(network, task, folder, report, watch)
    load_model(network, folder / DONE)
    return Learned(
        network=network.eval(),
        history=read_history(folder / METRICS),
        validation_logits=np.load(folder / LOGITS, allow_pickle=False),
    )


def _checked(
    member: MemberPlan,
    images: Images,
    splits: Choice,
    teacher: Probabilities | None,
    distill: DistillPlan | None,
    devices: int,
) -> _Task:
    """Return the task, or refuse what cannot be learned."""
    if member.learn is None:
        raise RecipeError(f"Member {member.name} is not filled in", "Use ClassifierRecipe.member")
    if (teacher is None) != (distill is None):
        raise RecipeError("A teacher and a plan of distillation go together", "Give both or none")
    if teacher is not None and teacher.shape != (len(splits.train), len(images.classes)):
        raise InputError(
            f"The teacher's word has shape {teacher.shape}", "Give a row per training row"
        )
    if member.learn.batch % devices or member.learn.batch < LEAST * devices:
        raise RecipeError(
            f"learn.batch is {member.learn.batch}, which {devices} devices cannot share",
            f"Choose a multiple of {devices}, {LEAST * devices} or more",
        )
    for name, rows in (("training", splits.train), ("validation", splits.validation)):
        present = np.bincount(images.labels[rows], minlength=len(images.classes))
        if not present.all():
            missing = images.classes[int(np.argmin(present))]
            raise InputError(
                f"No {name} row is of class {missing}",
                "Give more images of it, or a larger share for these rows",
            )
    return _Task(
        member=member, plan=member.learn, images=images, splits=splits, teacher=teacher, distill=distill, devices=devices,
    )  # fmt: skip


def _decided(task: _Task) -> str:
    """Return everything that decides a network, but for the processor that computes it."""
    teacher = None if task.teacher is None else sha256(task.teacher.tobytes()).hexdigest()
    parts = {
        "member": task.member.model_dump(mode="json"),
        "distill": task.distill and task.distill.model_dump(mode="json"),
        "teacher_sha256": teacher,
        "classes": list(task.images.classes),
        "images_sha256": task.images.sha256,
        "splits_sha256": task.splits.sha256,
    }
    return json.dumps(parts, indent=1)


def _fit(
    network: nn.Module, task: _Task, folder: Path, report: Report | None, watch: Watch
) -> None:
    """Go through the phases that are left, and write the weights that are kept."""
    course = Course(task.plan, folder)
    course.load()
    data = _batches(task, course)
    for phase in range(max(course.last_phase(), 0), len(task.plan.phases)):
        if course.is_over(phase):
            continue
        course.write()
        if course.kept is not None:
            network.load_state_dict(course.kept)
        _to_channels_last(network)
        learner = Learner(
            network, task.member, data, ids=task.images.ids, phase=phase, distill=task.distill,
            report=report, watch=watch if task.devices == 1 else ignore,
        )  # fmt: skip
        begun = course.last_phase() == phase
        with quiet(), torch.random.fork_rng():
            trainer = _trainer(task, folder, epochs=task.plan.phases[phase].epochs)
            trainer.fit(
                learner, ckpt_path=folder / CHECKPOINT if begun else None, weights_only=True
            )
        network = learner.network.cpu()
        course.load()  # of several devices, the other processes have it
    course.write()
    if course.kept is None or course.logits is None:
        raise RuntimeError("a fit without an epoch")
    network.load_state_dict(course.kept)
    write_logits(folder / LOGITS, course.logits.numpy())
    with whole_file(folder / DONE) as temporary:
        save_model(network.to(memory_format=torch.preserve_format), str(temporary))


def _batches(task: _Task, course: Course) -> LabeledBatches:
    images, splits = task.images, task.splits
    whole = np.eye(len(images.classes), dtype=np.float32)
    shares = whole[images.labels[splits.train]]
    if task.teacher is not None and task.distill is not None:
        softened = soften(torch.from_numpy(task.teacher), task.distill.temperature)
        shares = np.concatenate([shares, softened.numpy()], axis=1)
    return LabeledBatches(
        Pixels(images.pixels),
        Part(splits.train, shares),
        Part(splits.validation, whole[images.labels[splits.validation]]),
        course,
        seed=task.member.seed,
        devices=task.devices,
    )


def _trainer(task: _Task, folder: Path, *, epochs: int) -> Trainer:
    return Trainer(
        default_root_dir=folder,
        max_epochs=epochs,
        precision=precision_of(task.plan.precision),
        accelerator="auto",
        devices=task.devices,
        # Other processes end with the fit, and what comes after it runs once.
        strategy="auto" if task.devices == 1 else "ddp_spawn",
        use_distributed_sampler=False,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        gradient_clip_val=task.plan.gradient_clip,
        reload_dataloaders_every_n_epochs=1,
        num_sanity_val_steps=0,
        plugins=[WholeCheckpoints()],
    )


def precision_of(
    wanted: Literal["auto", "float32", "bfloat16"],
) -> Literal["32-true", "bf16-mixed"]:
    """Return Lightning's word for a precision; ``auto`` is bfloat16 where it is fast."""
    if wanted == "auto":
        if torch.cuda.is_available():
            fast = torch.cuda.is_bf16_supported(including_emulation=False)
        else:
            fast = not torch.backends.mps.is_available() and cpu_precision() == "bf16"
        return "bf16-mixed" if fast else "32-true"
    return "bf16-mixed" if wanted == "bfloat16" else "32-true"


def _to_channels_last(network: nn.Module) -> None:
    # Not network.to(memory_format=...): group convolutions have weights of five axes.
    for parameter in network.parameters():
        if parameter.ndim == 4:
            parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)
