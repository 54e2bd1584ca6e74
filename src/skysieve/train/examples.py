"""Labeled images as a finder sees them: what its networks say, and what their last layers are given."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int64
from scipy.special import logit

from skysieve.core.errors import InputError, RecipeError
from skysieve.core.watch import Progress, Watch, ignore
from skysieve.finder.calibration import margin
from skysieve.finder.cascade import Finder
from skysieve.finder.runtime import Network, cpu_precision, cpu_threads
from skysieve.images.spans import read_span
from skysieve.recipe.classifier import Task
from skysieve.train.grouping import group_rows
from skysieve.train.naming import Labeling, labelings_of, order_classes
from skysieve.train.reading import Image, Tally, labeled_rows
from skysieve.train.tapping import FEATURES, Extension

LEAST = 2
"""Labeled images of each class below which nothing can be weighed."""
MOST = 20_000
"""Labeled images beyond which a recipe that trains networks serves better."""
_BATCH = 16
_UNCERTAIN = 1e-9  # how near to 0 and 1 a probability may come


@dataclass(frozen=True, eq=False, kw_only=True)
class Examples:
    """Labeled images and what a finder makes of them.

    Args:
        ids: Their names.
        positive: Whether each is of the class that is looked for.
        groups: Rows of one number show one object or have identical pixels.
        margins: Of each stage, evened out over field sizes.
        line: Slope and offset that make the margins of the last stage log odds, as the finder is
            calibrated; the nearest line if its calibration is none.
        features: What the last layers of the finest networks are given.
        sha256: Of ids, classes and pixels, whatever the order of the rows.
        notes: What was left out, in words.
    """

    ids: tuple[str, ...]
    positive: Bool[np.ndarray, " n"]
    groups: Int64[np.ndarray, " n"]
    margins: Float64[np.ndarray, "n stage"]
    line: tuple[float, float]
    features: Float64[np.ndarray, "n feature"]
    sha256: str
    notes: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def log_odds(self) -> Float64[np.ndarray, " n"]:
        """What the last stage says of each."""
        slope, offset = self.line
        return slope * self.margins[:, -1] + offset


def read_examples(
    finder: Finder,
    data: Sequence[Path],
    *,
    labels: Path | None = None,
    group: str | None = None,
    watch: Watch = ignore,
) -> Examples:
    """Read labeled images as ``find`` reads them, and ask a finder about each.

    Args:
        finder: Of two classes.
        data: Folders, globs or files.
        labels: A table with the columns ``id`` and ``label``; None takes the data's own.
        group: Column that names object, host or tile.
        watch: Told how many rows were read.

    Raises:
        RecipeError: The finder's last layers cannot be tapped.
        InputError: Images or labels cannot teach, or there are too few or too many.
        MismatchError: A class is not the finder's, or no label names an image.
    """
    card = finder.card
    task: Task = "lens" if card.task == "locator" else card.task
    labelings = labelings_of(data, task, labels, watch)
    tally = Tally()
    known: list[Image] = []
    parts: list[tuple[Float64[np.ndarray, "_ stage"], Float64[np.ndarray, "_ feature"]]] = []
    networks = _tapped(finder)
    total = sum(each.listing.n_rows for each in labelings)
    done = 0
    for images, pixels in _read(finder, labelings, tally):
        known += images
        parts.append(_ask(finder, networks, pixels))
        done += len(images)
        if done > MOST:
            raise InputError(
                f"There are more than {MOST:,} labeled images",
                "Train a network with them: skysieve list recipes",
            )
        watch(Progress("asking the finder", done, total))
    tally.check(labelings)
    order_classes({image.class_name for image in known}, card.classes, task, card.positive)
    margins, features = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    finite = np.isfinite(margins).all(axis=1) & np.isfinite(features).all(axis=1)
    kept = np.flatnonzero(finite)
    images = [known[k] for k in kept]
    positive = np.array([image.class_name == card.positive for image in images])
    for name in card.classes:
        count = sum(image.class_name == name for image in images)
        if count < LEAST:
            raise InputError(
                f"There are {count} usable images of class {name}", f"Give {LEAST} or more of each"
            )
    p = np.clip(card.stages[-1].calibration(margins[kept, -1]), _UNCERTAIN, 1 - _UNCERTAIN)
    slope, offset = np.polyfit(margins[kept, -1], logit(p), 1)
    return Examples(
        ids=tuple(image.id for image in images),
        positive=positive,
        groups=_groups(images, labelings, group),
        margins=margins[kept],
        line=(float(slope), float(offset)),
        features=features[kept],
        sha256=_digest(images),
        notes=tuple(tally.notes()),
    )


def _digest(images: Sequence[Image]) -> str:
    rows = sorted((image.id, image.class_name, image.digest) for image in images)
    return hashlib.sha256(json.dumps(rows).encode()).hexdigest()


def _groups(
    images: Sequence[Image], labelings: Sequence[Labeling], group: str | None
) -> Int64[np.ndarray, " n"]:
    names = sorted({name for each in labelings for name in each.columns})
    columns = {
        name: [labelings[image.part].columns.get(name, {}).get(image.id, "") for image in images]
        for name in names
    }
    parts, digests = [image.part for image in images], [image.digest for image in images]
    return group_rows(columns, parts, digests, [image.id for image in images], group)


def _tapped(finder: Finder) -> list[Network]:
    """Return the networks of the stages, the last with its features."""
    card = finder.card
    *before, last = card.stages
    try:
        extension = Extension(finder.folder / last.file)
    except RecipeError as why:
        raise RecipeError(
            f"The finder {card.name} cannot be weighed anew: {why.what[0].lower()}{why.what[1:]}",
            "Start from a finder that a recipe has trained, and give it all labeled images",
        ) from why
    extension.give_features()
    graphs = [(finder.folder / stage.file).read_bytes() for stage in before]
    graphs.append(extension.model.SerializeToString())
    return [
        Network(
            graph,
            name=stage.file,
            bands=len(card.input.bands),
            classes=len(card.classes),
            batch=_BATCH,
            precision=cpu_precision(),
            threads=cpu_threads(),
            extras=(FEATURES,) if stage is last else (),
        )
        for stage, graph in zip(card.stages, graphs, strict=True)
    ]


def _read(
    finder: Finder, labelings: Sequence[Labeling], tally: Tally
) -> Iterator[tuple[list[Image], Float32[np.ndarray, "_ band y x"]]]:
    """Give labeled images of one shape, as many as come together."""
    for part, labeling in enumerate(labelings):
        step, rows = finder.chunk_rows, labeling.listing.n_rows
        for start in range(0, rows, step):
            stop = min(start + step, rows)
            reading = read_span(labeling.listing, start, stop, finder.card.input)
            found = list(labeled_rows(labeling, part, reading, tally))
            for shape in sorted({pixels.shape for _, pixels in found}):
                alike = [(image, pixels) for image, pixels in found if pixels.shape == shape]
                yield [image for image, _ in alike], np.stack([pixels for _, pixels in alike])


def _ask(
    finder: Finder, networks: Sequence[Network], pixels: Float32[np.ndarray, "n band y x"]
) -> tuple[Float64[np.ndarray, "n stage"], Float64[np.ndarray, "n feature"]]:
    card = finder.card
    side = math.sqrt(pixels.shape[2] * pixels.shape[3])
    margins: list[np.ndarray] = []
    features = np.empty((len(pixels), 0))
    for stage, network in zip(card.stages, networks, strict=True):
        numbers = network.numbers(pixels).astype(np.float64)
        logits, features = np.split(numbers, [len(card.classes)], axis=1)
        margins.append(stage.field_size(margin(logits, card.positive_index), side))
    return np.stack(margins, axis=1), features
