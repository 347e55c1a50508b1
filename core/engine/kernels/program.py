"""Functions of tensors as compiled programs, kept on disk from one process to the next, and tried before they are used.

A program is a shared library with what belongs to it. Torch loads one without its compiler, whose import would take
most of the seconds in which an engine starts. The compiler keeps graphs of its own, by names in which the instruction
set is missing: a graph for vectors of 16 numbers is found, and taken, where vectors have 8. So each program is compiled
in a folder of its own that is empty before and gone thereafter, wherever the environment would have it. The trials of
which instructions there are to compile for have names that say all: they lie where the compiler has its headers, and
are made once a machine instead of once a program.
"""

from __future__ import annotations

import logging
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import cast, final
from zipfile import ZIP_DEFLATED, ZipFile

import torch
from torch import Tensor

from core.engine.kernels.stamp import FOLDER, stamped, unstamped
from core.engine.kernels.trial import Run
from core.files import write_atomic

_YOUNG = 3600.0  # seconds: the compiler may still be at work in a folder of that age
_SOURCES = (".cpp", "_metadata.json")  # of what the compiler leaves, what no program needs

log = logging.getLogger(__name__)


class WrongProgram(Exception):
    """A compiled program gives wrong numbers; the message says which."""


@final
class Program:
    """A function of tensors compiled for the shapes of its arguments."""

    def __init__(self, run: Callable[[list[Tensor]], Sequence[Tensor]]) -> None:
        self._run = run

    def __call__(self, *arguments: Tensor) -> Sequence[Tensor]:
        return self._run([argument.detach().contiguous() for argument in arguments])

    @classmethod
    def of(
        cls,
        function: Callable[..., tuple[Tensor, ...]],
        arguments: list[Tensor],
        path: Path | None,
        fault: Callable[[Run], str | None],
    ) -> Program:
        """Load it from `path`, or compile it and keep it there.

        Args:
            fault: what is wrong with a program, if anything is. A stored one that is wrong is thrown away, and
                compiled anew.

        Raises:
            WrongProgram: freshly compiled, it is wrong.
            Exception: whatever the compiler stumbles on.
        """
        if path is not None:
            (path.parent / FOLDER).mkdir(parents=True, exist_ok=True)
            try:
                if (content := unstamped(path)) is not None:
                    return cls._tried(content, arguments, path, fault)
            except WrongProgram as error:
                log.warning("A stored kernel is thrown away, and compiled anew: %s", error)
                path.unlink(missing_ok=True)
            except Exception as error:
                log.warning("A stored kernel is compiled anew: %s", str(error).strip().split("\n")[0][:500])
        content = _compiled(function, arguments, path)
        program = cls._tried(content, arguments, path, fault)
        if path is not None:
            write_atomic(path, stamped(path, content))
        return program

    @classmethod
    def _tried(
        cls, content: bytes, arguments: list[Tensor], path: Path | None, fault: Callable[[Run], str | None]
    ) -> Program:
        with _aside(path) as folder:  # a GPU loads its part of a program when that is first called, by the trial
            program = cls(_opened(content, arguments, folder))
            if (wrong := fault(program)) is not None:
                raise WrongProgram(f"the compiled program is wrong: {wrong}.")
        return program


def trim_programs(folder: Path) -> None:
    """Throw away what compilers left that did not come to their end."""
    for left in (folder / FOLDER).glob("*"):
        with suppress(FileNotFoundError):  # another engine trims at the same time
            if time.time() - left.stat().st_mtime > _YOUNG:
                shutil.rmtree(left, ignore_errors=True)


def _opened(content: bytes, arguments: list[Tensor], folder: Path) -> Callable[[list[Tensor]], Sequence[Tensor]]:
    """The program in a file's content, put into a folder for as long as it takes to load it.

    Raises:
        WrongProgram: it is for other arguments, and would read and write where it must not.
    """
    with ZipFile(BytesIO(content)) as archive:
        if archive.comment != _kinds(arguments):
            raise WrongProgram(f"it is for arguments {archive.comment.decode()}, not {_kinds(arguments).decode()}.")
        archive.extractall(folder)
    (library,) = folder.glob("*.so")
    device = arguments[0].device
    if device.type == "cuda":
        return torch._C._aoti.AOTIModelContainerRunnerCuda(str(library), 1, str(device), str(folder)).run
    return torch._C._aoti.AOTIModelContainerRunnerCpu(str(library), 1).run


def _compiled(function: Callable[..., tuple[Tensor, ...]], arguments: list[Tensor], path: Path | None) -> bytes:
    """The content of a program's file."""
    from torch import _inductor
    from torch._inductor.cpu_vec_isa import valid_vec_isa_list
    from torch._inductor.runtime.cache_dir_utils import default_cache_dir, temporary_cache_dir
    from torch.fx.experimental.proxy_tensor import make_fx

    if arguments[0].device.type == "cpu":
        with temporary_cache_dir(default_cache_dir()):
            valid_vec_isa_list()  # remembered by this process

    stacked = torch.vmap(function) if arguments[0].ndim == 2 else function
    # without the function's annotations, which are strings and would end up among the graph's globals
    graph = make_fx(lambda *tensors: stacked(*tensors), tracing_mode="fake")(*arguments)
    content = BytesIO()
    with _aside(path) as folder, temporary_cache_dir(str(folder)), ZipFile(content, "w", ZIP_DEFLATED) as archive:
        made = _inductor.aot_compile(graph, (*arguments,), options={"aot_inductor.package": True})
        for file in map(Path, cast("list[str]", made)):
            if not file.name.endswith(_SOURCES):
                archive.write(file, file.name)
        archive.comment = _kinds(arguments)
    return content.getvalue()


def _kinds(arguments: list[Tensor]) -> bytes:
    """The shapes and types of a program's arguments, which it does not look at itself."""
    return ", ".join(f"{str(a.dtype).removeprefix('torch.')}{[*a.shape]}" for a in arguments).encode()


@contextmanager
def _aside(path: Path | None) -> Iterator[Path]:
    """A folder beside the programs, or anywhere, that is gone thereafter."""
    with TemporaryDirectory(dir=path and path.parent / FOLDER, ignore_cleanup_errors=True) as folder:
        yield Path(folder)
