"""Plans of lenses with and without dark-matter substructure, and of the cameras that see them."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, PositiveFloat, model_validator

from skysieve.recipe.simulation import Plan

SubstructureKind = Literal["no", "sphere", "vort"]
"""A smooth halo; one with cold dark matter subhalos; one with superfluid vortices."""


def _ascending(ends: tuple[float, float]) -> tuple[float, float]:
    if ends[0] > ends[1]:
        raise ValueError(f"the range {ends[0]:g} to {ends[1]:g} is empty; the lower end goes first")
    return ends


Range = Annotated[tuple[float, float], AfterValidator(_ascending)]
Positive = Annotated[tuple[PositiveFloat, PositiveFloat], AfterValidator(_ascending)]


class MainLensPlan(Plan):
    """The smooth lens that all classes share; each range is drawn from uniformly.

    Args:
        redshift: Of the lens.
        source_redshift: Of the source.
        einstein_radius_arcsec: Radius of the circle that holds the mean critical density.
        axis_ratio: Minor over major axis of the mass; its direction is uniform.
        shear: Strength of the external shear; its direction is uniform.
        offset_arcsec: The lens lies within this of the middle of the image.
    """

    redshift: PositiveFloat = 0.5
    source_redshift: PositiveFloat = 1.0
    einstein_radius_arcsec: Positive = (1.2, 1.8)
    axis_ratio: Positive = (0.65, 0.95)
    shear: Range = (0.0, 0.08)
    offset_arcsec: float = Field(default=0.1, ge=0)

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.source_redshift <= self.redshift:
            raise ValueError("source_redshift must be greater than redshift")
        if not 0.2 <= self.axis_ratio[0] <= self.axis_ratio[1] <= 0.99:
            raise ValueError("axis_ratio must lie between 0.2 and 0.99")
        return self


class SourcePlan(Plan):
    """The galaxy behind the lens: one Sersic profile; each range is drawn from uniformly.

    Args:
        magnitude_ab: Unlensed.
        radius_arcsec: Effective radius, along the major axis.
        sersic: Sersic index.
        axis_ratio: Minor over major axis; its direction is uniform.
        offset_arcsec: The source lies within this of the axis through the lens.
    """

    magnitude_ab: Range = (19.5, 20.5)
    radius_arcsec: Positive = (0.15, 0.35)
    sersic: Positive = (0.7, 2.0)
    axis_ratio: Positive = (0.5, 1.0)
    offset_arcsec: float = Field(default=0.35, ge=0)


class TruncatedNfwPlan(Plan):
    """Subhalos with the profile of simulations, cut off by the tides of the host.

    Args:
        concentration_scatter_dex: Scatter of the concentration at a mass.
    """

    kind: Literal["tnfw"] = "tnfw"
    concentration_scatter_dex: float = Field(default=0.1, ge=0)


class PointMassPlan(Plan):
    """Subhalos as points, as the source data has them: simple, and far too compact."""

    kind: Literal["point"] = "point"


class SubhaloPlan(Plan):
    """Cold dark matter subhalos of the lens; their number is Poisson.

    Args:
        mass_fraction: Share of the projected mass at the Einstein radius that subhalos of 1e6 to
            1e9 solar masses hold; 0.02 lies in the 68 % intervals of both Vegetti et al. 2014
            (0.0076 +0.0208 -0.0052) and Gilman et al. 2020 (0.035 +0.021 -0.017).
        slope: Of the number per mass (Springel et al. 2008, MNRAS 391, 1685: -1.9).
        mass_msun: Range of masses that is drawn. Lighter ones, with Einstein radii under 0.01
            arcsec, are left in the smooth halo.
        reach_einstein_radii: Radius of the disk, about the lens, that subhalos are drawn in.
        profile: Their density profile.
    """

    mass_fraction: float = Field(default=0.02, gt=0, le=0.3)
    slope: float = Field(default=-1.9, lt=-1, gt=-3)
    mass_msun: Positive = (3e7, 1e10)
    reach_einstein_radii: float = Field(default=1.6, ge=1)
    profile: Annotated[TruncatedNfwPlan | PointMassPlan, Field(discriminator="kind")] = (
        TruncatedNfwPlan()
    )


class VortexPlan(Plan):
    """Vortices of a rotating superfluid halo: straight strings of even density.

    Args:
        mass_fraction: Their mass, all together, over the mass in the Einstein radius.
        count: How many share it.
        log10_axion_mass_ev: Range of log10 of the particle's mass in eV; a vortex is as long as
            the de Broglie wavelength. Above -23 it would be a dot smaller than a pixel.
        offset_einstein_radii: The middle of a vortex lies within this of the lens.
        core_arcsec: Radius to which the string is smeared.
    """

    mass_fraction: float = Field(default=0.03, gt=0, le=0.3)
    count: int = Field(default=1, ge=1)
    log10_axion_mass_ev: Range = (-24.0, -23.0)
    offset_einstein_radii: float = Field(default=1.0, ge=0)
    core_arcsec: PositiveFloat = 0.02


class FlatBackgroundPlan(Plan):
    """A background given by its noise.

    Args:
        rms: Standard deviation of the background in a pixel, in counts per second.
        log10_exposure_s: Range of log10 of the exposure time, in seconds.
    """

    kind: Literal["flat"] = "flat"
    rms: PositiveFloat
    log10_exposure_s: Range


class SkyBackgroundPlan(Plan):
    """A background given by the sky and the detector.

    Args:
        sky_ab_per_arcsec2: Surface brightness of the sky.
        read_noise_electrons: In a pixel of one exposure.
        exposure_s: Length of one exposure.
        exposures: How many are added.
    """

    kind: Literal["sky"] = "sky"
    sky_ab_per_arcsec2: float
    read_noise_electrons: float = Field(ge=0)
    exposure_s: PositiveFloat
    exposures: int = Field(default=1, ge=1)


class SubstructureCameraPlan(Plan):
    """A camera with one band; a count is an electron per second.

    Args:
        band: Its name.
        side: Pixels a side.
        pixel_scale_arcsec: Size of a pixel.
        psf_fwhm_arcsec: Width of the Gaussian point spread function, at most 5 pixels.
        zero_point_ab: AB magnitude of one electron per second.
        background: What adds noise, besides the photons of the source.
    """

    band: str = "light"
    side: int = Field(ge=16)
    pixel_scale_arcsec: PositiveFloat
    psf_fwhm_arcsec: PositiveFloat
    zero_point_ab: float
    background: Annotated[FlatBackgroundPlan | SkyBackgroundPlan, Field(discriminator="kind")]

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.psf_fwhm_arcsec > 5 * self.pixel_scale_arcsec:
            raise ValueError("psf_fwhm_arcsec is more than 5 pixels")
        return self


class SubstructurePlan(Plan):
    """Images of one lens each, of three classes.

    Args:
        camera: What they are seen with.
        lens: The smooth lens of all classes.
        source: The source of all classes.
        subhalos: What ``sphere`` adds.
        vortices: What ``vort`` adds.
        depth: Signal over noise against the camera's own, drawn in its logarithm.
        paired: Image k of every class has the very same lens, source and exposure; else only
            their distributions are the same.
        scaled: Scale each image to 0..1 by its least and greatest pixel, as the source data is.
    """

    camera: SubstructureCameraPlan
    lens: MainLensPlan = MainLensPlan()
    source: SourcePlan = SourcePlan()
    subhalos: SubhaloPlan = SubhaloPlan()
    vortices: VortexPlan = VortexPlan()
    depth: Positive = (1.0, 1.0)
    paired: bool = True
    scaled: bool = False


SubstructureModel = Literal["I", "II", "III"]

SUBSTRUCTURE_MODELS: dict[SubstructureModel, SubstructurePlan] = {
    "I": SubstructurePlan(
        camera=SubstructureCameraPlan(
            side=150,
            pixel_scale_arcsec=0.05,
            psf_fwhm_arcsec=0.087,
            # Where the source code's Sersic amplitude of 20 is magnitude 20.
            zero_point_ab=22.62,
            background=FlatBackgroundPlan(rms=0.01, log10_exposure_s=(3.0, 3.5)),
        ),
    ),
    "II": SubstructurePlan(
        camera=SubstructureCameraPlan(
            band="VIS",
            side=64,
            pixel_scale_arcsec=0.101,
            psf_fwhm_arcsec=0.16,
            zero_point_ab=24.0,
            background=SkyBackgroundPlan(
                sky_ab_per_arcsec2=22.35, read_noise_electrons=4.2, exposure_s=565, exposures=4
            ),
        ),
    ),
    "III": SubstructurePlan(
        camera=SubstructureCameraPlan(
            band="F160W",
            side=64,
            pixel_scale_arcsec=0.08,
            psf_fwhm_arcsec=0.08,
            zero_point_ab=25.96,
            background=SkyBackgroundPlan(
                sky_ab_per_arcsec2=22.3, read_noise_electrons=4.0, exposure_s=5400
            ),
        ),
    ),
}
"""The cameras of DeepLenseSim's models I to III (Euclid VIS for II, HST WFC3 F160W for III)."""
