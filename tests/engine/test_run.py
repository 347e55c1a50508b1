"""A whole job as a function call: `core.engine.run.distil`, without service, ledger or files."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, get_args

import pytest
import torch
from safetensors.torch import save_file

from core.data import Catalogue, Dataset, DatasetFacts
from core.engine.continued import Continued, images, read
from core.engine.distill import Diverged
from core.engine.journal import Journal
from core.engine.meta_generator import Training
from core.engine.report import Distillation, compose
from core.engine.run import RUNNERS, distil, meta_train
from core.engine.two_layer import run as two_layer
from core.engine.workspace import Drained, InMemory
from core.methods import Task, method
from core.overrides import override
from core.plan.cost import COSTS
from core.plan.steps import Step
from core.recipe import Generated, RecipeError
from core.report import Report
from core.report.doubts import UNCOVERED
from tests.engine.conftest import small


def test_ten_lines_distil_digits_and_write_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    dataset = Catalogue(tmp_path).load("digits")
    facts = dataset.facts
    recipe = method("dm").recipe(Task("digits", 1, facts.shape, facts.classes, facts.mirroring.allowed))
    recipe = override(recipe, {"schedule.steps": 3, "evaluation.seeds": 1, "evaluation.epochs": 2, "network.width": 4})
    recipe = override(recipe, {"evaluation.full": None})
    done = distil(recipe, dataset, ipc=1, seed=0)
    assert done.result.images.shape == (10, *facts.shape)
    assert [line["name"] for line in done.rows] == ["distilled", "distilled_8bit", "random"]
    assert torch.equal(done.result.images, distil(recipe, dataset, ipc=1, seed=0).result.images)
    assert not torch.equal(done.result.images, distil(recipe, dataset, ipc=1, seed=1).result.images)
    assert not any(tmp_path.iterdir())


def test_each_kind_of_step_has_one_cost_and_one_runner() -> None:
    kinds = set(get_args(Step))
    assert not RUNNERS.keys() & two_layer.RUNNERS.keys(), "a job is of pictures or of a formula"
    for table in (COSTS, {**RUNNERS, **two_layer.RUNNERS}):
        assert set(table) == kinds
        assert len(set(table.values())) == len(table), "none does for two"


def said(workspace: InMemory, messages: list[dict[str, Any]], toy: Dataset) -> torch.Tensor:
    messages.clear()
    return distil(small("mtt"), toy, 2, 0, workspace).result.images


def test_what_a_workspace_kept_is_found_again(toy: Dataset) -> None:
    messages: list[dict[str, Any]] = []
    workspace = InMemory(Journal(messages.append))
    first = said(workspace, messages, toy)
    assert "0 of 2 expert trajectories were in the cache." in [message.get("message") for message in messages]
    workspace.checkpoints.clear()
    assert torch.equal(said(workspace, messages, toy), first)
    assert "2 of 2 expert trajectories were in the cache." in [message.get("message") for message in messages]
    assert {"training_experts", "distilling", "evaluating"} <= set(workspace.journal.seconds)


def test_results_that_a_power_cut_emptied_are_made_anew(toy: Dataset) -> None:
    """A cache does not wait for the disk: a file may have its name and its length, and nothing in it."""
    workspace = InMemory()
    first = distil(small("mtt"), toy, 2, 0, workspace)
    kept = dict(workspace.results)
    workspace.checkpoints.clear()
    workspace.results.update({name: bytes(len(content)) for name, content in kept.items()})
    again = distil(small("mtt"), toy, 2, 0, workspace)
    assert torch.equal(again.result.images, first.result.images)
    assert [line["accuracies"] for line in again.rows] == [line["accuracies"] for line in first.rows]
    assert workspace.results.keys() == kept.keys()


@pytest.mark.parametrize("method", ["mtt", "seqmatch", "window"])
def test_what_a_finished_loop_was_made_from_is_not_made_again(method: str, toy: Dataset) -> None:
    """Where everything that it shared with other jobs was evicted since."""
    workspace = InMemory()
    first = distil(small(method), toy, 2, 0, workspace)
    made = set(workspace.results)
    workspace.results.clear()
    again = distil(small(method), toy, 2, 0, workspace)
    assert torch.equal(again.result.images, first.result.images)
    assert again.selection == first.selection
    # real images that are chosen have no state of a loop: what chose them is asked again
    assert bool(workspace.results) == (method == "window")
    assert set(workspace.results) < made


class Evicted(dict[str, bytes]):
    """Results of which each is gone once it was looked at: other engines make room in the same cache."""

    def get(self, name: str, default: Any = None) -> Any:
        """The last look at it."""
        return self.pop(name, default)


def test_experts_of_a_later_stage_that_are_evicted_begin_again_where_they_began(toy: Dataset) -> None:
    workspace = InMemory()
    first = distil(small("seqmatch"), toy, 2, 0, workspace)
    again = distil(small("seqmatch"), toy, 2, 0, InMemory(results=Evicted(workspace.results)))
    assert torch.equal(again.result.images, first.result.images)


def test_no_generator_goes_on_from_the_training_of_another(toy: Dataset) -> None:
    def stop(_: Training) -> None:
        raise Drained

    recipe, workspace, alone = small("mgdd"), InMemory(), InMemory()
    choice = recipe.init
    assert isinstance(choice, Generated)
    with pytest.raises(Drained):
        meta_train(recipe, choice, toy, workspace, stop)
    other = choice.model_copy(update={"lr": choice.lr / 2})
    for each in (workspace, alone):
        meta_train(recipe, other, toy, each, lambda _: None)
    assert workspace.results == alone.results


@pytest.mark.parametrize("stop_after", [1, 20, 35])
def test_a_run_that_was_stopped_goes_on_to_the_same_result(stop_after: int, toy: Dataset) -> None:
    asked = 0

    def stop() -> bool:
        nonlocal asked
        asked += 1
        return asked == stop_after

    workspace = InMemory(should_stop=stop)
    with pytest.raises(Drained):
        distil(small("mtt"), toy, 2, 0, workspace)
    again = distil(small("mtt"), toy, 2, 0, workspace)
    assert torch.equal(again.result.images, distil(small("mtt"), toy, 2, 0).result.images)


def after(asked: int) -> Callable[[], float]:
    """A time that is up once it was asked for so often."""
    left = iter(range(asked, -1, -1))
    return lambda: next(left, 0)


@pytest.mark.parametrize("method", ["mtt", "frepo", "seqmatch", "datm", "sre2l"])
@pytest.mark.parametrize("moments", [0, 3])
def test_a_job_without_time_ends_with_what_it_has_and_says_so(method: str, moments: int, toy: Dataset) -> None:
    recipe = small(method, evaluation__coverage={"epochs": 2})
    left = after(moments)
    done = distil(recipe, toy, 2, 0, InMemory(time_left=left, grace=left, ending=lambda: "Somebody was in a hurry."))
    steps = recipe.schedule.total_steps
    assert done.ended is not None
    assert done.ended.step < steps
    assert done.ended.left_out == (
        "the reference on the full training set",
        "the coverage of the test images",
        *(() if done.result.real.all() else ("the nearest real images",)),
    )
    assert {"distilled", "distilled_8bit", "random"} <= {line["name"] for line in done.rows}
    report = compose(done, "cpu")
    assert [section.title for section in report.sections()][1] == "Ended early"
    assert f"outer step {done.ended.step} of {steps}. Somebody was in a hurry." in " ".join(done.ended.words)
    assert "No reference on the full training set was trained (the job was ended early)." in report.warnings
    assert done.ended.step >= (1 if recipe.init.is_noise else 0)


@pytest.mark.parametrize("moments", [0, 20])
def test_a_search_without_time_takes_of_what_it_has_tried(moments: int, toy: Dataset) -> None:
    recipe = small("mtt", schedule__image_lr="auto")
    done = distil(recipe, toy, 2, 0, InMemory(time_left=after(moments)))
    assert done.ended is not None
    (choice,) = done.context.choices
    assert done.context.recipe.schedule.image_lr == choice.chosen
    assert ("no time to try any" in choice.why) is (moments == 0)
    assert bool(choice.candidates) is (moments > 0)
    assert compose(done, "cpu").sections()


def test_a_job_that_ended_early_does_not_go_on_when_its_attempt_is_repeated(toy: Dataset) -> None:
    recipe = small("dm", evaluation__look_every=1, evaluation__select="best_validation")
    workspace = InMemory(time_left=after(9))
    first = distil(recipe, toy, 2, 0, workspace)
    assert first.ended is not None
    assert 0 < first.ended.step < recipe.schedule.total_steps
    again = distil(recipe, toy, 2, 0, replace(workspace, time_left=lambda: math.inf, results={}))
    assert torch.equal(again.result.images, first.result.images)
    assert again.selection == first.selection
    assert again.ended is not None
    assert (again.ended.step, again.ended.left_out) == (first.ended.step, ())


UNSTEADY: Final = {"network": {"kind": "convnet", "norm": "none"}}
"""No norm holds what such a network puts out within bounds: at the largest rate it soon puts out no numbers."""


@pytest.mark.parametrize(
    ("method", "part", "changes"),
    [
        ("mtt", "experts", {}),
        ("forgetting", "init.score", {"init__score__epochs": 4}),
        ("el2n", "init.score", {"init__score__epochs": 4}),
        ("self-evolved", "rounds.score", {"rounds__score__epochs": 4}),
        ("k-means", "init.embedding", {"init__embedding__epochs": 4}),
    ],
)
def test_what_learns_from_real_data_and_diverges_is_named_and_not_kept(
    method: str, part: str, changes: dict[str, Any], toy: Dataset
) -> None:
    path = part.replace(".", "__")
    recipe = small(method, **UNSTEADY | changes | {f"{path}__lr": 10.0, f"{path}__batch_size": 16})
    workspace = InMemory()
    with pytest.raises(Diverged, match=rf"Lower {re.escape(part)}\.lr by a factor of ten"):
        distil(recipe, toy, 5, 0, workspace)
    assert not workspace.results


def test_no_step_size_is_published_that_is_none(toy: Dataset) -> None:
    done = distil(small("mtt", step_size__lr=1.0, schedule__steps=1), toy, 2, 0)
    assert done.result.step_size == pytest.approx(done.context.recipe.step_size.initial)
    assert done.selection == "last iterate, as it was before its last move"


def test_a_report_without_coverage_whose_network_diverged_says_so_and_can_be_read(toy: Dataset) -> None:
    done = distil(small("dm", **UNSTEADY, evaluation__coverage={"epochs": 4, "lr": 10.0, "batch_size": 16}), toy, 2, 0)
    report = compose(done, "cpu")
    assert done.ended is None
    assert UNCOVERED in report.warnings
    assert Report.model_validate_json(report.model_dump_json()) == report


def test_experts_that_there_was_time_for_are_matched(toy: Dataset) -> None:
    messages: list[dict[str, Any]] = []
    workspace, recipe = InMemory(Journal(messages.append)), small("mtt", experts__count=3)
    others = InMemory()
    distil(recipe, toy, 2, 0, others)

    def left() -> float:  # none while experts are trained, as soon as there is one
        return 0.0 if workspace.journal.phase == "training_experts" and workspace.results else math.inf

    one = next(name for name in others.results if name.endswith(".safetensors"))
    workspace.results[one] = others.results[one]
    done = distil(recipe, toy, 2, 0, replace(workspace, time_left=left))
    assert done.ended is None
    assert {name for name in workspace.results if name.endswith(".safetensors")} == {one}
    told = [message["message"] for message in messages if message["type"] == "log" and message["level"] == "warning"]
    assert "There was time for 1 of 3 expert trajectories." in told


@pytest.mark.parametrize(("grace", "step"), [(1.0, None), (0.0, 0)])
def test_an_expert_is_made_while_distilling_can_still_follow(grace: float, step: int | None, toy: Dataset) -> None:
    workspace = InMemory(grace=lambda: grace)

    def left() -> float:  # too little for half of the distilling
        return 0.0 if workspace.journal.phase == "training_experts" else math.inf

    done = distil(small("mtt", experts__count=2), toy, 2, 0, replace(workspace, time_left=left))
    assert (done.ended.step if done.ended else None) == step


def test_a_result_is_judged_by_as_many_networks_as_there_is_time_for(toy: Dataset) -> None:
    recipe = small("random", evaluation__seeds=4)
    done = distil(recipe, toy, 2, 0, InMemory(networks=lambda asked: min(asked, 2)))
    assert {line["name"]: line["n_seeds"] for line in done.rows}.items() >= {"distilled": 2, "random": 2}.items()
    report = compose(done, "cpu")
    assert report.n_seeds == 2
    told = "Each line was judged by 2 networks of the 4 asked for: there was no time for more."
    assert told in report.warnings
    whole = compose(distil(recipe, toy, 2, 0), "cpu")
    assert not any("asked for" in warning for warning in whole.warnings)


def test_architectures_that_two_attempts_judged_by_different_numbers_of_networks_are_reported(toy: Dataset) -> None:
    across = [{"kind": "mlp", "width": 8}, {"kind": "mlp", "width": 16}]
    recipe, checkpoints = small("random", evaluation__seeds=4, evaluation__across=across), dict[str, bytes]()

    def judged() -> bool:
        return any("random" in lines for lines in json.loads(checkpoints.get("across.json", b"{}")).values())

    with pytest.raises(Drained):
        distil(recipe, toy, 2, 0, InMemory(checkpoints=checkpoints, should_stop=judged))
    done = distil(recipe, toy, 2, 0, InMemory(checkpoints=checkpoints, networks=lambda asked: min(asked, 2)))
    assert [lines["distilled"]["n_seeds"] for lines in done.across] == [4, 2]
    found = compose(done, "cpu").across
    assert found is not None
    assert found.mean["distilled"].n_seeds == 2
    first = [lines["distilled"]["accuracies"][:2] for lines in done.across]
    assert found.mean["distilled"].accuracy_mean == pytest.approx(sum(map(sum, first)) / 4)


@pytest.mark.parametrize(("method", "equal"), [("random", True), ("dm", False)])
def test_images_that_rounding_leaves_as_they_are_are_judged_once(method: str, equal: bool, toy: Dataset) -> None:
    messages: list[dict[str, Any]] = []
    lines = {line["name"]: line for line in distil(small(method), toy, 2, 0, InMemory(Journal(messages.append))).rows}
    exact, rounded = lines["distilled"], lines["distilled_8bit"]
    assert (rounded["seconds"] == 0) is equal
    assert exact["seconds"] > 0
    if equal:
        shared = exact.keys() - {"name", "seconds", "confusion"}
        assert {field: exact[field] for field in shared} == {field: rounded[field] for field in shared}


def test_the_reference_that_another_job_kept_is_no_matter_of_time(toy: Dataset) -> None:
    workspace = InMemory()
    distil(small("random"), toy, 2, 0, workspace)
    done = distil(small("random"), toy, 2, 1, replace(workspace, checkpoints={}, time_left=lambda: 0))
    assert "full" in [line["name"] for line in done.rows]
    assert done.ended is None, "it has all that it was to have"


def kept_of(done: Distillation, facts: DatasetFacts, path: Path) -> Continued:
    """The part of a result that a later job reads, from the file that its artifact has."""
    result = done.result
    tensors = {"images": result.images, "labels": result.labels}
    if result.step_size is not None:
        tensors["step_size"] = torch.tensor(result.step_size, dtype=torch.float64)
    about = {"dataset_digest": facts.digest, "recipe": done.context.recipe.model_dump(mode="json")}
    if result.soft_labels is not None:
        tensors["soft_labels"] = result.soft_labels
    save_file(tensors, path, {"stillhouse": json.dumps(about)})
    return read(path, facts, torch.device("cpu"))


@pytest.mark.parametrize("ipc", [2, 3])
def test_a_job_goes_on_from_the_images_of_another(ipc: int, toy: Dataset, tmp_path: Path) -> None:
    first = distil(small("datm"), toy, 2, 0)
    given = kept_of(first, toy.facts, tmp_path / "dataset.safetensors")
    begun = distil(small("datm"), toy, ipc, 1, InMemory(time_left=lambda: 0), run="goes on", continues=given).result
    images = begun.images.unflatten(0, (2, ipc))
    assert torch.equal(images[:, :2].flatten(0, 1), first.result.images)
    assert begun.soft_labels is not None
    assert first.result.soft_labels is not None
    labels = begun.soft_labels.unflatten(0, (2, ipc))[:, :2].flatten(0, 1)
    torch.testing.assert_close(labels, first.result.soft_labels)
    assert begun.step_size == pytest.approx(first.result.step_size)
    if ipc > 2:
        own = distil(small("datm"), toy, ipc, 1, InMemory(time_left=lambda: 0)).result.images.unflatten(0, (2, ipc))
        assert torch.equal(images[:, 2:], own[:, 2:]), "the further ones are those of its own init"
    further = distil(small("datm"), toy, ipc, 1, InMemory(), run="goes on", continues=given)
    assert not torch.equal(further.result.images, begun.images)


def test_a_larger_set_in_proportion_begins_with_the_images_of_each_class() -> None:
    labels = torch.tensor([0, 0, 1])
    given = Continued(torch.tensor([1.0, 2.0, 3.0]).reshape(3, 1, 1, 1), labels, None, None, None, labels.bool())
    begun = images(given, (4, 2), lambda: torch.zeros(6, 1, 1, 1)).flatten().tolist()
    assert begun == [1, 2, 0, 0, 3, 0]


@pytest.mark.parametrize("name", ["dm", "random"])
def test_the_images_of_another_are_given_other_labels(name: str, toy: Dataset, tmp_path: Path) -> None:
    first = distil(small(name), toy, 2, 0)
    given = kept_of(first, toy.facts, tmp_path / "dataset.safetensors")
    taught = {"teacher": {"epochs": 30}, "relabel.kind": "soft", "init.kind": "herding"}
    done = distil(override(small("random"), taught), toy, 2, 1, InMemory(), run="other labels", continues=given)
    assert torch.equal(done.result.images, first.result.images), "nothing chooses others"
    assert done.result.soft_labels is not None
    assert done.result.real.tolist() == [name == "random"] * 4, "images are what they were"
    assert done.selection == "result of the job that it goes on from"


def test_no_job_goes_on_from_images_of_other_data(toy: Dataset, tmp_path: Path) -> None:
    done, path = distil(small("mtt"), toy, 2, 0), tmp_path / "dataset.safetensors"
    kept_of(done, toy.facts, path)
    with pytest.raises(RecipeError, match="images of other data"):
        read(path, replace(toy.facts, digest="sha256:another"), torch.device("cpu"))
