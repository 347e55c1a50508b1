"""Networks that judge images, as a value: every engine of a job that has it trains the same ones, to the same bits.

What each of them says has a name that holds all that it depends on. It is in the checkpoint until the last one has
spoken, so that an attempt that follows goes on from there; what other workers make comes through the cache.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Any, Final, Literal, Self, TypeVar, final

import safetensors
import torch
from pydantic import TypeAdapter
from torch import Tensor

from core.engine import evaluate, kept, stored
from core.engine.context import JobContext
from core.engine.evaluate import Draws, Images, Replays, Result, Score
from core.engine.kept import Contents, Making
from core.engine.kernels import Eager, Kernels
from core.engine.keys import Key
from core.engine.networks import SquaredError, build
from core.engine.stored import Source
from core.engine.train import Curriculum, Protocol, stack_for
from core.engine.view_labels import Replay, ViewLabels
from core.engine.workspace import PartMade
from core.plan.cache_names import Identity, name_of
from core.plan.steps import Kept
from core.recipe import Architecture, Augment, CutMix

Say = Callable[[float], None]
"""Told the share of the work that is done."""

T = TypeVar("T")

_ARCHITECTURE: Final[TypeAdapter[Architecture]] = TypeAdapter(Architecture)
_TOLD: Final = "jury"
_PLAIN: Final = (
    "epochs",
    "batch_size",
    "lr",
    "momentum",
    "weight_decay",
    "schedule",
    "policy",
    "optimiser",
    "temperature",
)
_OF_VIEWS: Final = ("classes", "temperature", "mix", "bits", "pool")


@final
@dataclass(frozen=True)
class Jury:
    """Fresh networks, one a key, that are trained on given images and tested on a split of the job's dataset.

    `labels` are probabilities, [n, K] or, a network's own, [S, n, K]; draws are those of the training split. `rates`
    gives each network a learning rate of its own. Without an `architecture` networks are the recipe's own.
    """

    images: Tensor | Draws | Replays
    labels: Tensor
    protocol: Protocol
    keys: tuple[Key, ...]
    rates: tuple[float, ...] | None = None
    architecture: Architecture | None = None
    split: Literal["test", "validation"] = "test"
    most: int | None = None
    """Images of the split at most, evenly spaced; None takes all."""

    @classmethod
    def read(cls, source: Source | None, context: JobContext) -> Self | None:
        """The jury that was `packed`; None where there is none, or nothing legible."""
        if source is None:
            return None
        try:
            metadata, tensors = stored.opened(source, "cpu")
            told = json.loads(metadata[_TOLD])
        except (OSError, safetensors.SafetensorError, LookupError, ValueError):
            return None
        return cls(
            images=_images(told, tensors, context),
            labels=tensors["labels"].to(context.real.device),
            protocol=_protocol(told["protocol"], tensors, context.real.device),
            keys=tuple(map(Key, told["keys"])),
            rates=told["rates"] and tuple(told["rates"]),
            architecture=told["architecture"] and _ARCHITECTURE.validate_python(told["architecture"]),
            split=told["split"],
            most=told["most"],
        )

    @cached_property
    def identity(self) -> Identity:
        """Everything that its networks depend on beside the dataset and the recipe's network."""
        digests = {name: _digest(tensor) for name, tensor in self._tensors().items()}
        return {"told": self._told(), "tensors": digests}

    def packed(self) -> bytes:
        """The content of a file."""
        tensors = {name: tensor.cpu().contiguous() for name, tensor in self._tensors().items()}
        return safetensors.torch.save(tensors, {_TOLD: json.dumps(self._told())})

    def kernels(self, context: JobContext) -> Kernels:
        """The kernels that train its networks."""
        if self.architecture is None:
            return context.judging
        network = build(self.architecture, context.real.shape, context.real.classes)
        return Eager(network, SquaredError) if context.recipe.regresses else Eager(network)

    def part(self, places: Sequence[int]) -> Self:
        """Some of its networks."""
        images: Tensor | Draws | Replays = self.images
        match images:
            case Draws(data, chosen):
                images = Draws(data, chosen[list(places)])
            case Replays(each) if len(each) > 1:
                images = Replays(tuple(each[place] for place in places))
        return replace(
            self,
            images=images,
            labels=self.labels if self.labels.ndim == 2 else self.labels[list(places)],
            keys=tuple(self.keys[place] for place in places),
            rates=self.rates and tuple(self.rates[place] for place in places),
        )

    def _told(self) -> dict[str, Any]:
        protocol = self.protocol
        assert protocol.flat is None and protocol.members is None, "networks that judge step along the gradient"  # noqa: PT018
        views = [replay.labels for replay in self.images.each] if isinstance(self.images, Replays) else []
        return {
            "images": {Draws: "draws", Replays: "views"}.get(type(self.images), "images"),
            "views": [{name: getattr(each, name) for name in _OF_VIEWS} for each in views],
            "protocol": {name: getattr(protocol, name) for name in _PLAIN}
            | {
                "augment": protocol.augment.model_dump(mode="json"),
                "cutmix": protocol.cutmix and protocol.cutmix.model_dump(mode="json"),
                "rates": protocol.curriculum and list(protocol.curriculum.rates),
            },
            "keys": [key.value for key in self.keys],
            "rates": self.rates and list(self.rates),
            "architecture": self.architecture and self.architecture.model_dump(mode="json"),
            "split": self.split,
            "most": self.most,
        }

    def _tensors(self) -> dict[str, Tensor]:
        found = {"labels": self.labels}
        match self.images:
            case Draws(_, chosen):
                found["chosen"] = chosen
            case Replays(each):
                for place, replay in enumerate(each):
                    own = {"images": replay.images} | {
                        field.name: value
                        for field in fields(ViewLabels)
                        if isinstance(value := getattr(replay.labels, field.name), Tensor)
                    }
                    found |= {f"{place}.{name}": tensor for name, tensor in own.items()}
            case images:
                found["images"] = images
        if self.protocol.real is not None:
            found["real"] = self.protocol.real
        if self.protocol.curriculum is not None:
            found["stage"] = self.protocol.curriculum.stage
        return found


