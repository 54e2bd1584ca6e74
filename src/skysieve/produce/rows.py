"""What is known of each image of a set as a table: names, classes, places and facts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from skysieve.core.random import stream
from skysieve.produce.parts import RUN_ID
from skysieve.produce.plan import Part, SetPlan
from skysieve.simulate.scenario import Batch, Scenario


@dataclass(frozen=True, eq=False, kw_only=True)
class Rows:
    """Images of a part with their names.

    Args:
        plan: Of the set.
        part: Which images.
        batch: What they show.
        ids: Their names in the set, all different.
        ra_deg: Right ascension of a place that means nothing.
        dec_deg: Declination of that place.
    """

    plan: SetPlan
    part: Part
    batch: Batch
    ids: tuple[str, ...]
    ra_deg: np.ndarray
    dec_deg: np.ndarray

    @property
    def classes(self) -> tuple[str, ...]:
        """The name of the class of each."""
        return tuple(self.plan.scenario.classes[int(label)] for label in self.batch.labels)


def make_rows(plan: SetPlan, scenario: Scenario, part: Part) -> Rows:
    """Simulate the images of a part and name them."""
    images = range(part.start, part.stop)
    places = np.array([_place(plan, part.split, image) for image in images])
    return Rows(
        plan=plan,
        part=part,
        batch=scenario.draw(part.split, images),
        ids=row_ids(plan, part),
        ra_deg=places[:, 0],
        dec_deg=places[:, 1],
    )


def row_ids(plan: SetPlan, part: Part) -> tuple[str, ...]:
    """Return the names of the images of a part, which are those of their files, if they have any."""
    images = range(part.start, part.stop)
    if plan.layout == "deeplense":  # counted through all folders, so that no name comes twice
        return tuple(str(part.before + image + 1) for image in images)
    return tuple(f"{part.split}-{image:08}" for image in images)


def to_table(rows: Rows, facts: tuple[str, ...]) -> pa.Table:
    """Return a row for each image; a fact that makes no sense for it is null."""
    told = rows.batch.facts
    columns = {
        "id": pa.array(rows.ids, pa.string()),
        "label": pa.array(rows.batch.labels, pa.int8()),
        "class": pa.array(rows.classes, pa.string()),
        "kind": pa.array(rows.batch.kinds, pa.string()),
        "split": pa.array([rows.part.split] * len(rows.ids), pa.string()),
        "row": pa.array(range(rows.part.start, rows.part.stop), pa.int64()),
        "ra": pa.array(rows.ra_deg, pa.float64()),
        "dec": pa.array(rows.dec_deg, pa.float64()),
    }
    for name in facts:
        kind = pa.int64() if name == "scene" else pa.float64()
        columns[name] = pa.array([fact.get(name) for fact in told], kind)
    return pa.table(columns).replace_schema_metadata({RUN_ID: rows.plan.run_id.encode()})


def _place(plan: SetPlan, split: str, image: int) -> tuple[float, float]:
    """Return a place on the sphere, evenly drawn: a WCS needs one."""
    rng = stream(plan.seed, f"{plan.scenario.name}/{split}/place", image)
    return float(rng.uniform(0, 360)), float(np.degrees(np.arcsin(rng.uniform(-1, 1))))
