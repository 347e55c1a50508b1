"""The reference and the engine are given the same work: same function, same gradient, same protocol."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from benchmarks import evaluate, peer_experts, peer_step
from benchmarks.peer import Peer, Unroll
from benchmarks.plain import module
from benchmarks.setting import Setting, outer_gradient, prepare, save
from core.engine.kernels import Eager
from core.engine.keys import Key
from core.engine.networks import ConvNet

CPU = torch.device("cpu")


def tiny(**changes: Any) -> Setting:
    sizes: dict[str, Any] = {"width": 4, "steps": 3, "batch": 4, "images": 6, "expert_steps": 1}
    return prepare(None, **(sizes | changes), key=Key(3))


def test_the_references_unrolled_gradient_is_our_adjoints(checkout: Path) -> None:
    setting = tiny()
    unroll = Unroll(Peer(checkout), setting, CPU, augmented=False)
    torch.testing.assert_close(unroll.logits(setting.images), setting.network.apply(setting.theta, setting.images))
    loss, images, eta = unroll()
    ours, bars = outer_gradient(setting, Eager(setting.network))
    torch.testing.assert_close(loss, ours)
    assert peer_step.cosine(images, bars.images) > 0.99999
    torch.testing.assert_close(eta, bars.step_size, rtol=1e-3, atol=0)


def test_another_network_is_refused(checkout: Path) -> None:
    setting = tiny()
    deeper = replace(setting.network, depth=2)
    peer = Peer(checkout)
    (checkout / "networks.py").write_text((checkout / "networks.py").read_text().replace("net_depth)", "1)"), "utf-8")
    with pytest.raises(ValueError, match="parameters"):
        peer.network(deeper, setting.theta)


def test_a_folder_that_is_no_checkout_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=r"networks\.py"):
        Peer(tmp_path)


def test_what_the_checkout_lacks_is_stubbed_and_said_and_fails_when_called(checkout: Path) -> None:
    peer = Peer(checkout)
    utils = peer.module("utils")
    assert peer.stubbed == ["a_library_that_nobody_has", "a_library_that_nobody_has.part"]
    with pytest.raises(RuntimeError, match="not installed"):
        utils.lacking.something(1)
    assert "utils" in sys.modules


@pytest.mark.parametrize("arm", ["peer", "eager", "float64"])
def test_an_outer_iteration_is_measured(checkout: Path, tmp_path: Path, arm: str) -> None:
    save(tiny(), tmp_path / "setting.pt")
    spec = {"folder": str(tmp_path), "setting": "setting.pt", "peer": str(checkout), "device": "cpu", "round": 0}
    found = peer_step.measure({**spec, "arm": arm, "iterations": 2, "dsa": False})
    assert len(found["seconds"]) == 2
    assert all(second > 0 for second in [found["first"], *found["seconds"]])
    assert found["whole"] > 100
    gradient = torch.load(tmp_path / found["gradient"], weights_only=True)
    exact = outer_gradient(tiny().to(CPU, torch.float64), Eager(tiny().network))[1].images
    assert peer_step.cosine(gradient, exact) > 0.9999


def test_with_augmentation_both_still_move(checkout: Path, tmp_path: Path) -> None:
    save(tiny(), tmp_path / "setting.pt")
    spec = {"folder": str(tmp_path), "setting": "setting.pt", "peer": str(checkout), "device": "cpu", "round": 0}
    plain, seen = (peer_step.measure({**spec, "arm": "eager", "iterations": 0, "dsa": dsa}) for dsa in (False, True))
    theirs = peer_step.measure({**spec, "arm": "peer", "iterations": 0, "dsa": True})
    assert plain["loss"] != seen["loss"]
    assert theirs["loss"] != plain["loss"]


def test_experts_do_the_same_work_in_both(checkout: Path) -> None:
    spec = {"peer": str(checkout), "device": "cpu", "data": None, "steps": 80, "batch": 16, "width": 8, "seed": 0}
    spec |= {"round": 0, "together": 1, "folder": str(checkout.parent)}
    theirs, ours = (peer_experts.measure({**spec, "arm": arm, "with_test": True}) for arm in ("peer", "eager"))
    assert theirs["with_test"] < theirs["rate"]
    assert ours["rate"] > 0
    assert max(theirs["loss"], ours["loss"]) < 1.9, "both learned: guessing one of ten costs 2.3"


@pytest.mark.parametrize("shape", [(3, 8, 8), (1, 28, 28)])
def test_plain_layers_are_the_same_function(shape: tuple[int, int, int]) -> None:
    network = ConvNet(shape, 10, 4, 2, "instance")
    theta, images = network.init(Key(0)), Key(1).normal(3, *shape)
    torch.testing.assert_close(module(network, theta)(images), network.apply(theta, images))


def test_plain_pytorch_learns_as_an_expert_does_without_augmentation(tmp_path: Path) -> None:
    spec = {"device": "cpu", "data": None, "steps": 80, "batch": 16, "width": 8, "seed": 0, "round": 0}
    with torch.compiler.set_stance("force_eager"):  # compiled it takes a minute, and does the same
        found = peer_experts.measure({**spec, "peer": "", "together": 1, "folder": str(tmp_path), "arm": "plain"})
    assert found["rate"] > 0
    assert found["loss"] < 1.9, "it learned"


@pytest.mark.parametrize("way", evaluate.WAYS)
def test_a_synthetic_set_is_judged_by_both(checkout: Path, way: str) -> None:
    spec = {"peer": str(checkout), "device": "cpu", "data": None, "batch": 16, "width": 8, "round": 0, "lr": 0.02}
    spec |= {"ipc": 2, "seeds": 2, "epochs": 30, "test_images": 200, "way": way, "folder": str(checkout.parent)}
    theirs, ours = (evaluate.measure({**spec, "arm": arm}) for arm in ("peer", "eager"))
    for found in (theirs, ours):
        assert len(found["accuracies"]) == 2
        assert min(found["accuracies"]) > 0.3, "three times as good as guessing"
