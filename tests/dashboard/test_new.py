"""The form of a new job: every field of the recipe, prices, faults beside their fields, and the same by hand."""

from __future__ import annotations

import html
import json
import re
import shlex
from dataclasses import replace
from typing import Any

import pytest
from fastapi.testclient import TestClient

from api import forecast_request
from api.dashboard.job_form import JobForm
from api.dashboard.time_view import TIMES
from api.services import Services
from api.submission import prepare
from core.durations import seconds_of
from core.forecast import fitted, fitted_job
from core.ledger import Status
from core.request import JobOrder
from tests.api.workshop import ON_SQLITE, Workshop
from tests.forecast.machines import machine

pytestmark = ON_SQLITE

MEASURED = machine().model_dump(mode="json")
CHOICE = {"dataset": "digits", "method": "mtt", "ipc": "1", "seed": "0"}


def filled(page: str) -> dict[str, str]:
    """The fields of the form as a browser would send them back."""
    form = page[page.index('id="job-form"') :]
    fields = dict(re.findall(r'<input(?! type="r)[^>]*? name="([^"]+)"[^>]*? value="([^"]*)"', form))
    fields |= {
        name: html.unescape(chosen)
        for name, body in re.findall(r'<select[^>]*? name="([^"]+)".*?>(.*?)</select>', form, re.DOTALL)
        for chosen in re.findall(r"<option selected>([^<]*)", body)
    }
    fields |= dict(re.findall(r'<input type="radio" name="(\w+)" value="([^"]+)" checked', form))
    return {name: html.unescape(value) for name, value in fields.items()}


def command(page: str) -> list[str]:
    """The words of the command that a page says asks for the same."""
    return shlex.split(html.unescape(re.findall(r'<code id="command">(.*?)</code>', page)[0]))


def asked(page: str) -> Any:
    """The body that a page says asks for the same over HTTP."""
    return json.loads(shlex.split(html.unescape(re.findall(r'<code id="curl">(.*?)</code>', page)[0]))[2])


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


WRONG: list[tuple[dict[str, str], str, str, dict[str, str]]] = [
    ({"ipc": "0"}, "ipc", "at least 1", {"ipc": "1"}),
    ({"ipc": "126"}, "ipc", "at most 125", {"ipc": "125"}),
    ({"ipc": ""}, "ipc", "add 'ipc'", {"ipc": "1"}),
    ({"dataset": "digit"}, "dataset", "did you mean", {"dataset": "digits"}),
    ({"method": "mmt"}, "method", "did you mean 'mtt'", {"method": "mtt"}),
    ({"within": "soon"}, "within", "write '20m'", {"within": "20m"}),
    ({"seed": "-1"}, "seed", "at least 0", {"seed": "0"}),
    ({"metadata": "abc"}, "metadata", "KEY=VALUE", {"metadata": "a=b"}),
    ({"ipc": "", "ratio": "2"}, "ratio", "at most 1", {"ratio": "0.1"}),
    ({"ipc": "", "bytes": "a lot"}, "bytes", "200 kB", {"bytes": "200 kB"}),
    ({"recipe.schedule.steps": "-1"}, "recipe.schedule.steps", "at least 0", {"recipe.schedule.steps": "5"}),
    ({"recipe.schedule.steps": "few"}, "recipe.schedule.steps", "integer", {"recipe.schedule.steps": "5"}),
    ({"recipe.network.norm": "bach"}, "recipe.network.norm", "'batch'", {"recipe.network.norm": "batch"}),
    ({"continue_from": "job_0"}, "continue_from", "No job of yours", {"continue_from": ""}),
]
"""The text that is entered, the field that it is told beside, a word of the fix, and the fix as it is followed."""


@pytest.mark.parametrize(("wrong", "field", "told", "right"), WRONG, ids=str)
def test_a_wrong_entry_is_told_beside_its_field_with_a_fix_that_works(
    client: TestClient,
    services: Services,
    wrong: dict[str, str],
    field: str,
    told: str,
    right: dict[str, str],
) -> None:
    plain = {"dataset": "digits", "method": "dm", "ipc": "1"}
    refused = client.post("/new", data=plain | wrong)
    assert refused.status_code == 422
    said = re.findall(r'<p class="fault" id="fault-([\w.]+)"[^>]*>([^<]+)</p>', refused.text)
    assert [(name, told.lower() in html.unescape(words).lower()) for name, words in said] == [(field, True)], said
    assert prepare(JobForm.of(plain | wrong | right, services).order(), services.catalogue).fingerprint


