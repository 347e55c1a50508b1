"""Binary files of which nothing says how they are to be read: the commands that make a bundle of those well known."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from core.data.facts import DatasetInvalid
from core.data.folders.faults import listed
from core.data.folders.members import Member

_CIFAR: Final = (
    "import glob, numpy as np; "
    "read = lambda *names: np.concatenate([np.fromfile(name, np.uint8).reshape(-1, {row}) for name in names]); "
    "form = lambda x: x[:, {row} - 3072:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1); "
    "train, test = read(*sorted(glob.glob('{train}'))), read('{test}'); "
    "np.savez('{name}.npz', x_train=form(train), y_train=train[:, {row} - 3073], x_test=form(test), "
    "y_test=test[:, {row} - 3073], class_names=open('{names}').read().split())"
)
_STL: Final = (
    "import numpy as np; "
    "x = lambda part: np.fromfile(part + '_X.bin', np.uint8).reshape(-1, 3, 96, 96).transpose(0, 3, 2, 1); "
    "y = lambda part: np.fromfile(part + '_y.bin', np.uint8) - 1; "
    "np.savez('stl10.npz', x_train=x('train'), y_train=y('train'), x_test=x('test'), y_test=y('test'), "
    "class_names=open('class_names.txt').read().split())"
)
_SVHN: Final = (
    "import numpy as np; from scipy.io import loadmat; "
    "train, test = loadmat('train_32x32.mat'), loadmat('test_32x32.mat'); "
    "np.savez('svhn.npz', x_train=train['X'].transpose(3, 0, 1, 2), y_train=train['y'].ravel() % 10, "
    "x_test=test['X'].transpose(3, 0, 1, 2), y_test=test['y'].ravel() % 10)"
)
_SETS: Final = (
    (
        "CIFAR-10's binary files, which the service has as the dataset cifar10. Or, for files like them, ",
        "cifar10",
        {"data_batch_1.bin", "test_batch.bin", "batches.meta.txt"},
        _CIFAR.format(
            row=3073, train="data_batch_*.bin", test="test_batch.bin", name="cifar10", names="batches.meta.txt"
        ),
    ),
    (
        "CIFAR-100's binary files, which the service has as the dataset cifar100. Or, for files like them, ",
        "cifar100",
        {"train.bin", "test.bin", "fine_label_names.txt"},
        _CIFAR.format(row=3074, train="train.bin", test="test.bin", name="cifar100", names="fine_label_names.txt"),
    ),
    (
        "STL-10's binary files; ",
        "stl10",
        {"train_X.bin", "train_y.bin", "test_X.bin", "test_y.bin", "class_names.txt"},
        _STL,
    ),
    (
        "SVHN's MATLAB files, which the service has as the dataset svhn. Or, for files like them, ",
        "svhn",
        {"train_32x32.mat", "test_32x32.mat"},
        _SVHN,
    ),
)


def refuse_binaries(files: Sequence[Member]) -> None:
    """Refuse the files of a set that is well known, with the command that makes a bundle of them.

    Raises DatasetInvalid.
    """
    found = {member.parts[-1] for member in files}
    for what, name, wanted, command in _SETS:
        if wanted <= found:
            raise DatasetInvalid(f'holds {what}run this in their folder and send {name}.npz: python -c "{command}"')


def refuse_matlab(files: Sequence[Member]) -> None:
    """Refuse MATLAB files, with the command that shows their arrays. Raises DatasetInvalid."""
    if found := [member for member in files if member.parts[-1].lower().endswith(".mat")]:
        name = found[0].parts[-1]
        raise DatasetInvalid(
            f"holds MATLAB files, {listed([member.path for member in found])}, whose arrays have names that nobody "
            f'here knows. See them: python -c "from scipy.io import whosmat; print(whosmat({name!r}))". Then save '
            f'them under ours: python -c "import numpy as np; from scipy.io import loadmat; m = loadmat({name!r}); '
            "np.savez('pictures.npz', x=m['THE_IMAGES'], y=m['THE_LABELS'].ravel())\", the images (N, H, W) or "
            "(N, H, W, C), and send pictures.npz"
        )
