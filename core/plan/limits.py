"""The batch sizes and bounds of the engine by which its work is counted: engine and price read them here.

Only `SAMPLED` stands a second time, in a file of artifacts that imports nothing of ours; a test holds the two equal.

None of them changes a result, but for what batch norm sees at once. What a recipe says is no limit, and what only the
engine decides by is not here either.
"""

from __future__ import annotations

from typing import Final

TESTED: Final = 1024
"""Real images that a network is tested on, or embeds, at a time."""

PERFORMANCE: Final = 500
"""Real images of one pass that judges a student: a batch of more is judged in parts."""

JUDGED: Final = 256
"""Images that experts judge at a time; batch norm takes their own statistics, as no expert keeps others."""

TAUGHT: Final = 512
"""Images whose statistics a teacher's layers are asked for at a time."""

RECOVERED: Final = 200
"""Images recovered from a teacher at a time, as far as groups can be parted."""

SAMPLED: Final = 256
"""Images that a generator draws, and its judge sees, at a time."""

SPACED: Final = 1000
"""Training images, at most, whose distance to their nearest neighbour says how far an image may be and still cover."""

CLUSTERED: Final = 1024
"""Images of a class, at most, whose clusters are found to be passed through a generator; more for many clusters."""

CLUSTERED_EACH: Final = 16
"""Images a cluster up to which there are more."""

LLOYD: Final = 10
"""Iterations of Lloyd's algorithm that find them."""

RUNGS: Final = (0.25, 0.5)
"""Shares of its epochs after which a look that selects may be given up."""

EARLIEST_RUNG: Final = 20
"""Epochs before which an accuracy says nothing about the last one."""

RUNG_IMAGES: Final = 1000
"""Images of the validation split, at most, that a rung is judged on, so that it costs little of a look."""

BLOCK: Final = 64
"""Parameters of a stored expert's step that share a scale."""
