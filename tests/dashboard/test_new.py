"""The form of a new job: every field of the recipe, prices, faults beside their fields, and the same by hand."""

from __future__ import annotations

import html
import json
import re
import shlex
from typing import Any

from fastapi.testclient import TestClient

from tests.api.workshop import ON_SQLITE, Workshop

pytestmark = ON_SQLITE

CHOICE = {"dataset": "digits", "method": "mtt", "ipc": "1", "seed": "0"}


def filled(page: str) -> dict[str, str]:
    """The fields of the form as a browser would send them back."""
    form = page[page.index('id="draft"') :]
    fields = dict(re.findall(r'<input(?! type="r)[^>]*? name="([^"]+)"[^>]*? value="([^"]*)"', form))
    fields |= {
        name: html.unescape(chosen)
        for name, body in re.findall(r'<select[^>]*? name="([^"]+)".*?>(.*?)</select>', form, re.DOTALL)
        for chosen in re.findall(r"<option selected>([^<]*)", body)
    }
    fields |= dict(re.findall(r'<input type="radio" name="(\w+)" value="([^"]+)" checked', form))
    return {name: html.unescape(value) for name, value in fields.items()}


def submitted(client: TestClient, fields: dict[str, str]) -> dict[str, Any]:
    """The job that a form leads to."""
    answer = client.post("/new", data=fields, follow_redirects=False)
    assert answer.status_code == 303, answer.text
    job: dict[str, Any] = client.get(f"/v1{answer.headers['Location']}").json()
    return job


def test_what_is_left_alone_is_no_change(client: TestClient) -> None:
    fields = filled(client.get("/new?dataset=digits&method=mtt&ipc=2").text)
    assert fields["recipe.schedule.steps"].isdecimal()
    assert fields["recipe.evaluation.look_every"] == "null"
    assert len(fields) > 60
    job = submitted(client, fields)
    assert job["request"]["overrides"] == {}
    assert (job["dataset"], job["method"], job["ipc"]) == ("digits", "mtt", 2)


def test_what_is_changed_is_sent_as_its_own_type(client: TestClient) -> None:
    fields = filled(client.get("/new?dataset=digits&method=mtt&ipc=1").text)
    changes = {"schedule.steps": "7", "preprocess.kind": "none", "evaluation.look_every": "3", "schedule.clamp": "true"}
    job = submitted(client, fields | {f"recipe.{path}": text for path, text in changes.items()} | {"seed": "9"})
    wanted = {"schedule.steps": 7, "preprocess.kind": "none", "evaluation.look_every": 3, "schedule.clamp": True}
    assert job["request"]["overrides"] == wanted
    assert job["seed"] == 9

    again = client.get(f"/new?from={job['id']}").text
    twin = submitted(client, filled(again))
    assert twin["id"] == job["id"], "the same request is the same job"


def test_a_form_filled_in_for_another_method_changes_nothing_of_the_new_one(client: TestClient) -> None:
    fields = filled(client.get("/new?dataset=digits&method=mtt&ipc=1").text)
    job = submitted(client, fields | {"method": "random"})
    assert (job["method"], job["request"]["overrides"]) == ("random", {})


def test_faults_stand_beside_their_fields_with_their_fixes(client: TestClient) -> None:
    fields = filled(client.get("/new?dataset=digits&method=mtt&ipc=1").text)
    wrong = {"ipc": "5000", "recipe.schedule.steps": "-1", "recipe.network.width": "wide"}
    refused = client.post("/new", data=fields | wrong)
    assert refused.status_code == 422
    assert re.search(r'id="fault-recipe.schedule.steps"[^>]*>.+ Use a value of at least 0', refused.text)
    assert re.search(r'id="recipe.network.width"[^>]* aria-invalid="true"', refused.text)
    assert 'value="-1"' in refused.text, "what was typed is kept"
    assert client.get("/v1/jobs").json()["items"] == []

    large = client.post("/new", data=CHOICE | {"ipc": "5000"})
    assert re.search(r'id="fault-ipc"[^>]*>[^<]*125', large.text), "how many there are is said"
    none = client.post("/new", data=CHOICE | {"ipc": "many"})
    assert re.search(r'id="fault-ipc"[^>]*>[^<]+', none.text)
    strange = client.post("/new", data=CHOICE | {"dataset": "digit"})
    assert re.search(r'id="fault-dataset"[^>]*>[^<]*did you mean', strange.text)


def test_the_commands_ask_for_the_same(client: TestClient, workshop: Workshop) -> None:
    page = client.get("/new", params=CHOICE | {"recipe.objective.syn_steps": "5"}).text
    command = html.unescape(re.findall(r'<code id="command">(.*?)</code>', page)[0])
    assert "--set objective.syn_steps=5" in command
    words = shlex.split(html.unescape(re.findall(r'<code id="curl">(.*?)</code>', page)[0]))
    job = client.post("/v1/jobs", json=json.loads(words[2])).json()
    assert job["request"]["overrides"] == {"objective.syn_steps": 5}


def test_the_price_is_told_before_submitting(client: TestClient, workshop: Workshop) -> None:
    page = client.get("/new", params=CHOICE).text
    assert "No worker has calibrated yet" in page
    assert "10 images in place of 1,438" in page
    assert workshop.ledger.jobs() == []


def test_only_forms_are_taken(client: TestClient) -> None:
    assert client.post("/new", json=CHOICE).status_code == 415
    assert client.post("/new", data=CHOICE, headers={"Origin": "null"}).status_code == 403
