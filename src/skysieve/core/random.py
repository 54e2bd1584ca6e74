"""Random numbers with a name instead of a history."""

from __future__ import annotations

import hashlib

import numpy as np


def stream(seed: int, purpose: str, index: int = 0) -> np.random.Generator:
    """Return the random stream of this name; it never depends on what was drawn before.

    Args:
        seed: The run's seed, 0 or more.
        purpose: What the numbers are for, such as ``"lens"`` or ``"noise"``.
        index: Which one of many, 0 or more, such as the number of a scene.
    """
    return np.random.Generator(np.random.Philox(key=seed_of(seed, purpose, index)))


def seed_of(seed: int, purpose: str, index: int = 0) -> int:
    """Return a 64-bit seed for a library that wants an integer instead of a generator."""
    digest = hashlib.sha256(f"{seed}/{purpose}/{index}".encode()).digest()
    return int.from_bytes(digest[:8], "little") >> 1
