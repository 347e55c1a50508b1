"""The card's section on loading: code that a reader can paste, and that the tests really run."""

from __future__ import annotations

from core.artifacts import layout
from core.artifacts.distilled import Distilled, label_of
from core.artifacts.readers import readers
from core.nouns import worded


def how_to_load(result: Distilled) -> str:
    """Markdown with fenced Python blocks: training as the report did, a loop of one's own, `datasets` and NumPy."""
    kind = result.facts.kind
    return "\n\n".join(
        (
            "In the folder of this file, with PyTorch, NumPy and safetensors. A network is trained on the floats "
            "exactly as optimised, as those of the report were:",
            _python(
                [
                    "from load import load",
                    "from student import accuracy, network, train",
                    "",
                    "data = load()",
                    "trained = train(network(data), data)  # or any other torch.nn.Module",
                ]
            ),
            _protocol(result),
            worded("Real images must go through the same preprocessing before such a network sees them:", kind),
            _python(
                [
                    _REAL[kind],
                    f"x = data.transform({_REAL[kind].split()[0]})  # float32, ready for the network",
                    "share = accuracy(trained, x, data.labels)",
                ]
            ),
            "In a training loop of your own:",
            _python(
                [
                    "from student import loss, stages",
                    "",
                    "for stage in stages(data):  # one, unless the images have an order",
                    "    for images, targets, rate in stage:  # of every step"
                    + (", the images as augmented views" if kind == "pictures" else ""),
                    "        error = loss(trained(images), targets, data)",
                ]
            ),
            _targets(result),
            *(_rows(result) if kind != "pictures" else _pictures()),
            "Plain NumPy, with 8-bit images:" if kind == "pictures" else "Plain NumPy:",
            _python(
                [
                    "import numpy as np",
                    "",
                    f'bundle = np.load("{layout.BUNDLE}")',
                    'x, y, names = bundle["x_train"], bundle["y_train"], bundle["class_names"]',
                ]
            ),
            *(_folders(result) if kind == "pictures" else ()),
            *_more(result),
            "In other programs:",
            readers(result),
        )
    )


_REAL = {
    "pictures": "pixels = data.to_pixels(data.images)  # or any real images, uint8 [N, C, H, W]",
    "vectors": "given = data.to_numbers(data.images)  # or any real rows, float [N, F], in their own units",
    "series": "given = data.to_numbers(data.images)  # or any real series, float [N, C, T], in their own units",
}


def _pictures() -> tuple[str, ...]:
    """The card's text about the parquet file of pictures."""
    return (
        "Hugging Face `datasets`, with 8-bit images:",
        _python(
            [
                "from datasets import load_dataset",
                "",
                f'rows = load_dataset("parquet", data_files="{layout.PARQUET}", split="train")',
                'image, label = rows[0]["image"], rows.features["label"].int2str(rows[0]["label"])',
            ]
        ),
    )


def _rows(result: Distilled) -> tuple[str, ...]:
    """The card's text about the files of rows and series, whose numbers have the units of their source."""
    label = label_of(result.facts)
    return (
        f"pandas, in the units of the source (`{layout.CSV}` has the classes' names):",
        _python(
            [
                "import pandas",
                "",
                f'table = pandas.read_parquet("{layout.PARQUET}")'
                f'  # or read_csv("{layout.CSV}", keep_default_na=False)',
                f'numbers, label = table.drop(columns="{label}"), table["{label}"]',
            ]
        ),
    )


def _folders(result: Distilled) -> tuple[str, ...]:
    """The card's text for readers of pixels and of folders of pictures."""
    return (
        *_trees(result),
        "As PNG, for readers of class folders (torchvision, Keras, timm, `imagefolder`): give them `images/`, "
        "whose folders sort as the labels do, and not the folder around it, which holds other pictures too.",
    )


def _protocol(result: Distilled) -> str:
    """The card's text about the protocol that `train` follows."""
    evaluation, augment = result.recipe.get("evaluation", {}), result.recipe.get("augment", {})
    names = augment.get("transforms", ()) if evaluation.get("augment") else ()
    if evaluation.get("cutmix"):  # which takes the place of cutout
        names = [name for name in names if name != "cutout"]
    if result.step_size is not None and not evaluation.get("lr"):
        rate = "the learning rate that was learned together with the images (`data.step_size`)"
    elif result.step_sizes and not evaluation.get("lr"):
        rate = "in each stage the learning rate that was learned together with its images"
    else:
        rate = f"the learning rate of the evaluation ({evaluation.get('lr')})"
    known = {"sgd": "SGD", "adamw": "AdamW"}
    kind = known.get(str(evaluation.get("optimiser", "sgd")), "")
    text = f"`train` takes {kind}, {rate}, {evaluation.get('epochs', 0):,} epochs"
    if result.views is not None:
        return f"{text} and the very views of the images that the teacher labelled, which `{layout.VIEWS}` plays back."
    if not names:
        return f"{text} and no augmentation."
    return (
        f"{text} and the augmentation of the report ({', '.join(names)}). Left out, the augmentation costs accuracy: "
        "4.5 points on digits at one image per class, where AdamW in the place of SGD cost nothing."
    )


def _targets(result: Distilled) -> str:
    """The card's text about the targets of a step."""
    if result.regression_targets is not None:
        return (
            "The targets are real numbers, one a class, to be learned by squared error. The class is where a network's "
            "answer is largest."
        )
    if result.views is not None:
        return (
            "The targets are what a teacher said of these very views, as probabilities: where each image was moved to, "
            "mirrored or mixed is recorded with them. Views of your own have no such labels; for them `data.labels` "
            "has the classes."
        )
    if result.soft_labels is not None:
        return "The targets are probabilities, which were learned or asked of a teacher: `data.soft_labels`."
    return "The targets are probabilities, one and zeros: `data.labels` has the classes."


def _trees(result: Distilled) -> tuple[str, ...]:
    """The card's text about trees, for which the 8-bit set is the better one; nothing for real images."""
    if not result.is_synthetic:
        return ()
    return (
        "Trees take these pixels rather than the floats, of which optimisation moves even those that are the same in "
        "all real images. Random forests on digits at one image per class: 38.6 % from the floats, 72.5 % from the "
        "8-bit pixels, 51.3 % from random real images.",
    )


def _more(result: Distilled) -> tuple[str, ...]:
    """The card's text about drawing other images, where the generator is in the artifact."""
    generator = next((file for file in result.files if file.name == layout.GENERATOR), None)
    if generator is None:
        return ()
    size = sum(weight.nbytes for weight in generator.arrays.values())
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
