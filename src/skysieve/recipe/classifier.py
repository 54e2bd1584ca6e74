"""Recipes of classifiers that learn from labeled images."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from skysieve.recipe.learning import AugmentPlan, LearnPlan, SymmetryPlan
from skysieve.recipe.networks import NetworkPlan, PreparationPlan
from skysieve.recipe.simulation import Plan
from skysieve.recipe.tuning import SearchPlan

Task = Literal["lens", "substructure", "morphology", "artifact"]


class DataPlan(Plan):
    """Which rows teach, choose, calibrate and test.

    The images of one object, host or tile are never shared among these.

    Args:
        validation: Share of the training rows that chooses epochs and ensemble weights.
        calibration: Share of the training rows that fits probabilities and thresholds.
        test: Share of all rows, where the data name no test rows themselves; of data that do, all
            these are the test rows and this share is not used.
        group: Column of the labels that names object, host or tile; None takes ``group``, ``host``,
            ``object``, ``tile`` or ``scene`` if there is one. Identical images are one object always.
        side: Pixels a side that images are cropped or padded to; None refuses mixed sizes.
        bands: Names of planes that nobody named; of planes with names, those that are taken. None
            calls the former 1, 2 and so on, or red, green, blue, and takes all of the latter.
        pixel_scale_arcsec: Of images that do not say it.
        limit: At most so many training rows of each class, the same for every seed; None takes all.
        seed: Decides the splits.
    """

    validation: float = Field(default=0.1, gt=0, lt=1)
    calibration: float = Field(default=0.1, gt=0, lt=1)
    test: float = Field(default=0.2, gt=0, lt=1)
    group: str | None = None
    side: int | None = Field(default=None, ge=16)
    bands: tuple[str, ...] | None = None
    pixel_scale_arcsec: float | None = Field(default=None, gt=0)
    limit: int | None = Field(default=None, ge=10)
    seed: int = 1

    @model_validator(mode="after")
    def _leaves_some(self) -> Self:
        if self.validation + self.calibration > 0.8:
            raise ValueError("validation and calibration leave too few rows to learn from")
        return self


class MemberPlan(Plan):
    """One network of an ensemble; what is not given is the recipe's.

    Args:
        name: Short and different from the others'.
        seed: Of its start, its order and its augmentation.
        network: Its architecture.
        prepare: What happens to pixels before it.
        augment: How its training images are changed.
        rare_augment: Symmetries of those of the rarest class.
        learn: How it learns.
    """

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$", max_length=40)
    seed: int = 1
    network: NetworkPlan | None = None
    prepare: PreparationPlan | None = None
    augment: AugmentPlan | None = None
    rare_augment: SymmetryPlan | None = None
    learn: LearnPlan | None = None


class DistillPlan(Plan):
    """A small network that learns what the ensemble says: the coarse mesh before it.

    Args:
        network: Its architecture.
        learn: How it learns; None as the recipe's members.
        temperature: Softens what the ensemble says.
        weight: Of the ensemble's word against the label's.
        pass_fraction: Share of the calibration negatives that it passes on to the ensemble.

    References:
        Hinton, Vinyals & Dean 2015, arXiv:1503.02531, section 2.
    """

    network: NetworkPlan
    learn: LearnPlan | None = None
    temperature: float = Field(default=2.0, gt=0)
    weight: float = Field(default=0.7, ge=0, le=1)
    pass_fraction: float = Field(default=0.05, gt=0, lt=1)


class CalibrationPlan(Plan):
    """What makes probabilities of the margins of calibration rows.

    Args:
        kind: ``platt``, a line from margin to log odds, needs the fewest rows; ``temperature``, a line
            through 0; ``beta``, two slopes; ``isotonic``, any rising curve, needs thousands of rows.
            More than two classes get a common temperature, and but for ``temperature`` an offset
            each; ``beta`` and ``isotonic`` then bend the margin of the class that is looked for.
    """

    kind: Literal["platt", "temperature", "isotonic", "beta"] = "platt"


class ClassifierRecipe(Plan):
    """Everything that decides a classifier, but for the images.

    Args:
        kind: Always ``classifier``.
        name: Of the finder.
        description: One sentence for the model card.
        task: What it tells apart.
        classes: In the order of the logits; None takes the data's: for lenses ``nonlens, lens``, else
            by name.
        positive: The class that is looked for; None takes ``lens``, ``sphere`` or the last.
        data: Rows and splits.
        prepare: From raw pixels to what the network sees, inside the network.
        network: The architecture.
        augment: How training images are changed.
        rare_augment: Symmetries of the rarest class, in place of those of ``augment``. All else is
            done to every class alike: what leaves a trace, such as a turn by interpolation or
            noise, is learned instead of the class where one class alone gets it.
        learn: How the network learns.
        symmetric: Average over the eight symmetries of the square when it finds.
        members: Of an ensemble; none is one network of seed 1.
        weighting: Of the members: alike, or by a fit to validation rows.
        distill: A small network before the ensemble; None has no coarse mesh.
        calibration: What makes probabilities of what the networks say.
        search: Where ``skysieve tune`` looks for better settings, by their names.
    """

    kind: Literal["classifier"] = "classifier"
    name: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]*$", max_length=60)
    description: str
    task: Task = "lens"
    classes: tuple[str, ...] | None = None
    positive: str | None = None
    data: DataPlan = DataPlan()
    prepare: PreparationPlan = PreparationPlan()
    network: NetworkPlan
    augment: AugmentPlan = AugmentPlan()
    rare_augment: SymmetryPlan | None = None
    learn: LearnPlan
    symmetric: bool = False
    members: tuple[MemberPlan, ...] = ()
    weighting: Literal["equal", "validation"] = "equal"
    distill: DistillPlan | None = None
    calibration: CalibrationPlan = CalibrationPlan()
    search: dict[str, SearchPlan] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        names = [member.name for member in self.members]
        if len(set(names)) != len(names):
            raise ValueError("two members have one name")
        if self.classes and self.positive and self.positive not in self.classes:
            raise ValueError(f"positive {self.positive!r} is none of the classes")
        return self

    def member(self, plan: MemberPlan) -> MemberPlan:
        """Return a member with everything that the recipe decides filled in."""
        given = {
            "network": plan.network or self.network,
            "prepare": plan.prepare or self.prepare,
            "augment": plan.augment or self.augment,
            "rare_augment": plan.rare_augment or self.rare_augment,
            "learn": plan.learn or self.learn,
        }
        return plan.model_copy(update=given)
