"""The embedded dataset, against scikit-learn's own loader."""

from __future__ import annotations

import subprocess
import sys

import numpy as np

from core.data.digest import measure
from core.data.digits import digits
from core.data.facts import Images
from core.data.known import KNOWN

DIGEST = "sha256:d1c6f778e080759dd209e235886a121d16bdf87b638a2f82285484252128a554"


def pairs(images: Images) -> set[tuple[bytes, int]]:
    return {(image.tobytes(), int(label)) for image, label in zip(images.images, images.labels, strict=True)}


def test_they_are_scikit_learns_digits_split_80_to_20() -> None:
    from sklearn.datasets import load_digits  # seconds, wherever this file is only collected

    bundle, original = digits(), load_digits()
    pixels = np.rint(original.images * 255 / 16).astype(np.uint8)[:, None]
    assert pairs(bundle.train) | pairs(bundle.test) == pairs(Images(pixels, original.target))
    assert (len(bundle.train), len(bundle.test)) == (1438, 359)
    assert bundle.train.images.max() == 255
    shares = np.bincount(bundle.test.labels) / np.bincount(original.target)
    assert np.abs(shares - 0.2).max() < 0.005


def test_the_split_never_changes() -> None:
    assert measure(digits()).digest == DIGEST


def test_what_is_known_of_them_is_true() -> None:
    measured, known = measure(digits()), KNOWN["digits"]
    assert (known.shape, known.class_names) == (measured.shape, measured.class_names)
    assert (known.train_count, known.test_count) == (measured.train_count, measured.test_count)
    assert known.rarest == np.bincount(digits().train.labels).min()


def test_looking_at_datasets_imports_neither_torch_nor_scikit_learn() -> None:
    script = (
        "import sys, pathlib, core.data; core.data.Catalogue(pathlib.Path('/nowhere')).list(); "
        "print(sorted({'torch', 'torchvision', 'sklearn'} & set(sys.modules)))"
    )
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    assert run.stdout.strip() == "[]"
