"""The plan of a set of injected arcs: written once, compared ever after."""

from __future__ import annotations

import difflib
import hashlib
import json
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, ValidationError, computed_field

from skysieve.core.errors import InputError, MismatchError, MissingError
from skysieve.core.files import sha256_of
from skysieve.images import Listing, could_have, describe_bands, known_bands
from skysieve.produce.plan import LIBRARIES, PLAN, difference, installed, write_plan
from skysieve.recipe.injection import PAINTABLE, InjectionPlan, StampPsf
from skysieve.simulate.psf import read_stamp

PART_ROWS = 64


class Span(NamedTuple):
    """Consecutive rows of the input, which are painted and written together.

    Args:
        start: The first.
        stop: The one after the last.
    """

    start: int
    stop: int

    @property
    def name(self) -> str:
        """The name of its files, without the ending."""
        return f"{self.start:08}"


class InjectPlan(BaseModel):
    """Everything that decides a set of injected arcs.

    Args:
        schema_version: Of this plan and of the tables.
        injection: What is painted.
        seed: Decides every arc.
        part_rows: Input rows of a part; the last has what is left.
        libraries: Versions of what renders.
        listing: The images, and what the user said about them.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[1] = 1
    injection: InjectionPlan
    seed: int = Field(ge=0)
    part_rows: int = Field(default=PART_ROWS, ge=1)
    libraries: dict[str, str]
    listing: Listing

    @cached_property
    def run_id(self) -> str:
        """The hash of all of it, but for the files that are no images."""
        text = self.model_dump_json(exclude={"listing": {"ignored"}})
        return hashlib.sha256(text.encode()).hexdigest()

    @cached_property
    def parts(self) -> tuple[Span, ...]:
        """Its parts, in order."""
        total, step = self.listing.n_rows, self.part_rows
        return tuple(Span(k, min(k + step, total)) for k in range(0, total, step))


class InjectSummary(BaseModel):
    """What a finished set came to.

    Args:
        run_id: Of its plan.
        n_rows: Input rows.
        n_lenses: Images with arcs.
        n_controls: Images as they were.
        by_status: How many input rows have each status.
        by_psf: How many images have their seeing from where.
    """

    model_config = ConfigDict(frozen=True)

    run_id: str
    n_rows: int
    n_lenses: int
    n_controls: int
    by_status: dict[str, int]
    by_psf: dict[str, int]

    @computed_field
    @property
    def n_bad(self) -> int:
        """Input rows that were not painted."""
        return self.n_rows - self.by_status.get("ok", 0)


def plan_injection(listing: Listing, injection: InjectionPlan, *, seed: int = 1) -> InjectPlan:
    """Plan a set of injected arcs, and refuse what no row of it could be.

    Args:
        listing: The images.
        injection: What is painted.
        seed: Decides every arc.

    Raises:
        MismatchError: No image has the bands, or all are pictures for the eye.
        MissingError: Nobody says what magnitude a count is, or the extra ``[train]`` is missing.
        InputError: A stamp of a point spread function is none.
    """
    _check_kind(listing)
    _check_bands(listing, injection.bands)
    headers = any(source.reader == "fits" for source in listing.sources)
    if injection.survey is None and injection.zero_point_ab is None and not headers:
        raise MissingError(
            "Nobody says what magnitude a count of these images is",
            "Give --zero-point, or name the survey (--survey)",
        )
    if isinstance(injection.psf, StampPsf):
        for file in injection.psf.files.values():
            read_stamp(file)
        hashes = {band: sha256_of(file) for band, file in injection.psf.files.items()}
        files = {band: file.absolute() for band, file in injection.psf.files.items()}
        psf = StampPsf(files=files, sha256=hashes)
        injection = injection.model_copy(update={"psf": psf})
    return InjectPlan(
        injection=injection,
        seed=seed,
        libraries={name: installed(name) for name in LIBRARIES},
        listing=listing,
    )


def open_injection(folder: Path, plan: InjectPlan) -> None:
    """Make a folder the home of a plan, or find that it already is.

    Raises:
        MismatchError: The folder holds a set of another plan.
        InputError: It holds something else.
    """
    if not (folder / PLAN).exists():
        write_plan(folder, plan.run_id, plan)
        return
    written = read_inject_plan(folder)
    if written.run_id != plan.run_id:
        raise MismatchError(
            f"The set in {folder} was planned with {_difference(written, plan)}",
            "Repeat the command it was begun with, or choose another folder with --out",
        )


def read_inject_plan(folder: Path) -> InjectPlan:
    """Return the plan of a set of injected arcs.

    Raises:
        MissingError: The folder holds no plan.
        InputError: The plan is not one of injected arcs, or was altered.
    """
    path = folder / PLAN
    try:
        fields: dict[str, Any] = json.loads(path.read_bytes())
        run_id = fields.pop("run_id")
        plan = InjectPlan.model_validate(fields)
    except FileNotFoundError:
        raise MissingError(
            f"{folder} holds no injected arcs", "Make them with skysieve inject"
        ) from None
    except (OSError, ValueError, KeyError, AttributeError, ValidationError) as error:
        raise InputError(f"{path} is no plan of injected arcs", "Choose another folder") from error
    if run_id != plan.run_id:
        raise InputError(f"{path} was altered after it was written", "Choose another folder")
    return plan


def _check_kind(listing: Listing) -> None:
    said = listing.options.kind
    if said == "display" or (
        said is None and all(source.reader == "raster" for source in listing.sources)
    ):
        raise MismatchError(
            "The images are pictures stretched for the eye, and light does not add up in them",
            "Give the linear flux (FITS, npy or Parquet); --kind flux if they are linear after all",
        )


def _check_bands(listing: Listing, bands: tuple[str, ...]) -> None:
    """Refuse before anything is written if no image can have the bands that are painted."""
    if could_have(listing, bands):
        return
    have = {band for known in known_bands(listing) for band in known or ()}
    most = [band for band in PAINTABLE if band in have]
    missing = [band for band in bands if band not in have]
    near = difflib.get_close_matches(missing[0], sorted(have), n=1, cutoff=0.3) if missing else []
    fix = f"Paint those there are: --paint {','.join(most)}" if most else ""
    if not fix and near:
        fix = f"If {near[0]} is {missing[0]}, say so by naming the planes with --bands"
    raise MismatchError(
        f"Arcs are to be painted in {', '.join(bands)}, but the images have "
        f"{describe_bands(listing)}" + (f": {', '.join(missing)} is missing" if most else ""),
        fix or f"Name the planes with --bands; arcs can be painted in {', '.join(PAINTABLE)}",
    )


def _difference(old: InjectPlan, new: InjectPlan) -> str:
    """Name the first setting in which two plans differ, with both values."""
    before, now = (
        plan.model_dump(mode="json", exclude={"listing": {"sources", "ignored"}})
        for plan in (old, new)
    )
    return difference(before, now) or "other images"
