"""The pretended GPU refuses what a GPU refuses, permits what it permits, and computes the CPU's numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch
import torch.nn.functional as F
from torch import Tensor

from core.engine.memory import free_bytes, peak_mib
from core.engine.stored import opened
from tests.engine.pretend import MEMORY, NAME, PRODUCTS, SCALARS, pretended, table
from worker.engine.job import device, hardware


@pytest.fixture
def cuda() -> Iterator[torch.device]:
    with pretended() as found:
        yield found


Act = Callable[[Tensor, Tensor], object]
"""Something done with numbers of the GPU and of the CPU, six of each."""

PERMITTED: dict[str, Act] = {
    "a number of the CPU's": lambda x, c: x * c[1] + c[2],
    "a number of the CPU's first": lambda x, c: c[1] - x,
    "a comparison with a number of the CPU's": lambda x, c: x > c[1],
    "a choice of a number of the CPU's": lambda x, c: torch.where(x > 1, c[1], x),
    "a number of the CPU's where a mask is": lambda x, c: x.masked_fill(x > 1, c[1]),
    "places of the CPU's": lambda x, c: x[c.long()],
    "a mask of the CPU's": lambda x, c: x[c > 1],
    "a number of the CPU's put in places": lambda x, c: x.clone().index_put_((c.long(),), c[1]),
    "numbers of the CPU's put in a slice": lambda x, c: x.clone()[:2].copy_(c[:2]),
    "a copy to the CPU": lambda x, c: c.clone().copy_(x),
    "one place of the GPU's in the CPU's numbers": lambda x, c: c[x[1].long()],
    "a Python number": lambda x, c: (
        float(x[1]),
        int(x[1]),
        bool(x[1]),
        x.tolist(),
        f"{x[1]:.2f}",
        [1, 2][x[1].long()],
    ),
    "numpy by force": lambda x, c: x.numpy(force=True),
    "numpy of the copy": lambda x, c: x.cpu().numpy(),
    "a generator of its own": lambda x, c: torch.rand(
        2, device="cuda", generator=torch.Generator("cuda").manual_seed(1)
    ),
    "a file": lambda x, c: safetensors.torch.save({"x": x}),
    "pinned memory of the CPU": lambda x, c: (
        c.pin_memory().to(x.device, non_blocking=True),
        torch.ones(2, pin_memory=True),
    ),
    "products of floats": lambda x, c: x[None] @ x[:, None],
    "a tensor like it": lambda x, c: torch.zeros_like(x) + x.new_ones(6) + torch.arange(6, device=x.device),
}

REFUSED: dict[str, tuple[Act, str]] = {
    "a sum with the CPU's": (lambda x, c: x + c, "same device"),
    "a product with the CPU's": (lambda x, c: x[None] @ c[:, None], "same device"),
    "a convolution with the CPU's": (lambda x, c: F.conv1d(x[None, None], c[None, None]), "same device"),
    "a linear map of the CPU's": (lambda x, c: F.linear(x, c[None]), "same device"),
    "the CPU's changed in place": (lambda x, c: c.add_(x), "same device"),
    "a number of the CPU's changed in place": (lambda x, c: c[0].add_(x[0]), "same device"),
    "numbers stacked with the CPU's": (lambda x, c: torch.stack([x[0], c[0]]), "same device"),
    "numbers beside the CPU's": (lambda x, c: torch.cat([x, c]), "same device"),
    "the CPU's numbers by places of the GPU's": (lambda x, c: c[x.long()], "either on cpu or on the same device"),
    "the CPU's numbers by a mask of the GPU's": (lambda x, c: c[x > 1], "either on cpu or on the same device"),
    "the CPU's numbers put in places": (lambda x, c: x.index_put_((x.long(),), c), "same device"),
    "places of the CPU's to gather": (lambda x, c: x.gather(0, c.long()), "same device"),
    "places of the CPU's to select": (lambda x, c: x.index_select(0, c.long()), "same device"),
    "repetitions of the CPU's": (lambda x, c: x.repeat_interleave(c.long()), "same device"),
    "a forgotten device": (lambda x, c: x + torch.arange(6), "same device"),
    "labels of the CPU's": (lambda x, c: F.cross_entropy(x[None], c[:1].long()), "same device"),
    "numpy": (lambda x, c: x.numpy(), "Use Tensor.cpu"),
    "an array": (lambda x, c: np.asarray(x), "Use Tensor.cpu"),
    "a gradient's numpy": (lambda x, c: torch.func.grad(lambda y: y.sum())(x).numpy(), "Use Tensor.cpu"),
    "a generator of the CPU": (
        lambda x, c: torch.rand(2, device="cuda", generator=torch.Generator()),
        "'cuda' device type",
    ),
    "a generator of the CPU in place": (lambda x, c: x.normal_(generator=torch.Generator()), "'cuda' device type"),
    "a generator of the GPU": (lambda x, c: torch.rand(2, generator=torch.Generator("cuda")), "'cpu' device type"),
    "products of integers": (lambda x, c: x.long()[None] @ x.long()[:, None], "not implemented for"),
    "what only a CPU has": (lambda x, c: torch.histogram(x, 3), "Could not run"),
    "pinned memory of the GPU": (lambda x, c: x.pin_memory(), "cannot pin"),
    "another GPU": (lambda x, c: x.to("cuda:1"), "invalid device ordinal"),
    "memory that is shared in a file": (
        lambda x, c: safetensors.torch.save({"x": x, "y": x.view(2, 3)}),
        "share memory",
    ),
}


@pytest.mark.parametrize("act", PERMITTED.values(), ids=PERMITTED)
def test_it_permits(act: Act, cuda: torch.device) -> None:
    act(torch.arange(6.0).to(cuda), torch.arange(6.0))


@pytest.mark.parametrize(("act", "words"), REFUSED.values(), ids=REFUSED)
def test_it_refuses(act: Act, words: str, cuda: torch.device) -> None:
    """On the CPU alone there is nothing to refuse, but for what is named after the GPU."""
    with pytest.raises((RuntimeError, TypeError, NotImplementedError, ValueError), match=words):
        act(torch.arange(6.0).to(cuda), torch.arange(6.0))


def test_what_meets_a_number_of_the_cpu_does_so_by_torchs_own_table() -> None:
    """An operation without this note checks that all its tensors are on one device, those of no dimensions included."""
    for name in SCALARS:
        entries = [
            entry for full, entry in table().items() if full.partition(".")[0] == name and "Tensor other" in entry
        ]
        for entry in entries:
            assert "device_check: NoCheck" in entry or "dispatch:" not in entry or "Composite" in entry, entry
    assert all(any(full.partition(".")[0] == name for full in table()) for name in SCALARS | PRODUCTS)


def wrong(images: Tensor) -> Tensor:
    """Images [..., W] under a ramp, by a function that was never on a GPU."""
    return images * torch.linspace(0, 1, images.shape[-1])


def right(images: Tensor) -> Tensor:
    """The same where they are."""
    return images * torch.linspace(0, 1, images.shape[-1], device=images.device)


@pytest.mark.parametrize("differentiated", [False, True])
def test_code_that_was_never_on_a_gpu_fails_there(differentiated: bool, cuda: torch.device) -> None:
    def work(move: Callable[[Tensor], Tensor], images: Tensor) -> Tensor:
        if not differentiated:
            return move(images)
        found: Tensor = torch.func.vmap(torch.func.grad(lambda x: move(x).square().sum()))(images)
        return found

    images = torch.arange(12.0).view(2, 6)
    assert torch.equal(work(wrong, images), work(right, images))
    there = work(right, images.to(cuda))
    assert there.device == torch.device("cuda:0")
    assert torch.equal(there.cpu(), work(right, images))
    with pytest.raises(RuntimeError, match="same device"):
        work(wrong, images.to(cuda))


def test_second_derivatives_are_the_cpus(cuda: torch.device) -> None:
    def hessian_times(x: Tensor, kernel: Tensor) -> Tensor:
        x = x.detach().requires_grad_()
        out = F.group_norm(F.conv2d(x, kernel, padding=1), 1).relu()
        (g,) = torch.autograd.grad(F.avg_pool2d(out, 2).square().sum(), x, create_graph=True)
        return torch.autograd.grad(g.square().sum(), x)[0]

    x, kernel = (torch.linspace(-1, 1, n).sin().view(2, -1, 3, 3) for n in (36, 36))
    x = F.interpolate(x, size=(4, 4))
    assert torch.equal(hessian_times(x.to(cuda), kernel.to(cuda)).cpu(), hessian_times(x, kernel))


def test_a_place_has_one_tensor(cuda: torch.device) -> None:
    x = torch.zeros(6, device="cuda")
    assert x.to(cuda) is x
    assert x.cuda() is x
    view = x.view(2, 3)
    view[0] += 1
    view.mul_(2)
    assert x.tolist() == [2, 2, 2, 0, 0, 0]
    assert x.cpu().add_(1).device.type == "cpu"
    assert x.tolist() == [2, 2, 2, 0, 0, 0]


def test_files_are_read_to_the_device(cuda: torch.device, tmp_path: Path) -> None:
    content = safetensors.torch.save({"x": torch.arange(3.0)})
    (tmp_path / "x.safetensors").write_bytes(content)
    for source in (content, tmp_path / "x.safetensors"):
        x = opened(source, cuda)[1]["x"]
        assert x.is_cuda
        assert x.tolist() == [0, 1, 2]


def test_the_engine_takes_it_where_it_is(cuda: torch.device) -> None:
    found = device("auto")
    assert found.type == "cuda"
    assert hardware(found) == NAME
    assert free_bytes(found) == MEMORY // 2
    assert peak_mib(found) == 1


def test_without_it_there_is_no_gpu() -> None:
    before = torch.cuda.is_available(), torch.Generator, torch.cuda.get_device_name
    with pretended():
        assert torch.ones(1, device="cuda").is_cuda
    assert (torch.cuda.is_available(), torch.Generator, torch.cuda.get_device_name) == before
    assert device("cpu") == torch.ones(1).device
