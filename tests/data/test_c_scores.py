"""C-scores: read beside a dataset, aligned with what may be distilled, and refused with the fix where they are not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from core.data import Catalogue, DatasetInvalid
from core.data.digits import digits
from core.data.split import validation_of
from tests.data.bundles import Arrays, place

LABELS = digits().train.labels
SCORES = np.linspace(0, 1, len(LABELS))


def given(data_dir: Path, **changes: object) -> Path:
    """Scores for `digits`, with changes, where they are looked for."""
    arrays: Arrays = {name: np.asarray(a) for name, a in ({"scores": SCORES, "labels": LABELS} | changes).items()}
    return place(data_dir / "scores", "digits", arrays)


def test_scores_are_those_of_the_images_that_may_be_distilled(tmp_path: Path) -> None:
    given(tmp_path, scores=SCORES.astype(np.float32), labels=LABELS.astype(np.uint8), note="published")
    dataset = Catalogue(tmp_path).load("digits", scored=True)
    assert dataset.c_scores is not None
    source = {image.tobytes(): score for image, score in zip(digits().train.images, SCORES, strict=True)}
    expected = [source[image.tobytes()] for image in dataset.train.images]
    assert dataset.c_scores == pytest.approx(expected, abs=1e-7)
    assert len(dataset.c_scores) == (~validation_of(digits().train)).sum()
    assert Catalogue(tmp_path).load("digits").c_scores is None, "read only where they are asked for"
    assert Catalogue(tmp_path).names().count("digits") == 1, "and no dataset of their own"


def test_the_digest_is_of_the_values(tmp_path: Path) -> None:
    catalogue = Catalogue(tmp_path)
    given(tmp_path, labels=LABELS.astype(np.uint8))
    first = catalogue.c_scores("digits").digest
    given(tmp_path)
    assert catalogue.c_scores("digits").digest == first
    given(tmp_path, scores=SCORES**2)
    assert catalogue.c_scores("digits").digest != first


@pytest.mark.parametrize(
    ("changes", "fault", "fix"),
    [
        ({"scores": SCORES[:-1]}, "shape (1437,) but the dataset 1,438", "one value for each image of x_train"),
        ({"scores": SCORES[:, None]}, "shape (1438, 1)", "of shape (1438,)"),
        ({"labels": LABELS[1:]}, "labels has shape (1437,)", "one value for each image"),
        ({"scores": (100 * SCORES).astype(int)}, "scores is int64", "scores.astype(np.float64)"),
        ({"labels": LABELS.astype(float)}, "labels is float64", "labels.astype(np.int64)"),
        ({"scores": 100 * SCORES}, "from 0 to 100", "from 0 (hard) to 1 (easy)"),
        ({"scores": SCORES - 1}, "from -1 to 0", "from 0 (hard) to 1 (easy)"),
        ({"scores": np.where(SCORES > 0.99, np.nan, SCORES)}, "no finite numbers", "give every image a score"),
        ({"scores": np.full(len(LABELS), 0.5)}, "0.5 everywhere", "rank nothing"),
    ],
)
def test_broken_scores_are_refused_before_anything_is_loaded(
    tmp_path: Path, changes: dict[str, object], fault: str, fix: str
) -> None:
    given(tmp_path, **changes)
    with pytest.raises(DatasetInvalid) as refusal:
        Catalogue(tmp_path).c_scores("digits")
    text = str(refusal.value)
    assert text.startswith("digits.npz: "), text
    assert fault in text, text
    assert fix in text, text


@pytest.mark.parametrize(
    ("labels", "fault", "fix"),
    [
        (LABELS[::-1], f"the first at image 0 ({LABELS[-1]} instead of {LABELS[0]})", "into the order of x_train"),
        (LABELS + 1, "1,438 of 1,438 labels are not those of y_train", "number the classes as y_train does"),
    ],
)
def test_scores_in_another_order_are_refused(tmp_path: Path, labels: object, fault: str, fix: str) -> None:
    given(tmp_path, labels=labels)
    with pytest.raises(DatasetInvalid) as refusal:
        Catalogue(tmp_path).load("digits", scored=True)
    assert fault in str(refusal.value)
    assert fix in str(refusal.value)


def test_scores_that_are_not_there_say_where_to_put_them(tmp_path: Path) -> None:
    place(tmp_path / "scores", "digits", {"scores": SCORES})
    with pytest.raises(DatasetInvalid, match="no array labels, only scores; C-scores are an npz file"):
        Catalogue(tmp_path).c_scores("digits")
    with pytest.raises(DatasetInvalid, match=r"no C-scores for 'mnist'; put them at .*scores/mnist\.npz: an npz file"):
        Catalogue(tmp_path).c_scores("mnist")
