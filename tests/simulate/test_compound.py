"""Lenses of several kinds: an image is its number, its light is that of lenstronomy, its truth adds up."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="simulating needs the extra [train]")
ImageModel = pytest.importorskip("lenstronomy.ImSim.image_model").ImageModel

from lenstronomy.Data.imaging_data import ImageData  # noqa: E402
from lenstronomy.Data.psf import PSF  # noqa: E402
from lenstronomy.LensModel.lens_model import LensModel  # noqa: E402
from lenstronomy.LightModel.light_model import LightModel  # noqa: E402

from skysieve.core.errors import RecipeError  # noqa: E402
from skysieve.core.random import stream  # noqa: E402
from skysieve.core.survey import survey  # noqa: E402
from skysieve.recipe.compound import KINDS, Compound, PopulationPlan  # noqa: E402
from skysieve.recipe.settings import change  # noqa: E402
from skysieve.simulate import compound  # noqa: E402
from skysieve.simulate.instrument import moffat, sky_noise  # noqa: E402
from skysieve.simulate.lens_kinds import draw_system  # noqa: E402
from skysieve.simulate.lens_light import Lens, add_lens  # noqa: E402
from skysieve.simulate.paint_systems import paint  # noqa: E402
from skysieve.simulate.quasars import lensed_points, quad_reach  # noqa: E402
from skysieve.simulate.scenario import open_scenario  # noqa: E402
from skysieve.simulate.source_light import draw_source  # noqa: E402
from skysieve.simulate.systems import Draft, light_row  # noqa: E402
from tests.simulate.lenstronomy_scene import sersic  # noqa: E402
from tests.simulate.test_mass import models  # noqa: E402

SCALE, SIDE = 0.1, 60
BEYOND, FINE = 17, 12
"""Pixels around lenstronomy's image, whose light the PSF brings in, and its parts of a pixel's side."""
EASY = ("camera.side=48", "population.min_arc_snr=20", "population.min_contrast=0.05",
        "population.group_radius_arcsec=[1.5, 2.0]", "population.galaxy_radius_arcsec=[0.7, 1.5]",
        "population.pair_separation_arcsec=[2.0, 3.0]")  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # for images this small, threads cost more than they do
    yield
    torch.set_num_threads(threads)


def easy(*more: str, seed: int = 1):
    return open_scenario(change(Compound(), [*EASY, *more]), seed)


@pytest.fixture(scope="module")
def sky():
    scenario = easy()
    return scenario, scenario.draw("train", range(len(KINDS)))


ROW = np.array([0.03, -0.05, 1.2, 2.1, 0.75, 0.5, 0.01, 0.2, 0.02, 0.5])
FLUX = np.array([800.0, 1000.0, 1200.0])


def theirs(rows, shear, sources, psf, *, scaling=None):
    """Return lenstronomy's image of Sersic sources; `scaling` is that of the deflection of each."""
    names, numbers = models(rows)
    numbers = [*numbers, {"gamma1": shear[0], "gamma2": shear[1]}]
    wide = SIDE + 2 * BEYOND
    half = (wide - 1) / 2 * SCALE
    data = ImageData(
        image_data=np.zeros((wide, wide)),
        ra_at_xy_0=-half,
        dec_at_xy_0=-half,
        transform_pix2angle=np.eye(2) * SCALE,
    )
    model = ImageModel(
        data,
        PSF("PIXEL", kernel_point_source=psf),
        lens_model_class=LensModel([*names, "SHEAR"]),
        source_model_class=LightModel(
            ["SERSIC_ELLIPSE"] * len(sources), deflection_scaling_list=scaling
        ),
        kwargs_numerics={"supersampling_factor": FINE, "supersampling_convolution": False},
    )
    image = model.image(numbers, [sersic(light_row(*source, FLUX), FLUX[1]) for source in sources])
    return image[BEYOND:-BEYOND, BEYOND:-BEYOND]


