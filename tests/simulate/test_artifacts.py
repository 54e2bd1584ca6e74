"""Artifacts: each kind alone, its mask, and that it is decided by seed and index."""

from __future__ import annotations

import numpy as np
import pytest

from skysieve.core.artifacts import Artifact
from skysieve.core.errors import MismatchError
from skysieve.recipe.artifacts import (
    ArtifactPlan,
    BadPixelPlan,
    BleedPlan,
    ChipGapPlan,
    CosmicRayPlan,
    GhostPlan,
    HolePlan,
    MissingBandPlan,
    TrailPlan,
)
from skysieve.recipe.camera import ObservingPlan
from skysieve.simulate.artifacts import draw_artifacts
from skysieve.simulate.blemishes import Bleed, Ghost, Overwritten, Shot, Streak, Track
from skysieve.simulate.camera import expose
from skysieve.simulate.spoiling import apply_artifacts, spoil

PLAN = ObservingPlan()
SIDE = 96
SHOT = Shot.of(PLAN, SIDE, SIDE)
IMAGE = expose(np.full((3, SIDE, SIDE), 2, np.float32), PLAN, seed=1, index=0)[0]
NONE = ArtifactPlan.none()

ALONE = {
    "cosmic_rays": (CosmicRayPlan(surviving=0.5), Artifact.COSMIC_RAY),
    "trails": (TrailPlan(rate=2), Artifact.TRAIL),
    "bleeds": (BleedPlan(rate=1), Artifact.BLEED),
    "chip_gaps": (ChipGapPlan(rate=1), Artifact.CHIP_GAP),
    "ghosts": (GhostPlan(rate=1), Artifact.GHOST),
    "bad_pixels": (
        BadPixelPlan(hot=1e-3, dead=1e-3, columns=0.5),
        Artifact.HOT_PIXEL | Artifact.DEAD_PIXEL,
    ),
    "missing_band": (MissingBandPlan(rate=0.5), Artifact.MISSING_BAND),
    "holes": (HolePlan(rate=2), Artifact.HOLE),
}
MUCH = NONE.model_copy(update={name: plan for name, (plan, _) in ALONE.items()})
NO_DATA = Artifact.CHIP_GAP | Artifact.HOLE


def only(name, **changes):
    plan = ALONE[name][0].model_copy(update=changes)
    return NONE.model_copy(update={name: plan})


def changed(image, spoiled):
    return ~((spoiled == image) | (np.isnan(spoiled) & np.isnan(image)))


def streaks(plan, count=200):
    drawn = [draw_artifacts(plan, SHOT, seed=1, index=k) for k in range(count)]
    return [blemish for blemishes in drawn for blemish in blemishes]


@pytest.mark.parametrize("name", ALONE)
class TestEveryKind:
    def test_changes_what_its_mask_says_and_nothing_else(self, name):
        for k in range(20):
            spoiled, mask = spoil(IMAGE, only(name), SHOT, seed=3, index=k)
            np.testing.assert_array_equal(changed(IMAGE, spoiled), mask > 0)

    def test_has_its_own_bit(self, name):
        bits = [spoil(IMAGE, only(name), SHOT, seed=3, index=k)[1] for k in range(20)]
        assert int(np.bitwise_or.reduce(np.stack(bits), axis=None)) == int(ALONE[name][1])

    def test_does_not_depend_on_the_other_kinds(self, name):
        for k in range(10):
            mask = spoil(IMAGE, only(name), SHOT, seed=3, index=k)[1]
            together = spoil(IMAGE, MUCH, SHOT, seed=3, index=k)[1]
            np.testing.assert_array_equal(mask, together & np.uint16(ALONE[name][1]))

    def test_leaves_the_image_that_was_given(self, name):
        before = IMAGE.copy()
        spoil(IMAGE, only(name), SHOT, seed=3, index=0)
        np.testing.assert_array_equal(IMAGE, before)

    def test_happens_as_often_as_its_rate_says(self, name):
        nothing = NONE.model_copy(update={name: None})
        assert not spoil(IMAGE, nothing, SHOT, seed=3, index=0)[1].any()
        hits = [bool(draw_artifacts(only(name), SHOT, seed=4, index=k)) for k in range(300)]
        rates = {"trails": 2, "bleeds": 1, "chip_gaps": 1, "ghosts": 1, "holes": 2}
        expected = 1 - np.exp(-rates[name]) if name in rates else None
        if name == "missing_band":
            expected = 0.5
        if expected is not None:
            assert np.mean(hits) == pytest.approx(expected, abs=0.09)
        assert any(hits)


