"""The plan of a simulated set: written once, compared ever after."""

from __future__ import annotations

import difflib
import hashlib
import json
from collections.abc import Sequence
from functools import cached_property
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from skysieve.core.errors import InputError, MismatchError, MissingError
from skysieve.core.files import write_text
from skysieve.recipe.frames import sized
from skysieve.recipe.scenarios import ScenarioPlan, scenario_plan
from skysieve.recipe.settings import change

LayoutName = Literal["parquet", "deeplense", "png", "fits"]
LIBRARIES = ("torch", "caustics")
"""What simulating needs beyond finding; another version may change the last bits of an image."""
PLAN = "plan.json"
PART_ROWS = 512


class Part(NamedTuple):
    """Consecutive images of one split, which are written together.

    Args:
        split: Its name.
        start: Its first image.
        stop: The image after its last.
        before: Images in the splits before.
    """

    split: str
    start: int
    stop: int
    before: int

    @property
    def name(self) -> str:
        """The name of its files, without the ending."""
        return f"{self.split}-{self.start:08}"


class SetPlan(BaseModel):
    """Everything that decides a simulated set.

    Args:
        schema_version: Of this plan and of the tables.
        scenario: What is simulated, with every setting.
        seed: Decides every image.
        layout: How the images are written.
        truth: Whether truth planes are kept.
        part_rows: Images of a part; the last of a split has what is left.
        libraries: Versions of what renders.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[1] = 1
    scenario: ScenarioPlan
    seed: int = Field(ge=0)
    layout: LayoutName
    truth: bool
    part_rows: int = Field(default=PART_ROWS, ge=1)
    libraries: dict[str, str]

    @cached_property
    def run_id(self) -> str:
        """The hash of all of it."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()

    @property
    def n_rows(self) -> int:
        """Images in all."""
        return sum(self.scenario.splits.values())

    @cached_property
    def parts(self) -> tuple[Part, ...]:
        """Its parts, in order."""
        parts: list[Part] = []
        before = 0
        for split, count in self.scenario.splits.items():
            starts = range(0, count, self.part_rows)
            parts += [Part(split, k, min(k + self.part_rows, count), before) for k in starts]
            before += count
        return tuple(parts)


class SetSummary(BaseModel):
    """What a finished set came to.

    Args:
        run_id: Of its plan.
        scenario: Name and version.
        n_rows: Images in all.
        by_split: Images of each class in each split.
        by_kind: Images of each kind.
    """

    model_config = ConfigDict(frozen=True)

    run_id: str
    scenario: str
    n_rows: int
    by_split: dict[str, dict[str, int]]
    by_kind: dict[str, int]


def plan_set(
    scenario: str,
    count: int | None = None,
    *,
    layout: str = "parquet",
    seed: int = 1,
    settings: Sequence[str] = (),
    truth: bool = True,
) -> SetPlan:
    """Plan a simulated set.

    Args:
        scenario: Its name.
        count: Images in all, shared among the splits as the scenario has them; None for its own.
        layout: One of ``LayoutName``.
        seed: Decides every image.
        settings: Such as ``lens.min_arc_snr=20``; those of ``splits`` go beyond the count.
        truth: Whether truth planes are kept.

    Raises:
        MissingError: There is no such scenario or layout, or the extra ``[train]`` is not installed.
        RecipeError: A setting is not there or cannot be.
        InputError: There is nothing to make, or the layout cannot hold it.
    """
    plan = scenario_plan(scenario)
    if count is not None:
        plan = plan.model_copy(update={"splits": sized(plan.splits, count)})
    shown = ["pixels=display"] if layout == "png" and "pixels" in type(plan).model_fields else []
    made = SetPlan(
        scenario=change(plan, [*shown, *settings]),
        seed=seed,
        layout=_layout(layout),
        truth=truth,
        libraries={name: installed(name) for name in LIBRARIES},
    )
    _check(made)
    return made


