"""Plans of training, and the recipe that holds all plans of a finder."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from skysieve.recipe.networks import ConvNetPlan, StretchPlan
from skysieve.recipe.simulation import Plan, SimulationPlan


class MixPlan(Plan):
    """How scenes become training images; drawn anew for every image.

    Args:
        sides: Fields in pixels, one of them for a whole batch.
        control_fraction: Share of the non-lenses that are a lens' host without its arcs.
        companion_fraction: Share of the controls that show blue companions instead of arcs.
        display_fraction: Share shown as an 8-bit color picture.
        band_scaled_fraction: Share scaled to 0..1 band by band; the rest is linear flux.
        depth_mean: Mean of the natural logarithm of brightness over that of the corpus.
        depth_spread: Scatter of the natural logarithm of brightness over noise.
        color_spread: Scatter of the natural logarithm of each band's gain.
        artifact_fraction: Share with a satellite trail, a dead block or a bleeding column.
        hole_fraction: Share with pixels that hold no data.
        shift_pixels: Largest shift of the center, each way.
        zoom: Range of enlargement: other distances, seeings and pixel scales.
        blur_pixels: Largest standard deviation of a further blur: worse seeing.
        swap_fraction: Share of lenses and controls that have the host of another lens.
        noise_correlation_pixels: Largest standard deviation of the kernel that resampling laid
            over the noise.
        contrast_spread: Scatter of the natural logarithm of the contrast of color pictures.
        gamma_spread: Scatter of the natural logarithm of their gamma.
        jpeg_fraction: Share of color pictures that were stored as JPEG.
        crowd_fraction: Share with an object of another scene off the center; ``lens`` is for
            lenses and their controls, which share their surroundings.
        max_arc_boost: Arcs are brightened by up to this factor, and companions with them.
        min_arc_visibility: Least signal to noise of the arcs times their contrast, after that.
        min_einstein_radius_arcsec: Smaller rings are not shown: from the ground they cannot be
            told from a face-on disk about a red bulge.
    """

    sides: tuple[int, ...] = (64, 64, 96)
    control_fraction: float = 0.15
    companion_fraction: float = 0.5
    display_fraction: float = 0.65
    band_scaled_fraction: float = 0.1
    depth_mean: float = 0.85
    depth_spread: float = 0.3
    color_spread: float = 0.07
    artifact_fraction: float = 0.12
    hole_fraction: float = 0.08
    shift_pixels: int = 5
    zoom: tuple[float, float] = (0.55, 0.9)
    blur_pixels: float = 0.3
    swap_fraction: float = 0.2
    noise_correlation_pixels: float = 0.8
    contrast_spread: float = 0.4
    gamma_spread: float = 0.1
    jpeg_fraction: float = 0.25
    crowd_fraction: dict[Literal["lens", "nonlens"], float] = Field(
        default_factory=lambda: {"lens": 0.35, "nonlens": 0.08}
    )
    max_arc_boost: float = Field(default=3.0, ge=1)
    min_arc_visibility: float = 50.0
    min_einstein_radius_arcsec: float = 1.05


class FitPlan(Plan):
    """How a network is fitted.

    Args:
        epochs: Rounds of ``steps`` batches; a validation after each.
        steps: Batches in an epoch.
        batch: Images in a batch.
        learning_rate: Peak of a one-cycle schedule (Smith & Topin 2018, arXiv:1708.07120).
        weight_decay: Decoupled (Loshchilov & Hutter 2019, arXiv:1711.05101).
        label_smoothing: Probability spread over the classes.
        gradient_clip: Largest norm of the gradient.
        average_decay: Of the exponential moving average of weights that is kept.
        validation_images: Images in the fixed validation set.
        seed: Decides the start, the order and the noise.
    """

    epochs: int = Field(default=12, ge=1)
    steps: int = Field(default=500, ge=1)
    batch: int = Field(default=64, ge=2)
    learning_rate: float = 2e-3
    weight_decay: float = 0.02
    label_smoothing: float = 0.01
    gradient_clip: float = 1.0
    average_decay: float = 0.998
    validation_images: int = 4096
    seed: int = 1


class StagePlan(Plan):
    """One mesh of the sieve.

    Args:
        network: Its architecture; None for the recipe's. Stages of one architecture share fitted
            networks.
        members: How many of the fitted networks see a cutout; their logits are averaged.
        symmetric: Average over the eight symmetries of the square as well.
        int8: Quantize the convolutions to eight bits: about twice as fast.
    """

    network: ConvNetPlan | None = None
    members: int = Field(default=1, ge=1)
    symmetric: bool = False
    int8: bool = False


class Recipe(Plan):
    """Everything that decides a finder.

    Args:
        name: Of the finder.
        description: One sentence for the model card.
        simulation: The scenes.
        mix: How they become images.
        stretch: Inside the network, before the first convolution.
        network: The architecture.
        fit: How a network is fitted.
        stages: From the coarsest mesh to the finest; of each architecture as many networks are
            fitted as the largest ``members`` says, each from its own seed.
        pass_fraction: Share of the validation non-lenses that each stage but the last passes on.
    """

    name: str
    description: str
    simulation: SimulationPlan = SimulationPlan()
    mix: MixPlan = MixPlan()
    stretch: StretchPlan = StretchPlan()
    network: ConvNetPlan = ConvNetPlan()
    fit: FitPlan = FitPlan()
    stages: tuple[StagePlan, ...] = Field(min_length=1)
    pass_fraction: float = Field(default=0.1, gt=0, lt=1)
