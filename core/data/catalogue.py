"""The datasets this machine can distil: what is embedded, what is on disk, and what could be fetched."""

from __future__ import annotations

import builtins
import difflib
import logging
import re
import threading
from dataclasses import replace
from pathlib import Path
from typing import final

import numpy as np

from core.data import c_scores, multi_index
from core.data.bundle import Bundle, read_bundle
from core.data.c_scores import CScores
from core.data.digest import Measured, Stamp, measure, recall, remember
from core.data.digits import digits, measured_digits
from core.data.download import SOURCES, download, unavailable
from core.data.facts import (
    Dataset,
    DatasetChanged,
    DatasetFacts,
    DatasetInvalid,
    DatasetUnavailable,
    Images,
    Source,
    UnknownDataset,
)
from core.data.glimpse import firsts, read_glimpse, read_plots
from core.data.known import KNOWN
from core.data.rules import FORMAT
from core.data.split import held_of, held_out
from core.ids import is_upload

UPLOADS = "uploads"
"""Folder within the data folder: copies of uploaded bundles, each named after its id."""
NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_EMBEDDED = "digits"
_MOST_NAMED = 20
_log = logging.getLogger(__name__)


@final
class Catalogue:
    """Every dataset by name. `data_dir` is where bundles `<name>.npz` are looked for and downloads are put.

    C-scores of a dataset, if there are any, are `scores/<name>.npz` in it.

    A bundle on disk wins over a download of the same name. A broken bundle is left out of `names` and `list`, with
    a logged warning; `facts` and `load` say what is wrong with it, and `problems` says so for all of them.
    """

    def __init__(self, data_dir: Path) -> None:
        self._data_dir = data_dir
        self._findings: dict[tuple[str, Stamp], Measured | str] = {}
        self._reading = threading.Lock()

    def names(self) -> builtins.list[str]:
        """Names of all usable or fetchable datasets, sorted."""
        return [facts.name for facts in self.list()]

    def holds(self, name: str) -> bool:
        """Whether a dataset that is no formula has this name, one that can be used or not; nothing of it is read."""
        return name in KNOWN or self._bundle(name) is not None

    def problems(self) -> dict[str, str]:
        """Name of each bundle that cannot be used -> what is wrong with it and how to mend it."""
        findings = {name: self._finding(name, path) for name, path in self._bundles().items()}
        return {name: finding for name, finding in findings.items() if isinstance(finding, str)}

    def facts(self, name: str) -> DatasetFacts:
        """Facts of the dataset `name`.

        Raises UnknownDataset, with near matches, or DatasetInvalid if its bundle is broken.
        """
        if multi_index.is_multi_index(name):
            return multi_index.facts_of(multi_index.parse(name))
        if name == _EMBEDDED:
            return _facts(name, measured_digits(), "embedded", "inside scikit-learn")
        if (path := self._bundle(name)) is not None:
            finding = self._finding(name, path)
            if isinstance(finding, str):
                raise DatasetInvalid(finding)
            if finding is not None:
                return _facts(name, finding, "upload" if is_upload(name) else "bundle", str(path))
        if name in KNOWN:
            return self._absent(name)
        raise self._unknown(name)

    def c_scores(self, name: str) -> CScores:
        """The C-scores given for the dataset `name`; their order is compared with its labels when both are loaded.

        Raises UnknownDataset, or DatasetInvalid: there are none, or how to mend them.
        """
        return c_scores.read_c_scores(self._scores(name), self.facts(name).train_count)

    def load(self, name: str, *, scored: bool = False, digest: str | None = None) -> Dataset:
        """Read the dataset `name` into memory and hold out its validation split; downloads it if need be.

        With its C-scores if it is to be `scored`. Raises UnknownDataset, DatasetUnavailable (which file to put where),
        DatasetInvalid (how to mend it), or DatasetChanged: its content has not the `digest` that is given.
        """
        if multi_index.is_multi_index(name):
            told = "a formula is generated chunk by chunk and never loaded whole"
            raise DatasetUnavailable(f"{name}: {told}; distil it by method 'progressive-two-layer'")
        facts, bundle = self._read(name)
        if digest not in (None, facts.digest):
            raise DatasetChanged(f"{facts.where} is of {facts.digest} by now, and {digest} was asked for.")
        held = held_of(bundle.train, bundle.held_out)
        train, validation = bundle.train.take(np.flatnonzero(~held)), bundle.train.take(np.flatnonzero(held))
        dataset = Dataset(facts, train, validation, bundle.test)
        if not scored:
            return dataset
        path = self._scores(name)
        given = c_scores.read_c_scores(path, len(bundle.train))
        return replace(
            dataset,
            c_scores=c_scores.in_order(path, given, bundle.train.labels)[~held],
            c_scores_digest=given.digest,
        )

    def glimpse(self, name: str) -> Images | None:
        """One picture of each of the first classes of the dataset `name`, of vectors and series a plot; None while it
        is not on disk, and of tables that are large.

        Raises UnknownDataset, or DatasetInvalid (how to mend it).
        """
        facts = self.facts(name)
        if not facts.on_disk or facts.source == "formula":
            return None
        path = self._bundle(name)
        try:
            if name == _EMBEDDED or path is None:
                return firsts(digits().train)
            return read_glimpse(path) if facts.kind == "pictures" else read_plots(path)
        except FileNotFoundError:
            return None

    def _read(self, name: str) -> tuple[DatasetFacts, Bundle]:
        if name == _EMBEDDED:
            return self.facts(name), digits()
        path = self._bundle(name)
        if path is None and name in SOURCES:
            download(name, self._data_dir)
            path = self._bundle(name)
        if path is None:
            raise self._unknown(name)
        _check_name(name, path)
        try:
            stamp, bundle = Stamp.of(path), read_bundle(path)
        except FileNotFoundError:
            raise unavailable(name, self._data_dir, "it was deleted a moment ago") from None
        # Never recalled: the digest speaks of the very arrays that are returned.
        measured = measure(bundle, recall(self._sidecar(name), stamp))
        remember(self._sidecar(name), stamp, measured)
        return _facts(name, measured, "upload" if is_upload(name) else "bundle", str(path)), bundle

    def list(self) -> builtins.list[DatasetFacts]:
        """Facts of every dataset that is on disk and sound, or known and fetchable, by name."""
        rows = []
        for name in sorted({*KNOWN, *self._bundles()}):
            try:
                rows.append(self.facts(name))
            except (DatasetInvalid, UnknownDataset):
                continue  # Broken, and logged as such when it was read; or deleted since the folder was.
        return rows

    def _bundle(self, name: str) -> Path | None:
        """The file of a dataset. An upload's lies apart, where a worker puts it: it is its owner's and not listed."""
        if is_upload(name):
            path = self._data_dir / UPLOADS / f"{name}.npz"
            return path if path.is_file() else None
        return self._bundles().get(name)

    def _bundles(self) -> dict[str, Path]:
        return _archives(self._data_dir)

    def _scores(self, name: str) -> Path:
        """The file of a dataset's C-scores."""
        folder = self._data_dir / "scores"
        path = _archives(folder).get(name)
        if path is None:
            name = self.facts(name).name  # one that exists: what a client sent is no path
            raise DatasetInvalid(
                f"there are no C-scores for {name!r}; put them at {folder / f'{name}.npz'}: {c_scores.FORMAT}"
            )
        return path

    def _finding(self, name: str, path: Path) -> Measured | str | None:
        """The measurement of a bundle, or its fault; None if the file is gone."""
        try:
            stamp = Stamp.of(path)
            with self._reading:
                if (known := self._findings.get((name, stamp))) is not None:
                    return known
                finding = self._findings[name, stamp] = self._examine(name, path, stamp)
        except FileNotFoundError:
            return None
        if isinstance(finding, str):
            _log.warning("dataset left out of the catalogue: %s", finding)
        return finding

    def _examine(self, name: str, path: Path, stamp: Stamp) -> Measured | str:
        try:
            _check_name(name, path)
            if (measured := recall(self._sidecar(name), stamp)) is None:
                measured = measure(read_bundle(path))
                remember(self._sidecar(name), stamp, measured)
        except DatasetInvalid as fault:
            return str(fault)
        return measured

    def _sidecar(self, name: str) -> Path:
        return self._data_dir / ".facts" / f"{name}.json"

    def _absent(self, name: str) -> DatasetFacts:
        known = KNOWN[name]
        return DatasetFacts(
            name=name,
            title=known.title,
            shape=known.shape,
            classes=len(known.class_names),
            class_names=known.class_names,
            train_count=known.train_count,
            test_count=known.test_count,
            smallest_class=known.rarest - held_out(known.rarest),
            digest=None,
            licence=known.licence,
            citation=known.citation,
            on_disk=False,
            source="torchvision",
            where=f"downloaded when first used, or put it at {self._data_dir / f'{name}.npz'}: {FORMAT}",
            mirroring=known.mirroring,
        )

    def _unknown(self, name: str) -> UnknownDataset:
        names = self.names()
        plain = {re.sub(r"[^a-z0-9]", "", known): known for known in names}
        near = difflib.get_close_matches(re.sub(r"[^a-z0-9]", "", name.lower()), plain, n=3, cutoff=0.6)
        guess = f"did you mean {' or '.join(repr(plain[match]) for match in near)}? Otherwise, " if near else ""
        listed = ", ".join(names[:_MOST_NAMED]) + (", ..." if len(names) > _MOST_NAMED else "")
        return UnknownDataset(
            f"there is no dataset {name[:64]!r}; {guess}it must be one of {listed}, or a bundle "
            f"<name>.npz in {self._data_dir} (name: lower-case letters, digits, '.', '_', '-')"
        )


