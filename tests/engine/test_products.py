"""Products of batches of matrices: the kernel of our own against float64, whatever the strides, threads and vectors."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from itertools import product as pairs
from pathlib import Path

import pytest
import torch
from torch import Tensor

from core.engine.kernels import missing_compiler, products
from core.engine.kernels.products import product
from core.engine.keys import Key

CPU = torch.device("cpu")
KEY = Key(0)
SHAPES = ((36, 100, 128, 128), (36, 37, 32, 32), (1, 1000, 27, 48), (64, 27, 160, 10), (2, 5, 300, 130), (3, 1, 1, 1))

pytestmark = pytest.mark.skipif(missing_compiler(CPU) is not None, reason="there is no compiler")


@pytest.fixture
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that has not looked for its kernel yet."""
    monkeypatch.setattr(products, "_found", [])


@pytest.fixture
def threads() -> Iterator[None]:
    """The number of threads, restored."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def factors(count: int, rows: int, deep: int, columns: int) -> tuple[Tensor, Tensor]:
    a, b = KEY.fold("a").normal(count, rows, deep), KEY.fold("b").normal(count, deep, columns)
    return a, b


def turned(x: Tensor) -> Tensor:
    """The same matrices, each stored column by column."""
    return x.mT.contiguous().mT


def spaced(x: Tensor) -> Tensor:
    """The same matrices, with gaps between all entries."""
    return torch.stack([x, torch.full_like(x, torch.nan)], -1)[..., 0]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_products_are_those_of_float64_whatever_the_strides(shape: tuple[int, int, int, int]) -> None:
    assert products.load(None)
    a, b = factors(*shape)
    exact = a.double() @ b.double()
    part = a[:, :, :1].double() @ b[:, :1].double()
    for left, right in pairs((a, turned(a), spaced(a)), (b, turned(b), spaced(b))):
        assert_close(product((left, right)), exact)
        assert_close(product((left, right), (a, -3 * b), (left[:, :, :1], right[:, :1])), part - 2 * exact)
    one = a[:1].expand(shape[0], -1, -1)
    assert_close(product((one, b)), one.double() @ b.double())


@pytest.mark.parametrize("shape", [(0, 2, 3, 4), (2, 0, 3, 4), (2, 3, 0, 4), (2, 3, 4, 0)], ids=str)
def test_products_of_nothing_are_nought(shape: tuple[int, int, int, int]) -> None:
    assert products.load(None)
    found = product(factors(*shape))
    assert found.shape == (shape[0], shape[1], shape[3])
    assert not found.any()


def assert_close(found: Tensor, exact: Tensor) -> None:
    assert found.dtype == torch.float32
    assert (found - exact).abs().max() <= 1e-5 * exact.abs().max()


def test_the_number_of_threads_changes_no_bit(threads: None) -> None:
    assert products.load(None)
    found = []
    for number in (1, 2, 3):
        torch.set_num_threads(number)
        found.append([product(factors(*shape)) for shape in SHAPES])
    for other in found[1:]:
        assert all(torch.equal(*both) for both in zip(found[0], other, strict=True))


@pytest.mark.skipif(
    torch.backends.cpu.get_cpu_capability() not in ("AVX2", "AVX512"),
    reason="code for AVX2 cannot run on this processor",
)
def test_narrower_vectors_change_no_bit(fresh: None, monkeypatch: pytest.MonkeyPatch) -> None:
    found = []
    for kind in ("native", "x86-64-v3"):
        options = tuple(option.replace("native", kind) for option in products._OPTIONS)
        monkeypatch.setattr(products, "_OPTIONS", options)
        monkeypatch.setattr(products, "_found", [])
        assert products.load(None)
        found.append([product(factors(*shape)) for shape in SHAPES])
    assert all(torch.equal(*both) for both in zip(*found, strict=True))


@pytest.mark.skipif(torch.backends.cpu.get_cpu_capability() != "AVX512", reason="there are no wider vectors here")
def test_vectors_are_no_wider_than_torch_was_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def macros() -> str:
        command = [*products._compiler(), *products._OPTIONS, *products._held(), "-dM", "-E", str(products._SOURCE)]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    assert "__AVX512F__" in macros()
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "AVX2")
    held = macros()
    assert "__AVX512F__" not in held
    assert "__AVX2__" in held


def test_students_side_by_side_have_each_their_own() -> None:
    a, b = (torch.stack([x, 2 * x, 3 * x]) for x in factors(4, 6, 5, 7))

    def both(x: Tensor, y: Tensor) -> Tensor:
        return product((x, y), (2 * x, y.flip(0)))

    together = torch.vmap(both)(a, b)
    assert torch.equal(together, torch.stack([both(*each) for each in zip(a, b, strict=True)]))
    shared = torch.vmap(both, in_dims=(1, None))(a.movedim(0, 1), b[0])
    assert torch.equal(shared, torch.stack([both(each, b[0]) for each in a]))


def test_other_types_are_left_to_the_backend() -> None:
    a, b = factors(2, 3, 4, 5)
    for dtype in (torch.float64, torch.bfloat16):
        found = product((a.to(dtype), b.to(dtype)), (a.to(dtype), b.to(dtype)))
        assert found.dtype == dtype
        assert torch.allclose(found.float(), 2 * a @ b, atol=0.1)
    assert torch.equal(product((a, b), blas=True), a @ b)


def test_the_kernel_is_kept_and_loaded_again(
    fresh: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert products.load(tmp_path / "kernels")
    (kept,) = (tmp_path / "kernels").glob("*.kernel")
    assert not list((tmp_path / "kernels" / "inductor").iterdir()), "nothing is left of the loading"
    monkeypatch.setattr(products, "_compiler", lambda: ["no-such-compiler"])
    monkeypatch.setattr(products, "_found", [])
    assert products.load(tmp_path / "kernels"), "without a compiler"
    assert not caplog.records
    kept.write_bytes(kept.read_bytes()[:-1] + b"?")
    monkeypatch.setattr(products, "_found", [])
    assert not products.load(tmp_path / "kernels"), "a damaged one is never loaded"
    assert "compiled anew" in caplog.text
    assert "left to the BLAS" in caplog.text
    a, b = factors(2, 3, 4, 5)
    assert torch.equal(product((a, b)), a @ b)


def test_a_wrong_kernel_is_not_used(
    fresh: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    wrong = tmp_path / "wrong.cpp"
    wrong.write_text(products._SOURCE.read_text().replace("sums[i][j] += x * b[j]", "sums[i][j] += b[j]"))
    monkeypatch.setattr(products, "_SOURCE", wrong)
    assert not products.load(None)
    assert "a product is off by" in caplog.text
    a, b = factors(2, 3, 4, 5)
    assert torch.equal(product((a, b)), a @ b)


def test_the_source_is_without_warnings(tmp_path: Path) -> None:
    command = [*products._compiler(), *products._OPTIONS, "-Wall", "-Wextra", "-Werror", str(products._SOURCE)]
    done = subprocess.run([*command, "-o", str(tmp_path / "x.so")], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
