"""A job's progress on the terminal: one bar a phase. Where there is no terminal, a line now and then."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Protocol, Self, final

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn

from stillhouse.forecast import duration
from stillhouse.jobs import Job, Phase

_QUIET_SECONDS = 10.0


class Display(Protocol):
    """Something that shows a job while it is entered; give it to `Client.wait` as `watch`."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def __call__(self, job: Job) -> None: ...


def display(console: Console) -> Display:
    """Bars if `console` is a terminal, lines if it is a file or a pipe."""
    return Bars(console) if console.is_terminal else Lines(console)


@final
class Bars:
    """A live bar for every phase the job has reached, with the service's own seconds."""

    def __init__(self, console: Console) -> None:
        self._tasks: dict[str, TaskID] = {}
        self._progress = Progress(
            SpinnerColumn(finished_text="[green]✓[/]"),
            TextColumn("{task.description}", table_column=None),
            BarColumn(bar_width=36),
            TextColumn("{task.percentage:>4.0f} %"),
            TextColumn("[cyan]{task.fields[took]:>8}[/]"),
            TextColumn("[dim]{task.fields[note]}[/]"),
            console=console,
        )

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def __call__(self, job: Job) -> None:
        """Show the job as it is."""
        if not job.phases:
            self._show("queued", Phase(0, 0, 0), over=job.ended, note=_place(job))
            return
        if "queued" in self._tasks:
            self._progress.remove_task(self._tasks.pop("queued"))
        for name, phase in job.phases.items():
            over = job.status == "succeeded" or (name != job.phase and not job.ended)
            self._show(name, phase, over=over, note="" if over or job.ended else _left(job) or _place(job))

    def _show(self, name: str, phase: Phase, *, over: bool, note: str) -> None:
        if name not in self._tasks:
            title = f"{name.replace('_', ' '):<17}"
            self._tasks[name] = self._progress.add_task(title, took="", note="", total=None)
        total = phase.total or (1 if over else None)
        self._progress.update(
            self._tasks[name],
            total=total,
            completed=total if over and total else phase.done,
            took=f"{phase.seconds:.1f} s" if phase.seconds else "",
            note=note,
        )


@final
class Lines:
    """A line when the phase changes, when it has been quiet for a while, and at the end."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._stage = self._said = ""
        self._at = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None

    def __call__(self, job: Job) -> None:
        """Show the job as it is, if there is something to say."""
        stage = job.phase if job.phase and not job.ended and job.status != "queued" else job.status
        if stage == self._stage and time.monotonic() - self._at < _QUIET_SECONDS:
            return
        phase = job.phases.get(stage)
        share = f"  {100 * phase.done / phase.total:3.0f} %" if phase and phase.total else ""
        note = "" if job.ended else _left(job) or _place(job)
        line = f"{stage.replace('_', ' '):<17}{share}  {note}".rstrip()
        self._stage, self._at = stage, time.monotonic()
        if line != self._said:
            self._said = line
            self._console.print(line, highlight=False)


def _left(job: Job) -> str:
    if job.status != "running":
        return ""
    if job.eta_seconds is not None:
        return f"about {_roughly(job.eta_seconds)} left"
    return "" if job.phase_eta_seconds is None else f"about {_roughly(job.phase_eta_seconds)} left of this phase"


def _roughly(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else duration(seconds)


def _place(job: Job) -> str:
    if job.status == "paused":
        return f"paused; stillhouse resume {job.id}"
    if not job.queue_position:
        return ""
    start = "" if job.queue_seconds is None else f", starts in about {_roughly(job.queue_seconds)}"
    waits_for = job.raw.get("waits_for")
    return f"place {job.queue_position} in the queue{'. ' + str(waits_for) if waits_for else start}"
