"""Fitting cutouts to what a finder wants, and saying what was done."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, Num

from skysieve.core.inputs import InputSpec
from skysieve.core.scores import Status
from skysieve.core.survey import BANDS_BLUE_TO_RED, PixelKind
from skysieve.images.names import by_wavelength
from skysieve.images.resampling import resample
from skysieve.images.sentinels import mark_no_data
from skysieve.images.sources import COLOR, ImageError, are_unnamed

SMALLEST_FRACTION = 0.25
"""A cutout shorter than this part of the finder's smallest side is too small to judge."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Fitted:
    """One cutout as a finder wants it, or the reason why it cannot be.

    Args:
        pixels: In the finder's band order, square; None unless the status is ``ok``.
        flags: What was assumed or done, sorted.
        status: ``ok``, or why it cannot be scored.
        message: What is wrong and what to do; empty if nothing is.
    """

    pixels: Float32[np.ndarray, "band side side"] | None
    flags: tuple[str, ...]
    status: Status
    message: str


@dataclass(frozen=True, eq=False, kw_only=True)
class FittedStack:
    """Cutouts of one size as a finder wants them.

    Args:
        pixels: All of them, also those whose status is not ``ok``.
        flags: Of each.
        status: Of each.
        messages: Of each.
    """

    pixels: Float32[np.ndarray, "n band side side"]
    flags: tuple[tuple[str, ...], ...]
    status: tuple[Status, ...]
    messages: tuple[str, ...]


def fit(
    pixels: Num[np.ndarray, "band y x"],
    bands: tuple[str, ...],
    kind: PixelKind,
    pixel_scale_arcsec: float | None,
    spec: InputSpec,
    *,
    mask_value: float | None = None,
) -> Fitted:
    """Fit one cutout to what a finder wants.

    Args:
        pixels: Flux or display values; NaN where there is no data.
        bands: Names of its planes; ``COLOR`` for a color picture, ``1, 2, ...`` if unnamed.
        kind: What the values are.
        pixel_scale_arcsec: Size of a pixel; None if unknown.
        spec: What the finder wants.
        mask_value: Pixels of this value hold no data.
    """
    try:
        stack = fit_stack(
            pixels[None], bands, kind, pixel_scale_arcsec, spec, mask_value=mask_value
        )
    except ImageError as error:
        return Fitted(pixels=None, flags=(), status=error.status, message=str(error))
    return Fitted(
        pixels=stack.pixels[0] if stack.status[0] is Status.OK else None,
        flags=stack.flags[0],
        status=stack.status[0],
        message=stack.messages[0],
    )


def fit_stack(
    pixels: Num[np.ndarray, "n band y x"],
    bands: tuple[str, ...],
    kind: PixelKind,
    pixel_scale_arcsec: float | None,
    spec: InputSpec,
    *,
    mask_value: float | None = None,
) -> FittedStack:
    """Fit cutouts of one size to what a finder wants; see ``fit``.

    Raises:
        ImageError: None of them can be: wrong bands, kind or size.
    """
    planes, assumed = choose_bands(bands, spec.bands)
    _check_kind(kind, spec)
    if planes != list(range(pixels.shape[1])):
        pixels = pixels[:, planes]
    zoom = _zoom(pixel_scale_arcsec, spec)
    pixels, done = _cropped(pixels, zoom, spec)
    pixels, marked = _as_flux(pixels, mask_value)
    if zoom != 1:
        pixels = resample(pixels, zoom, spec.max_side)
    _check_side(pixels.shape[2:], zoom, spec)
    gaps = np.asarray(np.isnan(pixels).any(axis=(1, 2, 3)))
    status, messages = _judge(pixels, spec)
    side = spec.side(*pixels.shape[2:])
    if pixels.shape[2:] != (side, side):
        pixels = _padded(pixels, side)
        done |= {"padded"}
    common = assumed | done | ({"scale_assumed"} if pixel_scale_arcsec is None else set())
    own = (("masked", gaps), ("mask_value", marked))
    flags = [common | {name for name, has in own if bool(has[k])} for k in range(len(pixels))]
    return FittedStack(
        pixels=pixels,
        flags=tuple(tuple(sorted(each)) for each in flags),
        status=status,
        messages=messages,
    )


def choose_bands(have: tuple[str, ...], want: tuple[str, ...]) -> tuple[list[int], set[str]]:
    """Return the plane of each wanted band, and what was assumed to find it.

    Raises:
        ImageError: A wanted band is not there, or it is not clear which plane it is.
    """
    if set(want) <= set(have):
        return [have.index(band) for band in want], {"extra_bands"} if len(have) > len(
            want
        ) else set()
    if have == COLOR:
        if len(want) != 3:
            raise ImageError(
                Status.BANDS,
                f"It is a color picture, but the finder wants {_told(want)}",
                "Give the band's own image, or name the picture's bands (--bands, red first)",
            )
        blue_first = by_wavelength(want) if set(want) <= set(BANDS_BLUE_TO_RED) else want
        return [2 - blue_first.index(band) for band in want], {"rgb"}
    if are_unnamed(have):
        if len(have) == len(want):
            return list(range(len(want))), {"bands_assumed"}
        raise ImageError(
            Status.BANDS,
            f"It has {len(have)} unnamed plane{'s'[: len(have) != 1]}, but the finder wants "
            f"{_told(want)}",
            "Name the planes in their order (--bands)"
            if len(have) > 1
            else "Put the band in the file's name (ID_g.fits, ID_r.fits), or use another finder",
        )
    missing = tuple(band for band in want if band not in have)
    lacks = f": {_told(missing)} {'is' if len(missing) == 1 else 'are'} missing"
    raise ImageError(
        Status.BANDS,
        f"It has {_told(have)}, but the finder wants {_told(want)}"
        + (lacks if len(missing) < len(want) else ""),
        "Add what is missing, or use a finder of the bands there are",
    )


