"""The uploader's word on how a file is to be read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal, Self, final

from core.data.facts import DatasetInvalid
from core.data.numbers import Missing

Rows = Literal["auto", "vectors", "series"]
"""The uploader's word on a table's rows: vectors, or series whose steps are the columns; 'auto': vectors."""

Turned = Literal["auto", "yes", "no"]
"""The uploader's word on whether pictures in arrays have their rows as columns; 'auto': those of EMNIST have."""

FOLDERS: Final = ("train_folder", "test_folder")
"""Words that say something of class folders alone."""
PICTURES: Final = (*FOLDERS, "skip_broken")
"""Words that say nothing of a bundle or a table of numbers."""
ARRAYS: Final = ("transposed",)
"""Words on pictures that are arrays, and lie in no file of their own."""


@final
@dataclass(frozen=True)
class Reading:
    """How a file is to be read; the defaults say nothing."""

    label_column: str = ""
    """The column of a table's labels; empty: one by a usual name."""
    missing: Missing = "refuse"
    kind: Rows = "auto"
    order: str = ""
    """The classes in their order, as a line of CSV; empty: that of numbers or letters, of a bundle its own."""
    train_folder: str = ""
    """The folder of an archive that is the training set; empty: found out by the folders' names."""
    test_folder: str = ""
    """The one that is the test set."""
    skip_broken: bool = False
    """Whether files that cannot be taken are left out rather than the archive refused."""
    transposed: Turned = "auto"
    """Whether the pictures of IDX files, or of a table's columns, have their rows as columns."""

    @property
    def said(self) -> dict[str, Any]:
        """The words that say anything."""
        return {name: word for name, word in asdict(self).items() if word != getattr(type(self)(), name)}

    def check_unsaid(self, what: str, words: Sequence[str]) -> None:
        """Refuse words that would go unheard, since the file is such a one. Raises DatasetInvalid."""
        if said := [f"`{name}`" for name in words if name in self.said]:
            of = "IDX files and tables of pixels" if set(words) <= set(ARRAYS) else "archives of pictures"
            raise DatasetInvalid(f"{' and '.join(said)}: said of {of}, and {what}; leave it out")

    @classmethod
    def of(cls, said: dict[str, Any] | None) -> Self:
        """The reading of such words."""
        return cls(**(said or {}))
