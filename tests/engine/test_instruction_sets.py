"""A program compiled under one instruction set is never used under another, whatever folder the compiler is given."""

from __future__ import annotations

import json
import os
import subprocess
import sys
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
kernels, arguments = Compiled(network, frozenset({shape}), folder=Path(sys.argv[1])), given(network, shape.batch)
g = kernels.gradient(*arguments[:3]).double()
truth = Eager(network).gradient(*arguments.double()[:3])
path, capability = kernels.path("gradient", shape, g.device), torch.backends.cpu.get_cpu_capability()
print(json.dumps([capability, float((g - truth).norm() / truth.norm()), str(path), path.exists()]))
"""


class Ran(NamedTuple):
    """The instruction set of a process, its gradient's error, where its program lies and whether it does; its log."""

    capability: str
    error: float
    path: Path
    stored: bool
    log: str


def run(folder: Path, capability: str | None) -> Ran:
    """In a process of its own, told which folder the compiler is to use."""
    environment = {name: value for name, value in os.environ.items() if name != "ATEN_CPU_CAPABILITY"}
    environment |= {"TORCHINDUCTOR_CACHE_DIR": str(folder / "shared")}
    environment |= {"ATEN_CPU_CAPABILITY": capability} if capability else {}
    command = [sys.executable, "-c", _PROGRAM, str(folder / "kernels")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    found, error, path, stored = json.loads(done.stdout)
    return Ran(found, error, Path(path), stored, done.stderr)


def test_a_program_is_used_under_the_instruction_set_it_was_compiled_for_alone(tmp_path: Path) -> None:
    wide, narrow = run(tmp_path, None), run(tmp_path, _NARROW)
    assert (wide.capability, narrow.capability) == (_WIDEST, _NARROW.upper())
    assert wide.path != narrow.path
    for ran in (wide, narrow):
        assert ran.stored
        assert ran.error <= 1e-5
        assert "wrong" not in ran.log
    assert not (tmp_path / "shared").exists() or not list((tmp_path / "shared").rglob("*.cpp"))

    one, other = wide.path.read_bytes(), narrow.path.read_bytes()
    wide.path.write_bytes(other)
    narrow.path.write_bytes(one)
    for capability in (None, _NARROW):
        ran = run(tmp_path, capability)
        assert ran.stored
        assert ran.error <= 1e-5
        assert "A stored kernel is compiled anew: the file is damaged, or another program's." in ran.log
    assert wide.path.read_bytes() != other
    assert narrow.path.read_bytes() != one
