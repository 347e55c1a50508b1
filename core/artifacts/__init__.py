"""The published result of a job: its file set, its checksums, and the store that keeps it. No torch, no pickle."""

from core.artifacts.archive import zip_bytes, zip_stream
from core.artifacts.build import build
from core.artifacts.distilled import Beside, Distilled
from core.artifacts.manifest import FileEntry, Manifest, inventory, verify
from core.artifacts.probe import Probe
from core.artifacts.store import MissingObject, Store, StoreUnavailable, StoreUnreachable

__all__ = [
    "Beside",
    "Distilled",
    "FileEntry",
    "Manifest",
    "MissingObject",
    "Probe",
    "Store",
    "StoreUnavailable",
    "StoreUnreachable",
    "build",
    "inventory",
    "verify",
    "zip_bytes",
    "zip_stream",
]
