"""The card of a finder: everything about it that is not a network."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from skysieve.core.inputs import InputSpec
from skysieve.finder.calibration import FieldSize, Platt

FileName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=100)]
"""A file beside finder.json: no folders, nothing hidden."""

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Task = Literal["lens", "substructure", "morphology", "artifact", "locator"]


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
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    file: FileName
    pass_logit: float | None = None
    pass_fraction: float = Field(default=1.0, ge=0, le=1)
    field_size: FieldSize = FieldSize()
    calibration: Platt = Platt()


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
    files: dict[FileName, Sha256] = Field(default_factory=dict)
    license: str

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if len(set(self.classes)) != len(self.classes):
            raise ValueError("a class repeats")
        if "survey" in self.classes:
            raise ValueError("no class can be called survey: p_survey is another column")
        if self.positive not in self.classes:
            raise ValueError(f"positive {self.positive!r} is none of the classes")
        *before, last = self.stages
        if last.pass_logit is not None or any(stage.pass_logit is None for stage in before):
            raise ValueError("every stage but the last needs a pass_logit, and the last has none")
        return self

    @property
    def positive_index(self) -> int:
        """Which logit belongs to the class that is looked for."""
        return self.classes.index(self.positive)
