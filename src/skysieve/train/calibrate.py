"""What validation and calibration rows decide after the fit: members' weights, probabilities, thresholds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, Float64, Int64
from scipy.optimize import minimize
from scipy.special import expit, logit, logsumexp
from sklearn.isotonic import IsotonicRegression
from torch import Tensor, nn

from skysieve.core.errors import RecipeError
from skysieve.finder.calibration import (
    MOST_KNOTS,
    Beta,
    Calibration,
    Isotonic,
    Platt,
    Temperature,
    margin,
)
from skysieve.recipe.classifier import CalibrationPlan

Logits = Float64[np.ndarray, "n class"]
Truth = Int64[np.ndarray, " n"]
Margins = Float64[np.ndarray, " n"]
Positive = Bool[np.ndarray, " n"]
_BACKWARDS = "The network ranks the positives of the calibration rows no higher than the others"
_FIX = "Fit it longer or with another rate: --set learn.phases.0.epochs=N"
_FLATTEST = 1e-3  # of Platt's slope: the least that either side of a beta calibration keeps


class StageFit(NamedTuple):
    """What logits of a stage mean.

    Args:
        calibration: From the margin of the positive class to its probability.
        scale: With more than two classes: the factor of all logits and what is added to each, to
            be put into the graph; else None.
        pass_logit: The margin from which a cutout goes on; None for the last stage.
        pass_fraction: The measured share of negatives that go on.
    """

    calibration: Calibration
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
    logits: Logits,
    truth: Truth,
    positive: int,
    pass_fraction: float | None,
    plan: CalibrationPlan = CalibrationPlan(),  # noqa: B008  it is frozen
) -> StageFit:
    """Fit probabilities to calibration rows.

    Two classes get the calibration of the plan; more get a common temperature, an offset for each
    unless the plan is a temperature, and after that what the plan adds to a line.

    Args:
        logits: Of the stage, of calibration rows.
        truth: Their classes.
        positive: The class that is looked for.
        pass_fraction: Share of the negatives that is to go on to the next stage; None for the last.
        plan: Which calibration.

    Raises:
        RecipeError: The network ranks positives no higher than others.

    References:
        Platt 1999, Advances in Large Margin Classifiers, 61, with his targets; Guo et al. 2017,
        arXiv:1706.04599, section 4.2.
    """
    is_positive = truth == positive
    if logits.shape[1] == 2:
        scale = None
        margins = margin(logits, positive)
        calibration = _FITS[plan.kind](margins, is_positive)
    else:
        scale = _rescaling(logits, truth, offsets=plan.kind != "temperature")
        margins = margin(logits * scale[0] + np.array(scale[1]), positive)
        calibration = (
            Platt(slope=1, offset=0, prior=float(is_positive.mean()))
            if plan.kind in ("platt", "temperature")
            else _FITS[plan.kind](margins, is_positive)
        )
    if pass_fraction is None:
        return StageFit(calibration, scale, None, 1.0)
    others = margins[~is_positive]
    threshold = float(np.quantile(others, 1 - pass_fraction))
    return StageFit(calibration, scale, threshold, float((others >= threshold).mean()))


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


def _targets(positive: Positive) -> Float64[np.ndarray, " n"]:
    """Return Platt's targets: not quite 1 and 0, so that no probability is."""
    count, others = positive.sum(), (~positive).sum()
    return np.where(positive, (count + 1) / (count + 2), 1 / (others + 2))


def _platt(margins: Margins, positive: Positive) -> Platt:
    middle, width = float(np.median(margins)), max(float(margins.std()), 1e-9)
    x = (margins - middle) / width
    slope, offset = _logistic(np.stack([x, np.ones_like(x)], 1), _targets(positive))
    if slope <= 0:
        raise RecipeError(_BACKWARDS, _FIX)
    return Platt(
        slope=float(slope / width),
        offset=float(offset - slope * middle / width),
        prior=float(positive.mean()),
    )


def _temperature(margins: Margins, positive: Positive) -> Temperature:
    width = max(float(margins.std()), 1e-9)
    (slope,) = _logistic(margins[:, None] / width, _targets(positive))
    if slope <= 0:
        raise RecipeError(_BACKWARDS, _FIX)
    return Temperature(temperature=float(width / slope), prior=float(positive.mean()))


def _beta(margins: Margins, positive: Positive) -> Beta:
    line = _platt(margins, positive)  # refuses a backward ranking, and is where the fit begins
    sides = -np.logaddexp(0, -margins), np.logaddexp(0, margins)
    least = _FLATTEST * line.slope
    a, b, c = _logistic(
        np.stack([*sides, np.ones_like(margins)], 1),
        _targets(positive),
        start=(line.slope, line.slope, line.offset),
        bounds=((least, None), (least, None), (None, None)),
    )
    return Beta(a=float(a), b=float(b), c=float(c), prior=line.prior)


def _isotonic(margins: Margins, positive: Positive) -> Isotonic:
    line = _platt(margins, positive)
    said = IsotonicRegression(increasing=True).fit_transform(margins, _targets(positive))
    # Rounded, since the rows of a level differ in their last bits.
    level, block, count = np.unique(said.round(12), return_inverse=True, return_counts=True)
    # A knot in the middle of each level; a step has ties, a line through the middles has none.
    knots, odds = np.bincount(block, margins) / count, logit(level)
    if len(knots) > MOST_KNOTS:
        kept = np.unique(np.linspace(0, len(knots) - 1, MOST_KNOTS).astype(np.int64))
        knots, odds = knots[kept], odds[kept]
    return Isotonic(
        margins=tuple(knots.tolist()),
        log_odds=tuple(odds.tolist()),
        slope=line.slope,
        prior=line.prior,
    )


_FITS: dict[str, Callable[[Margins, Positive], Calibration]] = {
    "platt": _platt,
    "temperature": _temperature,
    "isotonic": _isotonic,
    "beta": _beta,
}


def _logistic(
    columns: Float64[np.ndarray, "n column"],
    target: Float64[np.ndarray, " n"],
    *,
    start: Sequence[float] | None = None,
    bounds: Sequence[tuple[float | None, float | None]] | None = None,
) -> Float64[np.ndarray, " column"]:
    """Return the weights of columns whose sum is the likeliest log odds."""

    def loss(x: np.ndarray) -> tuple[float, np.ndarray]:
        said = columns @ x
        value = np.logaddexp(0, said) - target * said
        return float(value.mean()), columns.T @ (expit(said) - target) / len(target)

    first = np.zeros(columns.shape[1]) if start is None else np.array(start)
    return minimize(loss, first, jac=True, method="L-BFGS-B", bounds=bounds).x


def _rescaling(logits: Logits, truth: Truth, *, offsets: bool) -> tuple[float, tuple[float, ...]]:
    rows = np.arange(len(truth))
    free = [(None, None)] + [(None, None) if offsets else (0.0, 0.0)] * logits.shape[1]

    def loss(x: np.ndarray) -> float:
        said = np.exp(x[0]) * logits + x[1:]
        fit = float((logsumexp(said, axis=1) - said[rows, truth]).mean())
        return fit + 1e-3 * float((x**2).sum())

    found = minimize(loss, np.zeros(len(free)), method="L-BFGS-B", bounds=free).x
    return float(np.exp(found[0])), tuple(float(value) for value in found[1:] - found[1:].mean())
