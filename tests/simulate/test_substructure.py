"""Images with substructure, by laws and against lenstronomy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import rankdata

torch = pytest.importorskip("torch", reason="simulating needs the extra [train]")
pytest.importorskip("caustics", reason="simulating needs the extra [train]")

from skysieve.core.errors import InputError, MissingError, RecipeError  # noqa: E402
from skysieve.recipe.substructure import (  # noqa: E402
    SUBSTRUCTURE_MODELS,
    PointMassPlan,
    SubhaloPlan,
    SubstructureCameraPlan,
    SubstructurePlan,
    TruncatedNfwPlan,
    VortexPlan,
)
from skysieve.simulate.clumps import mass_in_circle  # noqa: E402
from skysieve.simulate.deflection import deflect_by_strings  # noqa: E402
from skysieve.simulate.substructure import simulate_substructure  # noqa: E402
from tests.simulate.lenstronomy_rings import lenstronomy_image, lenstronomy_lens, rows  # noqa: E402

KINDS = ("no", "sphere", "vort")


def small(profile=None, side=40, scale=0.16, **changes) -> SubstructurePlan:
    """A cheap model: few pixels and only the heavier subhalos."""
    model = SUBSTRUCTURE_MODELS["II"]
    camera = SubstructureCameraPlan(
        side=side, pixel_scale_arcsec=scale, psf_fwhm_arcsec=2 * scale, zero_point_ab=24.0,
        background=model.camera.background,
    )  # fmt: skip
    subhalos = SubhaloPlan(mass_msun=(2e8, 1e10), profile=profile or TruncatedNfwPlan())
    return model.model_copy(update={"camera": camera, "subhalos": subhalos} | changes)


def simulate(plan, kind, first=0, count=3, **settings):
    return simulate_substructure(
        plan, kind=kind, seed=5, first=first, count=count, compiled=False, **settings
    )


class TestAgainstLenstronomy:
    @pytest.mark.parametrize(
        ("kind", "profile", "scale"),
        [
            ("no", None, 0.16),
            ("sphere", TruncatedNfwPlan(), 0.16),
            ("sphere", TruncatedNfwPlan(), 0.06),  # fine enough for the spline between halos
            ("sphere", PointMassPlan(), 0.16),
        ],
    )
    def test_images_are_the_same(self, kind, profile, scale):
        plan = small(profile, scale=scale, side=40 if scale > 0.1 else 64)
        images = simulate(plan, kind)
        inner = (slice(4, -4), slice(4, -4))  # it lets no light in from outside the frame
        for row, clumps, ours in zip(rows(images), images.clumps, images.noise_free, strict=True):
            model, numbers = lenstronomy_lens(
                row, clumps, main=row["smooth_radius"], tnfw=not isinstance(profile, PointMassPlan)
            )
            theirs = lenstronomy_image(row, model, numbers, plan.camera)
            difference = np.abs(ours[0] - theirs)[inner]
            assert difference.max() < 1e-3 * theirs.max()

    @pytest.mark.parametrize("profile", [TruncatedNfwPlan(), PointMassPlan()])
    def test_the_mass_in_the_einstein_radius_is_that_without_subhalos(self, profile):
        images = simulate(small(profile), "sphere")
        angle = np.linspace(0, 2 * np.pi, 40_000, endpoint=False)
        for row, clumps in zip(rows(images), images.clumps, strict=True):
            assert row["mass_inside"] > 1e-3
            mass = []
            for main, table in (
                (row["einstein_radius"], clumps[:0]),
                (row["smooth_radius"], clumps),
            ):
                model, numbers = lenstronomy_lens(
                    row, table, main=main, tnfw=isinstance(profile, TruncatedNfwPlan)
                )
                r = row["einstein_radius"]
                ax, ay = model.alpha(
                    row["x"] + r * np.cos(angle), row["y"] + r * np.sin(angle), numbers
                )
                mass.append((ax * np.cos(angle) + ay * np.sin(angle)).mean() * r)
            assert mass[1] == pytest.approx(mass[0], rel=3e-4)

    def test_a_string_deflects_like_a_row_of_points(self):
        models = pytest.importorskip("lenstronomy.LensModel.lens_model")
        x0, y0, mass, length, phi = 0.2, -0.1, 0.05, 1.5, 0.7
        step = (np.arange(3000) - 1499.5) / 3000 * length
        points = [
            {"theta_E": np.sqrt(mass / 3000), "center_x": x, "center_y": y}
            for x, y in zip(x0 + step * np.cos(phi), y0 + step * np.sin(phi), strict=True)
        ]
        x, y = np.random.default_rng(1).uniform(-2, 2, (2, 200))
        far = np.abs((y - y0) * np.cos(phi) - (x - x0) * np.sin(phi)) > 0.05
        theirs = models.LensModel(["POINT_MASS"] * 3000).alpha(x, y, points)
        string = torch.tensor([[[x0, y0, mass, length, phi, 1e-3]]], dtype=torch.float64)
        ours = deflect_by_strings(string, *(torch.tensor(c)[None, None] for c in (x, y)))
        for a, b in zip(ours, theirs, strict=True):
            np.testing.assert_allclose(a[0, 0].numpy()[far], b[far], atol=1e-4)


class TestMass:
    def test_the_part_of_a_string_inside_is_taken_from_the_smooth_lens(self):
        images = simulate(small(vortices=VortexPlan(count=3, mass_fraction=0.05)), "vort", count=6)
        for row, strings in zip(rows(images), images.clumps, strict=True):
            inside = 0.0
            for x, y, mass, length, phi, _ in strings:
                step = (np.arange(20_000) + 0.5) / 20_000 * length - length / 2
                r = np.hypot(x + step * np.cos(phi) - row["x"], y + step * np.sin(phi) - row["y"])
                inside += mass * (r < row["einstein_radius"]).mean()
            radius, g = row["einstein_radius"], mass_in_circle(np.array([row["q"]]))[0]
            assert row["smooth_radius"] * radius * g + inside == pytest.approx(
                radius**2 * g, rel=2e-3
            )
            assert row["mass_inside"] == pytest.approx(inside / radius**2, rel=0.03)

    def test_a_halo_without_clumps_keeps_its_radius(self):
        images = simulate(small(), "no")
        np.testing.assert_array_equal(
            images.parameters["smooth_radius"], images.parameters["einstein_radius"]
        )

    def test_more_than_there_is_cannot_be_put_in_clumps(self):
        heavy = SubhaloPlan(
            mass_fraction=0.3, slope=-1.5, mass_msun=(1e9, 1e13), profile=PointMassPlan()
        )
        with pytest.raises(RecipeError, match="mass_fraction"):
            simulate(small(subhalos=heavy), "sphere", count=16)


class TestNaming:
    @pytest.mark.parametrize(
        ("kind", "scale"), [("no", 0.16), ("sphere", 0.16), ("sphere", 0.06), ("vort", 0.16)]
    )
    def test_an_image_does_not_depend_on_its_batch(self, kind, scale):
        plan = small(side=24, scale=scale)
        many = simulate(plan, kind, count=11)
        few = simulate(plan, kind, first=7, count=3)
        np.testing.assert_array_equal(many.pixels[7:10], few.pixels)
        np.testing.assert_array_equal(many.noise_free[7:10], few.noise_free)
        for name, column in many.parameters.items():
            np.testing.assert_array_equal(column[7:10], few.parameters[name], err_msg=name)
        assert all((a == b).all() for a, b in zip(many.clumps[7:10], few.clumps, strict=True))

    def test_another_seed_is_another_image(self):
        plan = small(side=24)
        one, other = (
            simulate_substructure(plan, kind="no", seed=seed, first=0, count=1, compiled=False)
            for seed in (1, 2)
        )
        assert not np.isclose(one.noise_free, other.noise_free).all()

    def test_classes_differ_by_their_clumps_and_noise_alone(self):
        none, sphere, vort = (simulate(small(), kind) for kind in KINDS)
        for name in ("einstein_radius", "q", "source_flux", "source_x", "exposure_s"):
            np.testing.assert_array_equal(none.parameters[name], sphere.parameters[name])
            np.testing.assert_array_equal(none.parameters[name], vort.parameters[name])
        noise = [images.pixels - images.noise_free for images in (none, sphere, vort)]
        assert abs(np.corrcoef(noise[0].ravel(), noise[1].ravel())[0, 1]) < 0.1
        assert abs(np.corrcoef(noise[0].ravel(), noise[2].ravel())[0, 1]) < 0.1
        assert not np.isclose(none.noise_free, sphere.noise_free, rtol=1e-3).all()
        assert not np.isclose(none.noise_free, vort.noise_free, rtol=1e-3).all()


class TestNoise:
    @pytest.mark.parametrize("model", ["II", "III"])
    def test_is_that_of_lenstronomy_for_the_camera(self, model):
        band = pytest.importorskip("lenstronomy.SimulationAPI.observation_api")
        plan = SUBSTRUCTURE_MODELS[model]
        sky = plan.camera.background
        theirs = band.SingleBand(
            pixel_scale=plan.camera.pixel_scale_arcsec, exposure_time=sky.exposure_s,
            magnitude_zero_point=plan.camera.zero_point_ab, read_noise=sky.read_noise_electrons,
            ccd_gain=1.0, sky_brightness=sky.sky_ab_per_arcsec2, num_exposures=sky.exposures,
            seeing=plan.camera.psf_fwhm_arcsec, psf_type="GAUSSIAN",
        )  # fmt: skip
        images = simulate(plan, "no", count=8)
        noise = images.pixels - images.noise_free
        expected = np.sqrt(theirs.background_noise**2 + images.noise_free / theirs.exposure_time)
        self.check(noise / expected)

    def test_is_that_of_background_and_photons_once(self):
        plan = SUBSTRUCTURE_MODELS["I"]
        images = simulate(plan, "no", count=4)
        time = images.parameters["exposure_s"][:, None, None, None]
        assert (time >= 1e3).all()
        assert (time <= 10**3.5).all()
        expected = np.sqrt(plan.camera.background.rms**2 + images.noise_free / time)
        self.check((images.pixels - images.noise_free) / expected)

    @staticmethod
    def check(standard):
        assert standard.mean() == pytest.approx(0, abs=4 / np.sqrt(standard.size))
        assert standard.std() == pytest.approx(1, abs=4 / np.sqrt(2 * standard.size))


@pytest.mark.parametrize(("model", "side"), [("I", 150), ("II", 64), ("III", 64)])
def test_models_have_the_sizes_of_the_source(model, side):
    images = simulate(SUBSTRUCTURE_MODELS[model], "vort", count=1)
    assert images.pixels.shape == (1, 1, side, side)
    assert images.pixels.dtype == np.float32
    assert len(images) == 1


def test_scaled_images_fill_0_to_1():
    plan = small(side=24)
    plain = simulate(plan, "no")
    scaled = simulate(plan.model_copy(update={"scaled": True}), "no")
    np.testing.assert_array_equal(scaled.pixels.min((1, 2, 3)), 0)
    np.testing.assert_array_equal(scaled.pixels.max((1, 2, 3)), 1)
    np.testing.assert_array_equal(scaled.noise_free, plain.noise_free)
    for a, b in zip(scaled.pixels, plain.pixels, strict=True):
        assert np.corrcoef(a.ravel(), b.ravel())[0, 1] == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"kind": "sfere"}, InputError, "sphere"),
        ({"kind": "xyz"}, InputError, "vort"),
        ({"count": 0}, InputError, "1 image"),
        ({"first": -1}, InputError, "number 0"),
        ({"device": "toaster"}, InputError, "cpu"),
    ],
)
def test_what_cannot_be_simulated_is_refused(changes, error, words):
    asked = {"kind": "no", "seed": 1, "first": 0, "count": 1} | changes
    with pytest.raises(error, match=words):
        simulate_substructure(small(side=24), **asked)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_missing_gpu_is_told():
    with pytest.raises(MissingError, match="GPU"):
        simulate(small(side=24), "no", device="cuda")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("kind", KINDS)
def test_a_gpu_gives_the_same_images(kind):
    plan = small()
    one, other = (simulate(plan, kind, device=device) for device in ("cpu", "cuda"))
    peak = one.noise_free.max()
    np.testing.assert_allclose(other.noise_free, one.noise_free, atol=1e-4 * peak)
    np.testing.assert_allclose(other.pixels, one.pixels, atol=1e-4 * peak)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_compiled_images_are_the_same(kind):
    plan = small(side=24)
    plain = simulate(plan, kind)
    fast = simulate_substructure(plan, kind=kind, seed=5, first=0, count=3)
    np.testing.assert_allclose(fast.pixels, plain.pixels, atol=1e-4 * plain.pixels.max())


def separation(a, b):
    """Return the area under the ROC curve of one number, either way around."""
    ranks = rankdata(np.concatenate([a, b]))[: len(a)]
    area = (ranks.mean() - (len(a) + 1) / 2) / len(b)
    return max(area, 1 - area)


@pytest.mark.slow
@pytest.mark.parametrize("model", ["II", "III"])
def test_no_simple_cue_tells_the_classes(model):
    """Neither brightness, nor peak, nor noise, nor the radius or shape of the ring."""
    plan = SUBSTRUCTURE_MODELS[model].model_copy(update={"paired": False})
    side = plan.camera.side
    y, x = np.indices((side, side)) - (side - 1) / 2
    cues = {}
    for kind in KINDS:
        image = simulate(plan, kind, count=320).pixels[:, 0].astype(float)
        light = np.where(image > 0.2 * image.max((1, 2), keepdims=True), image, 0)
        total = light.sum((1, 2))
        cx, cy = ((light * c).sum((1, 2)) / total for c in (x, y))
        cues[kind] = {
            "flux": image.sum((1, 2)),
            "peak": image.max((1, 2)),
            "noise": image[:, :8, :8].std((1, 2)),
            "radius": (light * np.hypot(x, y)).sum((1, 2)) / total,
            "area": (light > 0).sum((1, 2)),
            "middle": np.hypot(cx, cy),
        }
    for a, b in (("no", "sphere"), ("no", "vort"), ("sphere", "vort")):
        for name in cues[a]:
            assert separation(cues[a][name], cues[b][name]) <= 0.60, (a, b, name)
