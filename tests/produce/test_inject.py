"""Injected arcs: what is added is the truth, the rest is untouched, and a name decides the arcs."""

from __future__ import annotations

import csv
import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

torch = pytest.importorskip("torch", reason="injecting needs the extra [train]")
pytest.importorskip("caustics", reason="injecting needs the extra [train]")

import skysieve  # noqa: E402
from skysieve.core.errors import (  # noqa: E402
    InputError,
    MismatchError,
    MissingError,
    RecipeError,
)
from skysieve.images import ReadOptions, scan  # noqa: E402
from skysieve.produce import inject as injecting  # noqa: E402
from skysieve.produce.inject import inject  # noqa: E402
from skysieve.produce.inject_plan import InjectPlan, plan_injection  # noqa: E402
from skysieve.produce.inject_rows import system_of  # noqa: E402
from skysieve.produce.painting import kernels_of, light_of  # noqa: E402
from skysieve.produce.sight import look  # noqa: E402
from skysieve.recipe.injection import InjectionPlan, SeeingPsf, StampPsf  # noqa: E402

SIDE, SCALE = 41, 0.263
SEEING = SeeingPsf(fwhm_arcsec={"g": 1.1, "r": 0.95, "i": 0.9})
PLAN = InjectionPlan(survey="des", psf=SEEING, einstein_radius_arcsec=(1.0, 2.0))
OPTIONS = ReadOptions(bands=("g", "r", "i"), pixel_scale_arcsec=SCALE)


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """For images this small, threads cost more than they do."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def galaxy(seed: int, side: int = SIDE, sky: float = 0.0) -> np.ndarray:
    """A red galaxy in g, r, i on the sky of DES, at zero point 30."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:side, :side] - (side - 1) / 2
    light = np.exp(-(x**2 + (y / 0.7) ** 2) / (2 * 2.5**2))
    noise = np.array([2.2, 3.4, 6.3])[:, None, None] * rng.normal(size=(3, side, side))
    return (sky + np.array([60, 250, 420])[:, None, None] * light + noise).astype("f4")


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Four galaxies, one of them with a hole."""
    home = tmp_path_factory.mktemp("cutouts")
    for k in range(4):
        pixels = galaxy(k)
        if k == 1:
            pixels[:, 5:9, 5:30] = np.nan
            pixels[1, 30, 20:25] = np.inf
        np.save(home / f"c{k}.npy", pixels)
    return home


def planned(folder: Path, plan: InjectionPlan = PLAN, *, part_rows: int = 3, seed: int = 1):
    made = plan_injection(scan([folder], OPTIONS), plan, seed=seed)
    return made.model_copy(update={"part_rows": part_rows})


@pytest.fixture(scope="module")
def made(folder, tmp_path_factory) -> Path:
    """The galaxies with two sets of arcs each."""
    out = tmp_path_factory.mktemp("injected") / "set"
    inject(out, planned(folder, PLAN.model_copy(update={"copies": 2})))
    return out


def table(folder: Path) -> list[dict]:
    return pq.read_table(folder / "scenes.parquet").to_pylist()


def images(folder: Path, kind: str = "images") -> dict[str, np.ndarray]:
    cutouts = skysieve.read(folder / kind if kind == "images" else folder / "truth" / "lensed")
    return dict(zip(cutouts.ids, cutouts.pixels, strict=True))


def files(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


class TestPixels:
    def test_of_a_control_are_those_of_the_file_bit_for_bit(self, made, folder):
        seen = images(made)
        for row in table(made):
            if row["label"] == 0:
                pixels = np.load(folder / f"{row['origin']}.npy")
                assert seen[row["id"]].tobytes() == pixels.tobytes()

    def test_that_hold_no_data_are_left_alone(self, made, folder):
        pixels = np.load(folder / "c1.npy")
        holes = ~np.isfinite(pixels)
        assert holes.sum() == 3 * 4 * 25 + 5
        for name, seen in images(made).items():
            if "-c1-" in name:
                np.testing.assert_array_equal(seen[holes], pixels[holes])
                assert np.isfinite(seen[~holes]).all()

    def test_gain_the_light_of_the_truth_within_its_photons(self, made, folder):
        seen, truth = images(made), images(made, "lensed")
        pulls = []
        for row in table(made):
            if row["label"] == 1:
                pixels, light = np.load(folder / f"{row['origin']}.npy"), truth[row["id"]]
                valid = np.isfinite(pixels)
                for k, band in enumerate("gri"):
                    mine = seen[row["id"]][k][valid[k]].astype(float)
                    added = (mine - pixels[k][valid[k]]).sum()
                    there = light[k][valid[k]].sum(dtype=float)
                    noise = np.sqrt(there / row[f"gain_{band}_electrons"])
                    pulls.append((added - there) / noise)
        assert len(pulls) == 24
        assert 0.5 < np.std(pulls) < 1.6
        assert abs(np.mean(pulls)) < 4 / np.sqrt(len(pulls))

    def test_far_from_the_arcs_are_those_of_the_file(self, made, folder):
        """The sky has its noise already: none is added where no light is."""
        seen, truth, n_dark = images(made), images(made, "lensed"), 0
        for row in table(made):
            if row["label"] == 1:
                pixels = np.load(folder / f"{row['origin']}.npy")
                dark = (truth[row["id"]] < 1e-8) & np.isfinite(pixels)
                np.testing.assert_array_equal(seen[row["id"]][dark], pixels[dark])
                n_dark += int(dark.sum())
        assert n_dark > 0

    def test_marked_by_a_number_are_left_alone(self, tmp_path):
        pixels = galaxy(7)
        pixels[:, :, 15:18] = 100
        (tmp_path / "in").mkdir()
        np.save(tmp_path / "in" / "a.npy", pixels)
        options = OPTIONS.model_copy(update={"mask_value": 100.0})
        listing = scan([tmp_path / "in"], options)
        inject(tmp_path / "set", plan_injection(listing, PLAN))
        for seen in images(tmp_path / "set").values():
            assert (seen[:, :, 15:18] == 100).all()
        light = next(iter(images(tmp_path / "set", "lensed").values()))
        assert light[:, :, 15:18].sum() > 0


class TestTables:
    def test_link_each_lens_to_its_control(self, made):
        rows = table(made)
        by_scene: dict[int, list[dict]] = {}
        for row in rows:
            by_scene.setdefault(row["scene"], []).append(row)
        assert sorted(by_scene) == [0, 1, 2, 3]
        for mine in by_scene.values():
            assert [row["label"] for row in mine] == [1, 1, 0]
            assert len({row["origin"] for row in mine}) == 1
        with (made / "labels.csv").open() as text:
            labels = {row["id"]: row["class"] for row in csv.DictReader(text)}
        assert labels == {row["id"]: row["class"] for row in rows}
        assert sorted(skysieve.read(made).ids) == sorted(labels)

    def test_hold_what_makes_the_light_again(self, made, folder):
        """A row holds its system: seen by the same camera it is the truth, bit for bit."""
        truth = images(made, "lensed")
        listing = scan([folder], OPTIONS)
        for row in table(made)[:3:2]:
            if row["label"] != 1:
                continue
            sight = sight_of(listing, row["scene"])
            light = light_of(system_of(row), sight, PLAN.bands, kernels_of(sight, PLAN))
            np.testing.assert_allclose(light, truth[row["id"]], rtol=1e-4, atol=1e-3)

    def test_keep_the_ranges_of_the_plan(self, made):
        lenses = [row for row in table(made) if row["label"] == 1]
        for row in lenses:
            assert 1.0 <= row["einstein_radius_arcsec"] <= 2.0
            assert 22.5 <= row["source_g_ab"] <= 26
            assert 20 * 0.999 <= row["arc_snr"] <= 1000
            assert row["z_source"] > row["z_lens"]
            assert row["magnification"] > 1
            assert row["zero_point_g_ab"] == 30
            assert row["psf_fwhm_r_arcsec"] == 0.95
            assert row["sky_noise_i"] == pytest.approx(6.3, rel=0.1)
            assert row["psf"] == "seeing"
        assert len({row["einstein_radius_arcsec"] for row in lenses}) == len(lenses)


def sight_of(listing, number: int):
    from skysieve.images.open import read_source

    (piece,) = read_source(listing.sources[number], range(1), listing.options)
    return look(piece, 0, PLAN)


class TestSystems:
    def test_depend_on_the_name_alone(self, made, folder, tmp_path):
        """Another place in the listing, other parts and other neighbors change nothing."""
        few = tmp_path / "few"
        few.mkdir()
        np.save(few / "c3.npy", np.load(folder / "c3.npy"))
        inject(tmp_path / "set", planned(few, PLAN.model_copy(update={"copies": 2}), part_rows=1))
        mine = [row for row in table(tmp_path / "set") if row["label"] == 1]
        theirs = [row for row in table(made) if row["label"] == 1 and row["origin"] == "c3"]
        for a, b in zip(mine, theirs, strict=True):
            assert a["einstein_radius_arcsec"] == b["einstein_radius_arcsec"]
            assert a["source_light"] == b["source_light"]
            np.testing.assert_array_equal(images(tmp_path / "set")[a["id"]], images(made)[b["id"]])

    def test_stay_the_same_in_another_seeing(self, made, folder, tmp_path):
        """But for the axis ratio of the mass, which is the host's freed of that seeing."""
        wide = PLAN.model_copy(
            update={"copies": 2, "psf": SeeingPsf(fwhm_arcsec=dict.fromkeys("gri", 1.3))}
        )
        inject(tmp_path / "set", planned(folder, wide))
        mine = {(r["origin"], r["copy"]): r for r in table(tmp_path / "set") if r["label"] == 1}
        for row in table(made):
            if row["label"] == 1:
                other = mine[row["origin"], row["copy"]]
                for fact in ("einstein_radius_arcsec", "shear_1", "z_source"):
                    assert other[fact] == row[fact]

    def test_of_a_row_keep_their_flux_in_another_seeing(self, made, folder):
        row = table(made)[0]
        sight = sight_of(scan([folder], OPTIONS), row["scene"])
        wide = replace(sight, fwhm_arcsec=np.full(3, 1.3))
        sharp, soft = (
            light_of(system_of(row), each, PLAN.bands, kernels_of(each, PLAN))
            for each in (sight, wide)
        )
        np.testing.assert_allclose(soft.sum((1, 2)), sharp.sum((1, 2)), rtol=0.05)
        assert soft.max() < sharp.max()

    def test_differ_by_seed(self, folder, made, tmp_path):
        inject(tmp_path / "set", planned(folder, seed=2))
        mine = {row["einstein_radius_arcsec"] for row in table(tmp_path / "set")}
        assert not mine & {row["einstein_radius_arcsec"] for row in table(made)} - {None}


