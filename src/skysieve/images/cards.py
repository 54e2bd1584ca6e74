"""FITS headers, read strictly and without allocating what they claim.

References:
    Pence et al. 2010, A&A 524, A42 (FITS standard 3.0).
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass

from skysieve.core.scores import Status
from skysieve.images.opening import ReadableBytes
from skysieve.images.sources import MAX_UNPACKED_BYTES, ImageError

BLOCK = 2880
MAX_BLOCKS = 80
"""The most blocks of a header that are read: 2,880 cards."""

MAX_HDUS = 10_000
BITPIX = {8: ">u1", 16: ">i2", 32: ">i4", 64: ">i8", -32: ">f4", -64: ">f8"}

Value = str | int | float | bool

_END = b"END" + b" " * 77
_KEPT = re.compile(
    rb"SIMPLE|XTENSION|Z?BITPIX|Z?NAXIS\d{0,3}|[PG]COUNT|GROUPS|BSCALE|BZERO|BLANK|EXTNAME|FILTER"
    rb"|BAND|PIXSCALE|SECPIX|ZIMAGE|DATASUM|C(?:TYPE|RVAL|RPIX|DELT|ROTA|UNIT)[12]|CD[12]_[12]"
    rb"|PC[12]_[12]|PC00[12]00[12]|RADE(?:CSYS|SYS)|EQUINOX|L(?:ON|AT)POLE|PV\d_\d+|[AB]_ORDER"
)
_CARD = re.compile(rb"= *(?:'((?:[^']|'')*)'|([^/ ][^/]*))")


@dataclass(frozen=True, eq=False, kw_only=True)
class Hdu:
    """One header of a FITS file, and where its data lie.

    Args:
        index: Its number in the file, from 0.
        cards: The keywords that reading images needs.
        raw: The header as it stands in the file.
        shape: Axes of the image, slowest first, without leading axes of length 1; empty if the
            unit holds no image.
        bitpix: Number type, as in FITS.
        offset: Where the data begin, in bytes.
        n_bytes: Size of the data, without padding.
        compressed: Whether the image is tile-compressed.
    """

    index: int
    cards: dict[str, Value]
    raw: bytes
    shape: tuple[int, ...]
    bitpix: int
    offset: int
    n_bytes: int
    compressed: bool

    @property
    def name(self) -> str:
        """Its EXTNAME; empty if it has none."""
        return str(self.cards.get("EXTNAME", "")).strip()

    @property
    def is_table(self) -> bool:
        """Whether it holds a table and no image."""
        return "TABLE" in str(self.cards.get("XTENSION", "")) and not self.compressed


def read_hdus(file: ReadableBytes, size: int | None) -> Iterator[Hdu]:
    """Yield the headers of a FITS file; the data are skipped, not read.

    Args:
        file: The file, unpacked if it was packed.
        size: Its size in bytes; None if only reading to its end would tell.

    Raises:
        ImageError: It is no FITS file, or a header is cut or claims what cannot be.
    """
    offset = 0
    for index in range(MAX_HDUS):
        raw = _header(file, offset, first=index == 0)
        if raw is None:
            return
        hdu = _hdu(index, raw, offset + len(raw))
        yield hdu
        offset = hdu.offset + -(-hdu.n_bytes // BLOCK) * BLOCK
        if offset >= (MAX_UNPACKED_BYTES if size is None else size):
            return
    raise ImageError(Status.BAD_SHAPE, f"It has more than {MAX_HDUS:,} extensions", "Split it")


def _header(file: ReadableBytes, offset: int, *, first: bool) -> bytes | None:
    """Return a whole header; None where the last unit of the file has been passed."""
    file.seek(offset)
    begin = b"SIMPLE  =" if first else b"XTENSION="
    raw = b""
    for _ in range(MAX_BLOCKS):
        block = file.read(BLOCK)
        if not raw and not block.startswith(begin):
            if first:
                raise ImageError(*_not_fits(block))
            return None  # what follows the last unit is no part of the file
        raw += block
        if len(block) < BLOCK:
            raise ImageError(
                Status.TRUNCATED, "It ends within a header", "Copy or download it again"
            )
        if any(block[k : k + 80] == _END for k in range(0, BLOCK, 80)):
            return raw
    raise ImageError(
        Status.UNREADABLE,
        f"Its header has no END within {MAX_BLOCKS * 36:,} cards",
        "Write it again with a shorter header",
    )


def _not_fits(block: bytes) -> tuple[Status, str, str]:
    again = "Copy or download it again"
    if not block:
        return Status.UNREADABLE, "It is empty", again
    if b"<html" in block[:1000].lower() or block.lstrip().startswith(b"<"):
        return Status.UNREADABLE, "It is a web page, not FITS", "Download it again"
    return Status.UNREADABLE, "It is not a FITS file (no SIMPLE card)", again


def _hdu(index: int, raw: bytes, offset: int) -> Hdu:
    if not raw.isascii():
        raise ImageError(
            Status.UNREADABLE, "Its header holds characters other than ASCII", "Write it again"
        )
    cards = _cards(raw)
    bitpix, axes = _claimed(cards, "")
    if bitpix not in BITPIX:
        raise ImageError(Status.UNREADABLE, f"Its BITPIX is {bitpix}", "Write it again")
    groups = cards.get("GROUPS") is True and axes[-1:] == (0,)
    pixels = math.prod(axes[:-1]) if groups else math.prod(axes) if axes else 0
    counts = [_whole(cards, "GCOUNT", 1), _whole(cards, "PCOUNT", 0)]
    compressed = cards.get("ZIMAGE") is True
    shape: tuple[int, ...] = ()
    if compressed:
        bitpix, shape = _claimed(cards, "Z")
    elif not groups and "TABLE" not in str(cards.get("XTENSION", "")) and pixels:
        shape = axes
    while len(shape) > 2 and shape[0] == 1:
        shape = shape[1:]
    return Hdu(
        index=index,
        cards=cards,
        raw=raw,
        shape=shape,
        bitpix=bitpix,
        offset=offset,
        n_bytes=abs(_whole(cards, "BITPIX", 8)) // 8 * counts[0] * (counts[1] + pixels),
        compressed=compressed,
    )


def _cards(raw: bytes) -> dict[str, Value]:
    cards: dict[str, Value] = {}
    for start in range(0, len(raw), 80):
        key = raw[start : start + 8].rstrip()
        if _KEPT.fullmatch(key):
            match = _CARD.match(raw, start + 8, start + 80)
            if match:
                cards.setdefault(key.decode(), _value(match))
    return cards


def _value(match: re.Match[bytes]) -> Value:
    if match.group(1) is not None:
        return match.group(1).decode().replace("''", "'").rstrip()
    text = match.group(2).decode().strip()
    if text in ("T", "F"):
        return text == "T"
    for number in (int, float):
        try:
            return number(text.replace("D", "E"))
        except ValueError:
            continue
    return text


def _claimed(cards: dict[str, Value], prefix: str) -> tuple[int, tuple[int, ...]]:
    """Return BITPIX and the axes, slowest first, that a header claims."""
    n_axes = _whole(cards, f"{prefix}NAXIS", None)
    if not 0 <= n_axes <= 8:
        raise ImageError(Status.BAD_SHAPE, f"Its {prefix}NAXIS is {n_axes}", "Give images or cubes")
    axes = [_whole(cards, f"{prefix}NAXIS{k}", None) for k in range(n_axes, 0, -1)]
    if any(axis < 0 for axis in axes):
        raise ImageError(Status.BAD_SHAPE, f"Its axes are {axes[::-1]} px long", "Write it again")
    return _whole(cards, f"{prefix}BITPIX", None), tuple(axes)


def _whole(cards: dict[str, Value], key: str, default: int | None) -> int:
    value = cards.get(key, default)
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    what = f"{key} is missing" if value is None else f"{key} is {value}, not a whole number"
    status = Status.UNREADABLE if value is None else Status.BAD_SHAPE
    raise ImageError(status, f"Its header is damaged: {what}", "Write it again")
