"""Networks of timm with a new head, for any number of bands."""

from __future__ import annotations

import difflib
from typing import Any, cast

import timm
import torch
from jaxtyping import Float
from timm.models import group_parameters
from torch import Tensor, nn

from skysieve.core.errors import InputError, MissingError, RecipeError
from skysieve.networks.attention import attention_of
from skysieve.networks.pretrained import overlay_of
from skysieve.recipe.networks import BackbonePlan


class Backbone(nn.Module):
    """A network of timm, its first convolution adapted to the planes and its head new.

    The first convolution keeps its weights as timm does it: one band sees the sum over red, green
    and blue, other numbers repeat them. Further planes start with weights of zero, so that they
    change nothing at first.

    Args:
        plan: Which network, where its weights come from, attention and dropout.
        bands: Bands among the planes.
        planes: Planes of the input: the bands, then those that are not colors.
        classes: Logits of the output.
        side: Pixels a side of the input.

    Raises:
        RecipeError: timm knows no such network, or it cannot be what the plan asks for.
        MissingError: The published weights or the file of weights cannot be had.
        InputError: The file's weights are another network's.
    """

    def __init__(
        self, plan: BackbonePlan, *, bands: int, planes: int, classes: int, side: int
    ) -> None:
        super().__init__()
        self.model: Any = _create(plan, bands=bands, classes=classes, side=side)
        if planes > bands:
            _widen(self.model, plan.name, planes - bands)
        features = _features(self.model, plan.name, planes, side)
        self.attention: nn.Module = nn.Identity()
        if plan.attention != "none":
            channels = int(self.model.num_features)
            if features.ndim != 4 or features.shape[1] != channels or features.shape[3] == channels:
                raise RecipeError(
                    f"{plan.name} has no feature map (n, c, y, x) for {plan.attention} attention",
                    'Take a convolutional network or set network.attention = "none"',
                )
            self.attention = attention_of(plan.attention, channels)

    def layers(self) -> list[nn.Module]:
        """Return the parts from the input to the head, in the layers that timm names.

        A part is a list of modules and of parameters that no module of it holds. The last one is
        what is new: the attention and the classifier.
        """
        matcher = self.model.group_matcher(coarse=False)
        level = cast("dict[str, int]", group_parameters(self.model, matcher, reverse=True))
        heads = _heads(self.model)
        parts: dict[int, list[nn.Module]] = {}
        loose: dict[int, list[nn.Parameter]] = {}

        def collect(module: nn.Module, prefix: str) -> None:
            if any(module is head for head in heads):
                return
            names = [prefix + name for name, _ in module.named_parameters()]
            holds_head = any(inner is head for inner in module.modules() for head in heads)
            levels = {level[name] for name in names}
            if len(levels) == 1 and not holds_head:
                parts.setdefault(levels.pop(), []).append(module)
                return
            for name, parameter in module.named_parameters(recurse=False):
                loose.setdefault(level[prefix + name], []).append(parameter)
            for name, child in module.named_children():
                collect(child, f"{prefix}{name}.")

        collect(self.model, "")
        found: list[nn.Module] = []
        for key in sorted(parts.keys() | loose.keys()):
            own = [nn.ParameterList(loose[key])] if key in loose else []
            found.append(nn.ModuleList([*parts.get(key, []), *own]))
        return [*found, nn.ModuleList([self.attention, *heads])]

    def forward(self, planes: Float[Tensor, "n plane side side"]) -> Float[Tensor, "n classes"]:
        """Return the logits of each field."""
        features = self.attention(self.model.forward_features(planes))
        return self.model.forward_head(features)


