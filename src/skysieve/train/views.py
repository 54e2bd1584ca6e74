"""Views of noise-free scenes: turned, enlarged, shifted, seen through worse air.

None of it tells a lens from anything else; a network must see all of it to know that.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, Float32, Int64

BLUR_REACH = 3
"""Pixels to which a blur reaches; it holds 99 % of a Gaussian of standard deviation 1.2."""

Images = Float32[np.ndarray, "n band y x"]
Stack = Float[np.ndarray, "plane band y x"]


class View(NamedTuple):
    """How each image of a batch is looked at.

    Args:
        angle: Turn in radians.
        zoom: Enlargement; surface brightness is kept, so that an object twice as wide is four
            times as bright, as if it were nearer.
        shift: Of the center, x and y in pixels of the result.
        mirrored: Mirrored left to right, before the turn.
    """

    angle: Float[np.ndarray, " n"]
    zoom: Float[np.ndarray, " n"]
    shift: Float[np.ndarray, "n 2"]
    mirrored: Bool[np.ndarray, " n"]


def warp(images: Images, view: View, side: int) -> Float32[np.ndarray, "n band side side"]:
    """Return squares about the centers; what lies outside the images is their mirror image."""
    full = images.shape[-1]
    cosine, sine = np.cos(view.angle) / view.zoom, np.sin(view.angle) / view.zoom
    flip = np.where(view.mirrored, -1.0, 1.0)
    # From positions in the result to positions in the image, both from -1 to 1 at the edges.
    matrix = np.empty((len(images), 2, 3), np.float32)
    matrix[:, 0, :2] = np.stack([flip * cosine, -flip * sine], 1) * (side / full)
    matrix[:, 1, :2] = np.stack([sine, cosine], 1) * (side / full)
    matrix[:, :, 2] = view.shift / view.zoom[:, None] * (2 / full)
    shape = [len(images), images.shape[1], side, side]
    grid = torch.nn.functional.affine_grid(torch.from_numpy(matrix), shape, align_corners=False)
    seen = torch.nn.functional.grid_sample(
        torch.from_numpy(images), grid, padding_mode="reflection", align_corners=False
    )
    return seen.numpy()


def blur(images: Images, sigma: Float[np.ndarray, "n band"]) -> Images:
    """Return images smoothed by Gaussians with these standard deviations in pixels."""
    n, bands, *_ = images.shape
    line = np.arange(-BLUR_REACH, BLUR_REACH + 1)
    weights = np.exp(-0.5 * (line / np.maximum(sigma, 1e-3)[:, :, None]) ** 2)
    weights = (weights / weights.sum(2, keepdims=True)).astype(np.float32)
    kernel = torch.from_numpy(weights.reshape(n * bands, 1, 1, -1))
    flat = torch.from_numpy(images).reshape(1, n * bands, *images.shape[2:])
    for k in (kernel, kernel.transpose(2, 3)):
        reach = (k.shape[3] // 2, k.shape[3] // 2, k.shape[2] // 2, k.shape[2] // 2)
        padded = torch.nn.functional.pad(flat, reach, mode="reflect")
        flat = torch.nn.functional.conv2d(padded, k, groups=n * bands)
    return flat.reshape(images.shape).numpy()


def window(
    stack: Stack,
    shift: Int64[np.ndarray, "2"],
    side: int,
    fill: Literal["reflect", "constant"] = "reflect",
) -> Float[np.ndarray, "plane band side side"]:
    """Return a square about a point off the center; what lies outside is mirrored or dark."""
    full = stack.shape[-1]
    low = (full - side) // 2 + shift
    over = max(0, -int(low.min()), int(low.max()) + side - full)
    if over:
        stack = np.pad(stack, ((0, 0), (0, 0), (over, over), (over, over)), mode=fill)
        low = low + over
    return stack[:, :, low[0] : low[0] + side, low[1] : low[1] + side]
