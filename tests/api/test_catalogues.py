"""The catalogues of datasets and methods."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi.testclient import TestClient

from api.services import Services
from core import methods
from core.recipe import Recipe
from tests.api.workshop import ON_SQLITE

pytestmark = ON_SQLITE


def test_datasets_are_shown_with_what_one_must_know(client: TestClient) -> None:
    listed = client.get("/v1/datasets").json()
    names = [dataset["name"] for dataset in listed["items"]]
    assert names == sorted(names)
    assert {"digits", "cifar10"} <= set(names)
    assert listed["next"] is None
    digits = client.get("/v1/datasets/digits").json()
    assert digits in listed["items"]
    assert (digits["shape"], digits["classes"], digits["on_disk"], digits["source"]) == (
        [1, 8, 8],
        10,
        True,
        "embedded",
    )
    assert digits["digest"].startswith("sha256:")
    assert digits["copies"] == {"train": 0, "test": 0, "across": 0, "classes": 0}
    absent = client.get("/v1/datasets/cifar10").json()
    assert (absent["on_disk"], absent["digest"], absent["copies"]) == (False, None, None)
    assert "cifar10.npz" in absent["where"]


def test_catalogues_are_paged_like_every_list(client: TestClient) -> None:
    for path in ("/v1/datasets", "/v1/methods"):
        whole = [item["name"] for item in client.get(path).json()["items"]]
        seen, after = [], None
        while True:
            page = client.get(path, params={"limit": 1} | ({"after": after} if after else {})).json()
            seen += [item["name"] for item in page["items"]]
            after = page["next"]
            if after is None:
                break
        assert seen == whole


def test_methods_are_shown_with_recipe_presets_and_schema(client: TestClient) -> None:
    listed = client.get("/v1/methods").json()["items"]
    assert [method["name"] for method in listed] == list(methods.all_names())
    for summary in listed:
        method = client.get(summary["url"]).json()
        assert summary.items() <= method.items()
        Recipe.model_validate(method["recipe"])
        for preset in method["presets"]:
            Recipe.model_validate(preset["recipe"])
        assert method["overrides"] == methods.override_schema()


def test_a_method_shows_its_recipe_for_a_task(client: TestClient, services: Services) -> None:
    shown = client.get("/v1/methods/mtt", params={"dataset": "cifar10", "ipc": 50}).json()
    (preset,) = [each for each in shown["presets"] if (each["dataset"], each["ipc"]) == ("cifar10", 50)]
    assert shown["recipe"] == preset["recipe"]
    assert shown["recipe"] != client.get("/v1/methods/mtt").json()["recipe"]
    asked = {"dataset": "cifar10", "ipc": 50, "method": "mtt"}
    assert client.post("/v1/jobs", json=asked).json()["recipe"] == shown["recipe"]


def test_a_formula_is_asked_for_by_a_name_that_says_all_of_it(client: TestClient) -> None:
    task = client.get("/v1/datasets/multi-index:d=16").json()
    assert (task["name"], task["source"]) == ("multi-index:d=16,r=2,link=he2-he3,n=10240,seed=0", "formula")
    assert client.get("/v1/datasets/multi-index:d=16,link=he4").status_code == 404
    asked = {"dataset": "multi-index:d=16", "ipc": 8, "method": "progressive-two-layer"}
    job = client.post("/v1/jobs", json=asked)
    assert job.status_code == 202
    assert client.post("/v1/jobs", json=asked | {"dataset": task["name"]}).json()["id"] == job.json()["id"]
    assert client.post("/v1/forecasts", json=asked).status_code == 200
    page = client.get("/new", params=asked)
    assert 'value="multi-index:d=16" checked' in " ".join(page.text.split())


@pytest.mark.parametrize(
    ("changes", "field", "fix"),
    [
        ({"method": "dm"}, "method", "progressive-two-layer"),
        ({"method": "auto"}, "method", "progressive-two-layer"),
        ({"dataset": "digits"}, "method", "multi-index:d=32"),
        ({"dataset": "digits", "ipc": None, "bytes": "2 kB"}, "method", "multi-index:d=32"),
        ({"ipc": None, "ratio": 0.01}, "ratio", "ipc"),
        ({"ipc": None, "target": "80%"}, "target", "ipc"),
        ({"ipc": 5000}, "ipc", "1024"),
        ({"overrides": {"network.width": 64}}, "overrides.network.width", "Leave it out"),
        ({"dataset": "multi-index:d=0"}, "dataset", ""),
    ],
)
def test_what_is_no_regression_is_refused_with_a_fix(
    client: TestClient, changes: dict[str, Any], field: str, fix: str
) -> None:
    asked = {"dataset": "multi-index:d=16", "ipc": 8, "method": "progressive-two-layer"} | changes
    answer = client.post("/v1/jobs", json={name: value for name, value in asked.items() if value is not None})
    assert answer.status_code == 422
    (error,) = answer.json()["errors"]
    assert error["field"] == field
    assert fix in error["fix"]