def _check_name(name: str, path: Path) -> None:
    if is_upload(name):
        return
    if name == _EMBEDDED:
        raise DatasetInvalid(f"{path.name}: `{name}` is built in and cannot be replaced; give the bundle another name")
    if not NAME.fullmatch(name) or path.suffix != ".npz":
        good = re.sub(r"[^a-z0-9._-]+", "-", name.lower()).strip("-._")[:64] or "my-dataset"
        raise DatasetInvalid(
            f"{path.name}: a dataset's name is 1 to 64 lower-case letters, digits, '.', '_' or '-', and its file ends "
            f"in .npz; rename the file, e.g. to {good}.npz"
        )


def _facts(name: str, measured: Measured, source: Source, where: str) -> DatasetFacts:
    known = KNOWN.get(name)
    if known is not None and (known.shape, known.class_names) != (measured.shape, measured.class_names):
        known = None  # A stranger under a famous name inherits neither its title nor its licence.
    return DatasetFacts(
        name=name,
        title=known.title if known else name,
        shape=measured.shape,
        classes=len(measured.class_names),
        class_names=measured.class_names,
        train_count=measured.train_count,
        test_count=measured.test_count,
        smallest_class=measured.smallest_class,
        members=measured.members,
        digest=measured.digest,
        copies=measured.copies,
        brightest=measured.brightest,
        kind=measured.kind,
        columns=measured.columns,
        validation=measured.validation,
        licence=known.licence if known else "unknown",
        citation=known.citation if known else "",
        on_disk=True,
        source=source,
        where=where,
        mirroring=measured.mirroring,
    )


def _archives(folder: Path) -> dict[str, Path]:
    """The npz files of a folder by name. Names are looked up here: no path is ever made from what a client sent."""
    try:
        files = sorted(folder.iterdir())
    except OSError:
        return {}
    return {
        file.name[: -len(".npz")]: file
        for file in files
        if file.name.lower().endswith(".npz") and not file.name.startswith(".") and file.is_file()
    }