def tested(name: str, context: JobContext, jury: Jury, say: Say) -> Result:
    """The line of a jury on the test split.

    Raises:
        Drained: the job was told to stop; the networks that were tested are kept.
        TimeUp: no time is left, and the context is `hurried`.
    """
    assert jury.split == "test", "a line of the report is one of the test split"
    scores = _gathered(context, jury, say, _score)
    network = jury.kernels(context).network.name
    return Result(name, jury.labels.shape[-2], network, jury.protocol.lr, tuple(scores))


def validated(context: JobContext, jury: Jury, say: Say | None = None) -> tuple[list[float], float]:
    """The figures of its networks on the validation split by the recipe's measure, and the seconds of their training.

    Raises:
        Drained, TimeUp: see `tested`.
    """
    assert jury.split == "validation", "choices are made by the validation split"
    found = _gathered(context, jury, say, lambda found: (float(found["accuracy"]), float(found["seconds"])))
    return [accuracy for accuracy, _ in found], sum(seconds for _, seconds in found)


def assist(context: JobContext, order: Mapping[str, Any]) -> bool:
    """Make some networks of another worker's jury, as its order says; False where that is another one here, or none."""
    jury = Jury.read(context.workspace.find(order["jury"]), context)
    if jury is None or context.only is None or not context.only <= {*_files(context, jury).files}:
        return False
    with suppress(PartMade):
        _gathered(context, jury, None, lambda found: found)
    return True


