"""Requests: what is refused before a job exists, and when two of them are the same."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from core import methods
from core.data import Catalogue, DatasetFacts
from core.feasibility import sourced
from core.recipe import Generated, Recipe, RecipeError
from core.request import (
    ENGINE_VERSION,
    MAX_SYNTHETIC_IMAGES,
    JobOrder,
    JobRequest,
    canonical_json,
    fingerprint,
    resolve,
    settle,
    with_digests_of,
)
from core.request.order import MOST_IPC

FACTS = Catalogue(Path("nowhere")).facts("digits")
PLAIN = {"dataset": "digits", "ipc": 1, "method": "mtt"}


def request(**fields: Any) -> JobRequest:
    return JobRequest.model_validate({"dataset": "digits", "ipc": 1, "method": "mtt", **fields})


def print_of(made: JobRequest, digest: str = "sha256:data") -> str:
    return fingerprint(made, resolve(made, FACTS), digest)


@pytest.mark.parametrize(
    ("ratio", "ipc"), [(1, FACTS.smallest_class), (0.1, 12), (0.5, 62), (0.004, 1), (0.012, 2), (1e-9, 1)]
)
def test_a_ratio_is_an_ipc_of_the_smallest_class(ratio: float, ipc: int) -> None:
    """12.5, 62.5, 0.5 and 1.5 of its 125 images: rounded, halves to even, and never none."""
    rest = {"dataset": "digits", "method": "random", "seed": 3, "overrides": {"network.width": 8}}
    by_ratio, by_ipc = (
        settle(JobOrder.model_validate(rest | size), FACTS) for size in ({"ratio": ratio}, {"ipc": ipc})
    )
    assert by_ratio == by_ipc
    assert print_of(by_ratio) == print_of(by_ipc)
    assert by_ratio == JobRequest.model_validate(rest | {"ipc": ipc})


@pytest.mark.parametrize(
    "size", [{}, {"ipc": 1, "ratio": 0.1}, {"ipc": None}, {"ratio": None}, {"ipc": 1, "ratio": None}]
)
def test_how_small_is_said_once(size: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match=r"Leave one of them out|how small|valid"):
        JobOrder.model_validate({"dataset": "digits", "method": "random", **size})


def test_no_size_is_more_than_may_be_asked_for() -> None:
    vast = replace(FACTS, smallest_class=150_000)
    rest = {"dataset": "digits", "method": "random"}
    assert settle(JobOrder.model_validate(rest | {"bytes": "900 GB"}), vast).ipc == MAX_SYNTHETIC_IMAGES // 10
    with pytest.raises(RecipeError) as refused:
        settle(JobOrder.model_validate(rest | {"ratio": 0.9}), vast)
    (error,) = refused.value.errors
    assert error.field == "ratio"
    ratio = float(error.fix.split()[-1].rstrip("."))
    assert settle(JobOrder.model_validate(rest | {"ratio": ratio}), vast).ipc == pytest.approx(MOST_IPC, rel=0.001)


AIM: dict[str, Any] = {"dataset": "digits", "method": "dm"}


@pytest.mark.parametrize(
    ("said", "document"),
    [
        ("80%", {"accuracy": 0.8}),
        ("87.5 %", {"accuracy": 0.875}),
        ("accuracy:80%", {"accuracy": 0.8}),
        ("gap:50%", {"gap": 0.5}),
        ({"accuracy": 0.8}, {"accuracy": 0.8}),
        ({"gap": 0.5}, {"gap": 0.5}),
    ],
)
def test_a_target_takes_the_place_of_the_size(said: object, document: dict[str, float]) -> None:
    made = settle(JobOrder.model_validate(AIM | {"target": said}), FACTS)
    assert made.target is not None
    assert (made.target.document, made.ipc, made.within) == (document, 10, 1200)
    dumped = made.model_dump(mode="json")
    assert dumped["target"] == document
    assert JobRequest.model_validate(dumped) == made
    elsewhere = made.model_copy(update={"ipc": 3})
    recipe = resolve(made, FACTS)
    assert fingerprint(made, recipe, "sha256:x") == fingerprint(elsewhere, recipe, "sha256:x"), "wherever it begins"
    sized = settle(JobOrder.model_validate(AIM | {"ipc": 10, "within": "20m"}), FACTS)
    assert fingerprint(made, recipe, "sha256:x") != fingerprint(sized, recipe, "sha256:x")
    assert "target" not in sized.model_dump(mode="json")


@pytest.mark.parametrize(
    "said",
    [
        {"target": "eighty"},
        {"target": "0%"},
        {"target": "100%"},
        {"target": {"accuracy": 80}},
        {"target": {"accuracy": 0.8, "gap": 0.5}},
        {"target": {}},
        {"target": None},
        {"target": "80%", "ipc": 10},
        {"target": "80%", "bytes": "20 kB"},
        {"target": "80%", "continue_from": "job_1"},
    ],
    ids=str,
)
def test_what_is_no_target_is_refused(said: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        JobOrder.model_validate(AIM | said)


def test_a_target_that_guessing_reaches_is_refused_with_one_that_it_does_not() -> None:
    made = settle(JobOrder.model_validate(AIM | {"target": "10%"}), FACTS)
    with pytest.raises(RecipeError) as refused:
        resolve(made, FACTS)
    (error,) = refused.value.errors
    assert error.fix == "Set target.accuracy to at least 0.12."
    resolve(settle(JobOrder.model_validate(AIM | {"target": {"accuracy": 0.12}}), FACTS), FACTS)


@pytest.mark.parametrize("ratio", [0, -0.1, 1.01, float("nan"), "0.1", True])
def test_a_ratio_is_a_share(ratio: object) -> None:
    with pytest.raises(ValidationError):
        JobOrder.model_validate({"dataset": "digits", "method": "random", "ratio": ratio})


@pytest.mark.parametrize("ipc", [0, -1, 1.5, "ten", True, None])
def test_ipc_is_a_positive_whole_number(ipc: object) -> None:
    with pytest.raises(ValidationError):
        request(ipc=ipc)


def test_unknown_fields_are_refused() -> None:
    with pytest.raises(ValidationError, match="metod"):
        request(metod="dm")


def test_an_empty_id_is_no_job_to_go_on_from() -> None:
    with pytest.raises(ValidationError, match="continue_from"):
        JobOrder.model_validate(PLAIN | {"continue_from": ""})


def test_ipc_may_not_exceed_the_smallest_class() -> None:
    resolve(request(ipc=FACTS.smallest_class), FACTS)
    with pytest.raises(RecipeError, match=f"at most {FACTS.smallest_class}"):
        resolve(request(ipc=FACTS.smallest_class + 1), FACTS)


def test_tiles_have_to_cut_the_image_evenly_and_to_be_filled() -> None:
    assert resolve(request(method="idc"), FACTS).parameterize.formation == 4
    with pytest.raises(RecipeError, match=r"factor to 2 or 4 or 8\."):
        resolve(request(method="idc", overrides={"parameterize.factor": 3}), FACTS)
    odd: DatasetFacts = replace(FACTS, shape=(1, 13, 8))
    with pytest.raises(RecipeError, match="'pixels'"):
        resolve(request(overrides={"parameterize.kind": "tiles"}), odd)
    with pytest.raises(RecipeError, match=f"at most {FACTS.smallest_class // 4}"):
        resolve(request(method="idc", ipc=FACTS.smallest_class // 4 + 1), FACTS)
    with pytest.raises(RecipeError, match="at most 40"):
        resolve(request(overrides={"parameterize.kind": "tiles", "objective.batch_size": 41}), FACTS)


def test_a_result_has_a_size_limit() -> None:
    many: DatasetFacts = replace(FACTS, smallest_class=10**6, classes=1000)
    with pytest.raises(RecipeError, match="Set ipc to at most 200"):
        resolve(request(ipc=201), many)


@pytest.mark.parametrize("method", methods.names())
def test_one_class_is_nothing_to_tell_apart(method: str) -> None:
    one: DatasetFacts = replace(FACTS, classes=1, class_names=("0",))
    with pytest.raises(RecipeError) as caught:
        resolve(request(method=method, ipc=4), one)
    (error,) = [each for each in caught.value.errors if each.field == "dataset"]
    assert error.fix == "Take a dataset of two classes or more."


def test_a_generator_s_source_has_to_fit_the_network_and_the_channels() -> None:
    larger: DatasetFacts = replace(FACTS, name="larger", shape=(1, 32, 32), digest="sha256:larger")
    asked = request(method="mgdd", overrides={"init.source": "other", "network.depth": 4})
    recipe = resolve(asked, larger)
    assert isinstance(sourced(recipe, larger, larger).init, Generated)
    with pytest.raises(RecipeError, match="at least 16 pixels, and those of 'digits' have 8") as caught:
        sourced(recipe, FACTS, larger)
    assert "init.source to null" in caught.value.errors[0].fix
    with pytest.raises(RecipeError, match="3 channels"):
        sourced(recipe, replace(larger, shape=(3, 32, 32)), larger)


def test_a_network_may_not_pool_the_image_away() -> None:
    with pytest.raises(RecipeError, match="at most 3"):
        resolve(request(overrides={"network.depth": 4}), FACTS)


@pytest.mark.parametrize(
    ("ipc", "changes", "fix"),
    [
        (10, {"rounds.count": 9}, "Set rounds.count to at most 8, or raise ipc."),
        (2, {"rounds.count": 2}, "Set rounds.count to at most 1, or raise ipc."),
        (1, {"rounds": {}}, "Set rounds to null, or ipc to at least 2."),
        (10, {"rounds.first": 1.0}, "Use a value of less than 1.0."),
        (10, {"rounds.first": 0.95}, "Set rounds.count to at most 1, or raise ipc."),
        (200, {}, f"Set ipc to at most {FACTS.smallest_class}."),
    ],
)
def test_rounds_need_images_to_take(ipc: int, changes: dict[str, object], fix: str) -> None:
    with pytest.raises(RecipeError) as refused:
        resolve(request(method="self-evolved", ipc=ipc, overrides=changes), FACTS)
    assert [error.fix for error in refused.value.errors] == [fix]


def test_a_student_step_may_not_exceed_the_synthetic_set() -> None:
    with pytest.raises(RecipeError, match="at most 10"):
        resolve(request(overrides={"objective.batch_size": 11}), FACTS)
    with pytest.raises(RecipeError, match=r"before its rounds of real images of 20.* at most 20"):
        resolve(request(ipc=10, overrides={"rounds": {}, "objective.batch_size": 21}), FACTS)


def test_a_share_of_few_images_may_be_none() -> None:
    changes = {"parameterize.update": 0.3, "step_size.lr": 0}
    with pytest.raises(RecipeError, match=r"Set parameterize\.update to at least 0\.334"):
        resolve(request(ipc=3, overrides=changes), FACTS)
    resolve(request(ipc=3, overrides=changes | {"parameterize.update": 0.334}), FACTS)
    resolve(request(ipc=3, overrides={"parameterize.update": 0.3}), FACTS)  # the step size still learns


@pytest.mark.parametrize(("of", "ipc", "most"), [("class", 25, 0.8), ("ipc", 100, 0.25), ("class", 125, 0)])
def test_a_window_may_not_leave_the_smallest_class(of: str, ipc: int, most: float) -> None:
    assert FACTS.smallest_class == 125

    def window(beta: float) -> None:
        resolve(request(ipc=ipc, method="window", overrides={"init.of": of, "init.beta": beta}), FACTS)

    window(most)
    with pytest.raises(RecipeError) as caught:
        window(most + 0.01)
    (error,) = caught.value.errors
    assert error.field == "overrides.init.beta"
    assert error.fix == f"Set init.beta to at most {most:g}, or lower ipc."


def test_evaluation_is_a_short_cut_to_its_overrides() -> None:
    short = resolve(request(evaluation={"seeds": 3}), FACTS)
    assert short == resolve(request(overrides={"evaluation.seeds": 3}), FACTS)
    with pytest.raises(RecipeError) as caught:
        resolve(request(evaluation={"seed": 3}), FACTS)
    assert caught.value.errors[0].field == "evaluation.seed"


def test_the_same_request_has_the_same_fingerprint() -> None:
    default = print_of(request())
    assert default == print_of(request())
    assert default == print_of(request(overrides={"objective.syn_steps": 20})), "saying the default changes nothing"
    others = [
        print_of(request(), "sha256:other"),
        print_of(request(seed=1)),
        print_of(request(ipc=2)),
        print_of(request(method="random")),
        print_of(request(overrides={"objective.syn_steps": 21})),
    ]
    assert len({default, *others}) == 6


def test_a_field_that_recipes_gained_is_no_part_of_it_until_it_changes_something() -> None:
    made = request()
    told = resolve(made, FACTS).model_dump(mode="json")
    assert told.pop("storage") == {"kind": "exact"}
    assert told.pop("share") == "equal"
    assert (told.pop("rounds"), told["schedule"].pop("blend")) == (None, None)
    assert told["evaluation"].pop("cutmix") is None
    assert told["evaluation"].pop("measure") == "accuracy"
    assert told["experts"].pop("balance") == "none"
    assert told["evaluation"]["full"].pop("balance") == "none"
    before = {"dataset": "sha256:data", "engine": ENGINE_VERSION, "ipc": 1, "method": "mtt", "recipe": told, "seed": 0}
    assert print_of(made) == "sha256:" + hashlib.sha256(canonical_json(before).encode()).hexdigest()
    assert print_of(request(evaluation={"cutmix": {}})) != print_of(made)
    generated = request(method="mgdd", overrides={"init.given": "images"})
    told = resolve(generated, FACTS).model_dump(mode="json")
    assert told.pop("storage") == {"kind": "exact"}
    assert told.pop("share") == "equal"
    assert (told.pop("rounds"), told["schedule"].pop("blend")) == (None, None)
    assert (told["evaluation"].pop("cutmix"), told["init"].pop("given")) == (None, "images")
    assert (told["evaluation"].pop("measure"), told["labels"].pop("balance")) == ("accuracy", "none")
    assert told["evaluation"]["full"].pop("balance") == "none"
    before |= {"method": "mgdd", "recipe": told}
    assert print_of(generated) == "sha256:" + hashlib.sha256(canonical_json(before).encode()).hexdigest()
    assert print_of(request(method="mgdd")) != print_of(generated), "it begins with means"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@given(st.dictionaries(st.text(), JSON))
def test_canonical_json_does_not_depend_on_order(value: dict[str, Any]) -> None:
    backwards = dict(reversed(list(value.items())))
    assert canonical_json(value) == canonical_json(backwards)


def test_a_time_is_part_of_what_is_asked_and_its_absence_of_nothing() -> None:
    plain, soon = (settle(JobOrder.model_validate(PLAIN | time), FACTS) for time in ({}, {"within": "20m"}))
    assert plain.model_dump(mode="json") == request().model_dump(mode="json")
    assert "within" not in plain.model_dump(mode="json")
    assert soon.model_dump(mode="json") == plain.model_dump(mode="json") | {"within": 1200}
    assert soon == settle(JobOrder.model_validate(PLAIN | {"within": "1200 S"}), FACTS)
    assert len({print_of(plain), print_of(soon), print_of(soon.model_copy(update={"within": 1201}))}) == 3


@pytest.mark.parametrize("time", ["", "20", "m", "1.5h", "-3m", "0s", "721h", "twenty minutes", 1200, None])
def test_a_time_has_a_number_and_a_unit(time: object) -> None:
    with pytest.raises(ValidationError):
        JobOrder.model_validate(PLAIN | {"within": time})


def test_fields_that_are_asked_for_are_fixed() -> None:
    made = request(overrides={"experts.count": 3, "network": {"width": 16}}, evaluation={"seeds": 2})
    assert made.fixed == {"experts.count", "network", "evaluation.seeds"}


def test_digests_that_were_filled_in_go_with_the_recipe_as_it_was_asked_for() -> None:
    for overrides, path in (
        ({"init.kind": "window", "init.score.kind": "c_score"}, ("score", "digest")),
        ({"init.kind": "generated", "init.source": "mnist"}, ("digest",)),
    ):
        asked = resolve(request(method="random", overrides=overrides), FACTS)
        document = asked.model_dump(mode="json")
        node = document["init"]
        for name in path[:-1]:
            node = node[name]
        node[path[-1]] = "sha256:there"
        filled = Recipe.model_validate(document)
        assert with_digests_of(filled, asked) == filled != asked


def test_a_search_takes_twenty_minutes_unless_it_is_told_and_only_what_candidates_share() -> None:
    facts = Catalogue(Path("nowhere")).facts("digits")
    assert settle(JobOrder(dataset="digits", ipc=1), facts).within == 20 * 60
    assert settle(JobOrder(dataset="digits", ipc=1, within="90s"), facts).within == 90
    assert settle(JobOrder(dataset="digits", ipc=1, method="mtt"), facts).within == 0
    shared = resolve(JobRequest(dataset="digits", ipc=1, overrides={"network.width": 8}), facts)
    assert shared.network.model_dump()["width"] == 8
    with pytest.raises(RecipeError) as refused:
        resolve(JobRequest(dataset="digits", ipc=1, overrides={"schedule.steps": 8, "network.width": 8}), facts)
    assert [error.field for error in refused.value.errors] == ["overrides.schedule.steps"]
    assert "name a method" in refused.value.errors[0].fix


def test_soft_labels_are_what_a_search_may_choose_and_another_request() -> None:
    hard, said, soft = (
        settle(JobOrder.model_validate({"dataset": "digits", "ipc": 1} | labels), FACTS)
        for labels in ({}, {"labels": "hard"}, {"labels": "soft"})
    )
    assert hard == said
    assert "labels" not in hard.model_dump(mode="json"), "older requests have no such field"
    assert soft.model_dump(mode="json") == hard.model_dump(mode="json") | {"labels": "soft"}
    assert print_of(hard) != print_of(soft)


def test_a_named_method_has_labels_of_its_own() -> None:
    with pytest.raises(ValidationError, match=r"'mtt' has labels of its own.*set method to 'auto'"):
        JobOrder.model_validate(PLAIN | {"labels": "soft"})