class TestGoingOn:
    def test_the_size_of_the_parts_changes_no_image(self, made, folder, tmp_path):
        inject(
            tmp_path / "set", planned(folder, PLAN.model_copy(update={"copies": 2}), part_rows=1)
        )
        a, b = images(made), images(tmp_path / "set")
        assert a.keys() == b.keys()
        for name in a:
            np.testing.assert_array_equal(a[name], b[name])

    def test_a_killed_run_ends_with_the_same_bytes(self, made, folder, tmp_path, monkeypatch):
        plan = planned(folder, PLAN.model_copy(update={"copies": 2}))
        calls = []

        def killed(path, table):
            calls.append(path)
            if len(calls) == 2:
                raise KeyboardInterrupt
            write(path, table)

        write = injecting.write_table
        monkeypatch.setattr(injecting, "write_table", killed)
        with pytest.raises(KeyboardInterrupt):
            inject(tmp_path / "set", plan)
        monkeypatch.undo()
        assert not (tmp_path / "set" / "_SUCCESS").exists()
        inject(tmp_path / "set", plan)
        assert files(tmp_path / "set") == files(made)

    def test_another_plan_is_refused_by_the_setting_that_differs(self, made, folder):
        with pytest.raises(MismatchError, match=r"injection\.copies 2, not 1"):
            inject(made, planned(folder))

    @pytest.mark.slow
    def test_two_processes_make_the_same_bytes(self, made, folder, tmp_path):
        """Slow: each process imports what renders."""
        plan = planned(folder, PLAN.model_copy(update={"copies": 2}))
        inject(tmp_path / "set", plan, workers=2)
        assert files(tmp_path / "set") == files(made)


