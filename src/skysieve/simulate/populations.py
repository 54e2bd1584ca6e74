"""Drawing scenes: lenses, and everything that is taken for one."""

from __future__ import annotations

from skysieve.simulate.lenses import draw_lens, draw_source
from skysieve.simulate.nonlenses import draw_nonlens

__all__ = ["draw_lens", "draw_nonlens", "draw_source"]
