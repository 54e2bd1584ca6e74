"""Images: reading them from any file, and fitting them to what a finder wants."""

from skysieve.images.fitting import Fitted, fit
from skysieve.images.open import could_have, describe_bands, known_bands, read
from skysieve.images.scanning import scan
from skysieve.images.shards import write_shard
from skysieve.images.sources import Group, ImageError, Listing, Reading, ReadOptions, Row, Source
from skysieve.images.spans import read_span

__all__ = [
    "Fitted",
    "Group",
    "ImageError",
    "Listing",
    "ReadOptions",
    "Reading",
    "Row",
    "Source",
    "could_have",
    "describe_bands",
    "fit",
    "known_bands",
    "read",
    "read_span",
    "scan",
    "write_shard",
]
