"""`stillhouse show`: a job, or a dataset, as people read it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Final

import typer

from stillhouse import forecast as cost
from stillhouse.api import Client
from stillhouse.jobs import Job
from stillhouse.output import JsonOption, data, table

Word = Annotated[
    str, typer.Argument(metavar="JOB|DATASET", help="Id of a job, or a dataset's name or an upload's title.")
]

_LINES: Final = {"distilled": "distilled", "random": "random real images", "full": "everything"}
_SAID: Final = {
    "copies_across": "equal across the splits",
    "near_across": "nearly equal across the splits",
    "copies_classes": "equal in several classes",
    "near_classes": "nearly equal in several classes",
}


def show(word: Word, as_json: JsonOption = False) -> None:
    """Show a job or a dataset."""
    with Client() as client:
        if not word.startswith("job_"):
            found = client.dataset(word)
            if as_json:
                data(found)
            else:
                table(("FIELD", "VALUE"), list(_of_dataset(found, client.url)))
            return
        job = client.job(word)
    if as_json:
        data(job.raw)
        return
    table(("FIELD", "VALUE"), list(_of_job(job, client.url)))
    if job.forecast and job.forecast.seconds:
        table((*cost.COLUMNS, "ACTUAL"), cost.beside(job.forecast, job.phases))


def _of_job(job: Job, url: str) -> Iterator[tuple[str, str]]:
    raw = job.raw
    yield "job", job.title
    yield "id", job.id
    where = {"queued": f"place {job.queue_position} in the queue" if job.queue_position else ""}
    waits_for = raw.get("waits_for")
    phase = (job.phase or "").replace("_", " ") if not job.ended else ""
    yield "status", " · ".join(filter(None, [job.status, phase, where.get(job.status, "")]))
    if waits_for:
        yield "waits for", waits_for
    yield "dataset", job.dataset if job.dataset == job.dataset_title else f"{job.dataset_title} ({job.dataset})"
    yield "method", job.method
    request = raw.get("request") or {}
    for name in ("ipc", "target", "within", "seed"):
        if (value := raw.get(name) or request.get(name)) is not None:
            yield name, _written(value)
    yield from (("set", f"{path}={_written(value)}") for path, value in (request.get("overrides") or {}).items())
    results = (raw.get("metrics") or {}).get("results") or {}
    for name, title in _LINES.items():
        if line := results.get(name):
            yield "accuracy", f"{line['accuracy_mean']:.1%} ± {line['accuracy_std']:.1%}, {title}"
    yield from (("metadata", f"{key}={value}") for key, value in job.metadata.items())
    for name in ("created_at", "started_at", "finished_at"):
        if moment := raw.get(name):
            yield name.removesuffix("_at"), str(moment)[:16].replace("T", " ")
    if job.error:
        yield "error", f"{job.error.get('code')}: {job.error.get('message')}"
        yield "hint", str(job.error.get("hint") or "")
    if page := (raw.get("links") or {}).get("html"):
        yield "page", f"{url.rstrip('/')}{page}"


def _of_dataset(found: Mapping[str, Any], url: str) -> Iterator[tuple[str, str]]:
    yield "dataset", found["title"]
    yield "name", found["name"]
    yield "state", found["state"]
    if found["problem"]:
        yield "problem", found["problem"]
    if found["shape"] is None:
        return
    yield "shape", " x ".join(map(str, found["shape"]))
    yield "training", f"{found['train_count']:,}"
    yield "test", f"{found['test_count']:,}"
    counts = zip(found["train_counts"] or (), found["test_counts"] or (), strict=True)
    for place, (name, (train, test)) in enumerate(zip(found["class_names"], counts, strict=False)):
        yield f"class {place}", f"{name}: {train:,} training, {test:,} test"
    if not found["train_counts"]:
        yield "classes", ", ".join(found["class_names"])
    yield "mirrored", found["mirroring"]["remark"]
    yield from (("remark", remark) for remark in found.get("remarks", ()))
    for row in found.get("evidence") or ():
        if row["of"] in _SAID:
            yield _SAID[row["of"]], " and ".join(_picture(each, found["class_names"]) for each in row["pictures"])
    if found.get("evidence"):
        yield "pictures", f"{url.rstrip('/')}/uploads/{found['name']}"


def _picture(shown: Mapping[str, Any], class_names: list[str]) -> str:
    place = f"{'training' if shown['split'] == 'train' else 'test'} image {shown['place'] + 1}"
    return f"{shown['file'] or place} ({class_names[shown['label']]})"


def _written(value: object) -> str:
    if isinstance(value, Mapping):
        return " ".join(f"{key}:{_written(each)}" for key, each in value.items())
    return str(value)
