import json
import pickle
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
import torch

from skysieve.core.errors import InputError
from skysieve.train.checkpoints import read_checkpoint, write_checkpoint

SOURCE = Path(__file__).resolve().parents[2] / "src" / "skysieve"


def test_values_come_back_as_they_were(tmp_path):
    network = torch.nn.Conv2d(3, 8, 3).to(memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(network.parameters(), lr=0.1)
    network(torch.randn(2, 3, 8, 8)).sum().backward()
    optimizer.step()
    weight = network.weight
    checkpoint = {
        "optimizer": optimizer.state_dict(),
        "weights": OrderedDict(network.state_dict()),
        "again": weight,  # the same memory twice
        "rate": np.float64(0.25),
        "count": np.int64(3),
        "worst": float("inf"),
        "betas": (0.9, 0.999),
        "nothing": None,
        "empty": [{}, [], ()],
        7: {"done": True, "name": "é"},
    }
    write_checkpoint(checkpoint, tmp_path / "c.ckpt")
    found = read_checkpoint(tmp_path / "c.ckpt")
    moments = found["optimizer"]["state"][0]
    torch.testing.assert_close(moments, optimizer.state_dict()["state"][0], rtol=0, atol=0)
    assert moments["exp_avg"].stride() == optimizer.state[weight]["exp_avg"].stride()
    assert found["optimizer"]["param_groups"] == optimizer.state_dict()["param_groups"]
    assert torch.equal(found["again"], weight)
    assert found["weights"].keys() == network.state_dict().keys()
    plain = {k: v for k, v in checkpoint.items() if k not in ("optimizer", "weights", "again")}
    assert {k: found[k] for k in plain} == plain
    assert type(found["betas"]) is tuple


def test_what_cannot_be_held_is_refused_and_leaves_the_old_file(tmp_path):
    path = tmp_path / "c.ckpt"
    write_checkpoint({"a": 1}, path)
    with pytest.raises(TypeError, match="PosixPath"):
        write_checkpoint({"a": tmp_path}, path)
    assert read_checkpoint(path) == {"a": 1}


@pytest.mark.parametrize("content", [b"", b"x" * 100, pickle.dumps({"a": 1})])
def test_another_file_is_no_checkpoint(tmp_path, content):
    (tmp_path / "c.ckpt").write_bytes(content)
    with pytest.raises(InputError, match="the fit begins again"):
        read_checkpoint(tmp_path / "c.ckpt")


def test_a_file_without_a_tree_is_no_checkpoint(tmp_path):
    from safetensors.torch import save_file

    save_file({"0": torch.zeros(1)}, tmp_path / "c.ckpt", metadata={"other": json.dumps(1)})
    with pytest.raises(InputError, match="the fit begins again"):
        read_checkpoint(tmp_path / "c.ckpt")


def test_nothing_of_the_package_unpickles():
    for path in SOURCE.rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        for word in ("torch.load(", "torch.save(", "import pickle", "allow_pickle=True"):
            assert word not in text, path
