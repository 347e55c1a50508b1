"""Sums of products of batches of matrices: on a CPU, in float32, by a kernel of our own.

The BLAS that torch ships is not tuned for every processor: on an AMD EPYC with AVX-512 its batched products reach two
fifths of what the processor can do, these nine tenths (docs/PERFORMANCE.md). `product.cpp` is translated once a
machine, by the compiler that compiled programs need anyway, and kept beside these. Programs call it as an operator of
torch's; where it is missing, or gives wrong numbers, that operator is the BLAS.
"""

from __future__ import annotations

import ctypes
import logging
import shlex
import subprocess
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from torch import Tensor

from core.engine.kernels.environment import environment
from core.engine.kernels.stamp import FOLDER, SUFFIX, stamped, unstamped
from core.engine.keys import Key
from core.files import write_atomic
from core.plan.cache_names import file_name

_SOURCE = Path(__file__).with_name("product.cpp")
_OPTIONS = ("-std=c++17", "-O3", "-march=native", "-fopenmp", "-shared", "-fPIC")
_WITHIN = 1e-5  # of a product's largest entry
_CPU = torch.device("cpu")

log = logging.getLogger(__name__)

Multiply = Callable[[Sequence[Tensor], Sequence[Tensor]], Tensor]
_found: list[Multiply | None] = []  # the kernel of this process, once it was looked for


def product(*pairs: tuple[Tensor, Tensor], blas: bool = False) -> Tensor:
    """The sum of all a [G, M, K] @ b [G, K, N].

    Args:
        blas: multiply by the BLAS that torch ships, as everything is that is not of float32 on a CPU.
    """
    a, b = (list(each) for each in zip(*pairs, strict=True))
    if not blas and a[0].dtype == torch.float32 and a[0].device.type == "cpu":
        ours: Tensor = torch.ops.stillhouse.product(a, b)
        return ours
    return _by_blas(a, b)


def load(folder: Path | None) -> bool:
    """Load the kernel from a folder of programs, or translate and keep it there; once a process. Whether it is there.

    Whatever goes wrong is logged, and the BLAS multiplies.
    """
    if not _found:
        _found.append(None)
        try:
            _found[0] = _tried(_library(folder))
        except Exception as error:  # whatever a compiler or a loader stumbles on, the BLAS can do it
            log.warning("Products of matrices are left to the BLAS: %s", str(error).strip().split("\n")[0][:500])
    return _found[0] is not None


def _library(folder: Path | None) -> ctypes.CDLL:
    path = folder and folder / file_name({"product": environment(_CPU)}, SUFFIX)
    try:
        content = unstamped(path) if path else None
    except ValueError as error:
        log.warning("The kernel of products is compiled anew: %s", error)
        content = None
    if path:
        (path.parent / FOLDER).mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=path and path.parent / FOLDER, ignore_cleanup_errors=True) as aside:
        shared = Path(aside) / "product.so"
        if content is None:
            command = [*_compiler(), *_OPTIONS, *_held(), str(_SOURCE), "-o", str(shared)]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                raise RuntimeError(f"{command[0]} failed: {done.stderr.strip() or done.returncode}")
            if path:
                write_atomic(path, stamped(path, shared.read_bytes()))
        else:
            shared.write_bytes(content)
        return ctypes.CDLL(str(shared))  # which stays where it is once it is loaded


def _compiler() -> list[str]:
    from torch._inductor.cpp_builder import get_cpp_compiler  # it takes as long to import as all else of an engine

    return shlex.split(get_cpp_compiler())


def _held() -> tuple[str, ...]:
    """The option by which vectors are no wider than torch was told to have them (ATEN_CPU_CAPABILITY=avx2)."""
    return ("-mno-avx512f",) if torch.backends.cpu.get_cpu_capability() == "AVX2" else ()


def _tried(library: ctypes.CDLL) -> Multiply:
    run = library.product
    run.argtypes = [ctypes.c_void_p, *[ctypes.c_int64] * 4, ctypes.c_void_p]
    run.restype = None

    def multiply(a: Sequence[Tensor], b: Sequence[Tensor]) -> Tensor:
        to = _shaped(a, b)
        if not all(x.numel() for x in (*a, *b)):
            return _by_blas(a, b)
        terms = [
            value
            for x, y in zip(a, b, strict=True)
            for value in (x.data_ptr(), y.data_ptr(), x.shape[2], *x.stride(), *y.stride())
        ]
        run(to.data_ptr(), *to.shape, len(a), (ctypes.c_int64 * len(terms))(*terms))
        return to

    key = Key(0).fold("product")
    for number, (rows, deep, columns) in enumerate(((50, 140, 97), (7, 20, 33), (30, 16, 16))):
        a, b = key.fold("a", number).normal(2, rows, deep), key.fold("b", number).normal(2, deep, columns)
        for left in (a, a.mT.contiguous().mT):
            for right in (b, b.mT.contiguous().mT):
                true = 3 * (a @ b)
                off = (multiply([a, left], [2 * b, right]) - true).abs().max() / true.abs().max()
                if not off <= _WITHIN:
                    raise RuntimeError(f"a product is off by {float(off):.1e}")
    return multiply


def _by_blas(a: Sequence[Tensor], b: Sequence[Tensor]) -> Tensor:
    total = a[0] @ b[0]
    for x, y in zip(a[1:], b[1:], strict=True):
        total = torch.baddbmm(total, x, y)
    return total


@cache
def _operator() -> torch.library.Library:
    library = torch.library.Library("stillhouse", "DEF")
    library.define("product(Tensor[] a, Tensor[] b) -> Tensor")
    library.impl("product", _multiplied, "CPU")
    torch.library.register_fake("stillhouse::product", _shaped, lib=library)
    torch.library.register_vmap("stillhouse::product", _of_students, lib=library)
    return library


def _multiplied(a: Sequence[Tensor], b: Sequence[Tensor]) -> Tensor:
    if not _found:
        load(None)
    return (_found[0] or _by_blas)(a, b)


def _shaped(a: Sequence[Tensor], b: Sequence[Tensor]) -> Tensor:
    return a[0].new_empty((a[0].shape[0], a[0].shape[1], b[0].shape[2]))


def _of_students(
    info: object, dims: tuple[Sequence[int | None], ...], *factors: Sequence[Tensor]
) -> tuple[Tensor, int]:
    """The products of students side by side: each one's matrices behind the other's."""
    students: int = info.batch_size  # type: ignore[attr-defined]
    flat = [
        [
            (part.expand(students, *part.shape) if dim is None else part.movedim(dim, 0)).flatten(0, 1)
            for part, dim in zip(parts, theirs, strict=True)
        ]
        for parts, theirs in zip(factors, dims, strict=True)
    ]
    return torch.ops.stillhouse.product(*flat).unflatten(0, (students, -1)), 0


_operator()
