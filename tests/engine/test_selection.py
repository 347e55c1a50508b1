"""The images chosen of a class, and their order."""

from __future__ import annotations

from itertools import combinations

import pytest
import torch

from core.engine import init, selection
from core.engine.keys import Key
from core.engine.real import Real
from core.recipe import Herding, KCenter, KMeans, Ranked, Window
from core.recipe.share import equal


@pytest.mark.parametrize(
    ("wanted", "ranks"),
    [
        (Ranked(), [0, 3]),
        (Window(beta=0.0), [0, 3]),
        (Window(beta=0.5), [50, 53]),
        (Window(beta=0.29), [29, 32]),  # 0.29 * 100 is a little less than 29
        (Window(beta=0.97), [97, 100]),
        (Window(beta=0.5, of="ipc"), [1, 4]),
        (Window(beta=0.99, of="ipc"), [2, 5]),
    ],
)
def test_a_window_skips_the_hardest_and_begins_with_its_easiest(
    real: Real, wanted: Ranked | Window, ranks: list[int]
) -> None:
    """A hundred images of each class; difficulties are distinct, so that the key has nothing to say."""
    classes = tuple(members[:100] for members in real.members)
    hundred = Real(**{**vars(real), "members": classes})
    difficulty = Key(0).uniform(len(real.train))
    found = init.images(wanted, hundred, equal(3, hundred.classes), Key(1), lambda index: difficulty[index])
    for c, members in enumerate(classes):
        hard_to_easy = members[difficulty[members].argsort(descending=True)]
        expected = hard_to_easy[slice(*ranks)].flip(0)
        assert torch.equal(found[3 * c : 3 * c + 3], real.train.take(expected))


def test_images_equally_hard_are_drawn_by_the_key() -> None:
    counts = torch.tensor([0.0, 0.0, 2.0, 0.0, 1.0, 0.0])
    draws = {tuple(selection.window(counts, 1, 3, Key(seed)).tolist()) for seed in range(20)}
    assert {draw[-1] for draw in draws} == {4}, "the second hardest lies last"
    assert len({draw[0] for draw in draws}) == 4
    assert torch.equal(selection.window(counts, 1, 3, Key(7)), selection.window(counts, 1, 3, Key(7)))


def drawn(difficulty: torch.Tensor, ease: torch.Tensor, ipc: int, seed: int) -> list[int]:
    chosen = selection.beta_draw(difficulty, ease, ipc, 15.0, 5.5, Key(seed)).tolist()
    assert len(set(chosen)) == ipc
    assert [ease[i] for i in chosen] == sorted((ease[i] for i in chosen), reverse=True)
    return list(chosen)


def test_the_fewer_images_are_drawn_the_easier_they_are() -> None:
    """Images of equal score and an ease of 0 to 1; those that say where the density lies are of middling ease."""
    ease = torch.linspace(0, 1, 2001)
    difficulty = torch.where((ease - 0.4).abs() < 0.003, 1.01, 1.0)
    means = [ease[drawn(difficulty, ease, ipc, 0)].mean().item() for ipc in (20, 200, 600, 2001)]
    assert means == sorted(means, reverse=True)
    assert means[0] > 0.9
    assert means[-1] == pytest.approx(0.5)


def test_images_are_drawn_in_proportion_to_score_and_density() -> None:
    """One of four, a thousand times, against the density as another library has it."""
    difficulty, ease = torch.tensor([0.1, 0.2, 0.1, 0.3]), torch.tensor([0.9, 0.7, 0.8, 0.6])
    b = 15 * (1 - ease.double().mean()) * (1 - 0.75**5.5)
    density = torch.distributions.Beta(16 - b, b).log_prob(ease.double()).exp()
    expected = difficulty * density / (difficulty * density).sum()
    counts = torch.zeros(4)
    for seed in range(1000):
        counts[drawn(difficulty, ease, 1, seed)] += 1
    assert counts.div(1000).tolist() == pytest.approx(expected.tolist(), abs=0.05)


def test_images_without_any_score_are_drawn_last() -> None:
    difficulty, ease = torch.tensor([0.0, 0.1, 0.0, 0.2, 0.3]), torch.tensor([1.0, 0.5, 0.0, 0.6, 0.7])
    for seed in range(5):
        assert set(drawn(difficulty, ease, 3, seed)) == {1, 3, 4}
        assert set(drawn(difficulty, ease, 5, seed)) == set(range(5))


