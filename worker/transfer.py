"""The whole state of a service in a folder, and a new service from it: `python -m worker.transfer export FOLDER`.

`export` writes the ledger of a moment and then every object of the store that it names, while the service goes on;
asked again after it was interrupted, it goes on where it stopped. The manifest comes last: a folder without one is no
whole export. `import` fills an empty service, on SQLite or PostgreSQL, once every byte has been found to be right.

Not in it are caches, datasets that can be fetched again, bundles placed in the data folder by hand, and checkpoints
that workers have not left in the store.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, final

from sqlalchemy.exc import OperationalError

from core import logs
from core.artifacts.load import sha256 as sha256_of
from core.artifacts.store import MissingObject, Store
from core.files import write_atomic
from core.ledger import Ledger, schema, transfer
from core.masks import masked
from core.request.identity import ENGINE_VERSION
from core.settings import settings

FORMAT: Final = 1
MANIFEST: Final = "manifest.json"
ROWS: Final = "ledger.jsonl"
OBJECTS: Final = "objects"

_TRIES: Final = 30
"""Times that the ledger is written anew because something of it was deleted before its files were copied."""


@final
class NoExport(ValueError):
    """A folder that cannot be imported; the message says why, and what to do."""


def export(ledger: Ledger, store: Store, folder: Path) -> dict[str, Any]:
    """Write all into the folder, which may hold an earlier export or a part of one; the manifest.

    What the store has lost is named in the manifest's `missing`.

    Raises:
        ValueError: the ledger's schema is another than this code's.
        OSError: the store is away, or the folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)  # it has digests of keys, and secrets of webhooks
    (folder / MANIFEST).unlink(missing_ok=True)
    for _ in range(_TRIES):
        with (folder / ROWS).open("w", encoding="utf-8") as rows:
            (folder / ROWS).chmod(0o600)
            counts, needed = transfer.dump(ledger.database, rows)
        missing = [address for address in sorted(needed) if not _fetched(store, folder, address)]
        if not missing or set(missing) <= ledger.keeping.needed():
            break
    else:
        raise NoExport("Jobs were deleted faster than they could be copied: export again.")
    for path in (folder / OBJECTS).glob("*/*"):  # of an earlier export, or half written
        if path.name not in needed:
            path.unlink()
    manifest = {
        "format": FORMAT,
        "schema": schema.head(),
        "engine_version": ENGINE_VERSION,
        "ledger": {"sha256": sha256_of(folder / ROWS), "rows": counts},
        "objects": {address: _place(folder, address).stat().st_size for address in sorted(needed - set(missing))},
        "missing": missing,
    }
    write_atomic(folder / MANIFEST, json.dumps(manifest, indent=1).encode())
    return manifest


def fill(ledger: Ledger, store: Store, folder: Path) -> dict[str, Any]:
    """Fill an empty service from an export; the manifest. Nothing of it is to be seen before all of it is there.

    Raises:
        NoExport: the folder holds no whole export, one of another version, or other bytes than were exported.
        NotEmpty: of `core.ledger.transfer`.
        OSError: the store is away.
    """
    manifest = _manifest(folder)
    ledger.migrate()
    with ledger.database.read() as session:
        transfer.check_empty(session)
    if sha256_of(folder / ROWS) != manifest["ledger"]["sha256"]:
        raise NoExport(f"{folder / ROWS} was changed since it was exported: export again.")
    for address in manifest["objects"]:
        path = _place(folder, address)
        if not path.is_file() or sha256_of(path) != address:
            raise NoExport(f"{path} is missing or damaged: run the export again, which writes it anew.")
        store.put(path)
    with (folder / ROWS).open(encoding="utf-8") as lines:
        transfer.load(ledger.database, lines)
    return manifest


def _manifest(folder: Path) -> dict[str, Any]:
    try:
        manifest: dict[str, Any] = json.loads((folder / MANIFEST).read_bytes())
    except FileNotFoundError:
        raise NoExport(
            f"{folder} holds no whole export, which ends with {MANIFEST}: run the export again; it goes on where it "
            "stopped."
        ) from None
    if manifest["format"] != FORMAT or manifest["schema"] != schema.head():
        raise NoExport(
            f"It was exported at schema {manifest['schema']}, and this version's is {schema.head()}: import it with "
            "the version that exported it and upgrade then, or upgrade the old service and export again."
        )
    return manifest


def _fetched(store: Store, folder: Path, address: str) -> bool:
    """Whether the folder has the object, now or from before; False where the store has not."""
    path = _place(folder, address)
    if path.is_file() and sha256_of(path) == address:
        return True
    try:
        store.fetch(address, path)
    except MissingObject:
        path.unlink(missing_ok=True)
        return False
    return True


def _place(folder: Path, address: str) -> Path:
    return folder / OBJECTS / address[:2] / address


def main(arguments: Sequence[str] | None = None) -> None:
    """Export or import, and say what was carried."""
    parser = argparse.ArgumentParser(prog="python -m worker.transfer", description=__doc__)
    commands = parser.add_subparsers(dest="what", required=True)
    for name in ("export", "import"):
        commands.add_parser(name).add_argument("folder", type=Path)
    asked = parser.parse_args(arguments)
    logs.configure(settings())
    ledger = Ledger(settings().ledger_url)
    store = Store(settings().artifacts_url)
    try:
        work = export if asked.what == "export" else fill
        manifest = work(ledger, store, asked.folder)
    except ValueError as error:
        sys.exit(masked(str(error)))
    except OperationalError as error:
        sys.exit(masked(f"The database does not answer: {' '.join(str(error.orig).split())}"))
    except OSError as error:
        sys.exit(masked(f"The store or the folder does not answer: {error}"))
    finally:
        ledger.close()
    missing, size = manifest["missing"], sum(manifest["objects"].values())
    said = {"jobs": manifest["ledger"]["rows"]["jobs"], "objects": len(manifest["objects"]), "bytes": size}
    print(json.dumps(said | {"missing": missing}))
    raise SystemExit(1 if missing and asked.what == "export" else 0)


if __name__ == "__main__":
    main()
