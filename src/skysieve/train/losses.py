"""Losses of logits against shares of classes: a mixed image is a bit of both its classes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import assert_never

import torch
from jaxtyping import Float
from torch import Tensor, nn

from skysieve.core.errors import InputError
from skysieve.recipe.learning import CrossEntropyPlan, FocalPlan, LossPlan

Logits = Float[Tensor, "n class"]
Shares = Float[Tensor, "n class"]
"""Shares of each class; every row adds up to 1."""

_SMALLEST = 1e-6
"""Below this an error counts as none: the slope of a root is infinite at 0."""


def loss_of(plan: LossPlan, counts: Sequence[int]) -> nn.Module:
    """Return the loss of logits (n, class) against shares of classes (n, class), as one number.

    Args:
        plan: Which loss.
        counts: Training images of each class, for class weights.

    Raises:
        InputError: A class has no training image, and so no weight.
    """
    weights = _weights(plan.class_weights, counts)
    match plan:
        case CrossEntropyPlan(label_smoothing=smoothing):
            return CrossEntropy(weights, smoothing)
        case FocalPlan(gamma=gamma):
            return Focal(weights, gamma)
        case _:
            assert_never(plan)


class CrossEntropy(nn.Module):
    """Cross-entropy; for whole labels it is that of torch, weights and smoothing included.

    Args:
        weights: Of each class. The sum of losses is divided by the weights of the rows.
        smoothing: Probability spread over the classes (Szegedy et al. 2016, arXiv:1512.00567, sec. 7).
    """

    weights: Tensor

    def __init__(self, weights: Float[Tensor, " class"], smoothing: float) -> None:
        super().__init__()
        self.register_buffer("weights", weights, persistent=False)
        self.smoothing = smoothing

    def forward(self, logits: Logits, shares: Shares) -> Float[Tensor, ""]:
        """Return the weighted mean over the rows."""
        smooth = shares * (1 - self.smoothing) + self.smoothing / shares.shape[1]
        surprise = -torch.log_softmax(logits, 1)
        return (self.weights * smooth * surprise).sum() / (self.weights * shares).sum()


class Focal(nn.Module):
    """Cross-entropy in which a class counts by how wrong its probability is.

    Args:
        weights: Of each class. The sum of losses is divided by the weights of the rows.
        gamma: Power of the error; 0 is cross-entropy.

    References:
        Lin et al. 2017, arXiv:1708.02002, eq. 5, for whole labels. For shares the error is
        ``|share - probability|``, as in Li et al. 2020, arXiv:2006.04388, eq. 6: it is 0 where the
        probabilities are the shares, as that of Lin et al. is not.
    """

    weights: Tensor

    def __init__(self, weights: Float[Tensor, " class"], gamma: float) -> None:
        super().__init__()
        self.register_buffer("weights", weights, persistent=False)
        self.gamma = gamma

    def forward(self, logits: Logits, shares: Shares) -> Float[Tensor, ""]:
        """Return the weighted mean over the rows."""
        surprise = -torch.log_softmax(logits, 1)
        error = (shares - torch.exp(-surprise)).abs().clamp_min(_SMALLEST) ** self.gamma
        return (self.weights * shares * error * surprise).sum() / (self.weights * shares).sum()


def distillation(logits: Logits, softened: Shares, temperature: float) -> Float[Tensor, ""]:
    """Return how far softened logits are from what a teacher says (Kullback & Leibler 1951).

    Args:
        logits: Of the student.
        softened: Of the teacher, as ``soften`` returns them.
        temperature: The same for both.

    References:
        Hinton, Vinyals & Dean 2015, arXiv:1503.02531, section 2, with their factor of the squared
        temperature; their cross-entropy is this and the teacher's entropy, which has no slope.
    """
    spoken = torch.log_softmax(logits / temperature, 1)
    return temperature**2 * nn.functional.kl_div(spoken, softened, reduction="batchmean")


def soften(probabilities: Shares, temperature: float) -> Shares:
    """Return probabilities as if their logits had been divided by a temperature."""
    smallest = torch.finfo(probabilities.dtype).tiny
    return torch.softmax(probabilities.clamp_min(smallest).log() / temperature, 1)


def _weights(kind: str, counts: Sequence[int]) -> Float[Tensor, " class"]:
    if kind == "none":
        return torch.ones(len(counts))
    if min(counts) == 0:
        raise InputError(
            f"Class {list(counts).index(0)} has no training image, so that it has no weight",
            "Give images of every class or set class_weights to none",
        )
    n = torch.tensor(counts, dtype=torch.float64)
    return (n.sum() / (len(n) * n)).float()
