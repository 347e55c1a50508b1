"""The card's section on loading: code that a reader can paste, and that the tests really run."""

from __future__ import annotations

from core.artifacts import layout
from core.artifacts.distilled import Distilled


def how_to_load(result: Distilled) -> str:
    """Markdown with one fenced Python block each for PyTorch, fair evaluation, `datasets` and NumPy."""
    evaluation = result.recipe.get("evaluation", {})
    batch = min(int(evaluation.get("batch_size", 256)), len(result.labels))
    targets = "soft_labels" if result.soft_labels is not None else "labels"
    targets = "regression_targets" if result.regression_targets is not None else targets
    learned = result.step_size is not None
    data = f"batch_size={batch}, shuffle=True"
    if result.views is not None:
        pytorch = [
            "import torch",
            "from load import load",
            "",
            "data = load()",
            "for images, targets in data.batches():  # every epoch's batches, in the order the teacher labelled them",
            "    images, targets = torch.from_numpy(images), torch.from_numpy(targets)",
            "    ...  # a step of cross_entropy(network(images) / data.temperature, targets)",
        ]
    elif result.stage is None:
        pytorch = [
            "from safetensors.torch import load_file",
            "from torch.utils.data import DataLoader, TensorDataset",
            "",
            f'synthetic = load_file("{layout.TENSORS}")',
            f'pairs = TensorDataset(synthetic["images"], synthetic["{targets}"])',
            f"loader = DataLoader(pairs, {data})",
        ]
    else:
        pytorch = [
            "from torch import from_numpy",
            "from torch.utils.data import DataLoader, TensorDataset",
            "",
            "from load import load",
            "",
            "for images, targets, rate in load().stages():",
            f"    loader = DataLoader(TensorDataset(from_numpy(images), from_numpy(targets)), {data})",
            "    ...  # go on training the same network, for all epochs of the evaluation at this rate",
        ]
    if learned:
        pytorch.append('step_size = synthetic["step_size"].item()')
    kind = "probabilities" if targets == "soft_labels" else "class numbers"
    meaning = (
        "The targets are real numbers, one a class, to be learned by squared error: `(network(x) - "
        "y).square().sum(1).mean() / 2`. The class is where a network's answer is largest."
        if targets == "regression_targets"
        else f"The targets are {kind}, which `torch.nn.functional.cross_entropy` takes as they are."
    )
    if result.views is not None:
        meaning = (
            "A teacher has labelled these very views: where each image was moved to, mirrored or mixed, and what the "
            f"teacher said of it, is in `{layout.VIEWS}`, and `batches` plays it back. Views of your own have no such "
            "labels; for them `labels` has the classes."
        )
    if learned:
        rate = "`step_size` is the learning rate that was learned together with the images."
    elif result.step_sizes:
        rate = "Each stage has the learning rate that was learned together with its images."
    else:
        rate = "No learning rate was learned; the evaluation used the one in the recipe."
    return "\n\n".join(
        (
            "In the folder of this file. PyTorch, with the floats exactly as optimised:",
            _python(pytorch),
            f"{meaning} {rate}",
            "Real images must go through the same preprocessing before such a network sees them; `load.py` brings "
            "it (NumPy and safetensors only):",
            _python(
                [
                    "from load import load",
                    "",
                    "data = load()",
                    "pixels = data.to_pixels(data.images)  # or any real images, uint8 [N, C, H, W]",
                    "x = data.transform(pixels)  # float32, ready for the network",
                    'protocol = data.recipe["evaluation"]  # how the numbers above were measured',
                ]
            ),
            "Hugging Face `datasets`, with 8-bit images:",
            _python(
                [
                    "from datasets import load_dataset",
                    "",
                    f'train = load_dataset("parquet", data_files="{layout.PARQUET}", split="train")',
                    'image, label = train[0]["image"], train.features["label"].int2str(train[0]["label"])',
                ]
            ),
            "Plain NumPy, with 8-bit images:",
            _python(
                [
                    "import numpy as np",
                    "",
                    f'bundle = np.load("{layout.BUNDLE}")',
                    'x, y, names = bundle["x_train"], bundle["y_train"], bundle["class_names"]',
                ]
            ),
            *_more(result),
        )
    )


def _more(result: Distilled) -> tuple[str, ...]:
    """How to draw other images, where the generator is here."""
    if result.generator is None:
        return ()
    size = sum(weight.nbytes for weight in result.generator.weights.values())
    return (
        f"As many other images as are wanted, from the generator these were drawn by (`{layout.GENERATOR}`, {size:,} "
        f"bytes of weights; `{layout.SAMPLER}` needs PyTorch). No judge chooses among them:",
        _python(
            [
                "import torch",
                "from generate import load",
                "",
                f"labels = torch.arange({result.facts.classes}).repeat_interleave(2)",
                "images = load().draw(labels, seed=1)  # in the space of dataset.safetensors",
            ]
        ),
    )


def _python(lines: list[str]) -> str:
    return "\n".join(("```python", *lines, "```"))
