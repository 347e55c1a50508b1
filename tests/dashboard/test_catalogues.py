"""Compare, datasets, methods, system: pages that gather."""

from __future__ import annotations

import io
import re
from pathlib import Path

import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image

from api.services import Services
from core import methods
from core.data.bundle import write_bundle
from core.data.glimpse import CLASSES
from core.ledger import Status
from tests.api.workshop import ON_SQLITE, Workshop

pytestmark = ON_SQLITE


def test_two_jobs_are_compared_and_sorted(workshop: Workshop, client: TestClient) -> None:
    small, large = workshop.job(Status.SUCCEEDED), workshop.job(Status.RUNNING, ipc=2)
    points = [("metric", {"name": "loss", "step": step, "value": 1 / step}) for step in (1, 2)]
    assert workshop.ledger.record(workshop.claims[large], events=points)
    page = client.get(f"/compare?job={large}&job={small}&sort=ipc").text
    rows = re.findall(r'scope="row"><a href="/jobs/(\w+)"', page)
    assert rows == [small, large]
    assert "64.0 ± 2.0 %" in page
    assert 'id="curve-loss"' in page
    assert 'aria-sort="ascending"' in page


def test_recipes_are_compared_field_by_field(workshop: Workshop, client: TestClient) -> None:
    """Those that all have, those that some have, and nothing that is the same."""
    wide = workshop.submit(method="mtt", overrides={"network.width": 64}, metadata={"name": "<wide>"})
    narrow = workshop.submit(method="mtt", overrides={"network.width": 32})
    page = client.get(f"/compare?job={wide}&job={narrow}").text
    rows = re.findall(r'<th role="rowheader" scope="row" class="mono">([^<]+)</th>(.*?)</tr>', page)
    values = {path: re.findall(r">([^<]*)</td>", cells) for path, cells in rows}
    assert values.pop("network.width") == ["64", "32"]
    assert values.keys() <= {"seed"}
    assert "1. &lt;wide&gt;" in page
    assert re.search(r"<p[^>]*>\d\d+ fields are the same in all", page)
    other = client.get(f"/compare?job={wide}&job={workshop.submit(method='dm')}").text
    assert re.search(r"objective\.kind</th>.*trajectory</td>.*distribution</td>", other)
    assert re.search(r"\d+ fields that not every recipe has", other)
    same = [workshop.submit(seed=1, ipc=ipc) for ipc in (1, 2)]
    assert "Nothing: their recipes are the same" in client.get(f"/compare?job={same[0]}&job={same[1]}").text


def test_losses_of_different_kinds_have_axes_of_their_own(workshop: Workshop, client: TestClient) -> None:
    jobs = [workshop.submit(method=method, ipc=ipc) for method, ipc in (("dm", 1), ("mtt", 1), ("dm", 2))]
    for job_id, loss in zip(jobs, (500.0, 0.5, 400.0), strict=True):
        points = [("metric", {"name": "loss", "step": step, "value": loss / step}) for step in (1, 2)]
        assert workshop.ledger.record(workshop.start(job_id), events=points)
    page = client.get("/compare?" + "&".join(f"job={job_id}" for job_id in jobs)).text
    told = dict(re.findall(r'id="curve-loss-(\w+)-desc">([^<]*)', page))
    assert told.keys() == {"distribution", "trajectory"}
    assert "1. digits dm ipc 1: from 500" in told["distribution"]
    assert "3. digits dm ipc 2: from 400" in told["distribution"]
    assert "mtt" not in told["distribution"]
    assert "2. digits mtt ipc 1: from 0.5" in told["trajectory"]
    assert re.search(r'<li class="c2"><svg.*?</svg>2. digits mtt ipc 1</li>', page), "each job keeps its colour"
    same = client.get(f"/compare?job={jobs[0]}&job={jobs[2]}").text
    assert 'id="curve-loss"' in same
    assert "curve-loss-" not in same.replace("curve-loss-title", "").replace("curve-loss-d", "")


def test_accuracy_is_drawn_against_size_with_its_interval(workshop: Workshop, client: TestClient) -> None:
    jobs = [workshop.job(Status.SUCCEEDED) for _ in range(2)]
    page = client.get(f"/compare?job={jobs[0]}&job={jobs[1]}").text
    plot = page[page.index('id="scatter"') :]
    assert re.findall(r'transform="translate\((\d+)\)"', plot) == ["0", "22"], "none hides another"
    assert re.findall(r"<text [^>]*>(\d)</text>", plot) == ["1", "2"]
    assert len(re.findall(r'<line class="line" ', plot)) == 2
    assert "Size, kB" in plot