def painted(draft, psf):
    return paint(
        draft.system("test"), side=SIDE, pixel_scale_arcsec=SCALE, psf=np.stack([psf] * 3)[None]
    )


@pytest.mark.filterwarnings("ignore:.axes. should not be:DeprecationWarning")  # of lenstronomy
class TestLight:
    PSF = moffat(6.0, 3.5, side=33)
    SHEAR = (0.03, -0.02)

    @pytest.mark.parametrize(
        ("place", "radius", "n", "shape"),
        [((0.1, 0.05), 0.35, 1.0, (0.7, 0.4)), ((0.3, -0.2), 0.5, 1.5, (0.5, 1.2))],
    )
    def test_of_a_lensed_source_is_that_of_lenstronomy(self, place, radius, n, shape):
        draft = Draft()
        draft.deflectors.append(ROW)
        draft.shear = np.array(self.SHEAR)
        draft.sersics[0].append(light_row(place, radius, n, shape, FLUX))
        ours = painted(draft, self.PSF).lensed[0][0, 1]
        expected = theirs([ROW], self.SHEAR, [(place, radius, n, shape)], self.PSF)
        assert np.abs(ours - expected).max() < 1e-3 * ours.max()

    def test_of_a_second_plane_is_that_of_a_scaled_deflection(self):
        draft = Draft()
        draft.deflectors.append(ROW)
        draft.reach[1] = 1.25
        sources = [((0.1, 0.05), 0.35, 1.0, (0.7, 0.4)), ((-0.2, 0.1), 0.3, 1.0, (0.8, 0.9))]
        for plane, source in enumerate(sources):
            draft.sersics[plane].append(light_row(*source, FLUX))
        ours = painted(draft, self.PSF)
        expected = theirs([ROW], (0, 0), sources, self.PSF, scaling=[1.0, 1.25])
        total = sum(plane[0, 1] for plane in ours.lensed)
        assert np.abs(total - expected).max() < 1e-3 * total.max()

    def test_of_points_is_the_psf_at_their_places(self):
        draft = Draft()
        pixel = ((SIDE - 1) / 2 * SCALE) % SCALE  # the middle lies between pixels
        draft.points[0].append(np.array([5 * SCALE + pixel, -3 * SCALE + pixel, *FLUX]))
        ours = painted(draft, self.PSF).lensed[0][0, 1]
        y, x = np.unravel_index(ours.argmax(), ours.shape)
        assert ((x - 29.5) * SCALE, (y - 29.5) * SCALE) == pytest.approx((0.55, -0.25))
        stamp = ours[y - 8 : y + 9, x - 8 : x + 9] / FLUX[1]
        np.testing.assert_allclose(stamp, self.PSF[8:25, 8:25], atol=1e-4 * stamp.max())

    def test_of_points_between_pixels_keeps_flux_and_place(self):
        draft = Draft()
        draft.points[1].append(np.array([0.337, -0.512, *FLUX]))
        ours = painted(draft, self.PSF).lensed[1][0, 2].astype(np.float64)
        line = (np.arange(SIDE) - 29.5) * SCALE
        assert ours.sum() == pytest.approx(FLUX[2], rel=1e-3)
        assert (ours.sum(0) @ line / ours.sum()) == pytest.approx(0.337, abs=2e-3)
        assert (ours.sum(1) @ line / ours.sum()) == pytest.approx(-0.512, abs=2e-3)

    def test_is_the_same_with_others_in_the_batch(self):
        from skysieve.simulate.systems import Systems

        plan = PopulationPlan()
        systems = [draw_system(kind, plan, seed=1, index=4) for kind in ("group", "galaxy-galaxy")]
        psf = np.tile(self.PSF, (2, 3, 1, 1))
        both = paint(Systems.stack(systems), side=SIDE, pixel_scale_arcsec=SCALE, psf=psf)
        alone = paint(systems[1], side=SIDE, pixel_scale_arcsec=SCALE, psf=psf[:1])
        scale = alone.lensed[0].max()
        np.testing.assert_allclose(both.lensed[0][1], alone.lensed[0][0], atol=1e-5 * scale)