def test_bad_rows_get_a_status_and_stop_nothing(tmp_path):
    home = tmp_path / "in"
    home.mkdir()
    np.save(home / "good.npy", galaxy(1))
    hole = galaxy(2)
    hole[1, 12:30, 10:30] = np.nan
    np.save(home / "hole.npy", hole)
    np.save(home / "small.npy", galaxy(3, side=17))
    scaled = galaxy(4)
    np.save(home / "scaled.npy", (scaled - scaled.min()) / (scaled.max() - scaled.min()))
    np.save(home / "flat.npy", np.ones((3, SIDE, SIDE), "f4"))
    (home / "torn.npy").write_bytes((home / "good.npy").read_bytes()[:900])
    summary = inject(tmp_path / "set", planned(home))
    status = {row["origin"]: row for row in table(tmp_path / "set") if row["label"] is None}
    assert {name: row["status"] for name, row in status.items()} == {
        "hole": "nonfinite",
        "small": "bad_shape",
        "scaled": "kind",
        "flat": "empty",
        "torn": "truncated",
    }
    assert "--einstein-radius up to" in status["small"]["message"]
    assert all(row["message"] for row in status.values())
    assert (summary.n_rows, summary.n_lenses, summary.n_controls, summary.n_bad) == (6, 1, 1, 5)