class TestTogether:
    def test_the_mask_covers_every_changed_pixel(self):
        for k in range(30):
            spoiled, mask = spoil(IMAGE, MUCH, SHOT, seed=5, index=k)
            assert not (changed(IMAGE, spoiled) & (mask == 0)).any()

    def test_there_is_no_data_exactly_where_the_mask_says_so(self):
        filled = MUCH.model_copy(update={"missing_band": MissingBandPlan(rate=1, zeros=1)})
        for k in range(30):
            spoiled, mask = spoil(IMAGE, filled, SHOT, seed=5, index=k)
            np.testing.assert_array_equal(np.isnan(spoiled), mask & np.uint16(NO_DATA) > 0)

    def test_an_image_is_decided_by_seed_and_index(self):
        one, other = (spoil(IMAGE, MUCH, SHOT, seed=6, index=4) for _ in range(2))
        np.testing.assert_array_equal(one[0], other[0])
        np.testing.assert_array_equal(one[1], other[1])
        assert (spoil(IMAGE, MUCH, SHOT, seed=6, index=5)[1] != one[1]).any()

    def test_a_shot_of_another_shape_is_refused(self):
        with pytest.raises(MismatchError, match="96"):
            apply_artifacts(IMAGE[:, :50], (), SHOT)

    def test_most_images_of_the_default_plan_are_clean(self):
        spoiled = [spoil(IMAGE, ArtifactPlan(), SHOT, seed=1, index=k)[1].any() for k in range(200)]
        assert 0.05 < np.mean(spoiled) < 0.5


class TestCosmicRays:
    plan = only("cosmic_rays", surviving=1.0, worms=0.0)

    def test_come_at_the_published_rate(self):
        tracks = streaks(self.plan)
        area_cm2 = (SIDE * 15e-4) ** 2
        expected = 5 * area_cm2 * SHOT.exposure_s.sum() / 60 * 200
        assert len(tracks) == pytest.approx(expected, rel=0.05)
        assert all(isinstance(track, Track) for track in tracks)

    def test_leave_the_charge_of_their_path(self):
        tracks = streaks(self.plan)
        length = np.array([np.hypot(np.ptp(t.x), np.ptp(t.y)) for t in tracks]) * 15
        charge = np.array([t.electrons.sum() for t in tracks])
        per_micron = charge / np.hypot(length, 100)
        assert np.median(per_micron) == pytest.approx(85, rel=0.1)
        assert np.percentile(per_micron, 99) > 1.5 * np.median(per_micron)  # Landau's tail

    def test_are_longer_the_more_they_are_inclined(self):
        # density c^3 of the cosine c: the median of tan is sqrt(2^(1/2) - 1)
        tracks = streaks(self.plan)
        length = np.array([np.hypot(np.ptp(t.x), np.ptp(t.y)) for t in tracks]) * 15 / 100
        assert np.median(length) == pytest.approx(np.sqrt(np.sqrt(2) - 1), rel=0.06)

    def test_put_all_their_charge_into_the_image(self):
        track = Track(
            band=1,
            x=np.linspace(20, 40, 41),
            y=np.linspace(30, 50, 41),
            electrons=np.full(41, 500.0),
            diffusion_pixels=0.4,
        )
        dark = np.zeros_like(IMAGE)
        light, mask = apply_artifacts(dark, (track,), SHOT, visible=1e-9)
        electrons = light[1].sum(dtype=float) * SHOT.electrons_per_count[1]
        assert electrons == pytest.approx(41 * 500, rel=1e-4)
        assert not light[[0, 2]].any()
        assert mask[1, 30, 20] == Artifact.COSMIC_RAY


