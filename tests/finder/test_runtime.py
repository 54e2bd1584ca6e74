"""A cutout's logits do not depend on its company, nor on how many threads there are."""

from __future__ import annotations

import numpy as np
import pytest

from skysieve.finder.ahead import ahead
from skysieve.finder.bundle import load
from skysieve.finder.cascade import Finder
from skysieve.finder.runtime import Precision, cpu_precision
from tests.finder.tiny import tiny_finder

SIDES = (32, 64, 96)


@pytest.fixture(scope="module")
def finder(tmp_path_factory: pytest.TempPathFactory) -> Finder:
    return tiny_finder(tmp_path_factory.mktemp("finders") / "tiny")


def sky(n: int, side: int = 64, level: float = 0.0) -> np.ndarray:
    rng = np.random.default_rng(side)
    pixels = rng.normal(size=(n, 3, side, side)) * np.linspace(0.5, 2, 3)[:, None, None] + level
    pixels[::3, 0, :5] = np.nan
    return pixels.astype(np.float32)


@pytest.mark.parametrize("side", SIDES)
def test_logits_do_not_depend_on_the_batch(finder: Finder, side: int) -> None:
    network, pixels = finder.networks[0], sky(70, side)
    together = network(pixels)
    order = np.random.default_rng(0).permutation(70)
    np.testing.assert_array_equal(network(pixels[order]), together[order])
    np.testing.assert_array_equal(network(pixels[:1]), together[:1])
    np.testing.assert_array_equal(network(pixels[3:40]), together[3:40])


def test_logits_do_not_depend_on_the_number_of_threads(finder: Finder) -> None:
    pixels = sky(40)
    one = load(finder.folder, threads=1).networks[0](pixels)
    three = load(finder.folder, threads=3).networks[0]
    for logits in ahead(three, [pixels] * 6, threads=3, waiting=1):
        np.testing.assert_array_equal(logits, one)


@pytest.mark.skipif(cpu_precision() == "f32", reason="this processor does not compute in bf16")
def test_the_stretch_is_exact_also_where_the_network_is_not(finder: Finder) -> None:
    """In bf16, a sky of 10,000 counts would leave nothing of noise of 1 count."""

    def difference(level: float) -> float:
        kinds: tuple[Precision, Precision] = ("bf16", "f32")
        pixels = np.nan_to_num(sky(64, level=level), nan=level)
        coarse, fine = (load(finder.folder, precision=k).networks[0](pixels) for k in kinds)
        return float(np.abs(coarse - fine).max())

    assert difference(10_000.0) < 2 * difference(0.0) + 0.01


class TestWorkingAhead:
    def test_keeps_the_order(self) -> None:
        assert list(ahead(lambda x: x * x, range(50), threads=3, waiting=2)) == [
            x * x for x in range(50)
        ]

    def test_holds_a_bounded_number_of_results(self) -> None:
        taken: list[int] = []

        def items():
            for k in range(100):
                taken.append(k)
                yield k

        results = ahead(str, items(), threads=2, waiting=2)
        for done in range(10):
            next(results)
            assert len(taken) <= done + 5
        results.close()

    def test_raises_at_the_turn_of_the_item_that_failed(self) -> None:
        results = ahead(lambda x: 1 // (x - 2), range(5), threads=2, waiting=2)
        assert [next(results), next(results)] == [-1, -1]
        with pytest.raises(ZeroDivisionError):
            next(results)
