"""Opening files that nobody vouches for."""

from __future__ import annotations

import os
import stat
from typing import BinaryIO, Protocol, runtime_checkable

from skysieve.core.scores import Status
from skysieve.images.sources import ImageError


@runtime_checkable
class ReadableBytes(Protocol):
    """A file, or what unpacks one while it is read."""

    def read(self, size: int = -1, /) -> bytes:
        """Return the next bytes, all of them if ``size`` is -1."""
        ...

    def seek(self, offset: int, /) -> int:
        """Go to a byte, counted from the first."""
        ...

    def tell(self) -> int:
        """Return the number of the next byte."""
        ...


def open_regular(path: str) -> BinaryIO:
    """Open a regular file for reading; a pipe or a device would never end.

    Raises:
        ImageError: It is gone, may not be read, or is no regular file.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        raise ImageError(
            Status.CHANGED, f"{base(path)} is gone", "Put it back, or start a new run"
        ) from None
    except OSError as error:
        raise ImageError(
            Status.UNREADABLE,
            f"{base(path)} cannot be opened: {error.strerror}",
            "Make it readable (chmod +r)",
        ) from None
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise ImageError(Status.UNREADABLE, f"{base(path)} is not a regular file", "Remove it")
    return os.fdopen(descriptor, "rb", buffering=1 << 16)


def size_of(file: BinaryIO) -> int:
    """Return the size of an open file in bytes."""
    return os.fstat(file.fileno()).st_size


def check_unchanged(paths: tuple[str, ...], size_bytes: int) -> None:
    """Refuse files whose size is no longer what it was when the run was planned.

    Raises:
        ImageError: A file is gone or its size changed.
    """
    total = 0
    for path in paths:
        try:
            total += os.stat(path).st_size
        except OSError:
            if "\\x" in path:
                raise ImageError(
                    Status.UNREADABLE, f"The name {base(path)} is not UTF-8", "Rename the file"
                ) from None
            raise ImageError(
                Status.CHANGED, f"{base(path)} is gone", "Put it back, or start a new run"
            ) from None
    if total != size_bytes:
        raise ImageError(
            Status.CHANGED,
            f"{base(paths[0])} had {size_bytes:,} bytes when the run was planned, now {total:,}",
            "Start a new run",
        )


def base(path: str) -> str:
    """Return the name of a file without its folder, for messages."""
    return os.path.basename(path)


def about(name: str, error: ImageError) -> ImageError:
    """Return an error that begins with ``It`` or ``Its`` as one that names the file."""
    word, _, rest = error.what.partition(" ")
    told = {"It": f"{name} {rest}", "Its": f"{name}: its {rest}"}.get(word, error.what)
    return ImageError(error.status, told, error.fix)
