"""An archive of either kind, open, with the files in it."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from core.data.folders import tars, zips
from core.data.folders.members import Members, members_of


@contextmanager
def opened(path: Path) -> Iterator[Members]:
    """The files of the zip or tar at `path`, which can be read within the context. Raises DatasetInvalid."""
    if tars.is_tar(path):
        with tars.unpacked(path) as plain:
            yield members_of(tars.listing_of(plain))
    else:
        with zipfile.ZipFile(path) as archive:
            yield members_of(zips.listing_of(archive))