def test_the_commands_ask_for_the_same(client: TestClient, workshop: Workshop) -> None:
    page = client.get("/new", params=CHOICE | {"recipe.objective.syn_steps": "5"}).text
    assert command(page)[-4:] == ["--set", "objective.syn_steps=5", "--out", "digits-mtt-1"]
    job = client.post("/v1/jobs", json=asked(page)).json()
    assert job["request"]["overrides"] == {"objective.syn_steps": 5}


SCALARS = sorted({*JobOrder.model_fields} - {"overrides", "evaluation"})
"""The fields of a request that are entered as one value, those that are still to come included."""


@pytest.mark.parametrize("name", SCALARS)
def test_every_field_of_a_request_is_in_the_form_in_the_commands_and_in_what_is_asked_again(
    name: str, client: TestClient, workshop: Workshop, services: Services
) -> None:
    """Whatever it means: what makes no sense is refused when it is submitted, and not lost before."""
    schema = JobOrder.model_json_schema()["properties"][name]
    examples = {"integer": 7, "number": 0.5, "string": "rare", **({None: "gap:50%"} if name == "target" else {})}
    value: Any = {"rare": "1"} if "patternProperties" in schema else examples.get(schema.get("type"), {"rare": 1})
    text = value if isinstance(value, str) else "rare=1" if value == {"rare": "1"} else json.dumps(value)
    page = client.get("/new", params={name: text}).text
    assert filled(page).get(name) == text or name in ("dataset", "method"), "a choice among what there is"
    assert asked(page)[name] == value
    words = command(page)
    assert words[2] == text if name == "dataset" else words[words.index(f"--{name.replace('_', '-')}") + 1] == text
    about = " ".join(schema["description"].replace("`", "").split())
    assert name in ("dataset", "method", "ipc") or about in html.unescape(re.sub("<[^>]*>", "", page))

    job = services.ledger.job(workshop.submit())
    again = JobForm.of({}, services, replace(job, request=job.request | {name: value}))
    assert again.entries[name] == text
    assert again.body()[name] == value


def test_what_requests_no_longer_know_is_kept_and_refused_beside_its_field(
    client: TestClient, workshop: Workshop, services: Services
) -> None:
    job = services.ledger.job(workshop.submit())
    fields = {f"also.{name}": text for name, text in (("rare", '{"a": 1}'), ("rarer", "5"))}
    earlier = replace(job, request=job.request | {"rare": {"a": 1}, "rarer": 5})
    assert JobForm.of({}, services, earlier).body().items() >= {"rare": {"a": 1}, "rarer": 5}.items()
    refused = client.post("/new", data=CHOICE | fields)
    assert refused.status_code == 422
    assert re.search(r'id="fault-also.rare"[^>]*>There is no field &#39;rare&#39; here', refused.text)
    assert filled(refused.text).items() >= fields.items()
    job_id = submitted(client, filled(refused.text) | dict.fromkeys(fields, ""))["id"]
    assert "rare" not in services.ledger.job(job_id).request


def test_words_on_a_job_are_entered_as_in_a_shell(client: TestClient) -> None:
    page = client.get("/new", params=CHOICE | {"metadata": "commit=abc 'name=my run'"}).text
    assert asked(page)["metadata"] == {"commit": "abc", "name": "my run"}
    words = command(page)
    assert words[words.index("--metadata") :][:4] == ["--metadata", "commit=abc", "--metadata", "name=my run"]
    assert submitted(client, filled(page))["metadata"] == {"commit": "abc", "name": "my run"}
    for wrong in ("abc", "commit='abc", "a b=c", "=c"):
        assert re.search(r'id="fault-metadata"[^>]*>[^<]+', client.post("/new", data=CHOICE | {"metadata": wrong}).text)


def test_an_answer_from_before_is_said_to_be_one(client: TestClient, workshop: Workshop) -> None:
    job_id = workshop.job(Status.SUCCEEDED, method="random", ipc=1, seed=77)
    page = client.post("/new", data={"dataset": "digits", "method": "random", "ipc": "1", "seed": "77"})
    assert page.url.path == f"/jobs/{job_id}"
    assert "The same was asked for before" in page.text
    assert "The same was asked for before" not in client.get(f"/jobs/{job_id}").text


def test_a_share_is_asked_for_in_the_place_of_a_number(client: TestClient) -> None:
    page = client.get("/new?dataset=digits&method=random&ratio=0.1").text
    assert asked(page) == {"dataset": "digits", "method": "random", "ratio": 0.1}
    assert submitted(client, filled(page))["ipc"] == 12
    both = client.post("/new", data=filled(page) | {"ipc": "1"})
    assert re.search(r'id="fault-ratio"[^>]*>Both', both.text)


