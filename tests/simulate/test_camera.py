"""The camera, by laws of photons and against lenstronomy."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.io import fits

from skysieve.core.errors import InputError, MismatchError
from skysieve.core.survey import SURVEYS, survey
from skysieve.recipe.camera import (
    BackgroundPlan,
    GaussianPsfPlan,
    MoffatPsfPlan,
    ObservingPlan,
    PicturePlan,
    StampPsfPlan,
)
from skysieve.simulate.camera import (
    blur,
    expose,
    lupton_picture,
    observe,
    resampling_kernel,
    sky_noise_counts,
)
from skysieve.simulate.psf import draw_stamps, gaussian, moffat, read_stamp

FLAT = ObservingPlan(correlation_pixels=(0, 0), background=None)


def dark(bands=3, side=64):
    return np.zeros((bands, side, side), np.float32)


def moments(stamp):
    y, x = np.mgrid[: len(stamp), : len(stamp)] - len(stamp) // 2
    return (stamp * x**2).sum(), (stamp * y**2).sum(), (stamp * x * y).sum()


class TestEveryPsf:
    @pytest.mark.parametrize("psf", [GaussianPsfPlan(), MoffatPsfPlan()], ids=lambda p: p.kind)
    @pytest.mark.parametrize("name", ["hsc", "euclid-vis", "hst-wfc3"])
    def test_sums_to_one_about_the_center_with_the_width_of_the_survey(self, psf, name):
        camera = survey(name)
        bands = tuple(band.name for band in camera.bands)
        still = psf.model_copy(update={"fwhm_spread": 0.0, "min_axis_ratio": 1.0})
        plan = ObservingPlan(survey=name, bands=bands, psf=still)
        for stamp, band in zip(draw_stamps(plan, seed=1, index=0), camera.bands, strict=True):
            assert stamp.sum() == pytest.approx(1)
            np.testing.assert_allclose(stamp, stamp[::-1, ::-1], atol=1e-12)
            row = stamp[len(stamp) // 2, len(stamp) // 2 :]
            fwhm = 2 * np.interp(-row[0] / 2, -row, np.arange(len(row)))
            wanted = band.psf_fwhm_arcsec / camera.pixel_scale_arcsec
            widened = np.sqrt(wanted**2 + 5.545 / 12)  # the pixel's own variance
            assert fwhm == pytest.approx(widened, rel=0.08)

    def test_seeing_scatters_as_the_plan_says_and_bands_go_together(self):
        plan = ObservingPlan(psf=GaussianPsfPlan(fwhm_spread=0.2, min_axis_ratio=1.0))
        stamps = [draw_stamps(plan, seed=3, index=k) for k in range(300)]
        widths = np.log([[sum(moments(stamp)[:2]) for stamp in three] for three in stamps]) / 2
        np.testing.assert_allclose(widths.std(0), 0.2 * np.sqrt(1.25), rtol=0.15)
        assert np.corrcoef(widths.T)[0, 1] == pytest.approx(1 / 1.25, abs=0.08)


@pytest.mark.parametrize(("q", "phi"), [(1.0, 0.0), (0.6, 0.4), (0.8, 2.0)])
def test_a_gaussian_has_its_moments(q, phi):
    sigma = 5.0 / 2.3548
    xx, yy, xy = moments(gaussian(5.0, q=q, phi=phi, side=41))
    c, s = np.cos(phi), np.sin(phi)
    pixel = 1 / 12
    assert xx == pytest.approx(sigma**2 * (c**2 + q**2 * s**2) + pixel, rel=2e-3)
    assert yy == pytest.approx(sigma**2 * (s**2 + q**2 * c**2) + pixel, rel=2e-3)
    assert xy == pytest.approx(sigma**2 * c * s * (1 - q**2), abs=1e-3)


def test_a_gaussian_is_that_of_lenstronomy():
    psf = pytest.importorskip("lenstronomy.Data.psf")
    theirs = psf.PSF(psf_type="GAUSSIAN", fwhm=0.8, pixel_size=0.2, truncation=6)
    kernel = theirs.kernel_point_source
    ours = gaussian(4.0, side=len(kernel))
    # theirs is sampled at the centers of pixels, ours averaged over them: wider by a pixel's own
    spread = moments(ours)[0] - moments(kernel)[0]
    assert spread == pytest.approx(1 / 12, abs=0.01)
    assert np.abs(ours - kernel).max() < 0.04 * kernel.max()


@pytest.mark.parametrize(("fwhm", "beta"), [(1.6, 3.0), (4.0, 2.5), (6.0, 4.5)])
def test_a_moffat_is_that_of_astropy(fwhm, beta):
    from astropy.convolution import discretize_model
    from astropy.modeling.models import Moffat2D

    core = fwhm / (2 * np.sqrt(2 ** (1 / beta) - 1))
    model = Moffat2D(amplitude=1, x_0=0, y_0=0, gamma=core, alpha=beta)
    theirs = discretize_model(model, (-32, 33), (-32, 33), mode="oversample", factor=9)
    theirs /= theirs.sum()
    assert np.abs(moffat(fwhm, beta) - theirs).max() < 0.005 * theirs.max()


def test_few_photons_are_drawn_one_by_one():
    # the skewness of Poisson noise is the root of the mean's inverse; Gaussian noise has none
    plan = FLAT.model_copy(update={"survey": "sdss", "bands": ("g",), "exposure_scale": 0.05})
    noise = expose(dark(1, 400), plan, seed=1, index=0)[0]
    camera = survey("sdss")
    mean = camera.sky_electrons("g") * 0.05
    readouts = 0.05 * camera.read_noise_electrons**2
    skewness = float(np.mean((noise / noise.std()) ** 3))
    assert skewness == pytest.approx(mean / (mean + readouts) ** 1.5, abs=0.03)


class TestAMeasuredPsf:
    def test_is_used_as_it_is(self, tmp_path):
        np.save(tmp_path / "g.npy", 7 * gaussian(4.0, side=21))
        fits.writeto(tmp_path / "r.fits", gaussian(5.0, side=25))
        files = {"g": tmp_path / "g.npy", "r": tmp_path / "r.fits"}
        plan = ObservingPlan(bands=("g", "r"), psf=StampPsfPlan(files=files))
        g, r = draw_stamps(plan, seed=1, index=0)
        np.testing.assert_allclose(g[2:-2, 2:-2], gaussian(4.0, side=21), atol=1e-12)
        np.testing.assert_allclose(r, gaussian(5.0, side=25), atol=1e-12)

    @pytest.mark.parametrize(
        "stamp", [np.ones((4, 4)), np.ones((3, 5)), np.zeros((3, 3)), np.full((3, 3), np.nan)]
    )
    def test_that_is_none_is_refused(self, tmp_path, stamp):
        np.save(tmp_path / "bad.npy", stamp)
        with pytest.raises(InputError, match=r"bad\.npy"):
            read_stamp(tmp_path / "bad.npy")

    def test_that_cannot_be_read_is_refused(self, tmp_path):
        (tmp_path / "bad.fits").write_text("no FITS")
        np.save(tmp_path / "bad.npy", np.array([{}]))
        for name in ("bad.fits", "bad.npy", "absent.fits"):
            with pytest.raises(InputError, match=name):
                read_stamp(tmp_path / name)


def test_seeing_keeps_flux_and_place():
    light = dark()
    light[:, 30, 25] = 1000
    plan = ObservingPlan(psf=GaussianPsfPlan())
    blurred = blur(light, draw_stamps(plan, seed=1, index=2))
    np.testing.assert_allclose(blurred.sum((1, 2)), 1000, rtol=1e-5)
    assert [divmod(int(plane.argmax()), 64) for plane in blurred] == [(30, 25)] * 3


class TestNoise:
    @pytest.mark.parametrize("name", sorted(SURVEYS))
    def test_of_empty_sky_is_that_of_the_survey(self, name):
        bands = tuple(band.name for band in survey(name).bands)
        plan = FLAT.model_copy(update={"survey": name, "bands": bands})
        seen, _ = expose(dark(len(bands), 128), plan, seed=1, index=0)
        np.testing.assert_allclose(seen.std((1, 2)), sky_noise_counts(plan), rtol=0.03)
        error = sky_noise_counts(plan) / 128
        np.testing.assert_array_less(np.abs(seen.mean((1, 2))), 5 * error)

    def test_obeys_the_photon_transfer_curve(self):
        # variance against mean is a line: its slope is the inverse gain, its start the sky's noise
        plan = FLAT.model_copy(update={"survey": "des", "bands": ("r",), "saturation": False})
        means = np.linspace(0, 3000, 9)
        seen = [
            expose(np.full((1, 160, 160), mean, np.float32), plan, seed=2, index=k)[0]
            for k, mean in enumerate(means)
        ]
        variances = [float(np.var(image, dtype=float)) for image in seen]
        slope, start = np.polyfit([image.mean(dtype=float) for image in seen], variances, 1)
        camera = survey("des")
        assert 1 / slope == pytest.approx(camera.electrons_per_count("r"), rel=0.04)
        assert start == pytest.approx(camera.sky_noise_counts("r") ** 2, rel=0.15)

    def test_falls_with_the_root_of_the_exposure_time(self):
        long = FLAT.model_copy(update={"exposure_scale": 4.0})
        light = np.full((3, 128, 128), 50, np.float32)
        once, _ = expose(light, FLAT, seed=1, index=0)
        four, _ = expose(light, long, seed=1, index=0)
        np.testing.assert_allclose(once.std((1, 2)) / four.std((1, 2)), 2, rtol=0.03)

    @pytest.mark.parametrize("correlation", [0.0, 0.3, 0.6, 1.0, 2.0])
    def test_keeps_its_variance_when_neighbors_correlate(self, correlation):
        kernel = resampling_kernel(correlation)
        assert np.square(kernel).sum() == pytest.approx(1)
        plan = FLAT.model_copy(update={"correlation_pixels": (correlation, correlation)})
        light = np.tile(np.linspace(0, 500, 256, dtype=np.float32), (3, 256, 1))
        noise = expose(light, plan, seed=5, index=0)[0] - light
        white = expose(light, FLAT, seed=6, index=0)[0] - light
        rows = [noise[:, :, a : a + 64].std() for a in (0, 192)]
        wanted = [white[:, :, a : a + 64].std() for a in (0, 192)]
        np.testing.assert_allclose(rows, wanted, rtol=0.05)
        unit = noise / white.std((1,), keepdims=True)
        neighbor = float((unit[..., 1:] * unit[..., :-1]).mean() / np.square(unit).mean())
        shifted = (kernel[1:] * kernel[:-1]).sum()  # autocorrelation of the kernel
        assert neighbor == pytest.approx(shifted, abs=0.03)

    def test_has_the_same_variance_at_the_edge(self):
        plan = FLAT.model_copy(update={"correlation_pixels": (1.0, 1.0)})
        seen = np.stack([expose(dark(), plan, seed=1, index=k)[0] for k in range(60)])
        edges = np.concatenate([seen[..., 0, :].ravel(), seen[..., -1].reshape(-1)])
        assert edges.std() == pytest.approx(seen[..., 20:40, 20:40].std(), rel=0.05)

    @pytest.mark.parametrize("telescope", ["DES", "LSST", "Euclid"])
    def test_is_that_of_lenstronomy_for_its_exposures_and_sky(self, telescope, monkeypatch):
        import importlib
        from dataclasses import replace

        pytest.importorskip("lenstronomy")
        api = importlib.import_module("lenstronomy.SimulationAPI.observation_api")
        place = f"lenstronomy.SimulationAPI.ObservationConfig.{telescope}"
        band = "VIS" if telescope == "Euclid" else "r"
        told = getattr(importlib.import_module(place), telescope)(band=band).kwargs_single_band()
        theirs = api.SingleBand(data_count_unit="e-", **told)
        light = 40 * theirs.background_noise
        wanted = theirs.estimate_noise(np.array([[0.0, light]]))[0]
        camera = survey("euclid-vis" if telescope == "Euclid" else telescope.lower())
        ours = replace(
            camera.band(band),
            exposure_s=told["exposure_time"],
            exposures=told["num_exposures"],
            electron_zero_point_ab=told["magnitude_zero_point"],
            sky_noise_ab=told["magnitude_zero_point"] - 2.5 * np.log10(theirs.background_noise),
        )
        same = replace(
            camera,
            bands=(ours,),
            zero_point_ab=told["magnitude_zero_point"],
            read_noise_electrons=told["read_noise"],
            pixel_scale_arcsec=told["pixel_scale"],
        )
        sky = 10 ** (0.4 * (told["magnitude_zero_point"] - told["sky_brightness"]))
        collected = sky * told["pixel_scale"] ** 2 * ours.total_exposure_s
        assert same.sky_electrons(band) == pytest.approx(collected, rel=1e-6)
        monkeypatch.setitem(SURVEYS, camera.name, same)
        plan = FLAT.model_copy(update={"survey": camera.name, "bands": (band,)})
        scene = np.zeros((1, 200, 200), np.float32)
        scene[:, :, 100:] = light
        seen = expose(scene, plan, seed=1, index=0)[0][0]
        np.testing.assert_allclose([seen[:, :100].std(), seen[:, 100:].std()], wanted, rtol=0.03)


class TestAnImage:
    light = np.random.default_rng(0).uniform(0, 30, (3, 48, 48)).astype(np.float32)

    def test_is_decided_by_seed_and_index_alone(self):
        plan = ObservingPlan()
        batch = [observe(self.light, plan, seed=7, index=k).counts for k in range(3)]
        np.testing.assert_array_equal(observe(self.light, plan, seed=7, index=2).counts, batch[2])
        assert (batch[0] != batch[1]).all()
        assert (observe(self.light, plan, seed=8, index=0).counts != batch[0]).all()

    def test_of_a_band_does_not_depend_on_the_other_bands(self):
        alone = ObservingPlan(bands=("r",))
        one = observe(self.light[1:2], alone, seed=7, index=0)
        three = observe(self.light, ObservingPlan(), seed=7, index=0)
        np.testing.assert_allclose(one.counts[0], three.counts[1], rtol=1e-5, atol=1e-4)

    def test_needs_a_plane_for_each_band(self):
        with pytest.raises(MismatchError, match="2 planes"):
            observe(self.light[:2], ObservingPlan(), seed=1, index=0)

    def test_keeps_the_truth_beside_it(self):
        seen = observe(self.light, FLAT, seed=1, index=0)
        residual = (seen.counts - seen.noiseless)[:, 8:-8, 8:-8]
        assert np.abs(residual.mean((1, 2))).max() < 0.1
        assert not seen.saturated.any()


def test_full_pixels_stop_counting():
    star = dark()
    star[:, 32, 32] = 1e8
    plan = FLAT.model_copy(update={"psf": GaussianPsfPlan(fwhm_spread=0)})
    seen = observe(star, plan, seed=1, index=0)
    camera = survey("cfhtls")
    assert seen.saturated.any((1, 2)).all()
    for k, name in enumerate(plan.bands):
        charge = seen.counts[k] * camera.electrons_per_count(name) + camera.sky_electrons(name)
        full = camera.band(name).exposures * camera.saturation_electrons
        np.testing.assert_allclose(charge[seen.saturated[k]], full, rtol=1e-5)
        assert (charge[~seen.saturated[k]] < full).all()
    open_ended = plan.model_copy(update={"saturation": False})
    assert observe(star, open_ended, seed=1, index=0).counts.max() > 10 * seen.counts.max()


def test_the_background_is_a_plane_of_the_stated_height():
    noise = sky_noise_counts(FLAT)
    tilted = FLAT.model_copy(update={"background": BackgroundPlan(offset=2.0, tilt=4.0)})
    planes = np.stack(
        [
            (expose(dark(), tilted, seed=1, index=k)[0] - expose(dark(), FLAT, seed=1, index=k)[0])
            / noise[:, None, None]
            for k in range(150)
        ]
    )
    bend = planes[..., :-2] - 2 * planes[..., 1:-1] + planes[..., 2:]
    assert np.abs(bend).max() < 1e-4
    assert planes.mean((2, 3)).std() == pytest.approx(2.0, rel=0.12)
    rise = planes[..., -1].mean(2) - planes[..., 0].mean(2)
    assert rise.std() == pytest.approx(4.0, rel=0.12)


class TestAPicture:
    plan = PicturePlan()
    noise = np.ones(3)

    def test_shows_the_bands_in_their_colors(self):
        counts = dark()
        counts[0, 10, 10], counts[1, 20, 20], counts[2, 30, 30] = 100, 100, 100
        picture = lupton_picture(counts, ("g", "r", "i"), self.noise, self.plan)
        assert picture.shape == (64, 64, 3)
        assert [int(picture[k, k].argmax()) for k in (10, 20, 30)] == [2, 1, 0]

    def test_keeps_the_color_of_what_is_bright(self):
        counts = dark()
        for k, brightness in enumerate((20, 200, 20_000)):
            counts[:, 10, k] = np.array([1.0, 2.0, 3.0]) * brightness
        picture = lupton_picture(counts, ("g", "r", "i"), self.noise, self.plan)[10, :3].astype(
            float
        )
        ratios = picture[:, :2] / picture[:, 1:]
        assert (picture[:, 0] > picture[:, 1]).all()
        assert (picture[:, 1] > picture[:, 2]).all()
        np.testing.assert_allclose(ratios[2], [1.5, 2.0], rtol=0.03)

    def test_grows_with_brightness_and_is_black_without_data(self):
        counts = dark()
        counts[:, 0] = np.linspace(0, 300, 64)
        counts[:, 1] = np.nan
        picture = lupton_picture(counts, ("g", "r", "i"), self.noise, self.plan).astype(int)
        assert (np.diff(picture[0], axis=0) >= 0).all()
        assert picture[0, -1].min() > picture[0, 0].max() + 100
        assert not picture[1].any()
        assert picture[5].all()

    def test_is_delivered_if_it_is_asked_for(self):
        light = dark()
        assert observe(light, FLAT, seed=1, index=0).picture is None
        shown = FLAT.model_copy(update={"delivery": PicturePlan()})
        picture = observe(light, shown, seed=1, index=0).picture
        assert picture is not None
        assert picture.dtype == np.uint8
