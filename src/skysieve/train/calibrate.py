"""What validation and calibration rows decide after the fit: members' weights, probabilities, thresholds."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Float64, Int64
from scipy.optimize import minimize
from scipy.special import expit, logsumexp
from torch import Tensor, nn

from skysieve.core.errors import RecipeError
from skysieve.finder.calibration import Platt, margin

Logits = Float64[np.ndarray, "n class"]
Truth = Int64[np.ndarray, " n"]


class Calibration(NamedTuple):
    """What logits of a stage mean.

    Args:
        platt: From the margin of the positive class to its probability.
        scale: With more than two classes: the factor of all logits and what is added to each, to
            be put into the graph; else None.
        pass_logit: The margin from which a cutout goes on; None for the last stage.
        pass_fraction: The measured share of negatives that go on.
    """

    platt: Platt
    scale: tuple[float, tuple[float, ...]] | None
    pass_logit: float | None
    pass_fraction: float


class Rescaled(nn.Module):
    """A network with its logits multiplied and moved.

    Args:
        network: To logits.
        factor: Of all logits.
        offsets: Added to each.
    """

    offsets: Tensor

    def __init__(self, network: nn.Module, factor: float, offsets: tuple[float, ...]) -> None:
        super().__init__()
        self.network = network
        self.factor = factor
        self.register_buffer("offsets", torch.tensor(offsets))

    def forward(self, pixels: Float[Tensor, "n band y x"]) -> Float[Tensor, "n class"]:
        """Return the logits."""
        return self.network(pixels) * self.factor + self.offsets


def calibrate(
    logits: Logits, truth: Truth, positive: int, pass_fraction: float | None
) -> Calibration:
    """Fit probabilities to calibration rows.

    Two classes get Platt's line, more a common temperature and an offset for each.

    Args:
        logits: Of the stage, of calibration rows.
        truth: Their classes.
        positive: The class that is looked for.
        pass_fraction: Share of the negatives that is to go on to the next stage; None for the last.

    Raises:
        RecipeError: The network ranks positives no higher than others.

    References:
        Platt 1999, Advances in Large Margin Classifiers, 61, with his targets; Guo et al. 2017,
        arXiv:1706.04599, section 4.2.
    """
    is_positive = truth == positive
    prior = float(is_positive.mean())
    if logits.shape[1] == 2:
        scale = None
        margins = margin(logits, positive)
        platt = _platt(margins, is_positive, prior)
    else:
        scale = _rescaling(logits, truth)
        margins = margin(logits * scale[0] + np.array(scale[1]), positive)
        platt = Platt(slope=1, offset=0, prior=prior)
    if pass_fraction is None:
        return Calibration(platt, scale, None, 1.0)
    others = margins[~is_positive]
    threshold = float(np.quantile(others, 1 - pass_fraction))
    return Calibration(platt, scale, threshold, float((others >= threshold).mean()))


def member_weights(logits: Float64[np.ndarray, "member n class"], truth: Truth) -> np.ndarray:
    """Return shares of an ensemble's members, summing to 1, that suit validation rows best.

    They make the cross-entropy of the weighted logits least, whatever common scale and offsets these
    then get; a small penalty holds members that agree at equal shares.

    Args:
        logits: What each member says of validation rows.
        truth: Their classes.
    """
    count, n, classes = logits.shape
    spread = logits - logits.mean(2, keepdims=True)
    spread /= np.maximum(spread.std(axis=(1, 2), keepdims=True), 1e-9)
    rows = np.arange(n)

    def loss(x: np.ndarray) -> float:
        shares = np.exp(x[:count] - logsumexp(x[:count]))
        said = np.exp(x[count]) * np.tensordot(shares, spread, 1) + x[count + 1 :]
        fit = float((logsumexp(said, axis=1) - said[rows, truth]).mean())
        return fit + 1e-4 * float((x[:count] ** 2).sum())

    found = minimize(loss, np.zeros(count + 1 + classes), method="L-BFGS-B")
    shares = np.exp(found.x[:count] - logsumexp(found.x[:count]))
    # Back from logits of equal spread to the members' own.
    shares = shares / np.maximum((logits - logits.mean(2, keepdims=True)).std(axis=(1, 2)), 1e-9)
    return shares / shares.sum()


def _platt(margins: Float64[np.ndarray, " n"], positive: np.ndarray, prior: float) -> Platt:
    count, others = positive.sum(), (~positive).sum()
    target = np.where(positive, (count + 1) / (count + 2), 1 / (others + 2))
    middle, width = float(np.median(margins)), max(float(margins.std()), 1e-9)
    x = (margins - middle) / width

    def loss(line: np.ndarray) -> tuple[float, np.ndarray]:
        said = line[0] * x + line[1]
        off = expit(said) - target
        value = np.logaddexp(0, said) - target * said
        return float(value.mean()), np.array([(off * x).mean(), off.mean()])

    slope, offset = minimize(loss, np.zeros(2), jac=True, method="L-BFGS-B").x
    if slope <= 0:
        raise RecipeError(
            "The network ranks the positives of the calibration rows no higher than the others",
            "Fit it longer or with another rate: --set learn.phases.0.epochs=N",
        )
    return Platt(
        slope=float(slope / width), offset=float(offset - slope * middle / width), prior=prior
    )


def _rescaling(logits: Logits, truth: Truth) -> tuple[float, tuple[float, ...]]:
    rows = np.arange(len(truth))

    def loss(x: np.ndarray) -> float:
        said = np.exp(x[0]) * logits + x[1:]
        fit = float((logsumexp(said, axis=1) - said[rows, truth]).mean())
        return fit + 1e-3 * float((x**2).sum())

    found = minimize(loss, np.zeros(1 + logits.shape[1]), method="L-BFGS-B").x
    return float(np.exp(found[0])), tuple(float(value) for value in found[1:] - found[1:].mean())