class TestTrails:
    def test_a_satellite_crosses_the_whole_image_in_one_band(self):
        plan = only("trails", satellites=1.0, glints=0.0)
        for streak in streaks(plan, 50):
            assert isinstance(streak, Streak)
            mask = apply_artifacts(IMAGE, (streak,), SHOT)[1] > 0
            assert mask.any((1, 2)).sum() == 1
            y, x = np.nonzero(mask.any(0))
            border = (y == 0) | (x == 0) | (y == SIDE - 1) | (x == SIDE - 1)
            assert border.any()
            assert not mask.any(0).all()

    def test_a_streak_has_its_width_and_brightness(self):
        streak = Streak(
            band=0, start=(-100.0, 48.0), stop=(200.0, 48.0), core_pixels=2.0,
            softness_pixels=1.0, brightness=20.0,
        )  # fmt: skip
        light = apply_artifacts(np.zeros_like(IMAGE), (streak,), SHOT)[0][0] / SHOT.noise[0]
        assert light.max() == pytest.approx(20)
        half = np.interp(-10, -light[48:60, 30], np.arange(12))
        assert 2 * half == pytest.approx(2 * (2.0 + 1.1774), rel=0.03)

    def test_an_asteroid_is_at_another_place_in_each_band(self):
        plan = only("trails", satellites=0.0, glints=0.0, rate=1.0)
        drawn = [draw_artifacts(plan, SHOT, seed=1, index=k) for k in range(60)]
        alone = [three for three in drawn if len(three) == 3]
        assert alone
        for three in alone:
            assert sorted(streak.band for streak in three) == [0, 1, 2]
            places = {tuple(np.round(streak.start, 3)) for streak in three}
            assert len(places) == 3


def test_a_star_bleeds_along_its_column_and_nowhere_else():
    star = Bleed(
        x=40.0, y=50.0, peak=(1e4, 1e4, 1e4), halo_pixels=1.5, width=3,
        length=(30.0, 0.0, 10.0), level=0.05, spike=1e-9, spike_angle=0.0,
    )  # fmt: skip
    light = apply_artifacts(np.zeros_like(IMAGE), (star,), SHOT)[0] / SHOT.noise[:, None, None]
    full = np.isclose(light, 500)
    tall = [int(full[k, :, 40].sum()) for k in range(3)]
    assert tall[0] == 61
    assert tall[2] == 21
    assert tall[1] < 15  # no bleeding, the saturated core only
    assert full[0, 75].sum() == 3
    assert light.max() <= 500 * 1.0001


def test_a_ghost_is_a_disk_with_a_hole():
    ghost = Ghost(
        x=48.0, y=48.0, radius=(30.0, 31.0, 30.0), hole=0.3, shift=(0.0, 0.0),
        brightness=(5.0, 2.0, 1.0), edge=0.5,
    )  # fmt: skip
    light = apply_artifacts(np.zeros_like(IMAGE), (ghost,), SHOT)[0] / SHOT.noise[:, None, None]
    assert light[0, 48, 48] == 0
    assert light[0, 48, 48 + 12] == pytest.approx(5 * (1 + 0.5 * 0.16), rel=1e-3)
    assert light[0, 48, 48 + 29] == pytest.approx(5 * (1 + 0.5 * (29 / 30) ** 2), rel=1e-3)
    assert light[0, 48, 48 + 32] == 0
    area = (light[1] > 0).sum()
    assert area == pytest.approx(np.pi * 31**2 * (1 - 0.09), rel=0.05)


def test_a_chip_gap_is_a_strip_through_all_bands():
    plan = only("chip_gaps", width_arcsec=(3.0, 3.0), tilt_deg=0.0, rate=3)
    gaps = [blemish for blemish in streaks(plan, 40) if isinstance(blemish, Overwritten)]
    inside = []
    for gap in gaps:
        assert gap.bands == (0, 1, 2)
        mask = apply_artifacts(IMAGE, (gap,), SHOT)[1][0] > 0
        upright = np.broadcast_to(mask.all(0), mask.shape)
        level = np.broadcast_to(mask.all(1)[:, None], mask.shape)
        np.testing.assert_array_equal(mask, upright | level)
        inside.append(int(max(mask.sum(0).min(), mask.sum(1).min())))
    assert max(inside) in (16, 17)  # 3 arcsec at 0.187


def test_a_missing_band_is_one_band_without_data():
    for k in range(20):
        spoiled, mask = spoil(IMAGE, only("missing_band", rate=1.0), SHOT, seed=2, index=k)
        bare = (mask == Artifact.MISSING_BAND).all((1, 2))
        assert bare.sum() == 1
        assert np.isnan(spoiled[bare]).all() or not spoiled[bare].any()


def test_the_bits_never_change():
    assert {kind.name: kind.value for kind in Artifact} == {
        "COSMIC_RAY": 1, "TRAIL": 2, "BLEED": 4, "CHIP_GAP": 8, "GHOST": 16, "HOT_PIXEL": 32,
        "DEAD_PIXEL": 64, "MISSING_BAND": 128, "HOLE": 256,
    }  # fmt: skip
