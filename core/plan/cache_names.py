"""The names of results that a job keeps for later ones: the engine finds them by these, a forecast foresees them so.

An identity is everything that determines a result, as JSON. It holds neither ipc nor seed, unless the result depends on
them. A file is named by the hash of its identity.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, final

from core.architectures import Shape, network_name
from core.recipe import (
    Architecture,
    Coverage,
    Embedding,
    Evaluation,
    Generated,
    Generative,
    LearnedScore,
    Preprocess,
    Recipe,
    Window,
    search,
)
from core.request import ENGINE_VERSION, canonical_json

Identity = dict[str, Any]

_JUDGING: Final = {
    "epochs",
    "batch_size",
    "optimiser",
    "momentum",
    "weight_decay",
    "schedule",
    "augment",
    "policy",
    "cutmix",
}


def name_of(identity: Identity) -> str:
    """The name of what an identity determines: equal ones stand for equal content."""
    return hashlib.sha256(canonical_json(identity).encode()).hexdigest()


def file_name(identity: Identity, suffix: str) -> str:
    """The name of the file that holds it."""
    return f"{name_of(identity)}{suffix}"


def whitening(digest: str, preprocess: Preprocess, by: Sequence[str]) -> Identity:
    """The identity of a whitening of the training images; `by` says which machine fits it, to the bit."""
    return {
        "content": "whitening",
        "engine": ENGINE_VERSION,
        "dataset": digest,
        "preprocess": preprocess.model_dump(mode="json"),
        "by": list(by),
    }


def judging(evaluation: Evaluation) -> Identity:
    """The part of an evaluation by which networks are trained that judge a choice, and what they are judged by."""
    identity = evaluation.model_dump(mode="json", include=_JUDGING)
    return identity if evaluation.measure == "accuracy" else identity | {"measure": evaluation.measure}


@final
@dataclass(frozen=True)
class CacheNames:
    """The identities of everything that a job of `recipe` keeps, on the data of `digest` with images of `shape`."""

    recipe: Recipe
    digest: str | None
    shape: Shape
    """(channels, height, width)."""

    def expert(self) -> Identity:
        """The identity of the expert trajectories; each adds its `index`."""
        assert self.recipe.experts is not None, "a recipe that matches trajectories has experts"
        training = {k: v for k, v in self.recipe.experts.identity().items() if k not in ("count", "epochs")}
        return self._learned("expert trajectory", experts=training)

    def after_stages(self, images: Identity) -> Identity:
        """The identity of the networks that a later stage begins with, trained on `images`; each adds its `index`."""
        return self._learned("network after stages", **images)

    def difficulty(self, score: LearnedScore) -> Identity:
        """The identity of the training images' difficulty by networks; each network adds its `index`."""
        training = {k: v for k, v in score.identity().items() if k != "networks"}
        return self._learned("difficulty of the training images", score=training)

    def embedder(self, embedding: Embedding) -> Identity:
        """The identity of the network that embeds images to be compared."""
        return self._learned("network on the full set", training=embedding.identity())

    def window(self, window: Window, ipc: int) -> Identity:
        """The identity of a difficulty window's validation accuracy; its networks do not depend on the job's seed."""
        evaluation = self.recipe.evaluation.model_copy(update={"epochs": search.epochs(self.recipe)})
        rate = evaluation.lr or evaluation.baseline_lrs[0]
        shared: Identity = {} if self.recipe.share == "equal" else {"share": self.recipe.share}
        return self._learned(
            "window of difficulty",
            window=window.identity(),
            ipc=ipc,
            training=judging(evaluation) | {"lr": rate},
            **shared,
        )

    def probe(self, **particulars: Any) -> Identity:
        """The identity of a short distillation that helps to choose a field of the recipe."""
        return self._learned("probe", **particulars)

    def point(self, **particulars: Any) -> Identity:
        """The identity of a measurement that advice rests on."""
        return self._learned("point of advice", **particulars)

    def search(self, ipc: int) -> Identity:
        """The identity of all probes of a job: no file has this name, but a job leaves either all of them or none."""
        return self._learned(
            "search",
            recipe=self.recipe.model_dump(mode="json", exclude={"evaluation"}),
            ipc=ipc,
            training=judging(self.recipe.evaluation) | {"lr": self.recipe.evaluation.lr},
        )

    def teacher(self) -> Identity:
        """The identity of the teacher, whatever network is distilled for."""
        assert self.recipe.teacher is not None, "a recipe that asks a teacher has one"
        training = self.recipe.teacher.identity()
        return self._learned("teacher", self.recipe.teacher.network, training=training)

    def reference(self) -> Identity:
        """The identity of networks on the full training set, tested; each adds its `index`."""
        assert self.recipe.evaluation.full is not None, "a recipe that compares with the full set trains on it"
        training = self.recipe.evaluation.full.identity()
        return self._learned("network on the full set, tested", training=training)

    def baseline(self, ipc: int, seed: int, stages: int) -> Identity:
        """The identity of networks on random images under the protocol for a result; each adds its `index`.

        They are a draw of `seed`, as many as a result of `ipc` images a class has, labelled with their classes, and
        trained as long as the result's `stages` together. No method has a part in it.
        """
        recipe, evaluation = self.recipe, self.recipe.evaluation
        return self._learned(
            "network on random images",
            ipc=ipc * recipe.parameterize.formation,
            share=recipe.share,
            seed=seed,
            stages=stages,
            training=judging(evaluation) | {"lrs": list(evaluation.baseline_lrs)},
            loss="squared error" if recipe.regresses else "cross-entropy",
            precision=recipe.precision,
        )

    def jury(self, jury: Identity, network: Architecture | None, together: int) -> Identity:
        """The identity of networks that judge images, so many trained `together`; each adds its `index`.

        `jury` says the images and how networks are trained on them, which are the recipe's own or of another kind.
        """
        return self._learned(
            "network that judges images",
            network,
            jury=jury,
            together=together,
            measure=self.recipe.evaluation.measure,
            loss="squared error" if self.recipe.regresses else "cross-entropy",
            precision=self.recipe.precision,
        )

    def witness(self, coverage: Coverage) -> Identity:
        """The identity of the network whose features tell what is covered."""
        content = "network on the full set that watched the test split"
        return self._learned(content, training=coverage.identity())

    def generator(self, objective: Generative) -> Identity:
        """The identity of the generator that draws images; it depends on the augmentation's mirroring alone."""
        return {
            "content": "generator",
            "engine": ENGINE_VERSION,
            "dataset": self.digest,
            "preprocess": self.recipe.preprocess.model_dump(mode="json"),
            "mirror": "flip" in self.recipe.augment.transforms,
            "training": objective.model_dump(mode="json", include={"autoencoder", "denoiser"}),
        }

    def adapted(self, choice: Generated) -> Identity:
        """The identity of the generator that initial images pass through, adapted to this data."""
        return self._passing("adapted generator", choice)

    def meta_trained(self, choice: Generated) -> Identity:
        """The identity of that generator before it is adapted; this data is then its source."""
        alone = choice.model_copy(update={"source": None, "digest": None, "steps": 0})
        return self._passing("meta-trained generator", alone)

    def _passing(self, content: str, choice: Generated) -> Identity:
        found = self._learned(content, generator=choice.model_dump(mode="json"))
        del found["augment"]  # it sees no augmented image
        found.pop("precision", None)  # nor is anything of its training compiled
        return found

    def _learned(self, content: str, network: Architecture | None = None, **particulars: Any) -> Identity:
        """The identity of something learned from the real data with the recipe's network, or another one."""
        own = network_name(self.recipe.network, self.shape)
        name = own if network is None else network_name(network, self.shape)
        # only kernels of the recipe's own network are compiled, and round by it
        rounding = {"precision": self.recipe.precision} if self.recipe.precision != "float32" and name == own else {}
        return {
            "content": content,
            "engine": ENGINE_VERSION,
            "dataset": self.digest,
            "network": name,
            "preprocess": self.recipe.preprocess.model_dump(mode="json"),
            "augment": self.recipe.augment.model_dump(mode="json"),
            **rounding,
            **particulars,
        }