def test_the_price_is_told_before_submitting(client: TestClient, workshop: Workshop) -> None:
    page = client.get("/new", params=CHOICE).text
    assert "No worker has calibrated yet" in page
    assert "10 images in place of 1,438" in page
    assert workshop.ledger.jobs() == []


def opened(page: str) -> bool:
    """Whether the method and its recipe are in sight."""
    (attributes,) = re.findall(r'<details class="panel" id="choose"([^>]*)>', page)
    return "open" in attributes


def test_it_begins_with_the_outcome_and_opens_for_those_who_know_the_method(client: TestClient) -> None:
    page = client.get("/new").text
    assert not opened(page)
    assert asked(page) | {"method": ""} == {"dataset": "digits", "ipc": 10, "within": "20m", "method": ""}
    assert [page.index(f"<h2>{title}</h2>") for title in ("Dataset", "Images per class", "Time", "Method")] == sorted(
        page.index(f"<h2>{title}</h2>") for title in ("Dataset", "Images per class", "Time", "Method")
    )
    assert page.index('id="submit"') < page.index('id="choose"')
    assert not opened(client.get("/new?dataset=digits&ipc=3&within=5m").text)
    for known in ("method=dm", "method=mtt", "recipe.network.width=8", "seed=3", "ratio=0.1", "ipc=1&recipe.x=1"):
        assert opened(client.get(f"/new?{known}").text), known
    assert "within" not in asked(client.get("/new?method=mtt").text), "who names a method gets it as it is"
    assert not opened(client.get("/new", params=filled(page)).text), "pressing the button is no choice"


def test_the_address_of_the_page_is_the_page(client: TestClient) -> None:
    for given in (
        {"ipc": "3"},
        {"method": "dm", "within": "90s", "recipe.network.width": "8"},
        {"method": "random", "ratio": "0.1", "seed": "4"},
        {"within": "", "also.rare": "[1]"},
    ):
        page = client.get("/new", params=given).text
        (address,) = re.findall(r'data-address="([^"]*)"', page)
        assert asked(client.get(html.unescape(address)).text) == asked(page)


def test_time_is_offered_with_what_it_buys(client: TestClient, workshop: Workshop) -> None:
    workshop.ledger.register_worker("w", "cpu", "here", MEASURED)
    page = client.get("/new?dataset=cifar10&method=mtt&ipc=10&within=10m&with=times").text
    rows = re.findall(
        r"<tr( class=\"chosen\")?>\s*<th scope=\"row\">(.*?)</th>.*?<td class=\"small\">(.*?)</td>", page, re.DOTALL
    )
    assert [bool(chosen) for chosen, _, _ in rows] == ['data-within="10m"' in time for _, time, _ in rows]
    assert "network.width 128 →" in html.unescape(rows[0][2])
    (longer,) = re.findall(r'href="([^"]*)" data-within="1h"', page)
    assert asked(client.get(html.unescape(longer)).text) == asked(page) | {"within": "1h"}
    assert "Given up for the time" in page
    refused = client.post("/new", data=filled(page) | {"within": "1s"})
    assert re.search(r'id="fault-within"[^>]*>The smallest job', refused.text)
    search = client.get("/new?dataset=cifar10&ipc=10&with=times").text
    tried = re.findall(r'<td class="small">random, ([^;<]*)', search)
    counts = [len(names.split(", ")) for names in tried]
    assert 2 <= counts[0] < counts[-1]
    assert counts[2:] == sorted(counts[2:]), "before, more time goes into a wider student"
    assert "mtt" in tried[-1]
    enough = re.findall(
        r"nothing, nor with more time", client.get("/new?dataset=digits&method=random&ipc=1&with=times").text
    )
    assert len(enough) == 1, "what buys nothing more is not offered"