def test_an_image_that_no_system_suits_gets_a_status(folder, tmp_path):
    plan = PLAN.model_copy(update={"arc_snr": (9e4, 1e5)})
    summary = inject(tmp_path / "set", planned(folder, plan))
    assert summary.by_status == {"no_arc": 4}
    assert "Widen --snr" in table(tmp_path / "set")[0]["message"]
    assert skysieve_labels(tmp_path / "set") == 0


def skysieve_labels(folder: Path) -> int:
    return len((folder / "labels.csv").read_text().splitlines()) - 1


class TestRefuses:
    def plan(self, folder: Path, plan: InjectionPlan = PLAN, **options) -> InjectPlan:
        return plan_injection(scan([folder], ReadOptions(**options)), plan)

    def test_pictures_for_the_eye(self, tmp_path):
        from PIL import Image

        Image.fromarray(np.zeros((40, 40, 3), np.uint8)).save(tmp_path / "a.png")
        with pytest.raises(MismatchError, match="linear flux"):
            self.plan(tmp_path)

    def test_images_without_the_bands_and_says_what_could_be_painted(self, tmp_path):
        from astropy.io import fits

        for band in "gr":
            fits.writeto(tmp_path / f"a_{band}.fits", galaxy(1)[0])
        with pytest.raises(
            MismatchError, match=r"i is missing\. Paint those there are: --paint g,r"
        ):
            self.plan(tmp_path)

    def test_a_band_whose_colors_nobody_knows_with_the_nearest(self):
        with pytest.raises(MissingError, match=r"Did you mean g\?"):
            InjectionPlan(survey="des", bands=("G",))

    def test_to_guess_the_zero_point(self, folder):
        known = InjectionPlan(gain_electrons=dict.fromkeys("gri", 10.0), psf=SEEING)
        with pytest.raises(MissingError, match="--zero-point"):
            self.plan(folder, known, bands=("g", "r", "i"))

    def test_to_guess_the_gain_or_the_seeing(self):
        with pytest.raises(RecipeError, match="--gain"):
            InjectionPlan(psf=SEEING)
        with pytest.raises(RecipeError, match="--seeing"):
            InjectionPlan(gain_electrons=dict.fromkeys("gri", 10.0))

    def test_a_stamp_that_is_missing_or_none(self, folder, tmp_path):
        with pytest.raises(RecipeError, match="--psf r=FILE"):
            InjectionPlan(survey="des", psf=StampPsf(files={"g": tmp_path / "g.npy"}))
        np.save(tmp_path / "even.npy", np.ones((4, 4)))
        stamps = StampPsf(files=dict.fromkeys("gri", tmp_path / "even.npy"))
        with pytest.raises(InputError, match="odd side"):
            self.plan(folder, PLAN.model_copy(update={"psf": stamps}), bands=("g", "r", "i"))

    def test_a_strange_folder(self, folder, tmp_path):
        (tmp_path / "mine.txt").write_text("mine")
        with pytest.raises(InputError, match="not empty"):
            inject(tmp_path, planned(folder))


