"""Plans of learning from labeled images: augmentation, sampling, loss, schedule, phases."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from skysieve.recipe.simulation import Plan, Range

Share = Annotated[float, Field(ge=0, le=1)]


class SymmetryPlan(Plan):
    """Changes of a training image that leave no trace.

    Args:
        dihedral: One of the eight symmetries of the square, which loses nothing.
        mirror: Share mirrored left to right.
        flip: Share mirrored top to bottom.
    """

    dihedral: bool = False
    mirror: Share = 0.0
    flip: Share = 0.0


class AugmentPlan(SymmetryPlan):
    """How a training image is changed, anew each time it is seen. Nothing is changed by default.

    Args:
        dihedral: One of the eight symmetries of the square, which loses nothing.
        mirror: Share mirrored left to right.
        flip: Share mirrored top to bottom.
        rotation_deg: Largest turn, each way, by interpolation.
        outside: What lies outside a turned or shifted image: nothing, or its mirror image.
        shift_pixels: Largest shift, each way.
        zoom: Range of enlargement.
        gain: Range of the factor that all bands share.
        color_spread: Scatter of the natural logarithm of each band's own factor.
        noise: Largest standard deviation of added noise, over that of the image's own sky.
        erase: Share of images in which a rectangle is blanked (Zhong et al. 2020, AAAI 34, 13001).
        mixup: Parameter of the beta distribution by which pairs of images are mixed
            (Zhang et al. 2018, arXiv:1710.09412); 0 mixes none.
    """

    rotation_deg: float = Field(default=0.0, ge=0, le=180)
    outside: Literal["zero", "mirror"] = "mirror"
    shift_pixels: float = Field(default=0.0, ge=0)
    zoom: Range = (1.0, 1.0)
    gain: Range = (1.0, 1.0)
    color_spread: float = Field(default=0.0, ge=0)
    noise: float = Field(default=0.0, ge=0)
    erase: Share = 0.0
    mixup: float = Field(default=0.0, ge=0)


class SamplingPlan(Plan):
    """Which images a batch is made of.

    Args:
        kind: ``natural`` goes through all images once an epoch, in a new order; ``stratified`` also
            gives every batch the classes' shares of the whole; ``balanced`` draws with replacement,
            every class as often.
        rare_share: With ``balanced`` and two classes: the rarer class' share instead of a half.
    """

    kind: Literal["natural", "stratified", "balanced"] = "natural"
    rare_share: float | None = Field(default=None, gt=0, lt=1)


class CrossEntropyPlan(Plan):
    """Cross-entropy.

    Args:
        kind: Always ``cross-entropy``.
        class_weights: ``balanced`` weighs a class by n / (classes * n of the class).
        label_smoothing: Probability spread over the classes.
    """

    kind: Literal["cross-entropy"] = "cross-entropy"
    class_weights: Literal["none", "balanced"] = "none"
    label_smoothing: float = Field(default=0.0, ge=0, lt=1)


class FocalPlan(Plan):
    """Focal loss: what is right already counts less (Lin et al. 2017, arXiv:1708.02002, eq. 5).

    Args:
        kind: Always ``focal``.
        gamma: How much less.
        class_weights: As of cross-entropy.
    """

    kind: Literal["focal"] = "focal"
    gamma: float = Field(default=2.0, ge=0)
    class_weights: Literal["none", "balanced"] = "none"


LossPlan = Annotated[CrossEntropyPlan | FocalPlan, Field(discriminator="kind")]


class OptimizerPlan(Plan):
    """How weights move.

    Args:
        kind: ``sgd`` with Nesterov's momentum off, ``adam``, or ``adamw`` with decoupled decay.
        momentum: Of ``sgd``.
        weight_decay: Norms and biases are left alone.
        layer_decay: Factor of the learning rate from each layer to the one below it; 1 is the same
            rate everywhere.
    """

    kind: Literal["sgd", "adam", "adamw"] = "adamw"
    momentum: float = Field(default=0.9, ge=0, lt=1)
    weight_decay: float = Field(default=0.01, ge=0)
    layer_decay: float = Field(default=1.0, gt=0, le=1)


class SchedulePlan(Plan):
    """How the learning rate changes within a phase.

    Args:
        kind: ``constant``; ``step`` multiplies by ``factor`` every ``patience`` epochs; ``plateau``
            when the validation figure has not risen for ``patience`` epochs; ``cosine`` falls to 0
            after a linear rise; ``one-cycle`` rises and falls (Smith & Topin 2018, arXiv:1708.07120).
        factor: Of ``step`` and ``plateau``.
        patience: Epochs, of ``step`` and ``plateau``.
        warmup: Share of the steps in which the rate rises, of ``cosine`` and ``one-cycle``.
    """

    kind: Literal["constant", "step", "plateau", "cosine", "one-cycle"] = "one-cycle"
    factor: float = Field(default=0.1, gt=0, lt=1)
    patience: int = Field(default=3, ge=1)
    warmup: Share = 0.15


class PhasePlan(Plan):
    """A stretch of the fit with its own rate, schedule and free layers.

    Args:
        epochs: At most; early stopping may end it.
        learning_rate: The greatest.
        schedule: Of the rate.
        train: Which layers learn: all of them, the head alone, or the head and this share of the
            layers before it, counted from the head.
    """

    epochs: int = Field(ge=1)
    learning_rate: float = Field(gt=0)
    schedule: SchedulePlan = SchedulePlan()
    train: Literal["all", "head"] | float = "all"

    @model_validator(mode="after")
    def _is_share(self) -> Self:
        if not isinstance(self.train, str) and not 0 < self.train <= 1:
            raise ValueError("train is all, head or a share above 0 and at most 1")
        return self


class LearnPlan(Plan):
    """How one network learns from labeled images.

    Args:
        phases: One after the other.
        batch: Images in a batch.
        loss: What is made small.
        optimizer: How.
        sampling: Which images a batch is made of.
        gradient_clip: Largest norm of the gradient; None clips none.
        average_decay: Of the exponential moving average of weights that is validated and kept; None
            keeps the weights themselves.
        monitor: The validation figure by which an epoch is chosen.
        keep: The best epoch, or the last.
        patience: A phase ends when the figure has not risen for so many epochs; None never.
        precision: ``auto`` takes bfloat16 where it is fast.
    """

    phases: tuple[PhasePlan, ...] = Field(min_length=1)
    batch: int = Field(default=64, ge=2)
    loss: LossPlan = CrossEntropyPlan()
    optimizer: OptimizerPlan = OptimizerPlan()
    sampling: SamplingPlan = SamplingPlan()
    gradient_clip: float | None = Field(default=None, gt=0)
    average_decay: float | None = Field(default=None, gt=0, lt=1)
    monitor: Literal["auc", "accuracy", "loss"] = "auc"
    keep: Literal["best", "last"] = "best"
    patience: int | None = Field(default=None, ge=1)
    precision: Literal["auto", "float32", "bfloat16"] = "auto"

    @property
    def epochs(self) -> int:
        """Epochs of all phases."""
        return sum(phase.epochs for phase in self.phases)
