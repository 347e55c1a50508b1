"""Jobs that benchmarks have measured: what a method reaches on a dataset, in which time, on which processor."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from datetime import date
from pathlib import Path
from typing import Final, Self, final

from pydantic import BaseModel, ConfigDict, Field

from core.data import DatasetFacts
from core.durations import seconds_of
from core.files import write_atomic

FILE: Final = Path(__file__).with_suffix(".jsonl")
"""A line for each row; benchmarks write it with `--write`."""

LATE: Final = 1.1
"""Share of the time that was given beyond which a job has not kept it."""


@final
class MeasuredJob(BaseModel):
    """A row: several jobs that differ in their seeds alone. Accuracies are on the test split, from 0 to 1."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    dataset: str
    digest: str = Field(description="Digest of the dataset's content, whatever its name is elsewhere.")
    ipc: int = Field(ge=1)
    within: str = Field(description="The time that was given, as it is written: '20m'.")
    method: str
    accuracy: float = Field(ge=0, le=1, description="Mean over the jobs of each one's mean over its networks.")
    std: float | None = Field(ge=0, description="Standard deviation over the jobs; null for a single one.")
    random: float = Field(ge=0, le=1, description="The same mean for as many random images.")
    n: int = Field(ge=1, description="Jobs.")
    seconds: float = Field(gt=0, description="Mean wall time of a job, its evaluation included.")
    longest: float = Field(gt=0)
    won: tuple[str, ...] = Field(default=(), description="The methods that won, where the method is a search.")
    processor: str
    commit: str
    measured: date

    @classmethod
    def of(
        cls,
        facts: DatasetFacts,
        asked: tuple[int, str, str],
        runs: Sequence[tuple[float, float, float]],
        won: Iterable[str],
        where: tuple[str, str, date],
    ) -> Self:
        """The row of some runs.

        Args:
            facts: the dataset, which is on disk.
            asked: images a class, the time as it is written, and the method.
            runs: of each the test accuracy, that of random images, and seconds.
            won: the methods that won a search; empty for a single method.
            where: processor, commit and day.
        """
        assert facts.digest is not None, "a dataset that was measured is on disk"
        accuracies, randoms, seconds = zip(*runs, strict=True)
        return cls(
            dataset=facts.name,
            digest=facts.digest,
            **dict(zip(("ipc", "within", "method"), asked, strict=True)),
            accuracy=round(statistics.fmean(accuracies), 4),
            std=round(statistics.stdev(accuracies), 4) if len(runs) > 1 else None,
            random=round(statistics.fmean(randoms), 4),
            n=len(runs),
            seconds=round(statistics.fmean(seconds), 1),
            longest=max(seconds),
            won=tuple(dict.fromkeys(won)),
            **dict(zip(("processor", "commit", "measured"), where, strict=True)),
        )

    @property
    def kept(self) -> bool:
        """Whether every job ended in the time that was given, and a tenth more."""
        return self.longest <= LATE * seconds_of(self.within)


def read(file: Path = FILE) -> tuple[MeasuredJob, ...]:
    """Every row."""
    lines = file.read_text("utf-8").splitlines() if file.exists() else []
    return tuple(MeasuredJob.model_validate_json(line) for line in lines)


def write(rows: Iterable[MeasuredJob], file: Path = FILE) -> None:
    """Put rows into the file, each in the place of the one that was asked for in the same words."""
    found = {_key(row): row for row in (*read(file), *rows)}
    write_atomic(file, "".join(f"{found[key].model_dump_json()}\n" for key in sorted(found)).encode())


def near(facts: DatasetFacts, ipc: int, rows: Iterable[MeasuredJob]) -> list[MeasuredJob]:
    """The rows of a dataset at the size next to `ipc`, shorter times first and then the most accurate.

    A dataset that is not on this machine is known by its name alone.
    """
    own = [row for row in rows if (row.digest == facts.digest if facts.digest else row.dataset == facts.name)]
    sizes = sorted({row.ipc for row in own}, key=lambda size: (max(size, ipc) / min(size, ipc), size))
    return sorted(
        (row for row in own if row.ipc == sizes[0]), key=lambda row: (seconds_of(row.within), -row.accuracy, row.method)
    )


def _key(row: MeasuredJob) -> tuple[str, int, float, str]:
    return row.dataset, row.ipc, seconds_of(row.within), row.method
