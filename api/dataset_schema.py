"""The JSON of a dataset that clients read. Absent values are null, never missing."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Final, Literal, Self

from pydantic import Field

from api.pagination import Page
from api.schemas import Shown
from core import data, ledger
from core.data import DatasetFacts
from core.data.evidence import Of
from core.data.facts import Kind as DataKind
from core.data.facts import Source
from core.data.folders import AUTO
from core.data.mirroring import mirroring_of
from core.data.numbers import Missing
from core.data.reading import Turned
from core.ledger import UploadState


class Copies(Shown):
    """Images of a dataset that are others to the last pixel."""

    train: int = Field(description="Training images that may go without a picture being lost.")
    test: int = Field(description="Test images that may.")
    across: int = Field(description="Test images that are training images.")
    classes: int = Field(description="Pictures that are in more than one class, in either split.")


class NearCopies(Shown):
    """Images that nearly are others: saved anew, in other brightness, scaled. Equal ones are `copies`."""

    train: int = Field(description="Training images that nearly are another one.")
    test: int = Field(description="Test images that nearly are another one.")
    across: int = Field(description="Test images that nearly are a training image, and are equal to none.")
    classes: int = Field(description="Images, in either split, that nearly are one of another class.")
    complete: bool = Field(description="False where there may be more.")


class EvidencePicture(Shown):
    """A picture of an upload."""

    split: Literal["train", "test"]
    place: int = Field(description="Its place in that split.")
    label: int = Field(description="Its class, by number.")
    mirrored: bool = Field(description="Whether it is shown mirrored.")
    taken_for: int | None = Field(description="The class that the probe of mirroring took it for.")
    file: str | None = Field(description="The member of the archive that it is from.")


class Evidence(Shown):
    """Pictures that belong together: a pair of copies, a picture and its mirrored self, the first ones of a class."""

    of: Of = Field(description="What is said of them.")
    pictures: list[EvidencePicture]


class Mirroring(Shown):
    """Whether networks are trained on mirrored pictures of a dataset, too, unless augment.transforms says otherwise."""

    allowed: bool = Field(description="Whether a mirrored picture stays what it is.")
    by: Literal["known", "uploader", "probe", "undecided"] = Field(
        description="Whose word it is: ours on a famous dataset, the uploader's, or that of a probe of the training "
        "images; undecided where there were too few of them to tell."
    )
    reason: str = Field(description="What speaks for it.")
    remark: str = Field(description="What is done, why, and how to have it otherwise.")

    @classmethod
    def of(cls, known: data.Mirroring) -> Self:
        """The verdict as the facts of a dataset have it."""
        return cls.model_validate(asdict(known) | {"remark": known.remark})


class LeftOut(Shown):
    """Parts of an upload that are not in the dataset: files, folders, arrays, columns or rows."""

    remark: str = Field(description="Why they were left out, in words; one of the remarks.")
    count: int
    names: list[str] = Field(description="The first 100 of their names; rows have none.")


MIRROR: Final = {"auto": None, "yes": True, "no": False}
"""The uploader's word on mirrored pictures as a client spells it."""


class Sent(Shown):
    """An upload as it was sent: what is equal in all of it is the same dataset."""

    name: str = Field(description="The name that it came under; `title` is another one where that was taken.")
    sha256: str = Field(description="Hexadecimal, of the file.")
    size: int | Literal["auto"] | None = Field(description="The side that was asked for; null: as they are.")
    either_size: bool = Field(
        default=False, description="Whether 'auto' and no size at all make the same of this file: nothing is scaled."
    )
    mirror: Literal["auto", "yes", "no"] = Field(description="The uploader's word on mirrored pictures.")
    label_column: str = Field(default="", description="The column of a table's labels that was named; empty: none.")
    missing: Missing = Field(default="refuse", description="What was to stand in for missing values.")
    kind: Literal["auto", "vectors", "series"] = Field(default="auto", description="What a table's rows were to be.")
    order: str = Field(default="", description="The order of the classes that was said.")
    train_folder: str = Field(default="", description="The folder that was said to be the training set.")
    test_folder: str = Field(default="", description="The folder that was said to be the test set.")
    skip_broken: bool = Field(default=False, description="Whether broken files were to be left out.")
    transposed: Turned = Field(default="auto", description="Whether rows of pictures were to be read as columns.")

    @classmethod
    def of(cls, upload: ledger.Upload) -> Self | None:
        """None where it is not known: of uploads of old."""
        if upload.sent is None:
            return None
        mirror = next(word for word, meant in MIRROR.items() if meant is upload.mirror)
        return cls.model_validate(
            {
                "name": upload.sent_as,
                "sha256": upload.sent,
                "size": "auto" if upload.size == AUTO else upload.size,
                "either_size": (upload.found or {}).get("either_size", False),
                "mirror": mirror,
                **(upload.reading or {}),
            }
        )


