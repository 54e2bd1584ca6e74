"""Networks of timm: their first weights, their bands, their attention, their errors."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="networks need the extra [train]")

import timm  # noqa: E402
from safetensors.torch import save_file  # noqa: E402
from timm.models import _builder  # noqa: E402

from skysieve.core.errors import InputError, MissingError, RecipeError  # noqa: E402
from skysieve.networks.build import build_classifier  # noqa: E402
from skysieve.networks.classifier import layers  # noqa: E402
from skysieve.recipe.networks import (  # noqa: E402
    BackbonePlan,
    PreparationPlan,
    RangeScalePlan,
)

RANGE = PreparationPlan(scale=RangeScalePlan(), normalize="imagenet")
PLAIN = "resnet18"


def made(plan, prepare=RANGE, *, bands=3, side=64):
    return build_classifier(plan, prepare, bands=bands, classes=2, side=side).eval()


def published(name):
    """What a publisher's file holds: 1000 classes, three colors."""
    torch.manual_seed(11)
    return timm.create_model(name, num_classes=1000).state_dict()


@pytest.fixture
def weights(tmp_path):
    state = published(PLAIN)
    save_file(state, tmp_path / "w.safetensors")
    return state, str(tmp_path / "w.safetensors")


class TestWeights:
    def test_a_file_gives_every_weight_but_the_heads(self, weights):
        state, file = weights
        model = made(BackbonePlan(name=PLAIN, weights_file=file)).body.model
        for name, value in model.state_dict().items():
            if not name.startswith("fc."):
                assert torch.equal(value, state[name]), name
        assert model.fc.weight.shape == (2, 512)

    def test_one_band_sees_the_sum_over_colors(self, weights):
        state, file = weights
        model = made(BackbonePlan(name=PLAIN, weights_file=file), bands=1).body.model
        np.testing.assert_allclose(
            model.conv1.weight.detach(), state["conv1.weight"].sum(1, True), rtol=1e-6
        )

    def test_a_gray_image_gives_the_features_of_its_three_equal_colors(self, weights):
        _, file = weights
        plan = BackbonePlan(name=PLAIN, weights_file=file)
        gray = torch.rand(2, 1, 64, 64)
        bare = PreparationPlan(scale=RangeScalePlan())
        one, three = made(plan, bare, bands=1), made(plan, bare)
        with torch.no_grad():
            np.testing.assert_allclose(
                one.body.model.forward_features(gray),
                three.body.model.forward_features(gray.repeat(1, 3, 1, 1)),
                atol=1e-5,
            )

    def test_more_bands_repeat_colors_and_keep_the_scale(self, weights):
        state, file = weights
        stem = made(
            BackbonePlan(name=PLAIN, weights_file=file), bands=5
        ).body.model.conv1.weight.detach()
        color = state["conv1.weight"]
        np.testing.assert_allclose(stem, color[:, [0, 1, 2, 0, 1]] * 3 / 5, rtol=1e-6)

    def test_the_plane_of_validity_starts_without_a_say(self, weights):
        state, file = weights
        stem = made(BackbonePlan(name=PLAIN, weights_file=file), PreparationPlan()).body.model.conv1
        assert stem.weight.shape[1] == stem.in_channels == 4
        assert torch.equal(stem.weight[:, :3], state["conv1.weight"])
        assert (stem.weight[:, 3] == 0).all()

    def test_a_bundles_weights_are_taken_as_they_are(self, tmp_path):
        first = made(BackbonePlan(name=PLAIN), bands=2)
        save_file(first.state_dict(), tmp_path / "own.safetensors")
        plan = BackbonePlan(name=PLAIN, weights_file=str(tmp_path / "own.safetensors"))
        again = made(plan, bands=2)
        assert torch.equal(again.body.model.conv1.weight, first.body.model.conv1.weight)
        assert not torch.equal(again.body.model.fc.weight, first.body.model.fc.weight)

    def test_places_of_tokens_are_resampled_to_the_side(self, tmp_path):
        save_file(published("vit_tiny_patch16_224"), tmp_path / "vit.safetensors")
        plan = BackbonePlan(
            name="vit_tiny_patch16_224", weights_file=str(tmp_path / "vit.safetensors")
        )
        model = made(plan).body.model
        assert model.pos_embed.shape == (1, 4 * 4 + 1, 192)
        assert torch.equal(
            model.blocks[3].attn.qkv.weight, published(plan.name)["blocks.3.attn.qkv.weight"]
        )

    def test_another_networks_file_is_refused_by_name(self, tmp_path):
        state = published(PLAIN)
        del state["layer3.0.conv1.weight"]
        state["layer9.extra"] = torch.zeros(1)
        save_file(state, tmp_path / "w.safetensors")
        with pytest.raises(InputError, match=r"lacks layer3\.0\.conv1\.weight.*layer9\.extra"):
            made(BackbonePlan(name=PLAIN, weights_file=str(tmp_path / "w.safetensors")))

    def test_weights_of_another_shape_are_refused_by_name(self, tmp_path):
        state = published(PLAIN)
        state["layer3.0.conv1.weight"] = torch.zeros(3, 3)
        save_file(state, tmp_path / "w.safetensors")
        with pytest.raises(InputError, match=r"layer3\.0\.conv1\.weight"):
            made(BackbonePlan(name=PLAIN, weights_file=str(tmp_path / "w.safetensors")))

    def test_what_is_no_safetensors_file_is_refused(self, tmp_path):
        (tmp_path / "w.bin").write_bytes(b"pickle")
        with pytest.raises(InputError, match="no safetensors file"):
            made(BackbonePlan(name=PLAIN, weights_file=str(tmp_path / "w.bin")))
        with pytest.raises(MissingError, match="there is no file"):
            made(BackbonePlan(name=PLAIN, weights_file=str(tmp_path / "none.safetensors")))


