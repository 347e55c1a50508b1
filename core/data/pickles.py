"""Pickles, which run code when they are read, and so never are: how their owner makes a bundle of CIFAR's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from core.data.facts import DatasetInvalid
from core.data.folders.members import Member

_READ: Final = (
    "import pickle, numpy as np; read = lambda name: pickle.load(open(name, 'rb'), encoding='latin1'); "
    "form = lambda x: np.reshape(x, (-1, 3, 32, 32)).transpose(0, 2, 3, 1); "
)
_SAVE: Final = (
    "np.savez('{name}.npz', x_train=form(np.concatenate([each['data'] for each in train])), "
    "y_train=sum((each['{labels}'] for each in train), []), x_test=form(test['data']), y_test=test['{labels}'], "
    "class_names=read('{meta}')['{names}'])"
)
_KINDS: Final = {
    "cifar10": (
        ("data_batch_1", "test_batch", "batches.meta"),
        "train = [read(f'data_batch_{n}') for n in range(1, 6)]; test = read('test_batch'); ",
        {"labels": "labels", "meta": "batches.meta", "names": "label_names"},
    ),
    "cifar100": (
        ("train", "test", "meta"),
        "train, test = [read('train')], read('test'); ",
        {"labels": "fine_labels", "meta": "meta", "names": "fine_label_names"},
    ),
}


def refuse_pickles(files: Sequence[Member]) -> None:
    """Refuse CIFAR's pickles, with the command that makes a bundle of them. Raises DatasetInvalid."""
    for name, (wanted, train, words) in _KINDS.items():
        found = {member.parts[-1]: member for member in files if member.parts[-1] in wanted}
        if set(wanted) <= found.keys() and all(map(_is_pickle, found.values())):
            command = f'python -c "{_READ}{train}{_SAVE.format(name=name, **words)}"'
            raise DatasetInvalid(
                f"holds CIFAR's pickles, which could run code when read; the service has them as the dataset {name}. "
                f"Or, for one like it, run this in their folder and send {name}.npz: {command}"
            )


def _is_pickle(member: Member) -> bool:
    with member.open() as file:
        return file.read(2) in (b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")
