"""From a finder to its selection function: lenses are made, scored, and counted."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from skysieve.core.errors import InputError, MismatchError
from skysieve.core.survey import survey
from skysieve.core.watch import Progress, Watch, ignore
from skysieve.images import Listing, ReadOptions, scan
from skysieve.measure.recovery import RESAMPLES, Asked, Recovery, measure_recovery
from skysieve.measure.recovery_page import JSON, write_recovery
from skysieve.measure.trials import check_rate
from skysieve.pipeline.asked import Named, open_finders
from skysieve.pipeline.evaluating import score_rows
from skysieve.pipeline.finding import check_bands
from skysieve.pipeline.injecting import inject
from skysieve.pipeline.joining import NONLENS, Made, join_trials, number_counts, numbers
from skysieve.pipeline.reporting import ReportPaths
from skysieve.pipeline.simulating import simulate
from skysieve.produce.plan import SetPlan
from skysieve.recipe.injection import InjectionPlan
from skysieve.recipe.simulation import CameraPlan

MADE, IMAGES, SCENES = "lenses", "images", "scenes.parquet"
FPR = 1e-3
EVEN = 1e-4
"""Slope of number counts at which magnitudes, and with them log signal to noise, are drawn evenly:
1 in 500 over 8 mag; drawing a source divides by it, so that it cannot be 0."""


class RecoverSettings(NamedTuple):
    """How a selection function is measured.

    Args:
        fpr: Share of the images without lenses that the threshold lets through.
        threshold: The least probability of what is found, instead of a rate.
        seed: Of lenses and resamples.
        resamples: Of the images, for the intervals of the surface.
        workers: Processes that make and score images.
    """

    fpr: float | None = FPR
    threshold: float | None = None
    seed: int = 1
    resamples: int = RESAMPLES
    workers: int = 1


def recover(
    finder: str | Path,
    images: Sequence[str | Path],
    out: str | Path,
    plan: InjectionPlan,
    *,
    settings: RecoverSettings = RecoverSettings(),  # noqa: B008  it is frozen
    options: ReadOptions = ReadOptions(),  # noqa: B008  it is frozen
    watch: Watch = ignore,
) -> ReportPaths:
    """Measure what a finder finds of arcs that are painted into images.

    Each image, untouched, is the negative that makes the threshold. What was stopped goes on when
    it is called again in the same way.

    Args:
        finder: A shipped name, a bundle's folder, or that of a training run.
        images: Folders, globs or files of linear flux.
        out: The folder to write: new, empty, or that of the same recovery.
        plan: What is painted, but that magnitudes are drawn evenly, so that bright arcs are tried
            as often as faint ones; its ``source_count_slope`` gives the weights of the population.
        settings: Threshold, seed, resamples, processes.
        options: What the images do not say themselves.
        watch: Called with the progress.

    Raises:
        InputError: The folder holds something else, or the images are too few for the rate.
        MismatchError: The folder holds another recovery, or the finder can score no image.
        MissingError: There is no such finder or input.
    """
    folder, named = _begin(out, finder)
    wanted = named.finder.card.input.bands
    if missing := [band for band in wanted if band not in plan.bands]:
        raise MismatchError(
            f"{named.name} needs {missing[0]}, in which nothing is painted",
            f"Paint in {', '.join(wanted)}",
        )
    listing = scan(images, options, watch=watch)
    if settings.threshold is None and settings.fpr is not None:
        check_rate(listing.n_rows, settings.fpr)
    even = plan.model_copy(update={"source_count_slope": EVEN})
    painted = inject(
        images, folder / MADE, even, options=options, seed=settings.seed,
        workers=settings.workers, watch=watch,
    )  # fmt: skip
    if not painted.n_lenses:
        why = ", ".join(f"{count:,} {status}" for status, count in painted.by_status.items())
        raise MismatchError(
            f"No arcs could be painted into the {painted.n_rows:,} images ({why})",
            f"The column message of {folder / MADE / SCENES} says why",
        )
    made = Made(
        images=", ".join(Path(one).name or str(one) for one in images),
        sha256=painted.run_id,
        population="Einstein radii drawn evenly, sources weighted to number counts",
        psf_fwhm_arcsec=lambda rows: np.mean(
            [numbers(rows, f"psf_fwhm_{band}_arcsec") for band in plan.bands], axis=0
        ),
        weights=lambda rows: number_counts(rows, even, plan.source_count_slope),
    )
    return _measure(folder, named, made, settings, watch)


def recover_simulated(
    finder: str | Path,
    plan: SetPlan,
    out: str | Path,
    *,
    settings: RecoverSettings = RecoverSettings(),  # noqa: B008  it is frozen
    watch: Watch = ignore,
) -> ReportPaths:
    """Measure what a finder finds of the lenses of a scenario.

    The images of class ``nonlens`` make the threshold; a scenario without any needs one that is
    given. Weights are those of the scenario, where it has some.

    Args:
        finder: A shipped name, a bundle's folder, or that of a training run.
        plan: What to simulate; ``plan_set`` makes it.
        out: The folder to write: new, empty, or that of the same recovery.
        settings: Threshold, resamples, processes; the seed of the plan decides the lenses.
        watch: Called with the progress.

    Raises:
        InputError: The folder holds something else, or there are too few images for the rate.
        MismatchError: The folder holds another recovery, the scenario has no lenses with an
            Einstein radius, or the finder can score no image.
        MissingError: There is no such finder.
    """
    folder, named = _begin(out, finder)
    camera = getattr(plan.scenario, "camera", None)
    if not isinstance(camera, CameraPlan):
        raise MismatchError(
            f"Of the scenario {plan.scenario.name} signal to noise and seeing are not known",
            "Choose lens-gri, deeplense-lens, survey or compound",
        )
    if settings.threshold is None and settings.fpr is not None:
        if NONLENS not in plan.scenario.classes:
            raise MismatchError(
                f"{plan.scenario.name} has no images without lenses to make a threshold with",
                "Give the --threshold",
            )
        check_rate(plan.n_rows, settings.fpr)
    simulate(plan, folder / MADE, workers=settings.workers, watch=watch)
    seen = survey(camera.survey)
    width = camera.seeing_factor * float(
        np.mean([seen.band(band).psf_fwhm_arcsec for band in camera.bands])
    )
    made = Made(
        images=f"{plan.scenario.name} {plan.scenario.version}",
        sha256=plan.run_id,
        population="as the scenario weights them",
        psf_fwhm_arcsec=lambda rows: np.full(len(rows["id"]), width),
        weights=lambda rows: (
            numbers(rows, "weight") if "weight" in rows else np.ones(len(rows["id"]))
        ),
    )
    return _measure(folder, named, made, settings, watch)


def _begin(out: str | Path, finder: str | Path) -> tuple[Path, Named]:
    folder = Path(out).absolute()
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder} is a file, not a folder", "Choose another place with --out")
    mine = (folder / JSON).is_file() or (folder / MADE).is_dir()
    if folder.is_dir() and any(folder.iterdir()) and not mine:
        raise InputError(
            f"{folder} is not empty and holds no recovery",
            "Choose a new or empty folder with --out",
        )
    return folder, open_finders([finder])[0]


def _measure(
    folder: Path, named: Named, made: Made, settings: RecoverSettings, watch: Watch
) -> ReportPaths:
    listing: Listing = scan([folder / MADE / IMAGES], ReadOptions(), watch=watch)
    check_bands(listing, named.finder.card)
    scored = score_rows(folder, named, listing, settings.workers, watch)
    watch(Progress("measuring", 0, None))
    trials, unscored = join_trials(folder / MADE / SCENES, scored, made, named.name)
    card = named.finder.card
    asked = Asked(
        finder=f"{card.name} {card.version}",
        finder_sha256=named.finder.sha256,
        images=made.images,
        data_sha256=made.sha256,
        seed=settings.seed,
        population=made.population,
        made=scored.num_rows,
        unscored=unscored,
    )
    found: Recovery = measure_recovery(
        trials,
        asked,
        fpr=settings.fpr,
        threshold=settings.threshold,
        resamples=settings.resamples,
    )
    return ReportPaths(*write_recovery(folder, found))
