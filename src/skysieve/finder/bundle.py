"""Finder bundles: a folder with a card, networks, and the hash of every file."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from skysieve.core.errors import InputError, MismatchError, MissingError
from skysieve.core.files import sha256_of, whole_file, write_text
from skysieve.finder.calibration import Platt
from skysieve.finder.card import FinderCard, Stage
from skysieve.finder.cascade import Finder
from skysieve.finder.runtime import Network, Precision, cpu_precision, cpu_threads

__all__ = [
    "FinderCard",
    "Platt",
    "Stage",
    "find_bundle",
    "list_finders",
    "load",
    "read_card",
    "save",
    "verify",
]

CARD = "finder.json"
SHIPPED = Path(__file__).resolve().parents[1] / "finders"
"""Where the finders that come with the package lie."""

_LARGEST_CARD_BYTES = 1_000_000
_FIRST_BATCH, _LATER_BATCH = 32, 8  # few rows reach a later stage: a large batch is mostly padding


def load(
    name_or_folder: str | Path,
    *,
    precision: Precision | None = None,
    threads: int | None = None,
) -> Finder:
    """Load a finder, after checking every file of its bundle.

    Args:
        name_or_folder: The name of a shipped finder, or the folder of a bundle.
        precision: Of the arithmetic; None takes bfloat16 where the processor has it.
        threads: How many cores to use; None takes all that this process may.

    Raises:
        MissingError: There is no such finder, or a file of the bundle is gone.
        InputError: The card or a network is not what it should be.
        MismatchError: A file is not the one the bundle was made with.
    """
    folder = find_bundle(name_or_folder)
    card = verify(folder)
    networks = tuple(
        Network(
            (folder / stage.file).read_bytes(),
            name=f"{card.name}/{stage.file}",
            bands=len(card.input.bands),
            classes=len(card.classes),
            extras=stage.extras,
            batch=_LATER_BATCH if k else _FIRST_BATCH,
            precision=precision or cpu_precision(),
            threads=threads or cpu_threads(),
        )
        for k, stage in enumerate(card.stages)
    )
    return Finder(card=card, folder=folder, sha256=sha256_of(folder / CARD), networks=networks)


def save(folder: Path, card: FinderCard, files: Mapping[str, bytes | Path]) -> Finder:
    """Write a bundle and load it again, so that what is written is known to work.

    Args:
        folder: Made if it is not there; files of the same names are replaced.
        card: Its ``files`` are filled in.
        files: Content, or the file to copy, by name: the stages' graphs and whatever else
            belongs to the bundle.

    Raises:
        InputError: A stage has no file, or a network is not what it should be.
    """
    folder.mkdir(parents=True, exist_ok=True)
    content = {
        name: source.read_bytes() if isinstance(source, Path) else bytes(source)
        for name, source in files.items()
    }
    hashes = {name: hashlib.sha256(data).hexdigest() for name, data in sorted(content.items())}
    sealed = _check_card(card.model_dump(mode="json") | {"files": hashes}, folder / CARD)
    _check_stages(sealed, folder)
    for name, data in content.items():
        with whole_file(folder / name) as temporary:
            temporary.write_bytes(data)
    fields = sealed.model_dump(mode="json")
    # The card comes last: until then a bundle that is being replaced is refused, never mixed.
    write_text(folder / CARD, json.dumps(fields | {"seal": _seal(fields)}, indent=2) + "\n")
    return load(folder)


def verify(name_or_folder: str | Path) -> FinderCard:
    """Return the card of a bundle after hashing all its files; no network is loaded.

    Raises:
        MissingError: There is no such finder, or a file of the bundle is gone.
        InputError: The card is not what it should be.
        MismatchError: A file is not the one the bundle was made with.
    """
    folder = find_bundle(name_or_folder)
    card = read_card(folder)
    _check_stages(card, folder)
    for name, expected in card.files.items():
        path = folder / name
        if not path.is_file():
            raise MissingError(f"The finder {card.name} lacks {name}", f"Copy it to {folder} again")
        if sha256_of(path) != expected:
            raise MismatchError(
                f"{path} is not the file that the finder {card.name} was made with",
                "Copy the bundle again from where it came",
            )
    return card


def read_card(folder: Path) -> FinderCard:
    """Return the card of the bundle in a folder; its other files are not looked at.

    Raises:
        InputError: The card is not what it should be.
        MismatchError: The card was altered or made by a newer version.
    """
    path = folder / CARD
    fields = _read_json(path)
    seal = fields.pop("seal", None)
    version = fields.get("schema_version")
    if isinstance(version, int) and version > 1:
        raise MismatchError(
            f"{path} has schema_version {version}; this program knows 1", "Update skysieve"
        )
    if seal != _seal(fields):
        raise MismatchError(f"{path} was altered after it was made", "Copy the bundle again")
    return _check_card(fields, path)


def list_finders() -> tuple[FinderCard, ...]:
    """Return the cards of the finders that come with the package, by name."""
    return tuple(read_card(path.parent) for path in sorted(SHIPPED.glob(f"*/{CARD}")))


def find_bundle(name_or_folder: str | Path) -> Path:
    """Return the folder of a finder; a shipped name goes before a folder of the same name.

    Raises:
        MissingError: No shipped finder has that name and no bundle is in that folder.
    """
    text = str(name_or_folder)
    for folder in (SHIPPED / text if _is_name(text) else None, Path(text)):
        if folder is not None and (folder / CARD).is_file():
            return folder
    known = ", ".join(sorted(path.parent.name for path in SHIPPED.glob(f"*/{CARD}"))) or "none"
    raise MissingError(
        f"No finder is called {text!r} and no folder of that name holds a {CARD}",
        f"Shipped finders: {known}",
    )


def _is_name(text: str) -> bool:
    return Path(text).name == text and text not in (".", "..")


def _read_json(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > _LARGEST_CARD_BYTES:
            raise InputError(f"{path} is too large for a finder's card", "Copy the bundle again")
        fields = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{path} cannot be read as JSON", "Copy the bundle again") from error
    if not isinstance(fields, dict):
        raise InputError(f"{path} is not a finder's card", "Copy the bundle again")
    return fields


def _check_card(fields: dict[str, Any], path: Path) -> FinderCard:
    try:
        return FinderCard.model_validate(fields)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the card"
        raise InputError(f"{path}: {where}: {first['msg']}", "Export the finder again") from error


def _check_stages(card: FinderCard, folder: Path) -> None:
    absent = [stage.file for stage in card.stages if stage.file not in card.files]
    if absent:
        raise InputError(
            f"{folder / CARD} names {absent[0]} as a stage but does not list it among its files",
            "Save the finder with all its files",
        )


def _seal(fields: dict[str, Any]) -> str:
    """Return the hash of a card's content, so that a changed digit does not pass unseen."""
    text = json.dumps(fields, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
