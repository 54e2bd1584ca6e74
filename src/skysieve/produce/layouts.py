"""Layouts: how the images of a part become files, each whole or absent.

Whatever the layout, ``skysieve find`` and ``skysieve.read`` read the images back; the truth planes
are always Parquet shards in a folder of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32
from PIL import Image

from skysieve.core.cutouts import Cutouts
from skysieve.core.files import whole_file
from skysieve.images.names import label_in
from skysieve.images.shards import ShardType, write_shard
from skysieve.measure.pictures import color_picture
from skysieve.produce.plan import LayoutName
from skysieve.produce.rows import Rows
from skysieve.recipe.frames import Frame
from skysieve.simulate.scenario import Exposure

IMAGES, TRUTH = "images", "truth"
FLOAT16_MAX = 6e4
"""The brightest pixel of a truth plane, in counts at zero point 30; brighter ones are cut."""

Files = Iterator[tuple[str, Callable[[Path], object]]]
"""Names below the set's folder, and what writes each of them."""


def write_part(folder: Path, rows: Rows) -> None:
    """Write the images of a part, and their truth if the plan wants it."""
    files = list(LAYOUTS[rows.plan.layout](rows))
    if rows.plan.truth:
        files += _truth(rows)
    for name, write in files:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(path) as temporary:
            write(temporary)


def _framed(rows: Rows) -> Iterator[tuple[str, Frame, Exposure]]:
    """Give each frame with the folder that its images are in."""
    for frame, exposure in zip(rows.plan.scenario.frames, rows.batch.exposures, strict=True):
        yield f"{frame.name}/" if frame.name else "", frame, exposure


def _shelf(rows: Rows, k: int) -> str:
    """Return the folder of an image: its split, and its class unless the split is of one class."""
    split = rows.part.split
    return split if label_in((split,)) else f"{split}/{rows.classes[k]}"


# -------------------------------------------------------------------------------------- layouts


def _parquet(rows: Rows) -> Files:
    for place, frame, exposure in _framed(rows):
        kind: ShardType = "uint8" if frame.kind == "display" else "float32"
        cutouts = _cutouts(rows, frame, exposure.pixels, frame.bands)
        yield f"{IMAGES}/{place}{rows.part.name}.parquet", _shard(rows, cutouts, kind)


def _deeplense(rows: Rows) -> Files:
    pixels = rows.batch.exposures[0].pixels
    for k, name in enumerate(rows.ids):
        yield f"{IMAGES}/{_shelf(rows, k)}/{name}.npy", _npy(pixels[k])


def _png(rows: Rows) -> Files:
    for place, frame, exposure in _framed(rows):
        for k, name in enumerate(rows.ids):
            picture = color_picture(exposure.pixels[k], frame.kind, frame.bands)
            yield f"{IMAGES}/{place}{_shelf(rows, k)}/{name}.png", _picture(picture)


def _fits(rows: Rows) -> Files:
    for place, frame, exposure in _framed(rows):
        for k, name in enumerate(rows.ids):
            path = f"{IMAGES}/{place}{_shelf(rows, k)}/{name}.fits"
            yield path, _image(rows, k, frame, exposure)


LAYOUTS: dict[LayoutName, Callable[[Rows], Files]] = {
    "parquet": _parquet,
    "deeplense": _deeplense,
    "png": _png,
    "fits": _fits,
}


def _truth(rows: Rows) -> Files:
    for place, frame, exposure in _framed(rows):
        for name, planes in exposure.truth.items():
            bands = frame.bands if planes.shape[1] == len(frame.bands) else _numbered(name, planes)
            cut = np.clip(planes, -FLOAT16_MAX, FLOAT16_MAX)
            # What no pixel of float16 can hold is nothing: a thousandth of the sky's noise.
            cut = np.where(np.abs(cut).max((1, 2, 3), keepdims=True) < 1e-2, np.float32(0), cut)
            cutouts = _cutouts(rows, frame.model_copy(update={"kind": "flux"}), cut, bands)
            yield (
                f"{TRUTH}/{place}{name}/{rows.part.name}.parquet",
                _shard(rows, cutouts, "float16"),
            )