def _told(bands: tuple[str, ...]) -> str:
    return ", ".join(bands)


def _check_kind(kind: PixelKind, spec: InputSpec) -> None:
    if spec.kind not in ("either", kind):
        words = {"flux": "linear flux", "display": "pictures stretched for display"}
        raise ImageError(
            Status.KIND,
            f"It holds {words[kind]}, but the finder wants {words[spec.kind]}",
            "Say so if it does not (--kind), or use a finder that takes it",
        )


def _zoom(pixel_scale_arcsec: float | None, spec: InputSpec) -> float:
    """Return the old pixel size over the new; 1 where the pixels stay as they are."""
    low, high = spec.pixel_scale_range_arcsec
    # A scale from a WCS misses the nominal one in the fifth digit.
    if pixel_scale_arcsec is None or low * 0.9999 <= pixel_scale_arcsec <= high * 1.0001:
        return 1
    return pixel_scale_arcsec / spec.pixel_scale_arcsec


def _cropped(
    pixels: Num[np.ndarray, "n band y x"], zoom: float, spec: InputSpec
) -> tuple[Num[np.ndarray, "n band v u"], set[str]]:
    """Cut away what lies outside the finder's largest field, about the same center."""
    done = {"resampled"} if zoom != 1 else set()
    cut = [slice(None), slice(None)]
    for size in pixels.shape[2:]:
        keep = min(size, math.ceil(spec.max_side / zoom))
        if zoom != 1 and (size - keep) % 2:
            keep += 1  # half a pixel more keeps the center; resampling cuts the rest
        cut.append(slice((size - keep) // 2, (size - keep) // 2 + keep))
        if round(size * zoom) > spec.max_side:
            done = done | {"cropped"}
    return pixels[tuple(cut)], done


def _as_flux(
    pixels: Num[np.ndarray, "n band y x"], mask_value: float | None
) -> tuple[Float32[np.ndarray, "n band y x"], Bool[np.ndarray, " n"]]:
    if pixels.dtype != np.uint8:
        return mark_no_data(pixels.astype(np.float32, copy=False), mask_value)
    shown = pixels.astype(np.float32)
    if mask_value is None:
        return shown, np.zeros(len(pixels), bool)
    marked = shown == mask_value
    shown[marked] = np.nan
    return shown, marked.any(axis=(1, 2, 3))


def _check_side(sides: tuple[int, ...], zoom: float, spec: InputSpec) -> None:
    least = math.ceil(spec.min_side * SMALLEST_FRACTION)
    if min(sides) >= least:
        return
    on = "" if zoom == 1 else f" at {spec.pixel_scale_arcsec} arcsec a pixel"
    raise ImageError(
        Status.BAD_SHAPE,
        f"It is {sides[1]} x {sides[0]} px{on}; the finder needs at least {least}",
        "Give a larger cutout",
    )


def _judge(
    pixels: Float32[np.ndarray, "n band y x"], spec: InputSpec
) -> tuple[tuple[Status, ...], tuple[str, ...]]:
    """Say of each cutout whether there is enough to see in the central half of each band."""
    height, width = pixels.shape[2:]
    center = pixels[:, :, height // 4 : height - height // 4, width // 4 : width - width // 4]
    share = np.isfinite(center).mean(axis=(2, 3))
    flat = np.fmax.reduce(center, axis=(2, 3)) == np.fmin.reduce(center, axis=(2, 3))
    status = [Status.OK] * len(pixels)
    messages = [""] * len(pixels)
    for k, band in np.argwhere(flat)[::-1]:
        status[k] = Status.EMPTY
        messages[k] = f"Band {spec.bands[band]} is constant near the center. Look at the image."
    for k, band in np.argwhere(share < spec.min_valid_fraction)[::-1]:
        status[k] = Status.NONFINITE
        messages[k] = (
            f"Only {share[k, band]:.0%} of band {spec.bands[band]} near the center holds data. "
            "Look at the image; it may lie at the edge of the survey."
        )
    return tuple(status), tuple(messages)


def _padded(
    pixels: Float32[np.ndarray, "n band y x"], side: int
) -> Float32[np.ndarray, "n band side side"]:
    padded = np.full((*pixels.shape[:2], side, side), np.nan, np.float32)
    height, width = pixels.shape[2:]
    top, left = (side - height) // 2, (side - width) // 2
    padded[:, :, top : top + height, left : left + width] = pixels
    return padded
