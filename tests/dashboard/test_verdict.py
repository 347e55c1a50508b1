"""Intervals and confusions."""

from __future__ import annotations

from api.dashboard import verdict


def test_the_commonest_mistakes_come_first() -> None:
    found = verdict.mistakes(["cat", "dog", "ship"], [[8, 2, 0], [5, 5, 0], [0, 1, 9]])
    assert [(each.true, each.taken, each.share) for each in found] == [
        ("dog", "cat", 0.5),
        ("cat", "dog", 0.2),
        ("ship", "dog", 0.1),
    ]


def test_classes_keep_the_order_of_their_labels() -> None:
    """Which an object in JSON does not keep: its keys come sorted."""
    report = {
        "class_names": ["trouser", "bag"],
        "per_class": {"bag": 0.1, "trouser": 0.9},
        "results": [{"name": "random", "per_class_mean": [0.8, 0.2]}],
    }
    found = verdict.classes(report)
    assert [(each.name, each.share, each.random) for each in found] == [("trouser", 0.9, 0.8), ("bag", 0.1, 0.2)]
    del report["class_names"]
    assert [(each.name, each.share, each.random) for each in verdict.classes(report)] == [
        ("bag", 0.1, None),
        ("trouser", 0.9, None),
    ]