def open_set(folder: Path, plan: SetPlan) -> None:
    """Make a folder the home of a plan, or find that it already is.

    Raises:
        MismatchError: The folder holds a set of another plan.
        InputError: It holds something else.
    """
    if not (folder / PLAN).exists():
        write_plan(folder, plan.run_id, plan)
        return
    written = read_set_plan(folder)
    if written.run_id != plan.run_id:
        raise MismatchError(
            f"The set in {folder} was planned with {_difference(written, plan)}",
            "Repeat the command it was begun with, or choose another folder with --out",
        )


def write_plan(folder: Path, run_id: str, plan: BaseModel) -> None:
    """Make a new or empty folder the home of a plan.

    Raises:
        InputError: It holds something, or is a file.
    """
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder} is a file, not a folder", "Choose another place with --out")
    if folder.is_dir() and any(not path.name.startswith(".") for path in folder.iterdir()):
        raise InputError(
            f"{folder} is not empty and holds no simulated set",
            "Choose a new or empty folder with --out",
        )
    folder.mkdir(parents=True, exist_ok=True)
    fields = {"run_id": run_id, **plan.model_dump(mode="json")}
    write_text(folder / PLAN, json.dumps(fields, ensure_ascii=False, indent=1) + "\n")


def read_set_plan(folder: Path) -> SetPlan:
    """Return the plan of a simulated set.

    Raises:
        MissingError: The folder holds no plan.
        InputError: The plan is not one of a simulated set, or was altered.
    """
    path = folder / PLAN
    try:
        fields: dict[str, Any] = json.loads(path.read_bytes())
        run_id = fields.pop("run_id")
        plan = SetPlan.model_validate(fields)
    except FileNotFoundError:
        raise MissingError(
            f"{folder} holds no simulated set", "Make one with skysieve simulate"
        ) from None
    except (OSError, ValueError, KeyError, AttributeError, ValidationError) as error:
        raise InputError(
            f"{path} is no plan of a simulated set", "Choose another folder"
        ) from error
    if run_id != plan.run_id:
        raise InputError(f"{path} was altered after it was written", "Choose another folder")
    return plan


def _layout(name: str) -> LayoutName:
    known: tuple[LayoutName, ...] = get_args(LayoutName)
    for layout in known:
        if layout == name:
            return layout
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.4)
    fix = f"Known are {', '.join(known)}"
    raise MissingError(
        f"No layout is called {name!r}", f"Did you mean {near[0]}? {fix}" if near else fix
    )


def installed(library: str) -> str:
    """Return the version of a library that renders.

    Raises:
        MissingError: It is not installed.
    """
    try:
        return version(library)
    except PackageNotFoundError:
        raise MissingError(
            f"Simulating needs {library}, which is not installed",
            "Install it with: pip install 'skysieve[train]'",
        ) from None


def _check(plan: SetPlan) -> None:
    if not plan.n_rows:
        raise InputError("The set would hold no image", "Give -n, or a split of some images")
    frames = plan.scenario.frames
    if len(frames) > 1 and plan.layout == "deeplense":
        names = ", ".join(frame.name for frame in frames)
        raise InputError(
            f"An npy file cannot hold the frames {names} of {plan.scenario.name}",
            "Choose --layout parquet or fits",
        )


def _difference(old: SetPlan, new: SetPlan) -> str:
    return difference(old.model_dump(mode="json"), new.model_dump(mode="json")) or (
        "the splits in another order"
    )


def difference(old: dict[str, Any], new: dict[str, Any]) -> str:
    """Name the first setting in which two plans differ, with both values; empty if none does."""
    before, now = _flat(old), _flat(new)
    for name in before | now:
        if before.get(name) != now.get(name):
            return f"{name} {before.get(name)}, not {now.get(name)}"
    return ""


def _flat(fields: dict[str, Any], above: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in fields.items():
        if isinstance(value, dict):
            flat |= _flat(value, f"{above}{name}.")
        else:
            flat[above + name] = value
    return flat
