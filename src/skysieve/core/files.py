"""Files that are whole or absent."""

from __future__ import annotations

import hashlib
import os
import uuid
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from skysieve.core.errors import MismatchError

TEMPORARY = ".tmp-"
"""How the name of a file in the making begins; nothing reads such a file."""


@contextmanager
def whole_file(path: Path) -> Generator[Path]:
    """Give a temporary path beside ``path``, and put it in place when the block ends well.

    The file is flushed to the disk before it is renamed and its folder after, so that a crash
    leaves the old file, the new file, or none: never a half.

    Raises:
        OSError: The disk is full or read-only; nothing is left under the final name.
    """
    temporary = path.with_name(f"{TEMPORARY}{os.getpid()}-{uuid.uuid4().hex[:8]}-{path.name}")
    try:
        yield temporary
        _flush(temporary)
        temporary.replace(path)
        _flush(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a text file, whole or not at all."""
    with whole_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def claim(file: Path, text: str, *, holds: str) -> None:
    """Write down what a folder is for, or check that it is for the same.

    Args:
        file: Where it is written, in that folder.
        text: What the folder is for, the same letter by letter whenever it is the same.
        holds: What is in the folder, for the message, such as ``scenes``.

    Raises:
        MismatchError: The folder is for something else.
    """
    if not file.exists():
        write_text(file, text)
    elif file.read_text(encoding="utf-8") != text:
        raise MismatchError(
            f"{file.parent} holds {holds} of another plan",
            "Choose another folder or delete this one",
        )


def remove_leftovers(folder: Path) -> None:
    """Remove files in the making, at any depth, whose process is no more, such as after kill -9."""
    for path in folder.rglob(f"{TEMPORARY}*"):
        process = path.name.removeprefix(TEMPORARY).split("-")[0]
        if process.isdigit() and not _is_running(int(process)):
            path.unlink(missing_ok=True)


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file as 64 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:  # it runs, as another user
        return True
    return True
