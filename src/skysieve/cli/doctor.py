"""``skysieve doctor``: is everything here that finding needs?"""

from __future__ import annotations

import os
import platform
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

import typer

from skysieve.cli.show import AS_JSON, print_json, print_table
from skysieve.core.errors import SkysieveError

CORE = (
    "numpy", "scipy", "astropy", "pyarrow", "pydantic", "pillow", "scikit-learn", "matplotlib",
    "openvino", "onnx",
)  # fmt: skip
TRAIN = ("torch", "torchvision", "timm", "lightning", "torchmetrics", "caustics")
FAST = ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_bf16", "amx_int8", "asimd", "bf16")
"""What a processor may say of itself that decides how fast a network runs."""


@dataclass(frozen=True)
class Check:
    """One thing looked at.

    Args:
        name: What was looked at.
        found: What was found.
        ok: False if finding cannot work because of it.
    """

    name: str
    found: str
    ok: bool = True


def doctor(as_json: AS_JSON = False) -> None:
    """Check the installation: libraries, processor, memory, finders. Nothing leaves the machine."""
    checks = list(_checks())
    if as_json:
        print_json([asdict(check) for check in checks])
    else:
        print_table("skysieve doctor", [asdict(check) for check in checks])
    if not all(check.ok for check in checks):
        raise typer.Exit(3)


def _checks() -> Iterator[Check]:
    yield Check("skysieve", version("skysieve"))
    yield Check("python", platform.python_version(), ok=sys.version_info >= (3, 11))
    yield Check("system", f"{platform.system()} {platform.release()} {platform.machine()}")
    yield from map(_library, CORE)
    yield from _processor()
    yield from _finders()
    yield _training()
    yield _temporary_folder()
    yield Check("network", "not used, telemetry off")


def _library(name: str) -> Check:
    try:
        return Check(name, version(name))
    except PackageNotFoundError:
        return Check(name, "missing: install skysieve again", ok=False)


def _processor() -> Iterator[Check]:
    yield Check("cores", str(os.cpu_count()))
    yield Check("processor", ", ".join(_processor_features()) or "unknown")
    yield Check("memory", _memory())
    try:
        from skysieve.finder.runtime import cpu_precision, cpu_threads, runtime_name
    except ImportError as error:
        yield Check("runtime", f"cannot be loaded: {error}", ok=False)
        return
    yield Check("runtime", f"{runtime_name(cpu_precision())}, {cpu_threads()} threads")


def _processor_features() -> list[str]:
    """Return what /proc/cpuinfo lists of ``FAST``; nothing where there is no such file."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return []
    lines = (line for line in text.splitlines() if line.lower().startswith(("flags", "features")))
    words = set(next(lines, "").lower().split())
    return [feature for feature in FAST if feature in words]


def _memory() -> str:
    if not hasattr(os, "sysconf") or "SC_PHYS_PAGES" not in os.sysconf_names:
        return "unknown"
    total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return f"{total / 2**30:.1f} GiB"


def _finders() -> Iterator[Check]:
    from skysieve.finder.bundle import SHIPPED, verify

    folders = sorted(path.parent for path in SHIPPED.glob("*/finder.json"))
    if not folders:
        yield Check("finders", "none comes with this installation")
    for folder in folders:
        name = f"finder {folder.name}"
        try:
            card = verify(folder)
        except SkysieveError as error:
            yield Check(name, str(error), ok=False)
        else:
            yield Check(name, f"{card.version}, {len(card.files)} files as they were made")


def _training() -> Check:
    absent = [name for name in TRAIN if find_spec(name) is None]
    if not absent:
        return Check("training", "installed")
    return Check("training", "not installed (not needed to find): pip install 'skysieve[train]'")


def _temporary_folder() -> Check:
    try:
        with tempfile.TemporaryFile() as file:
            file.write(b"skysieve")
    except OSError as error:
        return Check("temporary files", f"cannot be written: {error.strerror}", ok=False)
    return Check("temporary files", f"can be written in {tempfile.gettempdir()}")
