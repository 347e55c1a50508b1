"""Code by which other programs read an artifact: on its card, and on the page `docs/READERS.md`."""

from __future__ import annotations

from typing import Final

from core.artifacts import layout
from core.artifacts.distilled import Distilled

_PICTURES: Final = {
    "torchvision": """\
import torch
from torchvision.datasets import ImageFolder
from torchvision.transforms.functional import to_tensor

pictures = ImageFolder("{folder}images", transform=to_tensor)  # give it images/, not the folder around it
images, labels = next(iter(torch.utils.data.DataLoader(pictures, batch_size=10, shuffle=True)))
""",
    "scikit-learn": """\
import numpy as np
from sklearn.linear_model import LogisticRegression

bundle = np.load("{folder}{bundle}")
x = bundle["x_train"].reshape(len(bundle["x_train"]), -1) / 255
model = LogisticRegression(max_iter=1000).fit(x, bundle["y_train"])
""",
    "Keras, with the JAX backend and grain": """\
import os

os.environ["KERAS_BACKEND"] = "jax"
import keras
import numpy as np

bundle = np.load("{folder}{bundle}")
x, y = bundle["x_train"], bundle["y_train"]
x = x.reshape(*x.shape[:3], -1) / 255  # [n, H, W, channels], of grey pictures, too
network = keras.Sequential([keras.layers.Conv2D(8, 3), keras.layers.Flatten(), keras.layers.Dense({classes})])
network.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
network.fit(x, y, epochs=2, verbose=0)

pictures = keras.utils.image_dataset_from_directory("{folder}images", format="grain", image_size=x.shape[1:3])
""",
    "timm": """\
import timm
import torch
from timm.data import create_dataset
from torchvision.transforms.functional import to_tensor

pictures = create_dataset("folder", root="{folder}images", transform=lambda picture: to_tensor(picture))  # RGB
network = timm.create_model("resnet18", num_classes={classes})
answers = network(torch.stack([image for image, _ in pictures]))
""",
    "Croissant": """\
import mlcroissant

described = mlcroissant.Dataset(jsonld="{folder}{croissant}")  # a path: it does not follow files beside a URL
for record in described.records("examples"):
    image, label = record["examples/image"], record["examples/label"]
""",
}
_NUMBERS: Final = {
    "scikit-learn": """\
import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

bundle = np.load("{folder}{bundle}")
x = bundle["x_train"].reshape(len(bundle["x_train"]), -1)
model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)).fit(x, bundle["y_train"])
""",
}


def code(pictures: bool, classes: int, folder: str = "") -> dict[str, str]:
    """The code by program, for an artifact in `folder`, which ends with a slash; empty: the one it is run in."""
    names = {"bundle": layout.BUNDLE, "croissant": layout.CROISSANT, "folder": folder, "classes": classes}
    return {name: text.format(**names) for name, text in (_PICTURES if pictures else _NUMBERS).items()}


def readers(result: Distilled) -> str:
    """The card's text about other programs, folded away."""
    found = code(result.facts.kind == "pictures", result.facts.classes)
    parts = [f"{name}:\n\n```python\n{text}```" for name, text in found.items()]
    title = f"<details><summary>{', '.join(name.partition(',')[0] for name in found)}</summary>"
    return "\n\n".join((title, *parts, "</details>"))
