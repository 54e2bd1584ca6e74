"""Work that several processes share."""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.connection import wait
from typing import ParamSpec, TypeVar

from skysieve.core.errors import SkysieveError

_Settings = ParamSpec("_Settings")
_Part = TypeVar("_Part")
_Done = TypeVar("_Done")


def share_parts(
    work: Callable[[_Part], _Done],
    parts: Sequence[_Part],
    workers: int,
    start: Callable[_Settings, None],
    *settings: _Settings.args,
    **named: _Settings.kwargs,
) -> Iterator[_Done]:
    """Give what becomes of each part, as the processes that share them get done.

    The processes end with this one, also when it is killed.

    Args:
        work: A function of a module; done in another process.
        parts: What there is to do.
        workers: How many processes.
        start: Called in each process before any work.
        settings: What it is called with.
        named: The same, by name.

    Raises:
        SkysieveError: A process died.
    """
    pool = ProcessPoolExecutor(
        workers,
        mp_context=multiprocessing.get_context("spawn"),  # a forked torch or OpenVINO would hang
        initializer=_begin,
        initargs=(start, settings, named),
    )
    try:
        for future in as_completed([pool.submit(work, part) for part in parts]):
            yield future.result()
    except BrokenProcessPool as error:
        raise SkysieveError(
            "A worker process died, perhaps for want of memory",
            "Repeat the command: it goes on where it stopped; use fewer workers if it dies again",
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


def _begin(
    start: Callable[..., None], settings: tuple[object, ...], named: dict[str, object]
) -> None:
    threading.Thread(target=_die_with_parent, daemon=True).start()
    start(*settings, **named)


def _die_with_parent() -> None:
    """End this process when its parent is killed; it would wait for work forever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)
