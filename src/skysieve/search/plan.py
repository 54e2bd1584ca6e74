"""The plan of a run: written once, compared ever after."""

from __future__ import annotations

import hashlib
import json
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from skysieve.core.errors import InputError, MismatchError, MissingError
from skysieve.core.files import write_text
from skysieve.finder.card import FinderCard
from skysieve.finder.cascade import Finder
from skysieve.finder.runtime import runtime_name
from skysieve.images.sources import Listing
from skysieve.search.prior import known_rows

PLAN = "plan.json"
_STACKED_PART_ROWS, _PART_ROWS = 4096, 1024  # single files are slow to read: lose fewer of them


AUTO = "auto"
Prior = Annotated[float, Field(gt=0, lt=1)] | Literal["auto"]
"""The fraction of positives, or that the scores are to tell it."""


class Plan(BaseModel):
    """Everything that decides the ranking of a run.

    Args:
        schema_version: Of this plan and of the parts.
        finder_sha256: Of the finder's card on the disk, and with it of all its files.
        card: The finder's card.
        runtime: What computed the scores; another version or precision gives other last bits.
        prior: The fraction of positives that is expected; ``auto`` takes what the scores tell, None
            is of a run where nobody said.
        confidence: How often the column ``conformal`` is to hold the true class; None has no such
            column.
        part_rows: Rows of a part; the last has what is left.
        listing: What is read, and what the user said about it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[1] = 1
    finder_sha256: str
    card: FinderCard
    runtime: str
    prior: Prior | None = None
    confidence: float | None = Field(
        default=None, gt=0, lt=1, exclude_if=lambda value: value is None
    )
    part_rows: int = Field(ge=1)
    listing: Listing

    @cached_property
    def run_id(self) -> str:
        """The hash of all of it, but for the files that are no images."""
        text = self.model_dump_json(exclude={"listing": {"ignored"}})
        return hashlib.sha256(text.encode()).hexdigest()

    @property
    def finder(self) -> str:
        """Name and version of the finder."""
        return f"{self.card.name} {self.card.version}"

    @property
    def parts(self) -> range:
        """The numbers of its parts."""
        return range(-(-self.listing.n_rows // self.part_rows))

    def rows(self, part: int) -> range:
        """Return the global row numbers of a part."""
        start = part * self.part_rows
        return range(start, min(start + self.part_rows, self.listing.n_rows))


def make_plan(
    listing: Listing,
    finder: Finder,
    prior: Prior | None = None,
    confidence: float | None = None,
) -> Plan:
    """Plan a run.

    Raises:
        InputError: The prior or the confidence is not between 0 and 1.
        MismatchError: The finder can make no sets of classes, or tell no share of lenses.
    """
    if prior not in (None, AUTO) and not (isinstance(prior, float) and 0 < prior < 1):
        raise InputError(
            f"The prior is {prior}", "Give the expected fraction of lenses, such as 0.001, or auto"
        )
    if prior == AUTO:
        known_rows(finder.card)
    if confidence is not None and not 0 < confidence < 1:
        raise InputError(f"The confidence is {confidence}", "Give a share such as 0.9")
    if confidence is not None and finder.card.conformal is None:
        raise MismatchError(
            f"{finder.card.name} keeps no calibration rows, so it can promise no confidence",
            "Leave out --confidence, or train a finder with this version",
        )
    stacked = all(source.reader in ("array", "parquet") for source in listing.sources)
    return Plan(
        finder_sha256=finder.sha256,
        card=finder.card,
        runtime=runtime_name(finder.networks[0].precision),
        prior=prior,
        confidence=confidence,
        part_rows=_STACKED_PART_ROWS if stacked else _PART_ROWS,
        listing=listing,
    )


def open_run(folder: Path, plan: Plan) -> bool:
    """Make a folder the home of a plan, or find that it already is.

    Returns:
        Whether the run had been begun before.

    Raises:
        MismatchError: The folder holds a run of another plan.
        InputError: It holds something else.
    """
    if not (folder / PLAN).exists():
        _refuse_strange(folder)
        (folder / "parts").mkdir(parents=True, exist_ok=True)
        fields = {"run_id": plan.run_id, **plan.model_dump(mode="json")}
        write_text(folder / PLAN, json.dumps(fields, ensure_ascii=False) + "\n")
        return False
    written = read_plan(folder)
    if written.run_id != plan.run_id:
        raise MismatchError(
            f"The run in {folder} was planned with {_difference(written, plan)}",
            "Repeat the command it was begun with, or choose another folder with --out",
        )
    return True


def read_plan(folder: Path) -> Plan:
    """Return the plan of a run.

    Raises:
        MissingError: The folder holds no run.
        InputError: The plan was altered.
    """
    path = folder / PLAN
    try:
        fields: dict[str, Any] = json.loads(path.read_bytes())
        run_id = fields.pop("run_id")
        plan = Plan.model_validate(fields)
    except (FileNotFoundError, NotADirectoryError):
        raise MissingError(
            f"{folder} holds no run (there is no {PLAN})", "Make one with skysieve find"
        ) from None
    except (
        OSError,
        ValueError,
        KeyError,
        AttributeError,
        RecursionError,
        ValidationError,
    ) as error:
        raise InputError(f"{path} cannot be read", "Start a new run in another folder") from error
    if run_id != plan.run_id:
        raise InputError(f"{path} was altered after it was written", "Start a new run")
    return plan


def _refuse_strange(folder: Path) -> None:
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder} is a file, not a folder", "Choose another place with --out")
    if folder.is_dir() and any(not path.name.startswith(".") for path in folder.iterdir()):
        raise InputError(
            f"{folder} is not empty and holds no run", "Choose a new or empty folder with --out"
        )


def _difference(old: Plan, new: Plan) -> str:
    """Name the first field in which two plans differ, with both values."""
    if old.finder_sha256 != new.finder_sha256:
        names = [f"{plan.finder} ({plan.finder_sha256[:8]})" for plan in (old, new)]
        return f"finder {names[0]}, not {names[1]}"
    for name in ("schema_version", "runtime", "prior", "confidence", "part_rows"):
        before, now = getattr(old, name), getattr(new, name)
        if before != now:
            return f"{name} {before}, not {now}"
    if old.listing.options != new.listing.options:
        before, now = old.listing.options.model_dump(), new.listing.options.model_dump()
        field = next(name for name in before if before[name] != now[name])
        return f"{field} {before[field]}, not {now[field]}"
    return _source_difference(old.listing, new.listing)


def _source_difference(old: Listing, new: Listing) -> str:
    before = {source.name: source for source in old.sources}
    now = {source.name: source for source in new.sources}
    for name, source in before.items():
        if name not in now:
            return f"other inputs: {name} is not there now"
        if source != now[name]:
            return f"other inputs: {name} is not what it was"
    added = next((name for name in now if name not in before), "their order")
    return f"other inputs: new is {added}"
