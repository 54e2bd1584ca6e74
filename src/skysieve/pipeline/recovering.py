"""From a finder to its selection function: lenses are made, scored, and counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from jaxtyping import Float64

from skysieve.core.errors import InputError, MismatchError
from skysieve.core.survey import survey
from skysieve.core.watch import Progress, Watch, ignore
from skysieve.images import Listing, ReadOptions, scan
from skysieve.measure.recovery import RESAMPLES, Asked, Recovery, measure_recovery
from skysieve.measure.recovery_page import JSON, write_recovery
from skysieve.measure.trials import Trials, check_rate
from skysieve.pipeline.asked import Named, open_finders
from skysieve.pipeline.evaluating import score_rows
from skysieve.pipeline.finding import check_bands
from skysieve.pipeline.injecting import inject
from skysieve.pipeline.reporting import ReportPaths
from skysieve.pipeline.simulating import simulate
from skysieve.produce.plan import SetPlan
from skysieve.recipe.injection import InjectionPlan
from skysieve.recipe.simulation import CameraPlan

MADE, IMAGES, SCENES = "lenses", "images", "scenes.parquet"
NONLENS = "nonlens"
FPR = 1e-3
EVEN = 1e-4
"""Slope of number counts at which magnitudes, and with them log signal to noise, are drawn evenly:
1 in 500 over 8 mag; drawing a source divides by it, so that it cannot be 0."""

Columns = dict[str, list[Any]]


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
    run_id = inject(
        images, folder / MADE, even, options=options, seed=settings.seed,
        workers=settings.workers, watch=watch,
    ).run_id  # fmt: skip
    made = _Made(
        images=", ".join(Path(one).name or str(one) for one in images),
        sha256=run_id,
        population="Einstein radii drawn evenly, sources weighted to number counts",
        psf_fwhm_arcsec=lambda rows: np.mean(
            [_numbers(rows, f"psf_fwhm_{band}_arcsec") for band in plan.bands], axis=0
        ),
        weights=lambda rows: _number_counts(rows, even, plan.source_count_slope),
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
    made = _Made(
        images=f"{plan.scenario.name} {plan.scenario.version}",
        sha256=plan.run_id,
        population="as the scenario weights them",
        psf_fwhm_arcsec=lambda rows: np.full(len(rows["id"]), width),
        weights=lambda rows: (
            _numbers(rows, "weight") if "weight" in rows else np.ones(len(rows["id"]))
        ),
    )
    return _measure(folder, named, made, settings, watch)


class _Made(NamedTuple):
    """Lenses on the disk, and what their table does not say.

    Args:
        images: What they were painted into, or the scenario.
        sha256: Of the plan.
        population: What the weights make of them.
        psf_fwhm_arcsec: From rows of lenses to the FWHM of each, mean of the bands.
        weights: From rows of lenses to their weights.
    """

    images: str
    sha256: str
    population: str
    psf_fwhm_arcsec: Callable[[Columns], Float64[np.ndarray, " n"]]
    weights: Callable[[Columns], Float64[np.ndarray, " n"]]


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
    folder: Path, named: Named, made: _Made, settings: RecoverSettings, watch: Watch
) -> ReportPaths:
    listing: Listing = scan([folder / MADE / IMAGES], ReadOptions(), watch=watch)
    check_bands(listing, named.finder.card)
    scored = score_rows(folder, named, listing, settings.workers, watch)
    watch(Progress("measuring", 0, None))
    trials, unscored = _trials(folder / MADE / SCENES, scored, made, named)
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


def _trials(
    scenes: Path, scored: pa.Table, made: _Made, named: Named
) -> tuple[Trials, dict[str, int]]:
    """Join scenes and scores by id; leave out what could not be scored, and count it."""
    table = pq.read_table(scenes)
    p = dict(zip(scored["id"].to_pylist(), scored["p"].to_pylist(), strict=True))
    status = scored["status"].to_pylist()
    unscored = Counter(one for one in status if one != "ok")
    kept = [
        k
        for k, (name, label) in enumerate(
            zip(table["id"].to_pylist(), table["class"].to_pylist(), strict=True)
        )
        if label is not None and p.get(name) is not None
    ]
    if not kept:
        worst = unscored.most_common(1)[0][0] if unscored else "none was made"
        told = [m for m in scored["message"].to_pylist() if m]
        raise MismatchError(
            f"{named.name} can score none of the images ({worst}{': ' + told[0] if told else ''})",
            "Give images that skysieve find can score with it",
        )
    table = table.take(kept)
    negative = np.array([label == NONLENS for label in table["class"].to_pylist()])
    without, lenses = (table.filter(pa.array(rows)).to_pydict() for rows in (negative, ~negative))
    if not lenses["id"] or "einstein_radius_arcsec" not in lenses:
        raise MismatchError(
            f"There is no lens with an Einstein radius among the {len(kept):,} images",
            "Ask for more, or for another scenario",
        )
    return (
        Trials(
            p=np.array([p[name] for name in lenses["id"]], np.float64),
            image=np.array(lenses["scene"], np.int64),
            einstein_radius_arcsec=_numbers(lenses, "einstein_radius_arcsec"),
            arc_snr=_numbers(lenses, "arc_snr"),
            psf_fwhm_arcsec=made.psf_fwhm_arcsec(lenses),
            source_ab=_numbers(lenses, "source_g_ab" if "source_g_ab" in lenses else "source_i_ab"),
            color=_numbers(lenses, "lensed_g_ab") - _numbers(lenses, "lensed_i_ab"),
            weights=made.weights(lenses),
            negative_p=np.array([p[name] for name in without["id"]], np.float64),
            negative_image=np.array(without["scene"], np.int64),
        ),
        dict(sorted(unscored.items())),
    )


def _numbers(rows: Mapping[str, list[Any]], name: str) -> Float64[np.ndarray, " n"]:
    """Return a column; NaN where it is not known."""
    values = rows.get(name, [None] * len(rows["id"]))
    return np.array([np.nan if value is None else value for value in values], np.float64)


def _number_counts(rows: Columns, drawn: InjectionPlan, slope: float) -> Float64[np.ndarray, " n"]:
    """Return the weights that make magnitudes drawn about evenly those of number counts.

    A magnitude was drawn within limits of its own: those of the plan, and those at which the arcs
    have the signal to noise asked for. The weight is the density wanted over that drawn from.
    """
    magnitude, snr = _numbers(rows, "source_g_ab"), _numbers(rows, "arc_snr")
    low, high = drawn.arc_snr
    bright = np.maximum(drawn.source_g_ab[0], magnitude - 2.5 * np.log10(high / snr))
    faint = np.minimum(drawn.source_g_ab[1], magnitude + 2.5 * np.log10(snr / low))
    even = drawn.source_count_slope
    middle = float(np.median(magnitude))  # so that no power of ten grows too large
    width = 10 ** (even * (faint - middle)) - 10 ** (even * (bright - middle))
    weights = 10 ** ((slope - even) * (magnitude - middle)) * np.maximum(width, 0)
    return weights / weights.max()
