"""What is known of a real image before arcs are painted into it: sky, seeing, calibration, host."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float32, Float64

from skysieve.core.scores import Status
from skysieve.core.survey import survey
from skysieve.images.fitting import choose_bands
from skysieve.images.sentinels import mark_no_data
from skysieve.images.sources import ImageError, Stack
from skysieve.measure.host import HostShape, find_host
from skysieve.measure.sky import measure_sky
from skysieve.measure.stars import measure_seeing
from skysieve.recipe.injection import InjectionPlan, SeeingPsf, StampPsf, StarsPsf
from skysieve.simulate.injection import Host, guess_redshift
from skysieve.simulate.psf import read_stamp

MIN_VALID = 0.5
"""Least share of the central half of a band that must hold data."""
HOST_APERTURE_ARCSEC, COLOR_APERTURE_ARCSEC = 3.0, 1.5
"""Radii of the circles in which the host's magnitudes and colors are measured."""
STRANGE_NOISE = 5.0
"""A sky this many times noisier or quieter than the survey's makes the zero point doubtful."""

PerBand = Float64[np.ndarray, " band"]


@dataclass(frozen=True, eq=False, kw_only=True)
class Sight:
    """A real image in the bands that are painted.

    Args:
        raw: Its pixels as the file has them; what stands for no data is still there.
        valid: Where a pixel holds data.
        above: Its light above the sky; 0 where there are no data.
        noise: Standard deviation of the sky of a pixel.
        pixel_scale_arcsec: Size of a pixel.
        zero_point_ab: AB magnitude of one count.
        gain_electrons: Electrons that a count stands for.
        fwhm_arcsec: Of the seeing.
        stars: How many stars said the seeing of each band; 0 where something else does.
        host: What will be the lens.
        host_ab: Its magnitudes; NaN where it is not seen.
        flags: What was assumed of it, sorted.
    """

    raw: Float32[np.ndarray, "band y x"]
    valid: Bool[np.ndarray, "band y x"]
    above: Float32[np.ndarray, "band y x"]
    noise: PerBand
    pixel_scale_arcsec: float
    zero_point_ab: PerBand
    gain_electrons: PerBand
    fwhm_arcsec: PerBand
    stars: tuple[int, ...]
    host: Host
    host_ab: PerBand
    flags: tuple[str, ...] = ()

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.raw.shape[1], self.raw.shape[2]

    @property
    def counts_of_30(self) -> PerBand:
        """Counts of the image that one count at zero point 30 is."""
        return 10 ** (0.4 * (self.zero_point_ab - 30.0))

    @property
    def reach_arcsec(self) -> float:
        """Distance of the host from the nearest edge of the frame."""
        half = [(side - 1) / 2 * self.pixel_scale_arcsec for side in self.shape]
        return min(half[1] - abs(self.host.x_arcsec), half[0] - abs(self.host.y_arcsec))