def _gathered(context: JobContext, jury: Jury, say: Say | None, read: Callable[[dict[str, Any]], T]) -> list[T]:
    def make(places: list[int]) -> Contents:
        return (yield from _made(context, jury.part(places)))

    def opened(source: Source) -> T | None:
        found = stored.document(source, None)
        return read(found) if isinstance(found, dict) else None

    file = f"{name_of(jury.identity)}.safetensors"
    return kept.gather(
        context,
        _files(context, jury).files,
        Making(make, opened, together=kept.stacks(len(jury.keys), _together(context, jury))),
        say=say,
        helped=True,
        told={"jury": file},
        needs={file: jury.packed},
        kernels=jury.kernels(context),
        passing=True,
    )


def _together(context: JobContext, jury: Jury) -> int:
    network, batch = jury.kernels(context).network, min(jury.labels.shape[-2], jury.protocol.batch_size)
    return stack_for(network, batch, context.real.device)


def _files(context: JobContext, jury: Jury) -> Kept:
    identity = context.names.jury(jury.identity, jury.architecture, _together(context, jury))
    return Kept.several(identity, len(jury.keys), ".json")


def _made(context: JobContext, jury: Jury) -> Contents:
    """The networks of a jury, trained together; each then says what it takes the split's images for."""
    kernels, real, documents = jury.kernels(context), context.real, list[bytes]()
    images: Images = jury.images
    work = evaluate.train(kernels, images, jury.labels, jury.protocol, jury.keys, jury.rates)
    for trained in (yield from work):
        if jury.split == "test":
            found = _written(evaluate.scored(kernels, trained, real))
        else:
            data = real.validation if jury.most is None else real.validation.sample(jury.most)
            accuracy = evaluate.measured(context.recipe.evaluation.measure, kernels, trained, data)
            found = {"accuracy": accuracy, "seconds": trained.seconds}
        documents.append(stored.written(found))
        yield 1.0
    return documents


def _written(score: Score) -> dict[str, Any]:
    """A score as JSON."""
    return {
        "accuracy": score.accuracy,
        "validation": score.validation,
        "per_class": list(score.per_class),
        "seconds": score.seconds,
        "confusion": score.confusion.tolist(),
    }


def _score(found: Mapping[str, Any]) -> Score:
    confusion = torch.tensor(found["confusion"], dtype=torch.int64).view(-1, 3)
    return Score(found["accuracy"], found["validation"], tuple(found["per_class"]), found["seconds"], confusion)


def _images(told: Mapping[str, Any], tensors: Mapping[str, Tensor], context: JobContext) -> Tensor | Draws | Replays:
    device = context.real.device
    match told["images"]:
        case "draws":
            return Draws(context.real.train, tensors["chosen"].to(device))
        case "views":
            names = [field.name for field in fields(ViewLabels) if field.name not in _OF_VIEWS]

            def views(place: int, plain: dict[str, Any]) -> ViewLabels:
                arrays: dict[str, Any] = {name: tensors.get(f"{place}.{name}") for name in names}
                return ViewLabels(**arrays, **plain)

            return Replays(
                tuple(
                    Replay(tensors[f"{place}.images"].to(device), views(place, plain))
                    for place, plain in enumerate(told["views"])
                )
            )
        case _:
            return tensors["images"].to(device)


def _protocol(told: Mapping[str, Any], tensors: Mapping[str, Tensor], device: torch.device) -> Protocol:
    rates = told["rates"]
    return Protocol(
        **{name: told[name] for name in _PLAIN},
        augment=Augment.model_validate(told["augment"]),
        cutmix=told["cutmix"] and CutMix.model_validate(told["cutmix"]),
        real=tensors["real"].to(device) if "real" in tensors else None,
        curriculum=Curriculum(tensors["stage"].to(device), tuple(rates)) if rates else None,
    )


def _digest(tensor: Tensor) -> str:
    """The SHA-256 of shape, type and content."""
    content = tensor.detach().cpu().contiguous()
    digest = hashlib.sha256(f"{content.dtype} {tuple(content.shape)}".encode())
    digest.update(content.view(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()