class TestASource:
    @pytest.mark.parametrize("index", range(12))
    def test_has_its_light_in_its_parts(self, index):
        source = draw_source(stream(1, "source", index), 23.0, 1.0, (0.1, 0.2))
        parts = sum(row[-3:] for row in [*source.sersics, *source.disks])
        np.testing.assert_allclose(parts, source.light, rtol=1e-6)

    def test_has_color_that_runs_through_it(self):
        """A bulge is redder than the whole, clumps are bluer than the disk."""
        redder = 0
        for index in range(60):
            source = draw_source(stream(1, "source", index), 23.0, 0.8, (0.0, 0.0))
            whole = source.light[0] / source.light[2]
            inner = [
                row for row in source.sersics if row[3] >= 1.5 and row[2] < source.radius_arcsec
            ]
            redder += any(row[6] / row[8] < 0.9 * whole for row in inner)
        assert redder > 10

    def test_has_arms_near_by_more_often(self):
        def armed(z):
            drawn = (draw_source(stream(2, "s", k), 23.0, z, (0.0, 0.0)) for k in range(150))
            return sum(bool(source.disks) for source in drawn)

        assert armed(0.5) > 2 * armed(3.0)


class TestAQuasar:
    def test_seen_four_times_lies_within_the_reach_of_its_lens(self):
        """So that no quad of the sky is left out by drawing them from a smaller disc."""
        outside = inside = 0
        for index in range(150):
            rng = stream(5, "reach", index)
            draft = Draft()
            draft.shear = 0.05 * np.array([np.cos(index), np.sin(index)])
            lens = add_lens(draft, rng, Lens((0.0, 0.0), 0.5, 220.0, 1.0), owner=1)
            distance, angle = np.sqrt(rng.random()), rng.uniform(0, 2 * np.pi)
            place = (distance * np.cos(angle), distance * np.sin(angle))
            images = lensed_points(draft, place)
            if np.sum(np.abs(images[:, 2]) > 0.05) >= 4:
                inside += 1
                outside += distance > quad_reach(lens, draft.shear)
        assert inside >= 8
        assert not outside

    @pytest.mark.parametrize("kind", ["quad-quasar", "double-quasar"])
    def test_has_images_that_come_from_one_point(self, kind):
        from skysieve.simulate.mass import Mass
        from skysieve.simulate.point_images import traced

        plan = PopulationPlan()
        drawn = (draw_system(kind, plan, seed=7, index=k) for k in range(400))
        system = next(one for one in drawn if one is not None)
        points = system.points[0, 0]
        points = points[points[:, 2] > 0]
        assert (len(points) >= 4) == (kind == "quad-quasar")
        tensor = torch.as_tensor
        mass = Mass(tensor(system.deflectors), tensor(system.shear), tensor(system.reach),
                    tensor(system.near))  # fmt: skip
        behind = traced(mass, 0, points[:, :2])
        assert np.ptp(behind, axis=0).max() < 1e-3


