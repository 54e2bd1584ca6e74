"""The card of a finder: everything about it that is not a network."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from skysieve.core.inputs import InputSpec
from skysieve.finder.calibration import Calibration, FieldSize, Platt
from skysieve.finder.doubt import Conformal, Strangeness

FileName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=100)]
"""A file beside finder.json: no folders, nothing hidden."""

RECOMMENDED_FPR = 0.01
"""The share of calibration negatives above the probability that a finder recommends."""

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Task = Literal["lens", "substructure", "morphology", "artifact", "locator"]


def _says_nothing(value: object) -> bool:
    """Keep a card that says nothing of doubt as it was before cards could, to the byte."""
    return value is None or value is False


class Stage(BaseModel):
    """One mesh of the sieve.

    Args:
        file: The ONNX graph: ``input`` float32 (n, band, y, x) with NaN for no data, to
            ``logits`` (n, class). What comes before its first convolution or matrix product (the
            stretch, the NaN mask) always runs in float32.
        pass_logit: The margin, evened out over field sizes, from which a cutout goes on to the
            next stage; None for the last.
        pass_fraction: The measured share of non-lenses among the validation rows that pass.
        field_size: Evens out this stage's margin over the sizes of fields.
        calibration: Turns the margin, so evened out, into a probability.
        spread: Whether the graph also gives ``spread`` (n, 1): the standard deviation of the margins
            of the networks it is made of.
        strangeness: What calibration rows had of ``strangeness`` (n, 1), which the graph then also
            gives: how far a row's features lie from those of training rows. None if it does not.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    file: FileName
    pass_logit: float | None = None
    pass_fraction: float = Field(default=1.0, ge=0, le=1)
    field_size: FieldSize = FieldSize()
    calibration: Calibration = Platt()
    spread: bool = Field(default=False, exclude_if=_says_nothing)
    strangeness: Strangeness | None = Field(default=None, exclude_if=_says_nothing)

    @property
    def extras(self) -> tuple[str, ...]:
        """What the graph is asked for beside the logits."""
        asked = {"spread": self.spread, "strangeness": self.strangeness is not None}
        return tuple(name for name, wanted in asked.items() if wanted)


class FinderCard(BaseModel):
    """What finder.json says.

    Args:
        schema_version: Of this card; a program refuses a newer one.
        name: Short, in lower case, such as ``lens-gri``.
        version: Of this finder; scores may differ between versions.
        task: What the finder tells apart.
        classes: Their names, in the order of the logits.
        positive: The class that is looked for.
        input: What it wants of an image.
        stages: From the coarsest to the finest.
        conformal: What the whole sieve gave to calibration rows, to make sets of classes that hold the
            true one as often as is asked; None if nothing is kept of them.
        files: SHA-256 of every other file of the bundle, by name; ``save`` fills it in.
        license: Of the weights.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[1] = 1
    name: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]*$", max_length=60)
    version: str = Field(min_length=1, max_length=40)
    task: Task
    classes: tuple[str, ...] = Field(min_length=2)
    positive: str
    input: InputSpec
    stages: tuple[Stage, ...] = Field(min_length=1, max_length=100)
    conformal: Conformal | None = Field(default=None, exclude_if=_says_nothing)
    files: dict[FileName, Sha256] = Field(default_factory=dict)
    license: str

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if len(set(self.classes)) != len(self.classes):
            raise ValueError("a class repeats")
        if any("|" in name for name in self.classes):
            raise ValueError("no class can have a | in its name: it joins the names of a set")
        if "survey" in self.classes:
            raise ValueError("no class can be called survey: p_survey is another column")
        if self.positive not in self.classes:
            raise ValueError(f"positive {self.positive!r} is none of the classes")
        *before, last = self.stages
        if last.pass_logit is not None or any(stage.pass_logit is None for stage in before):
            raise ValueError("every stage but the last needs a pass_logit, and the last has none")
        if self.conformal is not None and len(self.conformal.samples) != len(self.classes):
            raise ValueError("conformal needs a sample of each class")
        return self

    @property
    def recommended_p(self) -> float | None:
        """The probability that 1 % of the negatives among the finder's own calibration rows reach.

        None if the bundle keeps no such rows, too few of them, or tells more than two classes apart.
        It is no rate of any survey: ``skysieve report --fpr`` gives that, of labeled rows.
        """
        if self.conformal is None or len(self.classes) != 2:
            return None
        negatives = self.conformal.samples[1 - self.positive_index]
        if negatives.count < 1 / RECOMMENDED_FPR:
            return None
        return 1 - negatives.threshold(1 - RECOMMENDED_FPR)

    @property
    def positive_index(self) -> int:
        """Which logit belongs to the class that is looked for."""
        return self.classes.index(self.positive)
