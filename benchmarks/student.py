"""A stranger's student: networks trained on a downloaded artifact alone, by the code that came with it.

The artifact's `student.py` (`core/artifacts/student.py`) is plain PyTorch and shares no code with the engine: network,
augmentation and training loop are written anew from the protocol of the report. Whoever doubts a report can read it.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

_STUDENT = """
import sys
import numpy
import torch
from load import load
from student import accuracy, network, train

torch.set_num_threads(1)  # on images this small, more threads only wait for each other
data, test = load(), numpy.load(sys.argv[1])
x = data.transform(test["pixels"])
for seed in range(int(sys.argv[2])):
    print(accuracy(train(network(data, seed), data, seed), x, test["labels"]))
"""


def retrain(folder: Path, pixels: NDArray[np.uint8], labels: NDArray[np.int64], seeds: int, test: Path) -> list[float]:
    """Test accuracy of `seeds` fresh networks that have seen the files in `folder` and nothing else.

    `pixels` uint8 [N, C, H, W] and `labels` [N] are the test set, which is written to `test` for a process of its own.
    """
    np.savez(test, allow_pickle=False, pixels=pixels, labels=labels)
    command = [sys.executable, "-B", "-c", _STUDENT, str(test.resolve()), str(seeds)]
    done = subprocess.run(command, cwd=folder, stdout=subprocess.PIPE, text=True, check=True)
    return [float(line) for line in done.stdout.splitlines()]