# ---------------------------------------------------------------------------------------- files


def _cutouts(
    rows: Rows, frame: Frame, pixels: Float32[np.ndarray, "n band y x"], bands: tuple[str, ...]
) -> Cutouts:
    return Cutouts(
        ids=rows.ids,
        pixels=pixels,
        bands=bands,
        kind=frame.kind,
        pixel_scale_arcsec=frame.pixel_scale_arcsec,
        ra_deg=rows.ra_deg,
        dec_deg=rows.dec_deg,
    )


def _numbered(name: str, planes: Float32[np.ndarray, "n plane y x"]) -> tuple[str, ...]:
    count = planes.shape[1]
    return (name,) if count == 1 else tuple(f"{name}{k + 1}" for k in range(count))


def _shard(rows: Rows, cutouts: Cutouts, dtype: ShardType) -> Callable[[Path], object]:
    labels = rows.batch.labels.astype(np.int8)
    return lambda path: write_shard(path, cutouts, dtype=dtype, labels=labels)


def _npy(pixels: Float32[np.ndarray, "band y x"]) -> Callable[[Path], object]:
    def write(path: Path) -> None:
        with path.open("wb") as file:  # np.save would add an ending to a name
            np.save(file, pixels, allow_pickle=False)

    return write


def _picture(picture: np.ndarray) -> Callable[[Path], object]:
    return lambda path: Image.fromarray(picture).save(path, format="PNG")


def _image(rows: Rows, k: int, frame: Frame, exposure: Exposure) -> Callable[[Path], object]:
    """Return what writes an image as FITS: an extension for each band, with a tangent plane."""

    def write(path: Path) -> None:
        from astropy.io import fits  # noqa: PLC0415  it takes a second, and one layout needs it

        primary = fits.PrimaryHDU()
        primary.header.update(_cards(rows, k))
        hdus: list[Any] = [primary]
        for band, plane in zip(frame.bands, exposure.pixels[k], strict=True):
            data = plane.astype(np.uint8) if frame.kind == "display" else plane
            hdu = fits.ImageHDU(data, name=band)
            hdu.header["FILTER"] = band
            hdu.header.update(_wcs(rows, k, frame))
            hdus.append(hdu)
        fits.HDUList(hdus).writeto(path)

    return write


def _cards(rows: Rows, k: int) -> dict[str, Any]:
    """Return what the first header says of an image."""
    plan = rows.plan
    facts = {"EINSTEIN": "einstein_radius_arcsec", "Z_LENS": "z_lens", "Z_SOURCE": "z_source"}
    cards: dict[str, Any] = {
        "OBJECT": (rows.ids[k], "name of the image"),
        "SIMULATE": (True, "simulated; the place means nothing"),
        "SCENARIO": (f"{plan.scenario.name} {plan.scenario.version}", "scenario and its version"),
        "SEED": (plan.seed, "seed of the set"),
        "CLASS": (rows.classes[k], "what it is"),
        "LABEL": (int(rows.batch.labels[k]), "number of its class"),
        "KIND": (rows.batch.kinds[k], "what it shows"),
    }
    for card, name in facts.items():
        value = rows.batch.facts[k].get(name)
        if value is not None:
            cards[card] = (round(float(value), 5), name)
    return cards


def _wcs(rows: Rows, k: int, frame: Frame) -> dict[str, Any]:
    """Return a tangent plane about the middle of the image, north up and east left."""
    degrees, middle = frame.pixel_scale_arcsec / 3600, (frame.side + 1) / 2
    zero = frame.zero_point_ab
    return {
        **({} if zero is None else {"MAGZERO": (zero, "AB magnitude of one count")}),
        "CTYPE1": "RA---TAN",
        "CTYPE2": "DEC--TAN",
        "CUNIT1": "deg",
        "CUNIT2": "deg",
        "CRPIX1": middle,
        "CRPIX2": middle,
        "CRVAL1": float(rows.ra_deg[k]),
        "CRVAL2": float(rows.dec_deg[k]),
        "CD1_1": -degrees,
        "CD1_2": 0.0,
        "CD2_1": 0.0,
        "CD2_2": degrees,
        "RADESYS": "ICRS",
    }