def _create(plan: BackbonePlan, *, bands: int, classes: int, side: int) -> nn.Module:
    try:
        return timm.create_model(plan.name, **_settings(plan, bands, classes, side))
    except TypeError as error:
        raise RecipeError(
            f"{plan.name} takes no such setting ({error})",
            "Leave network.drop_path and network.dropout at 0",
        ) from error
    except (AssertionError, ValueError) as error:
        raise _wrong_side(plan.name, side, error) from error
    except (OSError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:300]
        if plan.weights_file is not None:
            raise InputError(
                f"{plan.weights_file} does not fit {plan.name}: {reason}",
                "Give the weights of this very network in network.weights_file",
            ) from error
        if plan.pretrained:
            raise MissingError(
                f"the published weights of {plan.name} cannot be had ({reason})",
                "Set network.pretrained=false or network.weights_file to a safetensors file",
            ) from error
        raise RecipeError(
            f"timm cannot make {plan.name} ({reason})", "Take another name"
        ) from error


def _settings(plan: BackbonePlan, bands: int, classes: int, side: int) -> dict[str, Any]:
    """Return what timm is given beside the name."""
    if not timm.is_model(plan.name):
        near = difflib.get_close_matches(plan.name, timm.list_models(), n=3, cutoff=0.5)
        raise RecipeError(
            f"timm {timm.__version__} knows no network {plan.name!r}",
            f"Did you mean {' or '.join(near)}" if near else "timm.list_models() names them",
        )
    arch, _, tag = plan.name.partition(".")
    if tag and plan.name not in (tags := timm.list_models(f"{arch}.*", include_tags=True)):
        raise RecipeError(f"timm knows no weights {plan.name!r}", f"It knows {', '.join(tags[:4])}")
    known = timm.get_pretrained_cfg(plan.name)
    given: dict[str, Any] = {
        "in_chans": bands,
        "num_classes": classes,
        "pretrained": plan.pretrained or plan.weights_file is not None,
    }
    if plan.dropout:
        given["drop_rate"] = plan.dropout
    if plan.drop_path:
        given["drop_path_rate"] = plan.drop_path
    if known is not None and known.fixed_input_size:
        given["img_size"] = side
    if plan.weights_file is not None:
        given["pretrained_cfg_overlay"] = overlay_of(plan.weights_file, plan.name)
    return given


def _wrong_side(name: str, side: int, error: object) -> RecipeError:
    reason = " ".join(str(error).split())[:200]
    return RecipeError(
        f"{name} does not take {side} pixels a side ({reason})",
        "Set prepare.resize to the size that it was made for, such as 224",
    )


def _heads(model: Any) -> list[nn.Module]:
    head = model.get_classifier()
    return list(head) if isinstance(head, tuple | list) else [head]


def _features(model: Any, name: str, planes: int, side: int) -> Tensor:
    """Return the features of an empty field: it shows whether the network takes the side."""
    patch = getattr(getattr(model, "patch_embed", None), "patch_size", None)
    patch = patch[0] if isinstance(patch, tuple) else patch
    if patch is not None and side % patch:
        raise _wrong_side(name, side, f"its patches of {patch} pixels would leave an edge unseen")
    training = model.training
    try:
        with torch.no_grad():
            model.eval()
            found = model.forward_features(torch.zeros(1, planes, side, side))
            model.forward_head(found)
    except (AssertionError, RuntimeError, ValueError) as error:
        raise _wrong_side(name, side, error) from error
    finally:
        model.train(training)
    return found


def _widen(model: nn.Module, name: str, extra: int) -> None:
    """Give the first convolution more planes, with weights of zero."""
    where = (getattr(model, "pretrained_cfg", None) or {}).get("first_conv")
    conv = model.get_submodule(where) if isinstance(where, str) else None
    if not isinstance(conv, nn.Conv2d) or conv.groups != 1:
        raise RecipeError(
            f"the first layer of {name} takes no plane of validity",
            "Set prepare.scale.kind to range or minmax",
        )
    with torch.no_grad():
        conv.weight = nn.Parameter(
            torch.cat([conv.weight, torch.zeros_like(conv.weight[:, :1]).repeat(1, extra, 1, 1)], 1)
        )
    conv.in_channels += extra
