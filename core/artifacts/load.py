"""Load and check the distilled dataset in this folder. Needs NumPy and safetensors; nothing is ever unpickled.

python load.py                  check every file against its SHA-256; prints OK, or what is wrong

from load import load
data = load()
data.images                     float32 [n, C, H, W], exactly as optimised, in the preprocessed space
data.targets                    soft labels float32 [n, classes] if there are any, else labels int64 [n]
data.real                       which images are real ones that nothing has changed, bool [n]
data.step_size                  the learning rate learned with the images, or None
for images, targets, rate in data.stages():   what to train one network on, in this order
data.transform(pixels)          brings real images, uint8 [N, C, H, W], into the same preprocessed space
"""

from __future__ import annotations

import hashlib
import json
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    from numpy.typing import NDArray

HERE = Path(__file__).resolve().parent
CONTENT = ("data/", "dataset.", "images/")
"""Beginnings of the names of the files that hold the synthetic set itself."""


@final
@dataclass(frozen=True)
class Distilled:
    """A distilled dataset in memory, with the preprocessing it was made in."""

    images: NDArray[np.float32]
    labels: NDArray[np.int64]
    soft_labels: NDArray[np.float32] | None
    step_size: float | None
    class_names: tuple[str, ...]
    real: NDArray[np.bool_]
    """[n] which of the images are real ones that nothing has changed."""
    recipe: dict[str, Any]
    """How it was made; `recipe["evaluation"]` is the protocol its numbers were measured under."""
    preprocessing: dict[str, Any] = field(repr=False)
    stage: NDArray[np.int64]
    """[n] the stage of each image, counted from 0; all 0 where the images have no order."""
    step_sizes: tuple[float, ...]
    """The learning rate learned in each stage; empty where none was. `step_size` is that of an only stage."""

    @property
    def targets(self) -> NDArray[Any]:
        """What to train on: probabilities if the labels are soft, class numbers if they are not."""
        return self.labels if self.soft_labels is None else self.soft_labels

    def stages(self) -> Iterator[tuple[NDArray[np.float32], NDArray[Any], float | None]]:
        """What to train one network on, in this order: images and targets of a stage and all before it, and its rate.

        The rate is the one that the recipe's evaluation trains with: its own, or the learned one. Each stage is trained
        on for all of the evaluation's epochs, its rate decaying anew. Images without an order are one stage.
        """
        rate = self.recipe.get("evaluation", {}).get("lr")
        for stage in range(int(self.stage.max()) + 1):
            seen, learned = self.stage <= stage, self.step_sizes[stage] if self.step_sizes else None
            yield self.images[seen], self.targets[seen], rate or learned

    def transform(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Bring images uint8 [N, C, H, W] into the space of `images`, float32 of the same shape."""
        import numpy as np

        x = pixels.astype(np.float32) / np.float32(255)
        how = self.preprocessing
        if how["kind"] == "mean_std":
            x = (x - _per_channel(how["mean"])) / _per_channel(how["std"])
        elif how["kind"] == "zca":
            x = ((x.reshape(len(x), -1) - how["mean"]) @ how["whiten"]).reshape(pixels.shape)
        return np.asarray(x, dtype=np.float32)

    def to_pixels(self, images: NDArray[np.float32]) -> NDArray[np.uint8]:
        """The inverse of `transform`: rounded to whole values and clipped to 0..255, for looking at."""
        import numpy as np

        x, how = images, self.preprocessing
        if how["kind"] == "mean_std":
            x = x * _per_channel(how["std"]) + _per_channel(how["mean"])
        elif how["kind"] == "zca":
            x = (x.reshape(len(x), -1) @ how["unwhiten"] + how["mean"]).reshape(images.shape)
        return np.asarray(np.rint(np.clip(x, 0, 1) * 255), dtype=np.uint8)


def load(folder: Path | str = HERE) -> Distilled:
    """Read `dataset.safetensors` from `folder`, the one this file lies in unless told otherwise."""
    from safetensors import safe_open

    with safe_open(Path(folder, "dataset.safetensors"), framework="numpy") as file:
        about = json.loads(file.metadata()["stillhouse"])
        arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
    step_size = float(arrays["step_size"]) if "step_size" in arrays else None
    only = () if step_size is None else (step_size,)
    whitening = {name.removeprefix("zca_"): array for name, array in arrays.items() if name.startswith("zca_")}
    return Distilled(
        images=arrays["images"],
        labels=arrays["labels"],
        soft_labels=arrays.get("soft_labels"),
        step_size=step_size,
        class_names=tuple(about["class_names"]),
        real=_real(arrays, about["recipe"]),
        recipe=about["recipe"],
        preprocessing=about["transform"] | whitening,
        stage=arrays.get("stage", 0 * arrays["labels"]),
        step_sizes=tuple(map(float, arrays["step_sizes"])) if "step_sizes" in arrays else only,
    )


def verify(folder: Path | str = HERE) -> list[str]:
    """What is wrong with the files in `folder`, one sentence each; an empty list means nothing is.

    Every file named in SHA256SUMS and manifest.json must be there, whole and unaltered. Files that neither names
    are not looked at.
    """
    folder = Path(folder)
    try:
        lines = [line.split("  ", 1) for line in _text(folder / "SHA256SUMS").splitlines()]
        sums = {name: checksum for checksum, name in lines}
        manifest = json.loads(_text(folder / "manifest.json"))
        listed = {entry["name"]: entry for entry in manifest["files"]}
        digest = content_digest(manifest)
    except FileNotFoundError as fault:
        return [f"{Path(fault.filename).name} is missing; download it again"]
    except (ValueError, LookupError, TypeError, AttributeError) as fault:
        return [f"SHA256SUMS or manifest.json cannot be read ({fault!r}); download them again"]
    problems = [] if digest == manifest.get("digest") else ["manifest.json does not match its own digest"]
    for name in sorted({*sums, *listed, "manifest.json"}):
        problems += _file_problems(folder, name, sums.get(name), listed.get(name))
    return problems


def content_digest(manifest: dict[str, Any]) -> str:
    """`sha256:<hex>` of a manifest without what changes from run to run: timings, versions, and reports of them.

    Two runs that made the same synthetic set from the same request have the same digest.
    """
    kept = {key: manifest[key] for key in ("schema_version", "fingerprint", "request", "seeds")}
    kept["files"] = [entry for entry in manifest["files"] if entry["name"].startswith(CONTENT)]
    text = json.dumps(kept, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


def sha256(path: Path) -> str:
    """Hexadecimal SHA-256 of the file at `path`, read in pieces."""
    content = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(1 << 20):
            content.update(piece)
    return content.hexdigest()


def _file_problems(folder: Path, name: str, checksum: str | None, entry: dict[str, Any] | None) -> list[str]:
    path = folder / name
    if not path.resolve().is_relative_to(folder.resolve()):
        return [f"{name} lies outside the folder; do not trust this dataset"]
    if checksum is None:
        return [f"{name} has no line in SHA256SUMS"]
    if entry is None and name != "manifest.json":
        return [f"{name} is not in manifest.json"]
    if not path.is_file():
        return [f"{name} is missing; download it again"]
    if entry is not None and (entry["bytes"], entry["sha256"]) != (path.stat().st_size, checksum):
        return [f"{name} has {path.stat().st_size} bytes or a SHA-256 other than manifest.json says; download it again"]
    if sha256(path) != checksum:
        return [f"{name} is altered: its SHA-256 is not the one in SHA256SUMS; download it again"]
    return []


def _real(arrays: dict[str, NDArray[Any]], recipe: dict[str, Any]) -> NDArray[np.bool_]:
    """Marked one by one where a recipe changes but some of its images; else all are of the kind it makes."""
    import numpy as np

    return arrays.get("real", np.full(len(arrays["labels"]), recipe["objective"]["kind"] == "nothing"))


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def _per_channel(values: list[float]) -> NDArray[np.float32]:
    import numpy as np

    return np.array(values, dtype=np.float32)[:, None, None]


if __name__ == "__main__":
    faults = verify()
    print("\n".join(faults) or "OK: every file matches its SHA-256")
    sys.exit(1 if faults else 0)
