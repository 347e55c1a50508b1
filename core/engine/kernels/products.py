"""Products of batches of matrices: on a CPU, in float32, by a kernel of our own.

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
from collections.abc import Callable
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

Multiply = Callable[[Tensor, Tensor, Tensor | None], Tensor]
_found: list[Multiply | None] = []  # the kernel of this process, once it was looked for


def product(a: Tensor, b: Tensor, more: Tensor | None = None, *, blas: bool = False) -> Tensor:
    """a [G, M, K] @ b [G, K, N], plus `more` [G, M, N].

    Args:
        blas: multiply by the BLAS that torch ships, as everything is that is not of float32 on a CPU.
    """
    if not blas and a.dtype == torch.float32 and a.device.type == "cpu":
        ours: Tensor = torch.ops.stillhouse.product(a, b, more)
        return ours
    return _by_blas(a, b, more)


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
            command = [*_compiler(), *_OPTIONS, str(_SOURCE), "-o", str(shared)]
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


def _tried(library: ctypes.CDLL) -> Multiply:
    run = library.product
    run.argtypes = [ctypes.c_void_p] * 4 + [ctypes.c_int64] * 10
    run.restype = None

    def multiply(a: Tensor, b: Tensor, more: Tensor | None) -> Tensor:
        (count, rows, deep), columns = a.shape, b.shape[2]
        to = a.new_empty((count, rows, columns))
        more = None if more is None else more.contiguous()
        pointers = (0 if part is None else part.data_ptr() for part in (to, more, a, b))
        run(*pointers, count, rows, columns, deep, *a.stride(), *b.stride())
        return to

    key = Key(0).fold("product")
    for number, (rows, deep, columns) in enumerate(((50, 150, 97), (7, 20, 33), (130, 16, 16))):
        a, b = key.fold("a", number).normal(2, rows, deep), key.fold("b", number).normal(2, deep, columns)
        for left in (a, a.mT.contiguous().mT):
            for right in (b, b.mT.contiguous().mT):
                more = a @ b
                off = (multiply(left, right, more) - 2 * more).abs().max() / more.abs().max()
                if not off <= _WITHIN:
                    raise RuntimeError(f"a product is off by {float(off):.1e}")
    return multiply


def _by_blas(a: Tensor, b: Tensor, more: Tensor | None) -> Tensor:
    return a @ b if more is None else torch.baddbmm(more, a, b)


@cache
def _operator() -> torch.library.Library:
    library = torch.library.Library("stillhouse", "DEF")
    library.define("product(Tensor a, Tensor b, Tensor? more) -> Tensor")
    library.impl("product", _multiplied, "CPU")
    torch.library.register_fake("stillhouse::product", _shaped, lib=library)
    torch.library.register_vmap("stillhouse::product", _of_students, lib=library)
    return library


def _multiplied(a: Tensor, b: Tensor, more: Tensor | None) -> Tensor:
    if not _found:
        load(None)
    own = _found[0]
    return _by_blas(a, b, more) if own is None else own(a, b, more)


def _shaped(a: Tensor, b: Tensor, more: Tensor | None) -> Tensor:
    return a.new_empty((a.shape[0], a.shape[1], b.shape[2]))


def _of_students(
    info: object, dims: tuple[int | None, ...], a: Tensor, b: Tensor, more: Tensor | None
) -> tuple[Tensor, int]:
    """The products of students side by side: each one's matrices behind the other's."""
    students: int = info.batch_size  # type: ignore[attr-defined]
    each = [
        None if part is None else part.expand(students, *part.shape) if dim is None else part.movedim(dim, 0)
        for part, dim in zip((a, b, more), dims, strict=True)
    ]
    flat = [None if part is None else part.flatten(0, 1) for part in each]
    return torch.ops.stillhouse.product(*flat).unflatten(0, (students, -1)), 0


_operator()
