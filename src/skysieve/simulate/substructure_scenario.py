"""The scenario ``substructure``: numbers of images to images of three classes with their truth."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from skysieve.core.random import seed_of
from skysieve.recipe.substructure import SubstructureKind
from skysieve.recipe.substructure_scenario import SUBSTRUCTURE_CLASSES, SubstructureScenario
from skysieve.simulate.clumps import HALO, STRING, einstein_area_arcsec2
from skysieve.simulate.deflection import Table
from skysieve.simulate.instrument import COUNTS_ZERO_POINT_AB
from skysieve.simulate.scenario import Batch, Exposure, Fact
from skysieve.simulate.substructure import SubstructureImages, simulate_numbers

SPLIT_LENGTH = 2**40
"""More scenes than any split of a set has."""

TRUTH = ("lensed", "source", "convergence")
_SYSTEM_FACTS = {
    "einstein_radius_arcsec": "einstein_radius",
    "smooth_radius_arcsec": "smooth_radius",
    "lens_x_arcsec": "x",
    "lens_y_arcsec": "y",
    "lens_axis_ratio": "q",
    "lens_angle_rad": "phi",
    "shear_1": "gamma1",
    "shear_2": "gamma2",
    "source_x_arcsec": "source_x",
    "source_y_arcsec": "source_y",
    "source_radius_arcsec": "source_radius",
    "source_sersic": "source_sersic",
    "source_axis_ratio": "source_q",
    "exposure_s": "exposure_s",
    "depth": "depth",
    "peak_snr": "peak_snr",
    "clumps": "clumps",
    "clump_mass_fraction": "mass_inside",
}
FACTS = ("scene", "z_lens", "z_source", "source_magnitude_ab", *_SYSTEM_FACTS, "clump_mass_msun",
         "heaviest_msun", "heaviest_x_arcsec", "heaviest_y_arcsec", "clump_distance_arcsec",
         "log10_axion_mass_ev", "vortex_length_arcsec", "vortex_angle_rad")  # fmt: skip


class SubstructureSky:
    """Images of lenses with a smooth halo, with subhalos and with vortices, in turn.

    Args:
        plan: What is simulated.
        seed: Decides every image, with the scenario's name and version.
    """

    def __init__(self, plan: SubstructureScenario, seed: int) -> None:
        self.plan = plan
        self.seed = seed_of(seed, f"{plan.name}/{plan.version}")
        self.population = plan.population

    def draw(self, split: str, rows: Sequence[int]) -> Batch:
        """Return these images of a split.

        Raises:
            RecipeError: The plan asks for more mass in clumps than a lens has.
        """
        labels = np.array([row % len(SUBSTRUCTURE_CLASSES) for row in rows], np.int64)
        first = list(self.plan.splits).index(split) * SPLIT_LENGTH
        scenes = np.array([first + self._scene(row) for row in rows], np.int64)
        side = self.plan.camera.side
        pixels = np.empty((len(rows), 1, side, side), np.float32)
        truth = {name: np.empty_like(pixels) for name in TRUTH}
        facts: list[dict[str, Fact]] = [{} for _ in rows]
        to_counts = 10 ** (0.4 * (COUNTS_ZERO_POINT_AB - self.plan.camera.zero_point_ab))
        for label, kind in enumerate(SUBSTRUCTURE_CLASSES):
            here = np.flatnonzero(labels == label)
            if not len(here):
                continue
            images = self._images(kind, [int(scene) for scene in scenes[here]])
            pixels[here] = images.pixels
            truth["lensed"][here] = images.noise_free * np.float32(to_counts)
            truth["source"][here] = images.source * np.float32(to_counts)
            truth["convergence"][here] = images.convergence
            for k, place in enumerate(here):
                facts[place] = {"scene": int(scenes[place])} | self._facts(images, k)
        return Batch(
            exposures=(Exposure(pixels=pixels, truth=truth),),
            labels=labels,
            kinds=tuple(SUBSTRUCTURE_CLASSES[label] for label in labels),
            facts=tuple(facts),
        )

    def _scene(self, row: int) -> int:
        """Return the number of an image's lens within its split; all classes of a pair share it."""
        return row // len(SUBSTRUCTURE_CLASSES) if self.plan.paired else row

    def _images(self, kind: SubstructureKind, scenes: Sequence[int]) -> SubstructureImages:
        return simulate_numbers(
            self.population, kind, self.seed, scenes, compiled=self.plan.compiled
        )

    def _facts(self, images: SubstructureImages, k: int) -> dict[str, Fact]:
        column = images.parameters
        lens, camera = self.plan.lens, self.plan.camera
        flux = float(column["source_flux"][k])
        unit = einstein_area_arcsec2(1.0, lens.redshift, lens.source_redshift)
        middle = np.array([column["x"][k], column["y"][k]])
        axion = float(column["log10_axion_mass_ev"][k])
        return {
            "z_lens": lens.redshift,
            "z_source": lens.source_redshift,
            "source_magnitude_ab": camera.zero_point_ab - 2.5 * math.log10(flux),
            **{name: float(column[key][k]) for name, key in _SYSTEM_FACTS.items()},
            **describe_clumps(images.clumps[k], middle, unit, strings=images.kind == "vort"),
            "log10_axion_mass_ev": None if math.isnan(axion) else axion,
        }


def describe_clumps(
    clumps: Table, middle: np.ndarray, unit: float, *, strings: bool
) -> dict[str, Fact]:
    """Return how heavy the clumps of a lens are and where they lie; None where there are none.

    Args:
        clumps: Subhalos or strings.
        middle: The lens, (x, y) in arcsec.
        unit: Of the masses: square arcsec of one solar mass.
        strings: Whether they are strings; the longest one's length and angle are told.

    Returns:
        Masses in solar masses, the place of the heaviest from the middle of the image, and the
        mean distance from the lens, weighted by mass.
    """
    names = FACTS[FACTS.index("clump_mass_msun") :]
    told: dict[str, Fact] = dict.fromkeys(names)
    if not len(clumps):
        return told
    mass = clumps[:, HALO.index("mass")]
    heaviest = clumps[int(mass.argmax())]
    away = np.hypot(clumps[:, 0] - middle[0], clumps[:, 1] - middle[1])
    told |= {
        "clump_mass_msun": float(mass.sum() / unit),
        "heaviest_msun": float(mass.max() / unit),
        "heaviest_x_arcsec": float(heaviest[0]),
        "heaviest_y_arcsec": float(heaviest[1]),
        "clump_distance_arcsec": float(np.average(away, weights=mass)),
    }
    if strings:
        longest = clumps[int(clumps[:, STRING.index("length")].argmax())]
        told["vortex_length_arcsec"] = float(longest[STRING.index("length")])
        told["vortex_angle_rad"] = float(longest[STRING.index("phi")])
    return told
