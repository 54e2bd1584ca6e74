"""Plans of cameras and artifacts: what fits together, and what is refused by name."""

from __future__ import annotations

import pytest
from pydantic import TypeAdapter, ValidationError

from skysieve.core.errors import MissingError, RecipeError
from skysieve.recipe.artifacts import ArtifactPlan, TrailPlan
from skysieve.recipe.camera import MoffatPsfPlan, ObservingPlan, PicturePlan, PsfPlan, StampPsfPlan


def test_the_kind_decides_which_psf_it_is():
    psf = TypeAdapter(PsfPlan)
    assert isinstance(psf.validate_python({"kind": "moffat", "beta": (3, 4)}), MoffatPsfPlan)
    with pytest.raises(ValidationError, match="beta"):
        psf.validate_python({"kind": "gaussian", "beta": (3, 4)})
    with pytest.raises(ValidationError, match="gaussian"):
        psf.validate_python({"kind": "airy"})


def test_a_plan_is_the_same_after_json():
    plan = ObservingPlan(survey="hsc", delivery=PicturePlan())
    assert ObservingPlan.model_validate_json(plan.model_dump_json()) == plan
    spoiling = ArtifactPlan(trails=TrailPlan(rate=3))
    assert ArtifactPlan.model_validate_json(spoiling.model_dump_json()) == spoiling


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"survey": "cfhlts"}, MissingError, "Did you mean 'cfhtls'"),
        ({"bands": ("g", "y")}, MissingError, "no band 'y'"),
        ({"bands": ("g", "g")}, RecipeError, "repeats"),
        ({"bands": ()}, ValidationError, "bands"),
        ({"correlation_pixels": (1.0, 0.5)}, RecipeError, "correlation_pixels"),
        ({"correlation_pixels": (0.0, 9.0)}, RecipeError, "correlation_pixels"),
        ({"exposure_scale": 0}, ValidationError, "exposure_scale"),
        ({"bands": ("g", "r"), "delivery": PicturePlan()}, RecipeError, "'i'"),
        ({"psf": StampPsfPlan(files={"g": "a.fits"})}, RecipeError, "no stamp"),
    ],
)
def test_what_cannot_be_is_refused(changes, error, message):
    with pytest.raises(error, match=message):
        ObservingPlan(**changes)


def test_a_range_that_runs_backwards_is_refused():
    with pytest.raises(RecipeError, match="backwards"):
        TrailPlan(brightness=(30, 2))


def test_no_artifacts_means_none_of_any_kind():
    fields = [name for name in ArtifactPlan.model_fields if name != "visible"]
    assert all(getattr(ArtifactPlan.none(), name) is None for name in fields)
