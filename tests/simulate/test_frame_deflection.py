"""The deflection on nested grids is the sum over clumps."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="simulating needs the extra [train]")
pytest.importorskip("caustics", reason="simulating needs the extra [train]")

from skysieve.simulate.deflection import (  # noqa: E402
    deflect_by_strings,
    pull_of_halos,
    pull_of_points,
)
from skysieve.simulate.frame_deflection import (  # noqa: E402
    deflect_frame,
    make_kernels,
    round_off,
)
from skysieve.simulate.render import MARGIN, positions  # noqa: E402
from skysieve.simulate.ring_light import convergence_in_pixels  # noqa: E402

SIDE = 120
EDGE = 2 * MARGIN
"""Positions at the edge that are in no image: splines are worse there."""


def halos(count=12, *, reach=2.5, seed=3):
    rng = np.random.default_rng(seed)
    table = np.zeros((count, 5))
    table[:, :2] = rng.uniform(-reach, reach, (count, 2))
    table[:, 2] = 10 ** rng.uniform(-4, -2, count)
    table[:, 3] = rng.uniform(0.05, 0.4, count)
    table[:, 4] = rng.uniform(0.5, 6, count)
    return table


def one_by_one(table, spacing, pull):
    """The sum, in double precision."""
    rows = torch.as_tensor(table[None])
    x, y = (c.double()[:, None] for c in positions(SIDE, spacing))
    u, v = x - rows[:, :, 0, None, None], y - rows[:, :, 1, None, None]
    strength = pull(rows, u**2 + v**2)
    return (strength * u).sum(1)[0].numpy(), (strength * v).sum(1)[0].numpy()


@pytest.mark.parametrize("pull", [pull_of_halos, pull_of_points])
@pytest.mark.parametrize("spacing", [0.025, 0.05, 0.09, 0.3])
def test_nested_grids_give_the_sum(pull, spacing):
    table = halos()
    ours = deflect_frame([table], SIDE, spacing, make_kernels(pull, compiled=False))
    x, y = (c[0].numpy() for c in positions(SIDE, spacing))
    away = np.min([np.hypot(x - row[0], y - row[1]) for row in table], axis=0) > 0.02
    for mine, exact in zip(ours, one_by_one(table, spacing, pull), strict=True):
        assert np.abs(exact).max() > 1e-2
        wrong = np.where(away, mine[0].numpy() - exact, 0)
        assert np.abs(wrong).max() < 3e-4
        assert np.abs(wrong[EDGE:-EDGE, EDGE:-EDGE]).max() < 1e-4
        assert np.square(wrong).mean() ** 0.5 < 2e-5


def test_clumps_outside_the_frame_pull_too():
    table = halos(6, reach=0.5)
    table[:, 0] += 0.025 * SIDE / 2 + np.array([0.0, 0.3, 0.6, 1.0, 3.0, 9.0])
    ours = deflect_frame([table], SIDE, 0.025, make_kernels(pull_of_halos, compiled=False))
    for mine, exact in zip(ours, one_by_one(table, 0.025, pull_of_halos), strict=True):
        assert np.abs(mine[0].numpy() - exact).max() < 1e-2 * np.abs(exact).max()


def test_an_image_does_not_feel_its_mates():
    kernels = make_kernels(pull_of_halos, compiled=False)
    one, other = halos(5), halos(40, seed=4)
    alone = deflect_frame([one, one[:0]], SIDE, 0.05, kernels)
    beside = deflect_frame([one, other], SIDE, 0.05, kernels)
    for a, b in zip(alone, beside, strict=True):
        np.testing.assert_array_equal(a[0], b[0])
        assert (a[1] == 0).all()


def test_rounding_off_is_smooth_and_ends_at_the_radius():
    square = torch.linspace(0, 2, 2001, dtype=torch.float64)
    rounded = round_off(square, 1.0)
    assert torch.equal(rounded[square >= 1], square[square >= 1])
    assert (rounded.diff() > -1e-12).all()
    assert rounded.min() == pytest.approx(0.25)
    third = rounded.diff(n=3).abs() / 1e-9  # of step 1e-3
    assert third[990:1010].max() < 0.2


def test_the_convergence_of_a_string_is_its_mass():
    mass = 0.05
    string = torch.tensor([[[0.13, -0.2, mass, 1.1, 0.6, 0.02]]])
    ax, ay = deflect_by_strings(string, *positions(SIDE, 0.05))
    convergence = convergence_in_pixels(ax, ay, 0.05)
    assert float(convergence.sum()) * 0.1**2 / np.pi == pytest.approx(mass, rel=0.01)
    y, x = np.indices(convergence.shape[1:]) - (convergence.shape[1] - 1) / 2
    along = (x * 0.1 - 0.13) * np.cos(0.6) + (y * 0.1 + 0.2) * np.sin(0.6)
    across = (y * 0.1 + 0.2) * np.cos(0.6) - (x * 0.1 - 0.13) * np.sin(0.6)
    near = (np.abs(along) < 0.65) & (np.abs(across) < 0.15)
    assert float(convergence[0][torch.as_tensor(near)].sum() / convergence.sum()) > 0.9