class TestPublished:
    plan = BackbonePlan(name=PLAIN, pretrained=True)

    def test_published_weights_are_asked_of_timm_and_taken(self, monkeypatch):
        state = published(PLAIN)
        asked = []
        for door in ("load_state_dict_from_hf", "load_state_dict_from_url"):
            monkeypatch.setattr(
                _builder,
                door,
                lambda *a, **_: asked.append(a) or {**state},
            )
        model = made(self.plan, bands=1).body.model
        assert len(asked) == 1
        assert torch.equal(model.layer1[0].conv1.weight, state["layer1.0.conv1.weight"])
        np.testing.assert_allclose(
            model.conv1.weight.detach(), state["conv1.weight"].sum(1, True), rtol=1e-6
        )

    @pytest.mark.parametrize("error", [OSError("offline"), ConnectionError("no route")])
    def test_without_a_network_there_is_no_silent_start(self, monkeypatch, error):
        def fail(*_args, **_kwargs):
            raise error

        for door in ("load_state_dict_from_hf", "load_state_dict_from_url"):
            monkeypatch.setattr(_builder, door, fail)
        with pytest.raises(
            MissingError, match=r"network\.pretrained=false or network\.weights_file"
        ):
            made(self.plan)

    def test_a_network_without_published_weights_says_so(self):
        named = {name.split(".")[0] for name in timm.list_pretrained()}
        name = next(name for name in timm.list_models("*18*") if name not in named)
        with pytest.raises(MissingError, match=r"had \(.*network\.pretrained=false"):
            made(BackbonePlan(name=name, pretrained=True))

    def test_pixels_of_0_to_1_are_not_what_published_weights_expect(self):
        with pytest.raises(RecipeError, match=r"prepare\.normalize"):
            made(self.plan, PreparationPlan(scale=RangeScalePlan()))


class TestAttention:
    @pytest.mark.parametrize("kind", ["se", "cbam"])
    @pytest.mark.parametrize("name", [PLAIN, "convnextv2_atto", "mobilenetv2_100"])
    def test_it_weighs_the_features_before_the_pooling(self, name, kind):
        classifier = made(BackbonePlan(name=name, attention=kind))
        seen = []
        classifier.body.attention.register_forward_hook(lambda _m, a, out: seen.append((a[0], out)))
        with torch.no_grad():
            classifier(torch.rand(2, 3, 64, 64))
        ((before, after),) = seen
        assert before.shape == after.shape
        assert before.ndim == 4
        # A share between 0 and 1 of every feature is left.
        assert (after.abs() <= before.abs()).all()
        assert not torch.equal(before, after)

    def test_it_is_trained_with_the_head(self):
        classifier = made(BackbonePlan(name=PLAIN, attention="se"))
        head = {id(p) for p in layers(classifier)[-1].parameters()}
        assert {id(p) for p in classifier.body.attention.parameters()} <= head

    @pytest.mark.parametrize("name", ["vit_tiny_patch16_224", "swin_tiny_patch4_window7_224"])
    def test_tokens_have_no_feature_map(self, name):
        with pytest.raises(RecipeError, match=r"no feature map.*network\.attention"):
            made(BackbonePlan(name=name, attention="cbam"))


def test_an_unknown_name_is_told_with_its_neighbors():
    with pytest.raises(RecipeError, match="Did you mean resnet34"):
        made(BackbonePlan(name="resnet_34"))


def test_an_unknown_set_of_weights_is_told():
    for pretrained in (False, True):
        with pytest.raises(RecipeError, match=r"'resnet18\.nonsense'\. It knows resnet18\."):
            made(BackbonePlan(name="resnet18.nonsense", pretrained=pretrained))


def test_dropping_paths_is_passed_on():
    model = made(BackbonePlan(name="convnextv2_atto", drop_path=0.3)).body.model
    shares = [m.drop_prob for m in model.modules() if type(m).__name__ == "DropPath"]
    assert max(shares) == pytest.approx(0.3)
    with pytest.raises(RecipeError, match="drop_path"):
        made(BackbonePlan(name="vgg11", drop_path=0.1))


def test_a_side_that_a_network_does_not_take_is_told():
    with pytest.raises(RecipeError, match=r"does not take 50 pixels.*prepare\.resize"):
        made(BackbonePlan(name="vit_tiny_patch16_224"), side=50)