def test_curves_are_held_against_random_images_once_for_all_that_share_them(
    workshop: Workshop, client: TestClient
) -> None:
    jobs = [workshop.submit(ipc=ipc) for ipc in (1, 2, 3)]
    for job_id in jobs:
        points = [("metric", {"name": "validation_accuracy", "step": step, "value": step / 10}) for step in (1, 2)]
        assert workshop.ledger.record(workshop.start(job_id), events=points)
    for job_id in jobs[:2]:
        workshop.succeed(job_id)
    page = client.get("/compare?" + "&".join(f"job={job_id}" for job_id in jobs)).text
    assert page.count("as many random real images (1, 2), 50 %</li>") == 1
    assert page.count("as many random real images, 50 %</li>") == 0
    both = client.get(f"/compare?job={jobs[0]}&job={jobs[1]}").text
    assert both.count("as many random real images, 50 %</li>") == 1
    own = client.get(f"/jobs/{jobs[0]}").text
    assert own.count("as many random real images, 50 %</li>") == 1
    assert "from 10 % at 1 to 20 % at 2; as many random real images: 50 %." in own


def test_too_few_too_many_and_unknown_jobs_are_said(workshop: Workshop, client: TestClient) -> None:
    jobs = [workshop.submit() for _ in range(7)]
    seven = client.get("/compare?" + "&".join(f"job={job_id}" for job_id in jobs)).text
    assert "1 more was left out" in seven
    assert len(set(re.findall(r'scope="row"><a href="/jobs/(\w+)"', seven))) == 6
    one = client.get(f"/compare?job={jobs[0]}&job=job_nobody").text
    assert "There is no job <code>job_nobody</code>" in one
    assert "Choose two to six jobs" in one
    assert client.get("/compare").status_code == 200


def test_pictures_of_a_dataset_are_read_without_the_dataset(client: TestClient, services: Services) -> None:
    images = np.arange(400 * 6 * 5 * 3, dtype=np.uint32).astype(np.uint8).reshape(400, 6, 5, 3)
    labels = np.arange(400) % 20
    arrays = {"x_train": images, "y_train": labels, "x_test": images, "y_test": labels}
    services.settings.datasets.mkdir(parents=True, exist_ok=True)
    write_bundle(
        services.settings.datasets / "mine.npz", arrays | {"class_names": np.array([f"c{n}" for n in range(20)])}
    )
    page = client.get("/datasets").text
    assert "32 columns · a regression" in page
    assert "1 classes" not in page + client.get("/new").text
    address = re.search(r'src="(/datasets/mine/sample.png\?v=\w+)"', page)
    assert address
    picture = Image.open(io.BytesIO(client.get(address[1]).content))
    assert picture.size == (CLASSES * 6 - 1, 6)
    pixels = np.asarray(picture)
    assert (pixels[:, 6:11, :3] == images[1]).all(), "the second class's first image"
    assert client.get("/datasets/nobody/sample.png").status_code == 404

    Path(services.settings.datasets / "broken.npz").write_bytes(b"not a zip")
    assert "broken cannot be used" in client.get("/datasets").text


@pytest.mark.parametrize(
    ("q", "expected"),
    [("", set(methods.all_names())), ("cazenavette  2022", {"mtt"}), ("no such thing", set()), ("MTT", {"mtt"})],
)
def test_methods_are_searched(client: TestClient, q: str, expected: set[str]) -> None:
    page = client.get("/methods", params={"q": q}).text
    entries = re.findall(r'<article class="panel method" aria-labelledby="([\w-]+)" data-family="\w+"( hidden)?>', page)
    assert {name for name, _ in entries} == set(methods.all_names()), "a script may show them again"
    shown = {name for name, hidden in entries if not hidden}
    assert shown >= expected
    assert len(shown) < len(entries) or not q
    assert bool(shown) == bool(expected)
    assert (f"{len(shown)} of {len(entries)} methods" in page) == bool(q)


def test_every_method_is_there_with_its_equation(client: TestClient) -> None:
    page = client.get("/methods").text
    for name in methods.all_names():
        assert f'id="{name}"' in page
        assert f'aria-label="Equation of {name}"' in page


def test_the_system_names_its_workers_and_what_they_do(workshop: Workshop, client: TestClient) -> None:
    assert "No worker has announced itself" in client.get("/system").text
    workshop.ledger.register_worker("gpu-0@here", "cuda:0", "here")
    job_id = workshop.job(Status.RUNNING)
    page = client.get("/system").text
    assert re.search(rf'gpu-0@here.*alive.*cuda:0.*href="/jobs/{job_id}"', page, re.DOTALL)
    assert re.search(r"Running</h2><p class=\"figure\"><a href=\"/\?status=running\">1</a>", page)