class Dataset(Shown):
    """A dataset; what it holds is null while an upload is inspected, and for one that cannot be used."""

    name: str = Field(description="What a job calls it; of an upload its id.", examples=["digits"])
    title: str
    state: UploadState = Field(
        default="ready", description="Only what is ready can be distilled; only uploads are ever anything else."
    )
    problem: str | None = Field(default=None, description="Why an upload is invalid, and how to mend it.")
    owner: str = Field(default="", description="Whose upload it is; empty for what is everybody's.")
    kind: DataKind | None = Field(description="Pictures, vectors (rows of a table) or series.")
    shape: list[int] | None = Field(
        min_length=3,
        max_length=3,
        description="Channels, height, width; of vectors of F columns [F, 1, 1], of series [channels, 1, steps].",
    )
    columns: list[str] = Field(default=[], description="Names of a table's columns, or of the channels of series.")
    classes: int | None
    class_names: list[str] | None
    train_count: int | None = Field(description="Training images, the validation split included.")
    test_count: int | None
    train_counts: list[int] | None = Field(default=None, description="Of an upload: training images by class.")
    test_counts: list[int] | None = Field(default=None, description="Of an upload: test images by class.")
    remarks: list[str] = Field(default=[], description="Of an upload: how it was split, scaled and read.")
    left_out: list[LeftOut] = Field(default=[], description="Of an upload: the parts of it that the dataset lacks.")
    smallest_class: int | None = Field(
        description="Images of the rarest class that distillation may use; bounds `ipc`."
    )
    digest: str | None = Field(description="Hash of all pixels and labels; null when not on disk.")
    copies: Copies | None = Field(default=None, description="Images that are others to the last pixel.")
    near: NearCopies | None = Field(
        default=None, description="Of an upload of pictures: images that nearly are others; null where nobody looked."
    )
    evidence: list[Evidence] | None = Field(
        default=None, description="Of an upload of pictures, asked for alone: the pictures that led to its remarks."
    )
    mirroring: Mirroring | None
    licence: str
    citation: str
    on_disk: bool
    source: Source
    where: str = Field(description="Where it is, or which file to put where.")
    created_at: datetime | None = Field(default=None, description="When an upload arrived.")
    sent: Sent | None = Field(default=None, description="Of an upload: the file, by its content.")

    @classmethod
    def of(cls, facts: DatasetFacts) -> Self:
        """A dataset of the catalogue."""
        return cls.model_validate(asdict(facts) | {"mirroring": Mirroring.of(facts.mirroring)})

    @classmethod
    def of_upload(cls, upload: ledger.Upload, *, alone: bool = False) -> Self:
        """A dataset that was uploaded, in whatever state; its evidence too if it is asked for `alone`."""
        fields = ["shape", "class_names", "train_count", "test_count", "smallest_class", "digest", "copies", "near"]
        fields += ["train_counts", "test_counts", *(["evidence"] if alone else [])]
        found = upload.found or {}
        known = {name: found.get(name) for name in fields}
        return cls.model_validate(
            {
                **known,
                "kind": found.get("kind", "pictures") if found else None,
                "columns": found.get("columns", []),
                "name": upload.id,
                "title": upload.name,
                "state": upload.state,
                "problem": upload.problem,
                "owner": upload.owner,
                "classes": len(found["class_names"]) if found else None,
                "mirroring": Mirroring.of(mirroring_of(found.get("mirroring"), found["shape"])) if found else None,
                "left_out": found.get("left_out", []),
                "remarks": [*_renamed(upload), *found.get("remarks", [])],
                "licence": "unknown",
                "citation": "",
                "on_disk": upload.state == "ready",
                "source": "upload",
                "where": "uploaded; in the artifact store",
                "created_at": upload.created_at,
                "sent": Sent.of(upload),
            }
        )


def _renamed(upload: ledger.Upload) -> list[str]:
    """The remark on an upload that could not be called as it was to be."""
    if upload.name == upload.sent_as:
        return []
    return [f"Another dataset was called '{upload.sent_as}' already: this one is called '{upload.name}'."]


class DatasetPage(Page[Dataset]):
    """Datasets, by name."""