def cloud(n: int, seed: int = 0, d: int = 5) -> torch.Tensor:
    return Key(seed).fold("cloud").normal(n, d)


def test_herding_adds_what_brings_the_mean_nearest() -> None:
    """Against means of all sets that differ in the image added last, in double precision."""
    features = cloud(30)
    chosen = selection.herding(features, 8).tolist()
    exact, mean = features.double(), features.double().mean(0)
    for k in range(8):
        gaps = {x: (exact[[*chosen[:k], x]].mean(0) - mean).norm().item() for x in range(30) if x not in chosen[:k]}
        assert gaps[chosen[k]] == pytest.approx(min(gaps.values()))


def test_herded_means_come_nearer_than_random_ones() -> None:
    features = cloud(400)
    gap = features[selection.herding(features, 20)].mean(0).sub(features.mean(0)).norm()
    random = [features[Key(s).permutation(400)[:20]].mean(0).sub(features.mean(0)).norm() for s in range(20)]
    assert gap < min(random) / 2


def radius(features: torch.Tensor, chosen: list[int]) -> float:
    return float(torch.cdist(features, features[chosen]).amin(1).max())


@pytest.mark.parametrize("seed", range(5))
def test_k_centers_are_the_farthest_and_at_most_twice_as_far_as_the_best(seed: int) -> None:
    features = cloud(12, seed, d=2)
    chosen = selection.k_center(features, 4, Key(seed)).tolist()
    for k in range(1, 4):
        nearest = torch.cdist(features, features[chosen[:k]]).amin(1)
        assert nearest[chosen[k]] == pytest.approx(float(nearest.max()), abs=1e-3)
    best = min(radius(features, list(some)) for some in combinations(range(12), 4))
    assert radius(features, chosen) <= 2 * best + 1e-4


def objective(features: torch.Tensor, centers: torch.Tensor) -> float:
    return float(torch.cdist(features, centers).amin(1).square().sum())


def test_lloyd_improves_on_its_start_and_on_random_images(monkeypatch: pytest.MonkeyPatch) -> None:
    """Five clusters; in parts as at once."""
    features = torch.cat([cloud(40, c) + 8 * cloud(1, 10 + c) for c in range(5)])
    path = [objective(features, selection.centroids(features, 7, n, Key(0))) for n in range(6)]
    assert path == sorted(path, reverse=True)
    assert path[-1] < path[0]
    random = [objective(features, features[Key(seed).permutation(200)[:7]]) for seed in range(20)]
    assert path[-1] < min(random)
    whole = selection.centroids(features, 7, 5, Key(0))
    monkeypatch.setattr(selection, "_ROOM", 7 * 16)
    assert torch.allclose(selection.centroids(features, 7, 5, Key(0)), whole, atol=1e-5)


def test_k_means_takes_the_image_nearest_to_each_centroid() -> None:
    features = cloud(60)
    centers = selection.centroids(features, 6, 30, Key(3))
    assert selection.k_means(features, 6, 30, Key(3)).tolist() == torch.cdist(centers, features).argmin(1).tolist()


@pytest.mark.parametrize("spread", [0.0, 1.0])
def test_no_image_is_taken_twice(spread: float) -> None:
    """Not even of a class whose images are all equal, or that is taken whole."""
    features = 1 + spread * cloud(9)
    for chosen in (
        selection.herding(features, 9),
        selection.k_center(features, 9, Key(0)),
        selection.k_means(features, 9, 5, Key(0)),
    ):
        assert sorted(chosen.tolist()) == list(range(9))


@pytest.mark.parametrize("wanted", [Herding(), KCenter(), KMeans()])
def test_images_are_compared_within_their_class(real: Real, wanted: Herding | KCenter | KMeans) -> None:
    asked: list[torch.Tensor] = []

    def learned(index: torch.Tensor) -> torch.Tensor:
        asked.append(index)
        return real.train.take(index).flatten(1)

    found = init.images(wanted, real, equal(3, real.classes), Key(0), learned)
    assert all(torch.equal(index, members) for index, members in zip(asked, real.members, strict=True))
    for image, members in zip(found, (m for m in real.members for _ in range(3)), strict=True):
        assert (real.train.take(members) == image).flatten(1).all(1).any()
