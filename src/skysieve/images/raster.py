"""Pictures: PNG, JPEG and TIFF."""

from __future__ import annotations

import threading
import warnings
from io import BytesIO
from typing import BinaryIO

import numpy as np
from jaxtyping import Float32, Num, UInt8
from PIL import Image, UnidentifiedImageError

from skysieve.core.scores import Status
from skysieve.core.survey import PixelKind
from skysieve.images.opening import open_regular
from skysieve.images.sources import (
    COLOR,
    MAX_PLANE_PIXELS,
    Contents,
    ImageError,
    Piece,
    ReadOptions,
    Source,
    Stack,
    unnamed,
)

_FORMATS = ("PNG", "JPEG", "TIFF")
_COLOR_MODES = ("RGB", "RGBA", "P", "PA", "RGBX", "YCbCr")
_GRAY_MODES = ("L", "LA", "1")
_DEEP_MODES = ("I", "I;16", "I;16B", "I;16L", "F")
_AGAIN = "Copy or download it again"
_warnings_lock = threading.Lock()  # catch_warnings changes the whole process, one thread at a time


def inspect(path: str, bands: tuple[str, ...] | None, options: ReadOptions) -> Contents:
    """Return what is known of a picture without opening it: it is one row.

    Args:
        path: The file.
        bands: The three bands, red first, that its name spells, if it does.
        options: What the user said.
    """
    del path
    return Contents(bands=options.bands or bands)


def load(source: Source, rows: range, options: ReadOptions) -> list[Piece]:
    """Read a picture; transparency is dropped, values of 16 bits and more are flux.

    Raises:
        ImageError: It is no picture of a usable size and kind.
    """
    with open_regular(source.paths[0]) as file:
        pixels, names, kind = decode(file, source.bands, options)
    return [Stack(rows=rows, pixels=pixels[None], bands=names, kind=kind)]


def decode(
    file: BinaryIO | BytesIO, spelled: tuple[str, ...] | None, options: ReadOptions
) -> tuple[Num[np.ndarray, "band y x"], tuple[str, ...], PixelKind]:
    """Return the planes of an encoded picture, their names, and what their values mean.

    Args:
        file: An open PNG, JPEG or TIFF.
        spelled: The three bands, red first, that its name spells, if it does.
        options: What the user said.

    Raises:
        ImageError: It is no picture of a usable size and kind.
    """
    try:
        pixels = _decoded(file)
    except (ImageError, MemoryError):
        raise
    except UnidentifiedImageError:
        raise ImageError(
            Status.UNREADABLE, "It is not a PNG, JPEG or TIFF that Pillow can read", _AGAIN
        ) from None
    except Exception as error:  # noqa: BLE001  # decoders raise many kinds on damaged files
        reason = str(error).splitlines()[0][:120].rstrip(".") if str(error) else "unknown"
        cut = "truncated" in reason.lower() or isinstance(error, EOFError)
        status = Status.TRUNCATED if cut else Status.UNREADABLE
        raise ImageError(status, f"It cannot be decoded ({reason})", _AGAIN) from None
    names = _plane_names(pixels.shape[0], spelled, options)
    return pixels, names, "display" if pixels.dtype == np.uint8 else "flux"


def _plane_names(
    count: int, spelled: tuple[str, ...] | None, options: ReadOptions
) -> tuple[str, ...]:
    names = options.bands or spelled
    if options.bands is not None and len(options.bands) != count:
        raise ImageError(
            Status.BANDS,
            f"It has {count} plane{'s'[: count != 1]} but {len(options.bands)} bands were named",
            "Name one band per plane",
        )
    if names is not None and len(names) == count:
        return names
    return COLOR if count == 3 else unnamed(count)


def _decoded(
    file: BinaryIO | BytesIO,
) -> UInt8[np.ndarray, "band y x"] | Float32[np.ndarray, "band y x"]:
    with _warnings_lock, warnings.catch_warnings():
        warnings.simplefilter("error")  # Pillow only warns of very large pictures
        picture = Image.open(file, formats=_FORMATS)
    with picture:
        _check(picture)
        if picture.mode in _DEEP_MODES:
            return np.asarray(picture).astype(np.float32)[None]
        wanted = "RGB" if picture.mode in _COLOR_MODES else "L"
        shown = picture if picture.mode == wanted else _flat(picture, wanted)
        pixels = np.asarray(shown)
    return pixels[None] if pixels.ndim == 2 else np.ascontiguousarray(pixels.transpose(2, 0, 1))


def _flat(picture: Image.Image, wanted: str) -> Image.Image:
    """Drop transparency, or look up a palette."""
    if picture.mode == "P" and "transparency" in picture.info:
        picture = picture.convert("RGBA")
    return picture.convert(wanted)


def _check(picture: Image.Image) -> None:
    width, height = picture.size
    if width * height > MAX_PLANE_PIXELS:
        raise ImageError(
            Status.BAD_SHAPE, f"It is {width:,} x {height:,} px", "Cut it into cutouts first"
        )
    if picture.mode not in _COLOR_MODES + _GRAY_MODES + _DEEP_MODES:
        raise ImageError(
            Status.BAD_SHAPE, f"Its color mode is {picture.mode}", "Save it as RGB or gray"
        )
    frames = getattr(picture, "n_frames", 1)
    if frames > 1:
        raise ImageError(
            Status.BAD_SHAPE, f"It holds {frames} pictures", "Save each picture in its own file"
        )
