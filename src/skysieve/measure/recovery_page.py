# pyright: standard
"""What ``skysieve recover`` leaves: page, numbers, table, figures, and the selection function."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

from skysieve.core.files import whole_file, write_text
from skysieve.measure.html import render
from skysieve.measure.intervals import LEVEL
from skysieve.measure.plotting import save_figure
from skysieve.measure.recovery import Recovery
from skysieve.measure.recovery_figures import draw_axes, draw_map
from skysieve.measure.selection import SELECTION
from skysieve.measure.trials import AXES

HTML, JSON, TABLE = "recovery.html", "recovery.json", "completeness.ecsv"
OF_THE_SOURCE = ("source_ab", "color")
UNITS = {
    "einstein_radius": "arcsec",
    "psf_fwhm": "arcsec",
    "source_magnitude": "mag",
    "color": "mag",
}


def write_recovery(folder: Path, found: Recovery) -> tuple[Path, Path]:
    """Write everything into a folder, which must exist, and return the page and its numbers.

    Args:
        folder: Where to write.
        found: What to show.
    """
    source = [name for name in found.bins if name in OF_THE_SOURCE]
    lens = [name for name in found.bins if name not in source]
    figures = {"axes": _embed(save_figure(draw_axes(found, lens), folder / "completeness")[1])}
    if source:
        drawn = draw_axes(found, source)
        figures["source"] = _embed(save_figure(drawn, folder / "completeness-source")[1])
    if found.selection is None:
        (folder / SELECTION).unlink(missing_ok=True)
    else:
        figures["map"] = _embed(save_figure(draw_map(found), folder / "surface")[1])
        write_text(folder / SELECTION, found.selection.model_dump_json(indent=1) + "\n")
    write_table(folder / TABLE, found)
    page = render(
        "recovery.html.j2",
        found=found,
        told=found.as_json(),
        axes=AXES,
        figures=figures,
        level=LEVEL,
    )
    html, numbers = folder / HTML, folder / JSON
    write_text(html, page)
    write_text(numbers, json.dumps(found.as_json(), indent=2, allow_nan=False) + "\n")
    return html, numbers


def write_table(path: Path, found: Recovery) -> None:
    """Write completeness by Einstein radius and signal to noise as ECSV, with units and origin."""
    import astropy.table  # noqa: PLC0415  it takes a second to import

    library: Any = astropy.table  # it says nothing of its types
    table = library.Table(rows=[dict(cell) for cell in found.cells])
    for name in table.colnames:
        unit = next((unit for start, unit in UNITS.items() if name.startswith(start)), None)
        if unit:
            table[name].unit = unit
    asked = found.asked
    table.meta = {
        "about": "completeness of a finder by Einstein radius and signal to noise of the arcs",
        "finder": asked.finder,
        "finder_sha256": asked.finder_sha256,
        "images": asked.images,
        "data_sha256": asked.data_sha256,
        "seed": asked.seed,
        "threshold": found.threshold,
        "fpr": found.fpr,
        "n_negatives": len(found.trials.negative_p),
        "level": LEVEL,
        "intervals": "completeness: Wilson; surface: bootstrap by image, at the medians of a cell",
    }
    with whole_file(path) as temporary:
        table.write(temporary, format="ascii.ecsv")


def _embed(svg: Path) -> str:
    return "data:image/svg+xml;base64," + base64.b64encode(svg.read_bytes()).decode("ascii")