def look(
    stack: Stack,
    k: int,
    plan: InjectionPlan,
    *,
    zero_points: tuple[float | None, ...] = (),
    mask_value: float | None = None,
) -> Sight:
    """Return what is known of an image.

    Args:
        stack: Where it lies.
        k: Its place there.
        plan: What the user said, and which bands are painted.
        zero_points: What its headers say of each plane; empty if nothing.
        mask_value: Pixels of this value hold no data.

    Raises:
        ImageError: Nothing can be painted into it; the status says why.
    """
    if stack.kind == "display":
        raise ImageError(
            Status.KIND,
            "It is stretched for the eye, and light does not add up in it",
            "Give the linear flux",
        )
    planes, assumed = choose_bands(stack.bands, plan.bands)
    raw = stack.pixels[k, planes].astype(np.float32)
    marked, had = mark_no_data(raw[None], mask_value)
    valid = np.isfinite(marked[0])
    _check(marked[0], valid, plan)
    scale = _pixel_scale(stack, plan)
    zero = _zero_point(plan, tuple(zero_points[p] for p in planes) if zero_points else ())
    gain = _gain(plan, zero)
    sky = measure_sky(raw, valid)
    if not np.isfinite(sky.noise).all():
        band = plan.bands[int(np.argmin(np.isfinite(sky.noise)))]
        raise ImageError(
            Status.EMPTY, f"It shows no sky with noise in {band}", "Give images of the real sky"
        )
    above = np.where(valid, raw - sky.level[:, None, None], 0).astype(np.float32)
    expected = _expected_fwhm(plan, scale)
    shape = find_host(
        above,
        sky.noise,
        valid,
        reach_pixels=plan.host_search_arcsec / scale,
        psf_sigma_pixels=float(expected.mean()) / scale / 2.355,
    )
    flags = {*assumed, *_doubts(plan, sky.noise, zero), *(["mask_value"] if had[0] else [])}
    flags |= {name for name, is_so in (("masked", not valid.all()),) if is_so}
    flags |= {name for name, is_so in (("no_host", math.isnan(shape.x)),) if is_so}
    flags |= {"scale_assumed"} if stack.pixel_scale_arcsec is None else set()
    host = _host(shape, valid.shape[1:], scale)
    bare = Sight(
        raw=raw,
        valid=valid,
        above=above,
        noise=sky.noise,
        pixel_scale_arcsec=scale,
        zero_point_ab=zero,
        gain_electrons=gain,
        fwhm_arcsec=expected,
        stars=(0,) * len(raw),
        host=host,
        host_ab=np.full(len(raw), np.nan),
        flags=tuple(sorted(flags)),
    )
    return _with_seeing(_with_host_light(bare, plan), plan, shape)


# --------------------------------------------------------------------------------- calibration


def _pixel_scale(stack: Stack, plan: InjectionPlan) -> float:
    if stack.pixel_scale_arcsec is not None:
        return stack.pixel_scale_arcsec
    if plan.survey is not None:
        return survey(plan.survey).pixel_scale_arcsec
    raise ImageError(
        Status.BAD_SHAPE,
        "It does not say how large a pixel is",
        "Give --pixel-scale, or name the survey (--survey)",
    )


def _zero_point(plan: InjectionPlan, said: tuple[float | None, ...]) -> PerBand:
    """Return the zero points: the user's, else the header's, else the survey's."""
    if plan.zero_point_ab is not None:
        return np.array([plan.zero_point_ab[band] for band in plan.bands])
    if said and None not in said:
        return np.array(said, np.float64)
    if plan.survey is not None:
        return np.full(len(plan.bands), survey(plan.survey).zero_point_ab)
    raise ImageError(
        Status.KIND,
        "It does not say what magnitude a count is",
        "Give --zero-point, or name the survey (--survey)",
    )


def _gain(plan: InjectionPlan, zero_point_ab: PerBand) -> PerBand:
    """Return the electrons of a count; the survey's are brought to the image's zero point."""
    if plan.gain_electrons is not None:
        return np.array([plan.gain_electrons[band] for band in plan.bands])
    camera = survey(plan.survey or "")
    electrons = np.array([camera.electrons_per_count(band) for band in plan.bands])
    return electrons * 10 ** (-0.4 * (zero_point_ab - camera.zero_point_ab))


def _doubts(plan: InjectionPlan, noise: PerBand, zero_point_ab: PerBand) -> set[str]:
    if plan.survey is None:
        return set()
    camera = survey(plan.survey)
    usual = np.array([camera.sky_noise_counts(band) for band in plan.bands])
    ratio = noise * 10 ** (-0.4 * (zero_point_ab - camera.zero_point_ab)) / usual
    strange = (ratio > STRANGE_NOISE) | (ratio < 1 / STRANGE_NOISE)
    return {"strange_noise"} if strange.any() else set()


def _expected_fwhm(plan: InjectionPlan, pixel_scale_arcsec: float) -> PerBand:
    """Return the FWHM of the seeing; of a stamp that of the Gaussian with its peak."""
    match plan.psf:
        case SeeingPsf(fwhm_arcsec=known):
            return np.array([known[band] for band in plan.bands])
        case StampPsf(files=files):
            peaks = np.array([read_stamp(files[band]).max() for band in plan.bands])
            return 2.355 * pixel_scale_arcsec / np.sqrt(2 * np.pi * peaks)
        case _:
            return _median(plan)


