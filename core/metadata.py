"""The words that clients put on their jobs, which change nothing about them."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

MOST_METADATA = 16
"""Most words of a job's metadata."""

Metadata = Annotated[
    dict[
        Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,64}$")],
        Annotated[str, Field(max_length=512, pattern=r"^[^\x00-\x1f\x7f]*$")],
    ],
    Field(
        max_length=MOST_METADATA,
        description="Words of your own to find the job by, which change nothing about it: "
        '{"commit": "abc", "name": "baseline"}. `name` is shown as the job\'s. '
        "An equal job that is there already is the answer, and keeps its own.",
    ),
]
