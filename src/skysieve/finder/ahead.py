"""Do the next ones while the caller is busy with this one."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


def ahead(
    function: Callable[[T], R], items: Iterable[T], *, threads: int, waiting: int
) -> Iterator[R]:
    """Give ``function(item)`` for each item, in order, working ahead in threads.

    Memory stays bounded: at most ``threads + waiting`` results exist that were not yet taken.
    An exception of the function comes out at its item's turn.

    Args:
        function: Must be safe to run in several threads at once if ``threads`` is more than 1.
        items: Taken one by one as room appears, in the caller's thread.
        threads: How many items are worked on at once.
        waiting: How many more may wait, done or not begun.
    """
    pool = ThreadPoolExecutor(threads, thread_name_prefix="skysieve")
    pending: deque[Future[R]] = deque()
    try:
        for item in items:
            pending.append(pool.submit(function, item))
            if len(pending) >= threads + waiting:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:  # also when the caller stops early: begin nothing new
        pool.shutdown(wait=True, cancel_futures=True)