class TestHeaders:
    @pytest.mark.parametrize(
        ("cards", "expected"),
        [
            ({"MAGZERO": 27.5}, 27.5),
            ({"FLUXMAG0": 63_095_734_448.0}, 27.0),
            ({"HIERARCH FPA.ZP": 25.0, "EXPTIME": 1000.0}, 32.5),
        ],
    )
    def test_say_the_zero_point(self, tmp_path, cards, expected):
        from astropy.io import fits

        (tmp_path / "in").mkdir()
        for k, band in enumerate("gri"):
            hdu = fits.PrimaryHDU(galaxy(1)[k])
            for key, value in cards.items():
                hdu.header[key] = value
            hdu.writeto(tmp_path / "in" / f"a_{band}.fits")
        listing = scan([tmp_path / "in"], ReadOptions(pixel_scale_arcsec=SCALE))
        faint = PLAN.model_copy(update={"arc_snr": (0.1, 1e6)})
        inject(tmp_path / "set", plan_injection(listing, faint))
        row = table(tmp_path / "set")[0]
        assert row["zero_point_r_ab"] == pytest.approx(expected)


@pytest.mark.real
@pytest.mark.parametrize(
    ("place", "survey", "bands"),
    [
        ("ps1/J1150+1016", "ps1", None),
        ("ps1/100108+024029", "ps1", None),
        ("hsc_scenes/Cut_HSC.fits", "hsc", ("g", "r", "i", "z", "y")),
    ],
)
def test_real_images_are_painted_and_keep_their_holes(real_data, tmp_path, place, survey, bands):
    plan = InjectionPlan(survey=survey, einstein_radius_arcsec=(0.8, 1.5), arc_snr=(5, 1e4))
    listing = scan([real_data / place], ReadOptions(bands=bands))
    inject(tmp_path / "set", plan_injection(listing, plan))
    lens, control = table(tmp_path / "set")
    assert (lens["status"], lens["label"], control["label"]) == ("ok", 1, 0), lens["message"]
    seen = images(tmp_path / "set")
    holes = np.isnan(seen[control["id"]])
    np.testing.assert_array_equal(np.isnan(seen[lens["id"]]), holes)
    added = np.nansum((seen[lens["id"]] - seen[control["id"]]).astype(float), axis=(1, 2))
    assert (added > 0).all()
    allowed = {
        "extra_bands",
        "masked",
        "scale_assumed",
        "strange_noise",
    }  # COSMOS is deeper than HSC's Wide
    assert set(lens["flags"]) <= allowed
