"""Pages that need nothing else: no script, no address, no file."""

from __future__ import annotations

import base64
import io
import math
from typing import Any

import jinja2
import numpy as np
from PIL import Image

from skysieve.measure.sheets import Picture


def render(template: str, **values: Any) -> str:
    """Return a page from a template of this package."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("skysieve.measure", "."),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(  # pyright: ignore[reportUnknownMemberType]  jinja2 leaves it open
        count=show_count,
        number=show_number,
        probability=show_probability,
        degrees=show_degrees,
        value=show_value,
    )
    text = environment.get_template(template).render(**values)
    # A file name that is no UTF-8 arrives as lone surrogates, which no page can hold.
    return text.encode("utf-8", "replace").decode("utf-8")


def data_uri(picture: Picture, largest_side: int) -> str:
    """Return a picture as an address that holds it, made smaller if it is larger."""
    image = Image.fromarray(np.ascontiguousarray(picture))
    image.thumbnail((largest_side, largest_side))
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")


def show_count(value: int) -> str:
    """Return a count with its thousands set apart."""
    return f"{value:,}"


def show_number(value: float) -> str:
    """Return a metric with three digits after the point."""
    return f"{value:.3f}"


def show_value(value: float) -> str:
    """Return a pixel value with four digits."""
    if not math.isfinite(value):
        return "–"
    return f"{value:.4g}".replace("-", "\N{MINUS SIGN}")


def show_probability(value: Any) -> str:
    """Return a probability; one that only rounds to 0 or 1 is not shown as such."""
    if value is None or math.isnan(value):
        return "–"
    if 0 < value < 0.001:
        return "< 0.001"
    if 0.999 < value < 1:
        return "> 0.999"
    return f"{value:.3f}"


def show_degrees(value: Any) -> str | None:
    """Return a coordinate; None if it is not known."""
    return None if value is None or math.isnan(value) else f"{value:.5f}"
