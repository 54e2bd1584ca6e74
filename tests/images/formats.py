"""The same cutouts written in every format that keeps flux, for tests of all readers."""

from __future__ import annotations

import gzip
import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
from astropy.io import fits

from skysieve.core.cutouts import Cutouts
from skysieve.core.inputs import InputSpec
from skysieve.images import ReadOptions, Row, read_span, scan, write_shard

BANDS = ("g", "r", "i")
SPEC = InputSpec(
    bands=BANDS,
    kind="either",
    pixel_scale_arcsec=0.187,
    pixel_scale_range_arcsec=(0.14, 0.28),
    min_side=64,
    max_side=128,
    side_step=16,
)


def sky(n: int = 3, side: int = 64, bands: int = 3) -> np.ndarray:
    """Return cutouts of noise with one source, the same each time."""
    rng = np.random.default_rng(7)
    y, x = np.mgrid[:side, :side] - side / 2
    source = 50 * np.exp(-(x**2 + y**2) / 20)
    return (rng.normal(size=(n, bands, side, side)) + source).astype(np.float32)


def row_of(path: Path, **options: object) -> Row:
    """Return the one row of a file."""
    listing = scan(path, ReadOptions.model_validate(options))
    rows = read_span(listing, 0, listing.n_rows, SPEC).rows
    assert len(rows) == listing.n_rows == 1
    return rows[0]


def _fits_per_band(folder: Path, pixels: np.ndarray) -> None:
    for k, cutout in enumerate(pixels):
        for band, plane in zip(BANDS, cutout, strict=True):
            fits.PrimaryHDU(plane).writeto(folder / f"obj{k}_{band}.fits")


def _fits_band_folders(folder: Path, pixels: np.ndarray) -> None:
    for k, cutout in enumerate(pixels):
        for band, plane in zip(BANDS, cutout, strict=True):
            (folder / band).mkdir(exist_ok=True)
            fits.PrimaryHDU(plane).writeto(folder / band / f"obj{k}.fits")


def _fits_extensions(folder: Path, pixels: np.ndarray) -> None:
    for k, cutout in enumerate(pixels):
        planes = [fits.ImageHDU(cutout[b], name=f"HSC-{BANDS[b]}") for b in (2, 0, 1)]
        mask = fits.ImageHDU(np.ones((64, 64), np.int32), name="MASK")
        fits.HDUList([fits.PrimaryHDU(), *planes, mask]).writeto(folder / f"obj{k}.fits")


def _fits_cube(folder: Path, pixels: np.ndarray) -> None:
    for k, cutout in enumerate(pixels):
        fits.PrimaryHDU(cutout).writeto(folder / f"obj{k}.fits", checksum=True)


def _fits_packed(folder: Path, pixels: np.ndarray) -> None:
    for k, cutout in enumerate(pixels):
        whole = io.BytesIO()
        fits.PrimaryHDU(cutout).writeto(whole)
        (folder / f"obj{k}.fits.gz").write_bytes(gzip.compress(whole.getvalue()))


def _fits_tiles(folder: Path, pixels: np.ndarray) -> None:
    for k, cutout in enumerate(pixels):
        planes = [
            fits.CompImageHDU(plane, name=band, compression_type="GZIP_2", quantize_level=0)
            for band, plane in zip(BANDS, cutout, strict=True)
        ]
        fits.HDUList([fits.PrimaryHDU(), *planes]).writeto(folder / f"obj{k}.fits.fz")


def _fits_scaled(folder: Path, pixels: np.ndarray) -> None:
    """Write whole numbers with BZERO, as cameras do; astropy writes uint16 so."""
    for k, cutout in enumerate(pixels):
        fits.PrimaryHDU(cutout.astype(np.uint16)).writeto(folder / f"obj{k}.fits")


def _fits_rows(folder: Path, pixels: np.ndarray) -> None:
    (folder / "obj").mkdir()
    for b, band in enumerate(BANDS):
        fits.PrimaryHDU(pixels[:, b]).writeto(folder / "obj" / f"{band}.fits")


def _npy_each(folder: Path, pixels: np.ndarray) -> None:
    for k, cutout in enumerate(pixels):
        np.save(folder / f"obj{k}.npy", cutout)


def _npy_band_last(folder: Path, pixels: np.ndarray) -> None:
    for k, cutout in enumerate(pixels):
        np.save(folder / f"obj{k}.npy", np.moveaxis(cutout, 0, -1))


def _npy_stack(folder: Path, pixels: np.ndarray) -> None:
    np.save(folder / "obj.npy", pixels)


def _npy_fortran(folder: Path, pixels: np.ndarray) -> None:
    np.save(folder / "obj.npy", np.asfortranarray(pixels))


def _npy_big_endian(folder: Path, pixels: np.ndarray) -> None:
    np.save(folder / "obj.npy", pixels.astype(">f8"))


def _npz_stack(folder: Path, pixels: np.ndarray) -> None:
    np.savez_compressed(folder / "obj.npz", images=pixels, filters=BANDS, psf=np.ones((3, 9, 9)))


def _npz_bands(folder: Path, pixels: np.ndarray) -> None:
    planes = {band: pixels[:, b] for b, band in reversed(list(enumerate(BANDS)))}
    np.savez(folder / "obj.npz", **planes)


def _shard(folder: Path, pixels: np.ndarray) -> None:
    ids = tuple(f"obj{k}" for k in range(len(pixels)))
    write_shard(folder / "any.parquet", Cutouts(ids=ids, pixels=pixels, bands=BANDS))


WRITERS: dict[str, Callable[[Path, np.ndarray], None]] = {
    writer.__name__.strip("_"): writer
    for writer in (
        _fits_per_band,
        _fits_band_folders,
        _fits_extensions,
        _fits_cube,
        _fits_packed,
        _fits_tiles,
        _fits_scaled,
        _fits_rows,
        _npy_each,
        _npy_band_last,
        _npy_stack,
        _npy_fortran,
        _npy_big_endian,
        _npz_stack,
        _npz_bands,
        _shard,
    )
}
