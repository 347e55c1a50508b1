"""Compare, datasets, methods, system: pages that gather."""

from __future__ import annotations

import io
import re
from pathlib import Path

import numpy as np
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
    rows = re.findall(r'<th scope="row"><a href="/jobs/(\w+)"', page)
    assert rows == [small, large]
    assert "64.0 ± 2.0 %" in page
    assert 'id="curve-loss"' in page
    assert 'aria-sort="ascending"' in page


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
    assert len(set(re.findall(r'<th scope="row"><a href="/jobs/(\w+)"', seven))) == 6
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
    address = re.search(r'src="(/datasets/mine/sample.png\?v=\w+)"', page)
    assert address
    picture = Image.open(io.BytesIO(client.get(address[1]).content))
    assert picture.size == (CLASSES * 6 - 1, 6)
    pixels = np.asarray(picture)
    assert (pixels[:, 6:11, :3] == images[1]).all(), "the second class's first image"
    assert client.get("/datasets/nobody/sample.png").status_code == 404

    Path(services.settings.datasets / "broken.npz").write_bytes(b"not a zip")
    assert "broken cannot be used" in client.get("/datasets").text


def test_every_method_is_there_with_its_equation(client: TestClient) -> None:
    page = client.get("/methods").text
    for name in methods.names():
        assert f'id="{name}"' in page
        assert f'aria-label="Equation of {name}"' in page


def test_the_system_names_its_workers_and_what_they_do(workshop: Workshop, client: TestClient) -> None:
    assert "No worker has announced itself" in client.get("/system").text
    workshop.ledger.register_worker("gpu-0@here", "cuda:0", "here")
    job_id = workshop.job(Status.RUNNING)
    page = client.get("/system").text
    assert re.search(rf'gpu-0@here.*alive.*cuda:0.*href="/jobs/{job_id}"', page, re.DOTALL)
    assert re.search(r"Running</h2><p class=\"figure\"><a href=\"/\?status=running\">1</a>", page)
