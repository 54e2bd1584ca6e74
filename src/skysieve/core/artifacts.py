"""What can be wrong with a pixel, as bits of a mask."""

from __future__ import annotations

from enum import IntFlag


class Artifact(IntFlag):
    """Kinds of artifact; a mask pixel holds the sum of those that touch it.

    The numbers are stored in files, so they never change; a new kind takes the next power of two.
    """

    COSMIC_RAY = 1
    TRAIL = 2
    BLEED = 4
    CHIP_GAP = 8
    GHOST = 16
    HOT_PIXEL = 32
    DEAD_PIXEL = 64
    MISSING_BAND = 128
    HOLE = 256