def test_the_form_is_priced_once_and_other_times_when_they_are_asked_for(
    client: TestClient, workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    workshop.ledger.register_worker("w", "cpu", "here", MEASURED)
    fits = list[int]()
    monkeypatch.setattr(
        forecast_request, "fitted_job", lambda *job, **more: fits.append(job[7]) or fitted_job(*job, **more)
    )
    page = client.get("/new?dataset=digits&ipc=9&within=20m").text
    assert fits == [1200]
    (more,) = re.findall(r'href="([^"]*)" id="all-times"', page)
    whole = client.get(html.unescape(more)).text
    assert fits[1:] == [1200, *map(seconds_of, TIMES)]
    assert re.findall(r'data-within="(\w+)"', whole) == list(TIMES)
    priced = fitted._seconds.cache_info().misses
    client.get(html.unescape(more))
    assert fitted._seconds.cache_info().misses == priced, "nothing is priced twice"


def test_a_share_is_chosen_once_and_asked_for_again(client: TestClient) -> None:
    page = client.get("/new?dataset=digits&method=dm&ipc=2").text
    fields = filled(page)
    assert fields["share"] == "equal"
    assert page.index('id="share"') < page.index('id="submit"'), "it is asked for with the size"
    job = submitted(client, fields | {"share": "proportional"})
    assert job["request"]["overrides"] == {"share": "proportional"}
    again = client.get(f"/new?from={job['id']}").text
    assert filled(again)["share"] == "proportional"
    assert asked(again) == asked(page) | {"share": "proportional"}
    assert submitted(client, filled(again))["id"] == job["id"]
    assert submitted(client, filled(again) | {"share": "equal"})["request"]["overrides"] == {}
    older = client.get("/new?dataset=digits&method=dm&ipc=2&recipe.share=proportional").text
    assert asked(older) == asked(again)
    refused = client.post(
        "/new", data=filled(client.get("/new?dataset=digits&method=sre2l&ipc=2").text) | {"share": "proportional"}
    )
    assert re.search(r'id="fault-share"[^>]*>[^<]*Set share to &#39;equal&#39;, or objective.group to', refused.text)


@pytest.mark.parametrize("method", ["auto", "mtt", "sre2l"])
def test_no_field_is_asked_for_twice(client: TestClient, method: str) -> None:
    page = client.get(f"/new?dataset=digits&ipc=1&method={method}").text
    own = [part.partition(".")[0] for part in re.findall(r' name="recipe\.([\w.]+)"', page)]
    requests = re.findall(r' name="(\w+)"', page[page.index('id="job-form"') :])
    assert not {*own} & {*requests}
    assert ("labels" in requests, "labels" in own) == ((True, False) if method == "auto" else (False, True))


def test_a_change_that_the_recipe_has_no_field_for_stays_in_sight_until_it_is_emptied(client: TestClient) -> None:
    given = {"dataset": "digits", "method": "dm", "ipc": "1"}
    misspelt = client.get("/new", params=given | {"recipe.netwrok.width": "8"}).text
    said = re.findall(r'<p class="fault" id="fault-([\w.]+)"[^>]*>([^<]+)</p>', misspelt)
    assert [(name, "Did you mean" in words) for name, words in said] == [("recipe.netwrok.width", True)]
    assert '<div class="notice bad">' not in misspelt
    fields = filled(misspelt)
    assert fields["recipe.netwrok.width"] == "8"
    assert submitted(client, fields | {"recipe.netwrok.width": ""})["request"]["overrides"] == {}
    other = {"labels.kind": "learnable", "labels.confidence": 4}
    found = client.get(
        "/new", params=given | {"method": "mtt"} | {f"recipe.{path}": str(value) for path, value in other.items()}
    ).text
    assert submitted(client, filled(found))["request"]["overrides"] == other, "fields of another kind are kept"


def test_what_takes_hours_is_offered_cheaper(client: TestClient, workshop: Workshop) -> None:
    workshop.ledger.register_worker("w", "cpu", "here", MEASURED)
    page = client.get("/new?dataset=cifar10&method=mtt&ipc=10").text
    (cheaper,) = re.findall(r'<div class="notice" id="cheaper">.*?href="([^"]*)"', page, re.DOTALL)
    again = client.get(html.unescape(cheaper)).text
    assert asked(again) == asked(page) | {"within": "20m"}
    assert 'id="cheaper"' not in again
    job_id = submitted(client, filled(again))["id"]
    assert asked(client.get(f"/new?from={job_id}").text)["within"] == "20m"


def test_only_forms_are_taken(client: TestClient) -> None:
    assert client.post("/new", json=CHOICE).status_code == 415
    assert client.post("/new", data=CHOICE, headers={"Origin": "null"}).status_code == 403


def test_a_target_takes_the_place_of_the_number_that_is_entered_beside_it(client: TestClient) -> None:
    page = client.get("/new", params={"ipc": "10", "target": "80%"}).text
    assert asked(page)["target"] == "80%"
    assert "ipc" not in asked(page)
    refused = client.post("/new", data=filled(page) | {"target": "eighty"})
    assert re.search(r'id="fault-target"[^>]*>.*Write &#39;80%&#39;', refused.text, re.DOTALL)
