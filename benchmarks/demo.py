"""`make demo`: a dataset goes in through the REST API, a distilled one comes out, a stranger checks its worth.

Starts the service with its embedded defaults in a temporary folder, submits the job with the project's own client,
downloads the artifact, verifies every byte, and trains fresh networks on the downloaded files alone
(by its own `student.py`, which shares no code with the engine). Leaves the artifact, and nothing running.
"""

from __future__ import annotations

import argparse
import json
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from rich.console import Console
from rich.table import Table

from core.worth import Gap, Interval, gap
from stillhouse import Client, ClientError, JobFailed
from stillhouse.progress import display

console = Console(highlight=False, width=None if sys.stdout.isatty() else 100)


@dataclass(frozen=True)
class Accuracy:
    """Test accuracies of several fresh networks trained on `images` images; shares of 1."""

    what: str
    images: int
    accuracies: Sequence[float]

    @property
    def mean(self) -> float:
        """Their mean."""
        return statistics.fmean(self.accuracies)

    @property
    def std(self) -> float:
        """Their sample standard deviation."""
        return statistics.stdev(self.accuracies) if len(self.accuracies) > 1 else 0.0

    @property
    def interval(self) -> Interval:
        """The 95 % interval of the mean."""
        return Interval.over(self.mean, self.std, len(self.accuracies))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the demo; 0 if the files alone close at least `--least` of the gap."""
    options = _options(arguments)
    started = time.perf_counter()
    signal.signal(signal.SIGTERM, _end)
    try:
        _make_room(options.out)
        with tempfile.TemporaryDirectory(prefix="stillhouse-") as home:
            with service(Path(home)) as url, Client(url) as client:
                console.print(f"[bold]Stillhouse[/] at {url}, state in {home}")
                fetched = distil(client, options)
            checked = subprocess.run([sys.executable, "-B", "load.py"], cwd=options.out, check=False).returncode == 0
            console.print(
                f"{fetched:,} bytes downloaded to {options.out}, checksums {'match' if checked else 'DIFFER'}"
            )
            if not checked:
                return 1
            closed = judge(options.out, options.seeds, Path(home))
    except KeyboardInterrupt:
        return 130
    except ClientError as error:
        Console(stderr=True).print(str(error), style="red", markup=False, soft_wrap=True)
        return error.exit_code
    console.print(f"\nArtifact: {options.out}    picture: {options.out / 'preview.png'}")
    console.print(f"The whole demo took {time.perf_counter() - started:.0f} s; nothing is left running.")
    if closed is None:
        console.print("[red]That the files alone close a share of the gap was not shown.[/]")
        return 1
    if closed < options.least:
        console.print(f"[red]The files alone close {closed:.0%} of the gap, less than {options.least:.0%}.[/]")
        return 1
    return 0


@contextmanager
def service(home: Path) -> Iterator[str]:
    """A whole service on a free port, state in `home`; its address. It is gone when the block ends."""
    log = home / "service.log"
    command = [sys.executable, "-m", "stillhouse", "serve", "--port", "0", "--home", str(home), "--json"]
    with (
        log.open("wb") as stderr,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=stderr, start_new_session=True) as process,
    ):
        assert process.stdout is not None
        try:
            line = process.stdout.readline()  # written when the service takes jobs; empty if it never will
            if not line:
                raise ClientError(f"The service did not start:\n{log.read_text('utf-8', 'replace')[-3000:]}")
            yield str(json.loads(line)["url"])
        finally:
            process.terminate()
            process.wait()


def distil(client: Client, options: argparse.Namespace) -> int:
    """Submit, watch, download; returns the bytes downloaded."""
    overrides = dict(_change(text) for text in options.set)
    job = client.submit(
        "digits", ipc=options.ipc, method=options.method, overrides=overrides, evaluation={"seeds": options.seeds}
    )
    console.print(f"POST /v1/jobs  digits, {options.ipc} image(s) per class, method {options.method}  ->  {job.id}\n")
    try:
        with display(console) as watch:
            job = client.wait(job.id, watch=watch)
    except JobFailed:
        for event in client.events(job.id):
            if event.type == "log":
                console.print(event.data.get("message"), markup=False)
        raise
    console.print()
    phases = Table(title="Seconds per phase", title_justify="left", box=None, padding=(0, 3, 0, 0))
    for name in job.phases:
        phases.add_column(name.replace("_", " "), justify="right")
    phases.add_row(*(f"{phase.seconds:.1f}" for phase in job.phases.values()))
    console.print(phases)
    console.print()
    return client.download(job.id, options.out)


def judge(artifact: Path, seeds: int, data_dir: Path) -> float | None:
    """Print the artifact's worth by its own report and by ours; returns the share of the gap that ours closes."""
    from benchmarks.student import retrain
    from core.data import Catalogue  # the user's own test data: nothing else of the project is trained on here

    report = json.loads((artifact / "report.json").read_text("utf-8"))
    test = Catalogue(data_dir).load("digits").test
    rows = {row["name"]: row for row in report["results"]}
    random, distilled, full = (
        Accuracy(what, rows[name]["images"], rows[name]["accuracies"])
        for name, what in (("random", "random real images"), ("distilled", "distilled"), ("full", "full data"))
    )
    ours = Accuracy(
        "distilled, retrained from the files alone",
        distilled.images,
        retrain(artifact, test.images, test.labels, seeds, data_dir / "test.npz"),
    )

    def closed(row: Accuracy) -> Gap:
        return gap({"distilled": row.interval, "random": random.interval, "full": full.interval})

    table = Table(title=f"Test accuracy, mean ± std over {seeds} fresh networks", title_justify="left", box=None)
    for column in ("trained on", "images", "accuracy", "gap closed"):
        table.add_column(column, justify="left" if column == "trained on" else "right", no_wrap=True)
    for each in (random, distilled, ours, full):
        accuracy = f"{100 * each.mean:.1f} ± {100 * each.std:.1f} %"
        share = closed(each).share if each in (distilled, ours) else None
        table.add_row(each.what, f"{each.images:,}", accuracy, "" if share is None else f"{100 * share:.0f} %")
    console.print(table)
    if (reason := closed(ours).reason) is not None:
        console.print(f"No share of the gap is claimed for the files alone. {reason}", soft_wrap=True)
    size = report["compression"]
    console.print(
        f"\nBytes in {size['bytes_before']:,} ({size['images_before']:,} images), bytes out {size['bytes_after']:,} "
        f"({size['images_after']} images)"
    )
    return closed(ours).share


def _change(text: str) -> tuple[str, Any]:
    path, _, value = text.partition("=")
    return path, json.loads(value)


def _make_room(out: Path) -> None:
    """Remove the artifact of an earlier demo, and refuse to touch anything else."""
    if (out / "manifest.json").is_file():
        shutil.rmtree(out)
    elif out.exists() and any(out.iterdir()):
        raise ClientError(f"{out} holds something else than an artifact: choose another folder with --out.")


def _end(*_: object) -> NoReturn:
    raise SystemExit(128 + signal.SIGTERM)


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make demo", description=(__doc__ or "").partition("\n\n")[2])
    parser.add_argument("--ipc", type=int, default=1, help="images per class (%(default)s)")
    parser.add_argument("--method", default="mtt", help="method of distillation (%(default)s)")
    parser.add_argument("--seeds", type=int, default=5, help="fresh networks per row (%(default)s)")
    parser.add_argument("--set", action="append", default=[], metavar="PATH=JSON", help="change a field of the recipe")
    parser.add_argument("--out", type=Path, default=Path("demo-artifact"), help="where the artifact goes (%(default)s)")
    parser.add_argument("--least", type=float, default=0.6, help="share of the gap to close (%(default)s)")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