def _median(plan: InjectionPlan) -> PerBand:
    camera = survey(plan.survey or "")
    return np.array([camera.band(band).psf_fwhm_arcsec for band in plan.bands])


def _with_seeing(sight: Sight, plan: InjectionPlan, shape: HostShape) -> Sight:
    """Put the seeing of the image's own stars in place of the survey's, band by band."""
    if not isinstance(plan.psf, StarsPsf):
        return sight
    expected = sight.fwhm_arcsec / sight.pixel_scale_arcsec
    middle = [(side - 1) / 2 for side in sight.shape]
    x, y = (middle[1], middle[0]) if math.isnan(shape.x) else (shape.x, shape.y)
    seen = measure_seeing(
        sight.above,
        sight.noise,
        sight.valid,
        expected_pixels=expected,
        beta=plan.moffat_beta,
        avoid=(x, y, 2.0 * float(expected.max())),
    )
    own = seen.fwhm_pixels * sight.pixel_scale_arcsec
    return replace(
        sight,
        fwhm_arcsec=np.where(np.isfinite(own), own, sight.fwhm_arcsec),
        stars=seen.stars,
    )


# ------------------------------------------------------------------------------------ the host


def _check(
    planes: Float32[np.ndarray, "band y x"],
    valid: Bool[np.ndarray, "band y x"],
    plan: InjectionPlan,
) -> None:
    """Refuse images with too few data, without any light, or scaled to 0..1."""
    height, width = planes.shape[1:]
    center = np.s_[height // 4 : height - height // 4, width // 4 : width - width // 4]
    for band, plane, mask in zip(plan.bands, planes, valid, strict=True):
        share = float(mask[center].mean()) if mask[center].size else 0.0
        if share < MIN_VALID:
            raise ImageError(
                Status.NONFINITE,
                f"Only {share:.0%} of band {band} near the center holds data",
                "Look at the image; it may lie at the edge of the survey",
            )
        if np.nanmax(plane[center]) == np.nanmin(plane[center]):
            raise ImageError(
                Status.EMPTY, f"Band {band} is constant near the center", "Look at the image"
            )
    low, high = np.nanmin(planes, (1, 2)), np.nanmax(planes, (1, 2))
    each = bool(((low == 0) & (high == 1)).all())
    if each or (low.min() == 0 and high.max() == 1):
        raise ImageError(
            Status.KIND,
            "It was scaled to 0..1, so a count has no magnitude",
            "Give the linear flux",
        )


def _host(shape: HostShape, size: tuple[int, ...], scale: float) -> Host:
    """Return the host in arcsec from the middle; one that is not seen is round and in the middle."""
    if math.isnan(shape.x):
        return Host(0.0, 0.0, 0.8, 0.0, math.nan)
    return Host(
        (shape.x - (size[1] - 1) / 2) * scale,
        (shape.y - (size[0] - 1) / 2) * scale,
        shape.axis_ratio,
        shape.angle_rad,
        math.nan,
    )


def _with_host_light(sight: Sight, plan: InjectionPlan) -> Sight:
    """Add the host's magnitudes, and the redshift at which a red galaxy has its colors."""
    inner = _magnitudes(sight, COLOR_APERTURE_ARCSEC)
    guessed = guess_redshift(dict(zip(plan.bands, inner.tolist(), strict=True)))
    return replace(
        sight,
        host=sight.host._replace(redshift=guessed),
        host_ab=_magnitudes(sight, HOST_APERTURE_ARCSEC),
    )


def _magnitudes(sight: Sight, radius_arcsec: float) -> PerBand:
    y, x = (
        (np.arange(side) - (side - 1) / 2) * sight.pixel_scale_arcsec - place
        for side, place in zip(sight.shape, (sight.host.y_arcsec, sight.host.x_arcsec), strict=True)
    )
    inside = np.hypot(y[:, None], x[None, :]) <= radius_arcsec
    counts = np.where(inside, sight.above, 0).sum((1, 2), dtype=np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(counts > 0, sight.zero_point_ab - 2.5 * np.log10(counts), np.nan)
