"""Write the tables of docs/camera.md: ``python docs/write_camera.py``.

A test compares the page with what this script would write, so it cannot go stale.
"""

from __future__ import annotations

from pathlib import Path

from skysieve.core.survey import SURVEYS

PAGE = Path(__file__).parent / "camera.md"
BANDS = """\
| survey | band | pixel (arcsec) | PSF FWHM (arcsec) | sky noise of a pixel (AB) | exposures (s) | one electron/s (AB) |
|---|---|---|---|---|---|---|"""
CAMERAS = """\
| survey | one count (AB) | read noise (e) | gain (e/ADU) | full (e) | source |
|---|---|---|---|---|---|"""


def write_tables() -> str:
    """Return the table of all bands of all surveys, and of the cameras behind them."""
    bands, cameras = [BANDS], [CAMERAS]
    for camera in sorted(SURVEYS.values(), key=lambda camera: camera.name):
        bands += [
            f"| `{camera.name}` | {band.name} | {camera.pixel_scale_arcsec:g} "
            f"| {band.psf_fwhm_arcsec:g} | {band.sky_noise_ab:.2f} "
            f"| {band.exposures} x {band.exposure_s:g} | {band.electron_zero_point_ab:g} |"
            for band in camera.bands
        ]
        cameras.append(
            f"| `{camera.name}` | {camera.zero_point_ab:g} | {camera.read_noise_electrons:g} "
            f"| {_known(camera.gain_electrons)} | {_known(camera.saturation_electrons)} "
            f"| {camera.source} |"
        )
    return "\n".join([*bands, "", *cameras])


def _known(value: float | None) -> str:
    return "" if value is None else f"{value:,g}" if value < 1000 else f"{value:,.0f}"


def with_tables(page: str) -> str:
    """Return the page with its tables written anew, between their marks."""
    before, _, rest = page.partition("<!-- tables -->\n")
    _, _, after = rest.partition("<!-- end of tables -->")
    return f"{before}<!-- tables -->\n{write_tables()}\n<!-- end of tables -->{after}"


if __name__ == "__main__":
    PAGE.write_text(with_tables(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    print(f"wrote {PAGE}")
