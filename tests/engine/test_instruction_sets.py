"""A program compiled under one instruction set is never used under another, whatever folder the compiler is given."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest
import torch

from core.engine.kernels import missing_compiler

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(missing_compiler(torch.device("cpu")) is not None, reason="there is no compiler"),
]

_WIDEST = torch.backends.cpu.get_cpu_capability()
_NARROW = "avx2" if _WIDEST == "AVX512" else "default"
_PROGRAM = """
import json, logging, sys
from pathlib import Path
import torch
from core.engine.kernels import Compiled, Eager, Shape
from core.engine.networks import ConvNet
from tests.engine.steps import given

logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
network, shape = ConvNet((3, 8, 8), 10, 16, 1, "instance"), Shape(1, 10)
arguments = given(network, shape.batch)
truth = Eager(network).gradient(*arguments.double()[:3])
for _ in range(2):
    kernels = Compiled(network, frozenset({shape}), folder=Path(sys.argv[1]))
    g = kernels.gradient(*arguments[:3]).double()
    path, capability = kernels.path("gradient", shape, g.device), torch.backends.cpu.get_cpu_capability()
    found = capability, float((g - truth).norm() / truth.norm()), str(path), path.exists()
    print(json.dumps(found), flush=True)
    sys.stdin.readline()
"""


class Found(NamedTuple):
    """The instruction set of a process, its gradient's error, where its program lies and whether it does."""

    capability: str
    error: float
    path: Path
    stored: bool


@contextmanager
def process(folder: Path, capability: str | None) -> Iterator[subprocess.Popen[str]]:
    """A process that is told which folder the compiler is to use; it computes a gradient, and with each line again."""
    ours = {"ATEN_CPU_CAPABILITY", "OMP_NUM_THREADS"}
    environment = {name: value for name, value in os.environ.items() if name not in ours}
    environment |= {"TORCHINDUCTOR_CACHE_DIR": str(folder / "shared")}
    environment |= {"ATEN_CPU_CAPABILITY": capability} if capability else {}
    command = [sys.executable, "-c", _PROGRAM, str(folder / "kernels")]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, env=environment, stdin=pipe, stdout=pipe, stderr=pipe, text=True) as running:
        yield running


def heard(running: subprocess.Popen[str]) -> Found:
    """The next gradient of a process."""
    assert running.stdout is not None
    line = running.stdout.readline()
    assert line, running.communicate()[1]
    capability, error, path, stored = json.loads(line)
    return Found(capability, error, Path(path), stored)


def test_a_program_is_used_under_the_instruction_set_it_was_compiled_for_alone(tmp_path: Path) -> None:
    with process(tmp_path, None) as one, process(tmp_path, _NARROW) as other:
        wide, narrow = heard(one), heard(other)
        assert (wide.capability, narrow.capability) == (_WIDEST, _NARROW.upper())
        assert wide.path != narrow.path
        contents = wide.path.read_bytes(), narrow.path.read_bytes()
        wide.path.write_bytes(contents[1])
        narrow.path.write_bytes(contents[0])
        for running, before in ((one, wide), (other, narrow)):
            assert running.stdin is not None
            running.stdin.write("\n")
            running.stdin.flush()
            again = heard(running)
            assert before.path == again.path
            for found in (before, again):
                assert found.stored
                assert found.error <= 1e-5
            log = running.communicate("\n")[1]
            assert "wrong" not in log
            assert log.count("A stored kernel is compiled anew: the file is damaged, or another program's.") == 1
    assert wide.path.read_bytes() != contents[1]
    assert narrow.path.read_bytes() != contents[0]
    assert not (tmp_path / "shared").exists() or not list((tmp_path / "shared").rglob("*.cpp"))
