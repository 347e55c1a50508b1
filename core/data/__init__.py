"""Datasets as plain uint8 arrays: a catalogue, checked bundles, fixed splits and content digests. No torch."""

from core.data.catalogue import Catalogue
from core.data.facts import (
    Dataset,
    DatasetChanged,
    DatasetFacts,
    DatasetInvalid,
    DatasetUnavailable,
    Images,
    Mirroring,
    UnknownDataset,
)

__all__ = [
    "Catalogue",
    "Dataset",
    "DatasetChanged",
    "DatasetFacts",
    "DatasetInvalid",
    "DatasetUnavailable",
    "Images",
    "Mirroring",
    "UnknownDataset",
]
