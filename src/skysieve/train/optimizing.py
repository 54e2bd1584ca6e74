"""Which layers learn, how fast each, and how the rate changes."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable
from functools import partial
from typing import Literal, assert_never, cast

from torch import nn
from torch.nn import Parameter
from torch.optim import SGD, Adam, AdamW, Optimizer
from torch.optim.lr_scheduler import LambdaLR, LRScheduler, OneCycleLR, ReduceLROnPlateau

from skysieve.recipe.learning import OptimizerPlan, SchedulePlan

Train = Literal["all", "head"] | float
Schedule = LRScheduler | ReduceLROnPlateau


def free(classifier: nn.Module, train: Train) -> None:
    """Let the layers of a phase learn and hold the others as they are.

    Args:
        classifier: As ``build_classifier`` returns it.
        train: As of ``PhasePlan``.
    """
    parts = _layers(classifier)
    held = _held(parts, train)
    for k, part in enumerate(parts):
        part.requires_grad_(k >= held)


def set_to_learn(classifier: nn.Module, train: Train) -> None:
    """Put free layers into training mode and held ones, with their norms, into evaluation mode.

    A norm in training mode goes on following the images, whether or not its weights are held.
    """
    parts = _layers(classifier)
    classifier.train()
    for part in parts[: _held(parts, train)]:
        part.eval()


def optimizer_of(classifier: nn.Module, plan: OptimizerPlan, learning_rate: float) -> Optimizer:
    """Return the optimizer of all free parameters.

    Norms and biases, which have one axis, are not decayed. The head learns at the full rate.
    """
    groups: dict[tuple[float, float], list[Parameter]] = defaultdict(list)
    for depth, part in enumerate(reversed(_layers(classifier))):
        rate = learning_rate * plan.layer_decay**depth
        for parameter in part.parameters():
            if parameter.requires_grad:
                groups[rate, plan.weight_decay if parameter.ndim > 1 else 0.0].append(parameter)
    parts = [
        {"params": group, "lr": rate, "weight_decay": decay}
        for (rate, decay), group in groups.items()
    ]
    match plan.kind:
        case "sgd":
            return SGD(parts, lr=learning_rate, momentum=plan.momentum)
        case "adam":
            return Adam(parts, lr=learning_rate)
        case "adamw":
            return AdamW(parts, lr=learning_rate)
        case _:
            assert_never(plan.kind)


def scheduler_of(optimizer: Optimizer, plan: SchedulePlan, *, epochs: int, steps: int) -> Schedule:
    """Return how the rates change: stepped after every step, but ``plateau`` after every epoch.

    ``one-cycle`` also moves the first moment of Adam against the rate; the momentum of SGD stays.

    Args:
        optimizer: Its rates are the greatest.
        plan: How they change.
        epochs: Of the phase.
        steps: In an epoch.
    """
    match plan.kind:
        case "plateau":
            return ReduceLROnPlateau(
                optimizer, "max", factor=plan.factor, patience=plan.patience - 1, threshold=0.0
            )
        case "one-cycle":
            return OneCycleLR(
                optimizer,
                [group["lr"] for group in optimizer.param_groups],
                total_steps=epochs * steps,
                pct_start=plan.warmup,
                cycle_momentum=not isinstance(optimizer, SGD),
            )
        case "constant" | "step" | "cosine":
            return LambdaLR(optimizer, _factor(plan, epochs, steps))
        case _:
            assert_never(plan.kind)


def _factor(plan: SchedulePlan, epochs: int, steps: int) -> Callable[[int], float]:
    match plan.kind:
        case "step":
            return partial(_stairs, plan.factor, plan.patience * steps)
        case "cosine":
            return partial(_cosine, round(plan.warmup * epochs * steps), epochs * steps)
        case _:
            return _always


def _always(step: int) -> float:
    del step
    return 1.0


def _stairs(factor: float, every: int, step: int) -> float:
    return factor ** (step // every)


def _cosine(rise: int, total: int, step: int) -> float:
    if step < rise:
        return (step + 1) / (rise + 1)
    return 0.5 * (1 + math.cos(math.pi * (step - rise) / max(total - rise, 1)))


def _held(parts: list[nn.Module], train: Train) -> int:
    """Return how many layers, from the input, do not learn."""
    before = len(parts) - 1
    match train:
        case "all":
            return 0
        case "head":
            return before
        case share:
            return before - math.ceil(share * before)


def _layers(classifier: nn.Module) -> list[nn.Module]:
    from skysieve.networks.classifier import Classifier, layers  # noqa: PLC0415

    return layers(cast("Classifier", classifier))