class TestAnImage:
    def test_is_the_same_in_any_batch(self, sky):
        scenario, batch = sky
        rows = [4, 1]
        again = scenario.draw("train", rows)
        np.testing.assert_array_equal(again.exposures[0].pixels, batch.exposures[0].pixels[rows])
        for name, planes in batch.exposures[0].truth.items():
            np.testing.assert_array_equal(again.exposures[0].truth[name], planes[rows])
        assert again.facts == tuple(batch.facts[row] for row in rows)

    def test_of_another_seed_or_split_is_another(self, sky):
        pixels = sky[1].exposures[0].pixels[:1]
        for other in (easy(seed=2).draw("train", [0]), sky[0].draw("test", [0])):
            assert not np.array_equal(other.exposures[0].pixels, pixels)

    def test_is_of_each_kind_in_turn(self, sky):
        assert sky[1].kinds == KINDS
        assert sky[1].labels.tolist() == list(range(len(KINDS)))

    def test_has_facts_of_plain_numbers(self, sky):
        scenario, batch = sky
        for fact in batch.facts:
            assert set(fact) == set(scenario.facts)
            assert all(value is None or type(value) in (int, float) for value in fact.values())
            assert fact["weight"] > 0
            assert fact["tries"] >= 1
            assert fact["z_source"] > fact["z_lens"]

    def test_has_two_sources_where_its_kind_says_so(self, sky):
        for kind, fact in zip(sky[1].kinds, sky[1].facts, strict=True):
            two = kind in ("double-ring", "lens-pair")
            assert (fact["z_source_2"] is not None) == two
            if kind == "double-ring":
                assert fact["z_source_2"] > fact["z_source"]
                assert fact["einstein_radius_2_arcsec"] > fact["einstein_radius_arcsec"]
            if kind.endswith("quasar"):
                assert (fact["images"] >= 4) == (kind == "quad-quasar")

    def test_as_a_picture_has_eight_bits(self):
        pixels = easy("pixels=display").draw("train", [0]).exposures[0].pixels
        assert pixels.min() >= 0
        assert pixels.max() <= 255
        assert (pixels == np.round(pixels)).all()


class TestTruth:
    def test_of_the_planes_adds_up_to_the_lensed_light(self, sky):
        truth = sky[1].exposures[0].truth
        np.testing.assert_allclose(
            truth["source1"] + truth["source2"], truth["lensed"], rtol=1e-5, atol=1e-3
        )

    def test_adds_up_to_the_image_but_for_noise(self, sky):
        _, batch = sky
        truth, pixels = batch.exposures[0].truth, batch.exposures[0].pixels
        light = truth["lensed"] + truth["host"] + truth["neighbors"]
        noise = sky_noise(survey("cfhtls"), ("g", "r", "i"))[:, None, None]
        faint = light < 0.5 * noise
        left = ((pixels - light) / noise)[faint & np.ones_like(light, bool)]
        assert 0.7 < left.std() < 1.5

    def test_of_instances_marks_two_where_there_are_two(self, sky):
        _, batch = sky
        truth = batch.exposures[0].truth
        for k, kind in enumerate(batch.kinds):
            arcs, lenses = (truth[name][k].any((1, 2)) for name in ("arcs", "lenses"))
            assert arcs.tolist() == [True, kind in ("double-ring", "lens-pair")]
            assert lenses[0]
            if kind != "group":  # whose members may be faint
                assert lenses[1] == (kind == "lens-pair")
            assert set(np.unique(truth["arcs"])) <= {0.0, 1.0}

    def test_of_an_arc_is_where_its_light_is(self, sky):
        _, batch = sky
        truth = batch.exposures[0].truth
        for plane in (0, 1):
            light = truth[f"source{plane + 1}"].sum(1)
            inside = (light * truth["arcs"][:, plane]).sum((1, 2))
            there = light.sum((1, 2)) > 0
            assert (inside[there] > 0.2 * light.sum((1, 2))[there]).all()


def test_a_plan_that_no_lens_clears_is_refused(monkeypatch):
    monkeypatch.setattr(compound, "TRIES", 5)
    with pytest.raises(RecipeError, match="None of 5 systems of kind galaxy-galaxy"):
        easy("population.min_arc_snr=1e9").draw("train", [0])


def test_magnitudes_that_are_not_counted_are_refused():
    with pytest.raises(RecipeError, match=r"counted from 20\.5"):
        change(Compound(), ["population.source_i_ab=[19, 25]"])


def test_a_nearer_source_deflects_the_farther_one():
    found = (draw_system("double-ring", PopulationPlan(), seed=1, index=k) for k in range(9))
    system = next(one for one in found if one is not None)
    assert system.near[0, 0, 2] > 0
    assert system.reach[0, 1] > 1
