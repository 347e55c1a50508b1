"""The datasets that a caller may ask for: the catalogue's, which are everybody's, and the uploads that are theirs."""

from __future__ import annotations

import builtins
from collections.abc import Container
from dataclasses import dataclass
from pathlib import Path
from typing import final

import numpy as np
from numpy.typing import NDArray

from core.artifacts import MissingObject, Store
from core.data import Catalogue, DatasetFacts, DatasetInvalid, Images, UnknownDataset
from core.data.c_scores import CScores
from core.data.catalogue import UPLOADS
from core.data.evidence import read_evidence
from core.data.inspection import facts_of
from core.data.multi_index import family
from core.ids import is_upload
from core.ledger import UnknownUpload, Upload, Uploads


@final
@dataclass(frozen=True)
class VisibleDatasets:
    """A `Catalogue` with uploads, asked by name; another owner's upload is as unknown as one that never was."""

    catalogue: Catalogue
    uploads: Uploads
    store: Store
    data_dir: Path

    def names(self) -> builtins.list[str]:
        """Names of all that can be distilled, sorted."""
        return [facts.name for facts in self.list()]

    def list(self) -> builtins.list[DatasetFacts]:
        """Facts of all that can be distilled, by name; of the family of formulas those of an example."""
        own = [_facts(upload) for upload in self.uploads.all() if upload.state == "ready"]
        return sorted([*self.catalogue.list(), *own, family()], key=lambda facts: facts.name)

    def problems(self) -> dict[str, str]:
        """Name of each bundle of the data folder that cannot be used -> what is wrong with it."""
        return self.catalogue.problems()

    def named(self, word: str) -> str:
        """The name of the dataset that somebody means: an upload may be called by its title, if only one has it.

        Of uploads with the same title those that can be used come first. A word that means nothing is left as it is.

        Raises:
            DatasetInvalid: several have this title, or one that the caller uploaded and one of the catalogue; the
                message tells the uploads' ids.
        """
        if is_upload(word):
            return word
        try:
            name = self.catalogue.facts(word).name
        except DatasetInvalid:
            name = word
        except UnknownDataset:
            name = None
        if name is not None:
            own = [upload.id for upload in self.uploads.called(word, own=True) if upload.state != "invalid"]
            if own:
                raise DatasetInvalid(
                    f"the service's own dataset and your upload {' and '.join(own)} are both called {word!r}: say the "
                    "upload by its id; the name alone is the other's again once the upload is deleted, and sent again "
                    "the same file gets a number"
                )
            return name
        called = self.uploads.called(word)
        meant = [upload for upload in called if upload.state == "ready"] or called
        if len(meant) > 1:
            ids = ", ".join(f"{upload.id} ({upload.created_at:%Y-%m-%d %H:%M})" for upload in reversed(meant))
            raise DatasetInvalid(f"{len(meant)} uploads are called {word!r}: {ids}; say which one by its id")
        return meant[0].id if meant else word

    def reserved(self) -> Container[str]:
        """The names that no upload can be called by: those of the catalogue, and what looks like an id."""
        return _Reserved(self.catalogue)

    def facts(self, name: str) -> DatasetFacts:
        """Facts of a dataset. Raises UnknownDataset, or DatasetInvalid, which says why it cannot be used (yet)."""
        return _facts(self.upload(name)) if is_upload(name) else self.catalogue.facts(name)

    def c_scores(self, name: str) -> CScores:
        """The C-scores given for a dataset; an upload has none."""
        if is_upload(name):
            self.upload(name)
            raise DatasetInvalid(f"the upload {name} comes without C-scores")
        return self.catalogue.c_scores(name)

    def glimpse(self, name: str) -> Images | None:
        """A picture of each of the first classes; None while there is none here."""
        if is_upload(name) and self._here(self.upload(name)) is None:
            return None
        return self.catalogue.glimpse(name)

    def evidence(self, name: str) -> NDArray[np.uint8] | None:
        """The pictures [n, C, H, W] that led to the remarks on an upload; None where there are none, or none here.

        Raises UnknownDataset.
        """
        path = self._here(self.upload(name))
        return None if path is None else read_evidence(path)

    def forget(self, name: str) -> None:
        """Delete this machine's copy of an upload."""
        assert is_upload(name), "a path is made of nothing else"
        (self.data_dir / UPLOADS / f"{name}.npz").unlink(missing_ok=True)

    def _here(self, upload: Upload) -> Path | None:
        """This machine's copy of an upload's bundle; None while there is none."""
        path = self.data_dir / UPLOADS / f"{upload.id}.npz"
        if upload.sha256 is not None and not path.exists():
            try:
                self.store.fetch(upload.sha256, path)
            except (MissingObject, OSError):
                return None
        return None if upload.sha256 is None else path

    def upload(self, name: str) -> Upload:
        """The caller's upload of this id. Raises UnknownDataset."""
        try:
            return self.uploads.get(name)
        except UnknownUpload:
            raise UnknownDataset(f"there is no dataset {name[:64]!r}; list the ones there are") from None


@final
@dataclass(frozen=True)
class _Reserved:
    """Names that mean something else than an upload's title."""

    catalogue: Catalogue

    def __contains__(self, word: object) -> bool:
        return isinstance(word, str) and (is_upload(word) or self.catalogue.holds(word))


def _facts(upload: Upload) -> DatasetFacts:
    if upload.state == "inspecting":
        raise DatasetInvalid(f"'{upload.name}' ({upload.id}) is still being inspected; ask again in a few seconds")
    if upload.found is None:
        raise DatasetInvalid(f"'{upload.name}' ({upload.id}) cannot be used: {upload.problem}")
    return facts_of(upload.id, upload.name, upload.found)
