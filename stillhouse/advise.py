"""`stillhouse advise`: whether a job is worth it, before there is one."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from stillhouse.advice import Advice, Question
from stillhouse.api import Client
from stillhouse.errors import ClientError, UsageError
from stillhouse.interrupt import interruptible
from stillhouse.jobs import Job
from stillhouse.output import JsonOption, data, say, stderr, table
from stillhouse.progress import display

_PATIENCE = 60.0  # seconds the command survives a restart of the service

Labels = Literal["hard", "soft"]


def advise(
    dataset: Annotated[
        str,
        typer.Argument(metavar="DATASET", help="Name of a dataset, or an upload's title; see 'stillhouse datasets'."),
    ],
    ipc: Annotated[
        int | None, typer.Option("--ipc", min=1, help="What so many distilled images a class reach.")
    ] = None,
    accuracy: Annotated[
        float | None, typer.Option("--accuracy", min=0, max=1, help="How few images reach it: 0.8 is 80 %.")
    ] = None,
    gap: Annotated[
        float | None,
        typer.Option("--gap", min=0, max=1, help="How few close so much of the gap between random images and all."),
    ] = None,
    size: Annotated[str | None, typer.Option("--bytes", help="What as many images as fit reach: '200 kB'.")] = None,
    within: Annotated[str | None, typer.Option("--within", metavar="TIME", help="Time a job may take: 20m.")] = None,
    labels: Annotated[
        Labels, typer.Option("--labels", help="One class an image, or a network's probabilities.")
    ] = "hard",
    as_json: JsonOption = False,
) -> None:
    """Say whether distilling is worth it, and how many images it takes; the first time it measures, some minutes."""
    target = {name: value for name, value in (("accuracy", accuracy), ("gap", gap)) if value is not None}
    asked = [ipc, target or None, size]
    if sum(each is not None for each in asked) != 1 or len(target) > 1:
        raise UsageError("Say one of --ipc, --accuracy, --gap and --bytes.")
    question = Question(ipc=ipc, target=target or None, bytes=size, within=within, labels=labels)
    found = _asked(dataset, question)
    if as_json:
        data(found.raw)
        return
    data(found.sentence)
    rows = [
        (f"{found.ipc} {title} a class", _percent(each.expected), _percent(each.low), _percent(each.high))
        for title, each in (("distilled", found.distilled), ("random real", found.random))
        if each is not None
    ]
    if rows:
        table(("TEST ACCURACY", "EXPECTED", "LOW", "HIGH"), rows)
    for reason in found.reasons:
        if reason not in found.sentence:
            say(reason)


def _asked(dataset: str, question: Question) -> Advice:
    measuring = ""
    try:
        with Client(patience=_PATIENCE) as client, interruptible() as check, display(stderr()) as show:

            def watch(job: Job) -> None:
                nonlocal measuring
                measuring = job.id
                check()
                show(job)

            return client.advise(dataset, watch=watch, **question)
    except KeyboardInterrupt:
        left = f" End it: stillhouse cancel {measuring}" if measuring else ""
        told = f"\nMeasuring goes on, and the same command finds it again.{left}"
        raise ClientError(told, exit_code=130) from None


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"
