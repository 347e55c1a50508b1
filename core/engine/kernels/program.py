"""Functions of tensors as compiled programs, kept on disk from one process to the next, and tried before they are used.

The compiler keeps graphs of its own, by names in which the instruction set is missing: a graph for vectors of 16
numbers is found, and taken, where vectors have 8. So each program has a folder for the compiler to itself, beside the
programs, wherever the environment would have it. The trials of which instructions there are to compile for have names
that say all: they lie where the compiler has its headers, and are made once a machine instead of once a program.
"""

from __future__ import annotations

import logging
import os
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, final

import torch
from torch import Tensor

from core.engine.kernels.stamp import FOLDER, SUFFIX, stamped, unstamped
from core.engine.kernels.trial import Run
from core.files import write_atomic

if TYPE_CHECKING:
    from torch._inductor.standalone_compile import CompiledArtifact

_YOUNG = 3600.0  # seconds: the compiler may still be at work in a folder of that age

log = logging.getLogger(__name__)


class WrongProgram(Exception):
    """A compiled program gives wrong numbers; the message says which."""


@final
class Program:
    """A function of tensors compiled for the shapes of its arguments."""

    def __init__(self, run: Run) -> None:
        self._run = run

    def __call__(self, *arguments: Tensor) -> Sequence[Tensor]:
        return self._run(*[argument.detach().contiguous() for argument in arguments])

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
            fault: what is wrong with a program, if anything is. One that is wrong is thrown away with all that the
                compiler kept of it, and compiled anew where it came from what was kept.

        Raises:
            WrongProgram: freshly compiled, it is wrong.
            Exception: whatever the compiler stumbles on.
        """
        for last in (False, True):
            with _cache_of(path) as fresh:
                artifact = _loaded(path)
                stored = artifact is not None
                if artifact is None:
                    artifact = _compiled(function, arguments)
                program = cls(artifact)
                if (wrong := fault(program)) is None:
                    if path and not stored:
                        _save(artifact, path)
                    return program
            _discard(path)
            if last or (fresh and not stored):
                raise WrongProgram(f"the compiled program is wrong: {wrong}.")
            log.warning("A stored kernel is wrong (%s): it is thrown away, and compiled anew.", wrong)
        raise AssertionError("the second turn is the last")


def trim_programs(folder: Path) -> None:
    """Throw away what the compiler kept of programs that are no longer in the folder."""
    for kept in (folder / FOLDER).glob("*"):
        with suppress(FileNotFoundError):  # another engine trims at the same time
            if not (folder / f"{kept.name}{SUFFIX}").exists() and time.time() - kept.stat().st_mtime > _YOUNG:
                shutil.rmtree(kept, ignore_errors=True)


def _discard(path: Path | None) -> None:
    """Throw a program away, and what the compiler kept of it."""
    if path:
        path.unlink(missing_ok=True)
        shutil.rmtree(_folder(path), ignore_errors=True)


def _loaded(path: Path | None) -> CompiledArtifact | None:
    # Importing the compiler is half of the seconds an engine takes to start: one that compiles nothing is spared.
    from torch._inductor.standalone_compile import CompiledArtifact

    if path is None:
        return None
    aside = _folder(path) / f"{os.getpid()}.stored"
    try:
        if (content := unstamped(path)) is None:
            return None
        aside.write_bytes(content)
        return CompiledArtifact.load(path=str(aside), format="binary")
    except Exception as error:
        log.warning("A stored kernel is compiled anew: %s", str(error).strip().split("\n")[0][:500])
        return None
    finally:
        aside.unlink(missing_ok=True)


def _compiled(function: Callable[..., tuple[Tensor, ...]], arguments: list[Tensor]) -> CompiledArtifact:
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
    return _inductor.standalone_compile(graph, [*arguments], dynamic_shapes="from_example_inputs")


def _save(artifact: CompiledArtifact, path: Path) -> None:
    aside = _folder(path) / f"{os.getpid()}.new"
    try:
        artifact.save(path=str(aside), format="binary")
        write_atomic(path, stamped(path, aside.read_bytes()))
    finally:
        aside.unlink(missing_ok=True)


@contextmanager
def _cache_of(path: Path | None) -> Iterator[bool]:
    """The compiler's caches in the program's own folder, or in one for the moment; whether nothing is in it."""
    from torch._inductor.runtime.cache_dir_utils import temporary_cache_dir

    with ExitStack() as stack:
        folder = _folder(path) if path else Path(stack.enter_context(TemporaryDirectory(ignore_cleanup_errors=True)))
        folder.mkdir(parents=True, exist_ok=True)
        fresh = not any(folder.iterdir())
        stack.enter_context(temporary_cache_dir(str(folder)))
        yield fresh


def _folder(path: Path) -> Path:
    return path.parent / FOLDER / path.stem
