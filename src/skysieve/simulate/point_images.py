"""The images of a point behind a lens: the lens equation solved by triangles and Newton steps."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float

from skysieve.simulate.mass import Mass, trace

CELLS = 100
"""Cells a side of the grid whose triangles are searched."""
FINER = 8
"""Parts of a side of a cell that is searched again."""
NEAR_CELLS = 2.0
"""How near the source, in sides of a cell, a corner of such a cell is seen."""
STEPS = 12
"""Newton steps at most."""
SOLVED_ARCSEC = 1e-7
"""How near the source an image is traced back."""
APART_ARCSEC = 1e-4
"""Images nearer to each other are one."""
STEP_ARCSEC = 1e-5
"""Distance over which the deflection is differentiated."""
LONGEST_ARCSEC = 0.2
"""Longest Newton step: beyond it the lens equation is not linear."""

Points = Float[np.ndarray, "point 2"]
Images = Float[np.ndarray, "image 3"]


def point_images(
    mass: Mass,
    source: tuple[float, float],
    *,
    plane: int = 0,
    half_field_arcsec: float,
    least_magnification: float = 1e-2,
) -> Images:
    """Return the images of a point in a source plane: x, y and signed magnification.

    Two images that merge on a critical curve within one fine triangle are both missed; what is
    left out for being faint is the image in the middle of the lens.

    Args:
        mass: Of one lens (a batch of 1), in float64.
        source: Position in the source plane, in arcsec.
        plane: Number of the source plane.
        half_field_arcsec: Half the side of the square about the origin that is searched.
        least_magnification: Images fainter than this, over the source, are left out.

    Returns:
        A row for each image, the brightest first.

    References:
        Schneider, Ehlers & Falco 1992, Gravitational Lenses, chapter 10.
    """
    target = np.array(source)
    found = _polished(mass, plane, _starts(mass, plane, target, half_field_arcsec), target)
    _, matrices = _linear(mass, plane, found)
    images = np.zeros((0, 3))
    for (x, y), matrix in zip(found, matrices, strict=True):
        near = np.hypot(images[:, 0] - x, images[:, 1] - y) < APART_ARCSEC
        magnification = 1 / np.linalg.det(matrix)
        if not near.any() and abs(magnification) > least_magnification:
            images = np.vstack([images, [x, y, magnification]])
    return images[np.argsort(-np.abs(images[:, 2]))]


def traced(mass: Mass, plane: int, points: Points) -> Points:
    """Return where in a source plane some positions are seen, in arcsec."""
    x, y = (torch.as_tensor(column, dtype=torch.float64)[None, None] for column in points.T)
    u, v = trace(mass, x, y)[plane]
    return torch.stack([u[0, 0], v[0, 0]], 1).numpy()


def _starts(
    mass: Mass, plane: int, target: np.ndarray, half: float
) -> Float[np.ndarray, "start 2"]:
    """Return the middles of the triangles whose images in the source plane hold the target.

    Cells that are seen near the target are searched again with finer triangles, so that two images
    about to merge do not hide in one.
    """
    line = np.linspace(-half, half, CELLS + 1) + 1e-4 * half  # no corner on the lens' center
    grid = np.stack(np.meshgrid(line, line), -1)[None]
    coarse, behind = _held(mass, plane, grid, target)
    step = line[1] - line[0]
    near = np.linalg.norm(behind[0, :-1, :-1], axis=-1) < NEAR_CELLS * step
    inner = np.linspace(0, step, FINER + 1)
    fine = grid[0, :-1, :-1][near][:, None, None] + np.stack(np.meshgrid(inner, inner), -1)
    return np.concatenate([coarse, _held(mass, plane, fine, target)[0]])


def _held(
    mass: Mass, plane: int, grids: Float[np.ndarray, "grid y x 2"], target: np.ndarray
) -> tuple[Float[np.ndarray, "start 2"], Float[np.ndarray, "grid y x 2"]]:
    """Return the middles of the triangles that hold the target, and where corners are seen from it."""
    behind = traced(mass, plane, grids.reshape(-1, 2)).reshape(grids.shape) - target
    cells, found = grids.shape[1] - 1, []
    for triangle in (((0, 0), (0, 1), (1, 0)), ((1, 1), (1, 0), (0, 1))):
        here, seen = (
            [corners[:, i : cells + i, j : cells + j] for i, j in triangle]
            for corners in (grids, behind)
        )
        a, b, c = seen
        sides = np.stack([_cross(a, b), _cross(b, c), _cross(c, a)])
        inside = (sides >= 0).all(0) | (sides <= 0).all(0)
        found.append(np.mean([corner[inside] for corner in here], 0))
    return np.concatenate(found), behind


def _cross(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]


def _polished(
    mass: Mass, plane: int, points: Points, target: np.ndarray
) -> Float[np.ndarray, "solved 2"]:
    """Return the positions after Newton steps, without those that lead nowhere."""
    solved = [np.zeros((0, 2))]
    for _ in range(STEPS):
        if not len(points):
            break
        behind, matrix = _linear(mass, plane, points)
        error = behind - target
        done = np.linalg.norm(error, axis=1) < SOLVED_ARCSEC
        solved.append(points[done])
        error, matrix, points = error[~done], matrix[~done], points[~done]
        matrix[np.abs(np.linalg.det(matrix)) < 1e-12] = np.eye(2)
        step = np.linalg.solve(matrix, error[..., None])[..., 0]
        length = np.linalg.norm(step, axis=1, keepdims=True)
        points = points - step * np.minimum(1, LONGEST_ARCSEC / np.maximum(length, 1e-30))
    return np.concatenate(solved)


def _linear(
    mass: Mass, plane: int, points: Points
) -> tuple[Points, Float[np.ndarray, "point 2 2"]]:
    """Return where positions are seen, and the derivative of that after the position."""
    shifts = np.array([[0, 0], [1, 0], [-1, 0], [0, 1], [0, -1]]) * STEP_ARCSEC
    moved = (points[None] + shifts[:, None]).reshape(-1, 2)
    here, right, left, up, down = traced(mass, plane, moved).reshape(5, -1, 2)
    matrix = np.stack([right - left, up - down], -1) / (2 * STEP_ARCSEC)
    return here, matrix
