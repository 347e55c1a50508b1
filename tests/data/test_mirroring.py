"""Whether pictures may be mirrored: a function of what they show, or of somebody's word, never of a name."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from core import methods
from core.data import Catalogue, DatasetFacts, DatasetInvalid, Images
from core.data.bundle import Bundle
from core.data.digits import digits
from core.data.inspection import examine, facts_of
from core.data.known import KNOWN
from core.data.mirroring import mirroring_of, probe, verdict
from core.ids import new_id
from core.recipe import Recipe
from core.request import JobRequest, resolve
from tests.data.bundles import Arrays, place
from tests.data.drawn import arrow_left, arrow_right, bundle, cross, disc, letter_b, letter_d, square

ARROWS, LETTERS, SHAPES = (arrow_left, arrow_right), (letter_b, letter_d), (disc, cross, square)


def images(arrays: Arrays) -> Images:
    return Images(arrays["x_train"][:, None], arrays["y_train"])


def of(arrays: Arrays) -> tuple[bool, str]:
    found = probe(images(arrays), tuple(arrays["class_names"]))
    return found.allowed, found.by


@pytest.mark.parametrize("per_class", [20, 80])
@pytest.mark.parametrize("kinds", [ARROWS, LETTERS, (*SHAPES, *LETTERS)])
def test_classes_that_are_each_others_mirror_image_are_not_mirrored(kinds: tuple[object, ...], per_class: int) -> None:
    assert {of(bundle(kinds, per_class, seed)) for seed in range(2)} == {(False, "probe")}  # type: ignore[arg-type]


def test_the_reason_names_the_classes() -> None:
    found = probe(images(bundle((*SHAPES, *LETTERS), 40)), ("disc", "cross", "square", "b", "d"))
    assert "'b' and 'd'" in found.reason
    assert "with mirrored copies" in found.reason
    assert found.remark.startswith("No picture is mirrored")


def test_what_looks_alike_from_both_sides_is_mirrored() -> None:
    assert {of(bundle(SHAPES, 100, seed)) for seed in range(3)} == {(True, "probe")}


def test_brightness_alone_tells_classes_apart() -> None:
    rng, labels = np.random.default_rng(0), np.arange(100) % 2
    pixels = rng.normal(80 + 80 * labels[:, None, None, None], 30, (100, 1, 9, 7)).clip(0, 255).astype(np.uint8)
    assert probe(Images(pixels, labels), ("dark", "bright")).allowed


def test_digits_in_another_guise_are_not_mirrored() -> None:
    train = digits().train
    assert not probe(train, digits().class_names).allowed
    assert not probe(train.take(np.arange(200)), digits().class_names).allowed


def test_pictures_without_any_meaning_are_undecided() -> None:
    rng = np.random.default_rng(0)
    train = Images(rng.integers(0, 256, (200, 1, 28, 28)).astype(np.uint8), np.arange(200) % 2)
    found = probe(train, ("one", "other"))
    assert (found.allowed, found.by) == (False, "undecided")
    assert "mirror=yes" in found.remark
    assert "augment.transforms" in found.remark


@pytest.mark.parametrize("shape", [(1, 4, 4), (3, 17, 5), (1, 1, 30), (1, 30, 1), (3, 300, 200)])
def test_few_pictures_of_any_shape_are_undecided(shape: tuple[int, int, int]) -> None:
    train = Images(np.random.default_rng(0).integers(0, 256, (6, *shape)).astype(np.uint8), np.arange(6) % 2)
    assert not probe(train, ("one", "other")).allowed
    same = Images(np.zeros((6, *shape), np.uint8), np.arange(6) % 2)
    assert probe(same, ("one", "other")).by == "undecided"


def test_copies_of_a_picture_do_not_hide_what_mirroring_does() -> None:
    arrays = bundle(ARROWS, 60)
    near = np.clip(arrays["x_train"].astype(int) + np.random.default_rng(1).integers(-3, 4, (120, 28, 28)), 0, 255)
    for again in (arrays["x_train"], near.astype(np.uint8)):
        twice = Images(np.concatenate([arrays["x_train"], again])[:, None], np.tile(arrays["y_train"], 2))
        assert probe(twice, ("left", "right")).by == "probe"
        assert not probe(twice, ("left", "right")).allowed


def test_two_rare_classes_among_many_count() -> None:
    many, few = bundle(SHAPES, 200), bundle(LETTERS, 15, seed=1)
    both = Images(
        np.concatenate([many["x_train"], few["x_train"]])[:, None],
        np.concatenate([many["y_train"], few["y_train"] + 3]),
    )
    assert not probe(both, ("disc", "cross", "square", "b", "d")).allowed


def test_the_same_pictures_have_the_same_verdict_whatever_they_are_called(tmp_path: Path) -> None:
    """As bundles under famous names and others, and as uploads: one digest, one verdict, one augmentation."""
    for name, content in (("arrows", bundle(ARROWS, 30)), ("shapes", bundle(SHAPES, 100))):
        found = list[DatasetFacts]()
        for called in ("mnist", "svhn", "cifar10", "digits2", name):
            place(tmp_path / name, called, content)
            found.append(Catalogue(tmp_path / name).facts(called))
        inspected = examine(tmp_path / name / "mnist.npz", tmp_path / f"{name}.npz", None)
        found.append(facts_of(new_id("ds"), "MNIST", json.loads(json.dumps(inspected))))
        assert len({facts.digest for facts in found}) == 1
        assert {facts.mirroring.allowed for facts in found} == {name == "shapes"}
        for method in methods.names():
            made = {_views(resolve(JobRequest(dataset=facts.name, ipc=2, method=method), facts)) for facts in found}
            assert len(made) == 1, method
            assert ("flip" in made.pop()[0]) == (name == "shapes" and method not in UNAUGMENTED), method


UNAUGMENTED = {"dc"}
"""Methods that mirror nothing on any dataset."""


def _views(recipe: Recipe) -> tuple[tuple[str, ...], bool | None]:
    """Its augmentation, and whether its images are mirrored while they are recovered."""
    views = getattr(recipe.objective, "views", None)
    return recipe.augment.transforms, views.flip if views else None


def test_famous_datasets_keep_the_augmentation_that_they_had(tmp_path: Path) -> None:
    catalogue = Catalogue(tmp_path)
    signs = {name for name in KNOWN if not catalogue.facts(name).mirroring.allowed}
    assert signs == {"digits", "mnist", "svhn"}
    for name in KNOWN:
        facts = catalogue.facts(name)
        assert facts.mirroring.by == "known"
        transforms = resolve(JobRequest(dataset=name, ipc=1, method="mtt"), facts).augment.transforms
        usual = ("color", "crop", "cutout", "flip", "scale", "rotate")
        left_out = {"flip"} if name in signs else set()
        left_out |= {"color", "cutout"} if name == "digits" else set()
        assert transforms == tuple(each for each in usual if each not in left_out)


def test_digits_by_another_name_are_still_known(tmp_path: Path) -> None:
    known = digits()
    arrays: Arrays = {"class_names": np.array(known.class_names)}
    for split, part in (("train", known.train), ("test", known.test)):
        arrays |= {f"x_{split}": part.images[:, 0], f"y_{split}": part.labels}
    place(tmp_path, "scans", arrays)
    assert Catalogue(tmp_path).facts("scans").mirroring == Catalogue(tmp_path).facts("digits").mirroring


def test_somebodys_word_comes_before_the_pictures(tmp_path: Path) -> None:
    arrays = bundle(ARROWS, 12)
    place(tmp_path, "arrows", arrays | {"mirror": np.array(True)})
    catalogue = Catalogue(tmp_path)
    assert (catalogue.facts("arrows").mirroring.allowed, catalogue.facts("arrows").mirroring.by) == (True, "uploader")
    found = examine(tmp_path / "arrows.npz", tmp_path / "kept.npz", None)
    assert found["mirroring"]["allowed"], "an uploaded bundle says it, too"
    place(tmp_path, "plain", arrays)
    assert catalogue.facts("plain").digest == catalogue.facts("arrows").digest, "the word is not content"
    assert not catalogue.facts("plain").mirroring.allowed
    found = examine(tmp_path / "arrows.npz", tmp_path / "kept.npz", None, mirror=False)
    assert (found["mirroring"]["allowed"], found["mirroring"]["by"]) == (False, "uploader"), "the latest word counts"
    (tmp_path / "kept.npz").rename(tmp_path / "kept-2.npz")
    assert not catalogue.load("kept-2").facts.mirroring.allowed, "and goes with the bundle, to the workers"


@pytest.mark.parametrize("word", [np.array(1), np.array([True]), np.array("yes")])
def test_a_word_that_is_none_is_refused_with_a_fix(tmp_path: Path, word: np.ndarray) -> None:
    place(tmp_path, "arrows", bundle(ARROWS, 4) | {"mirror": word})
    with pytest.raises(DatasetInvalid, match=r"arrows.npz: mirror is .* store np.array\(True\)"):
        Catalogue(tmp_path).facts("arrows")


def test_a_verdict_is_remembered_with_the_digest_and_probed_again_for_other_pictures(tmp_path: Path) -> None:
    place(tmp_path, "mine", bundle(ARROWS, 12))
    catalogue = Catalogue(tmp_path)
    first = catalogue.load("mine").facts.mirroring
    sidecar = tmp_path / ".facts" / "mine.json"
    entry = json.loads(sidecar.read_text())
    entry["measured"]["mirroring"]["reason"] = "remembered"
    sidecar.write_text(json.dumps(entry))
    assert Catalogue(tmp_path).load("mine").facts.mirroring.reason == "remembered"
    entry["version"] = 1
    del entry["measured"]["mirroring"]
    sidecar.write_text(json.dumps(entry))
    assert Catalogue(tmp_path).facts("mine").mirroring == first, "a file from before there were verdicts"
    place(tmp_path, "mine", bundle(SHAPES, 100))
    assert Catalogue(tmp_path).load("mine").facts.mirroring.allowed


def test_the_test_split_has_no_say() -> None:
    arrays = bundle(SHAPES, 30)
    train, names = images(arrays), ("disc", "cross", "square")
    tests = [images(bundle(kinds, 30)) for kinds in (SHAPES, (arrow_left, arrow_right, disc))]
    assert len({verdict(Bundle(train, test, names)) for test in tests}) == 1


def test_uploads_from_before_there_were_verdicts_mean_what_they_meant() -> None:
    assert mirroring_of(None, (1, 28, 28)).allowed
    assert not mirroring_of(None, (1, 8, 8)).allowed
    assert mirroring_of(None, (1, 28, 28)).by == "undecided"
