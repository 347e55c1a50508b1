"""Facts about the famous datasets that are known before a byte of them is on this machine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, final

from core.data.facts import Mirroring

DIGITS = tuple(str(digit) for digit in range(10))

_SIGNS: Final = Mirroring(False, "known", "a mirrored digit is another sign, or none")
_OBJECTS: Final = Mirroring(True, "known", "its objects are what they are from either side")


@final
@dataclass(frozen=True)
class Known:
    """Published facts; `rarest` counts the training images of the rarest class, before the validation split."""

    title: str
    shape: tuple[int, int, int]
    class_names: tuple[str, ...]
    train_count: int
    test_count: int
    rarest: int
    licence: str
    citation: str
    mirroring: Mirroring

    @property
    def outline(self) -> tuple[tuple[int, int, int], tuple[str, ...], int, int]:
        """The facts by which it is told from other datasets, whatever they are called."""
        return self.shape, self.class_names, self.train_count, self.test_count


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


KNOWN: dict[str, Known] = {
    "digits": Known(
        title="Optical Recognition of Handwritten Digits (8x8)",
        shape=(1, 8, 8),
        class_names=DIGITS,
        train_count=1438,
        test_count=359,
        rarest=139,
        licence="CC BY 4.0",
        citation="E. Alpaydin, C. Kaynak. Optical Recognition of Handwritten Digits. "
        "UCI Machine Learning Repository, 1998. doi:10.24432/C50P49",
        mirroring=_SIGNS,
    ),
    "mnist": Known(
        title="MNIST",
        shape=(1, 28, 28),
        class_names=DIGITS,
        train_count=60_000,
        test_count=10_000,
        rarest=5_421,
        licence="CC BY-SA 3.0",
        citation="Y. LeCun, L. Bottou, Y. Bengio, P. Haffner. Gradient-Based Learning Applied to Document "
        "Recognition. Proceedings of the IEEE 86(11), 1998.",
        mirroring=_SIGNS,
    ),
    "fashion-mnist": Known(
        title="Fashion-MNIST",
        shape=(1, 28, 28),
        class_names=(
            "T-shirt/top",
            "Trouser",
            "Pullover",
            "Dress",
            "Coat",
            "Sandal",
            "Shirt",
            "Sneaker",
            "Bag",
            "Ankle boot",
        ),
        train_count=60_000,
        test_count=10_000,
        rarest=6_000,
        licence="MIT",
        citation="H. Xiao, K. Rasul, R. Vollgraf. Fashion-MNIST: a Novel Image Dataset for Benchmarking Machine "
        "Learning Algorithms. arXiv:1708.07747, 2017.",
        mirroring=_OBJECTS,
    ),
    "cifar10": Known(
        title="CIFAR-10",
        shape=(3, 32, 32),
        class_names=(
            "airplane",
            "automobile",
            "bird",
            "cat",
            "deer",
            "dog",
            "frog",
            "horse",
            "ship",
            "truck",
        ),
        train_count=50_000,
        test_count=10_000,
        rarest=5_000,
        licence="none stated by the authors",
        citation="A. Krizhevsky. Learning Multiple Layers of Features from Tiny Images. "
        "Technical report, University of Toronto, 2009.",
        mirroring=_OBJECTS,
    ),
    "cifar100": Known(
        title="CIFAR-100",
        shape=(3, 32, 32),
        class_names=_words(
            """
            apple aquarium_fish baby bear beaver bed bee beetle bicycle bottle bowl boy bridge bus butterfly camel can
            castle caterpillar cattle chair chimpanzee clock cloud cockroach couch crab crocodile cup dinosaur dolphin
            elephant flatfish forest fox girl hamster house kangaroo keyboard lamp lawn_mower leopard lion lizard
            lobster man maple_tree motorcycle mountain mouse mushroom oak_tree orange orchid otter palm_tree pear
            pickup_truck pine_tree plain plate poppy porcupine possum rabbit raccoon ray road rocket rose sea seal
            shark shrew skunk skyscraper snail snake spider squirrel streetcar sunflower sweet_pepper table tank
            telephone television tiger tractor train trout tulip turtle wardrobe whale willow_tree wolf woman worm
            """
        ),
        train_count=50_000,
        test_count=10_000,
        rarest=500,
        licence="none stated by the authors",
        citation="A. Krizhevsky. Learning Multiple Layers of Features from Tiny Images. "
        "Technical report, University of Toronto, 2009.",
        mirroring=_OBJECTS,
    ),
    "svhn": Known(
        title="Street View House Numbers",
        shape=(3, 32, 32),
        class_names=DIGITS,
        train_count=73_257,
        test_count=26_032,
        rarest=4_659,
        licence="non-commercial use only",
        citation="Y. Netzer, T. Wang, A. Coates, A. Bissacco, B. Wu, A. Y. Ng. Reading Digits in Natural Images "
        "with Unsupervised Feature Learning. NIPS Workshop on Deep Learning and Unsupervised Feature Learning, 2011.",
        mirroring=_SIGNS,
    ),
}
