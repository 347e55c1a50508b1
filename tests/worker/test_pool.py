"""Workers on one machine: none is in another's way."""

from __future__ import annotations

from pathlib import Path

import pytest

from worker.devices import divided, gpus, one_each


def test_a_worker_alone_has_all_there_is() -> None:
    assert divided(1, {}, ["0", "1"], 8) == [{}]


def test_no_two_workers_share_a_gpu() -> None:
    first, second, third = divided(3, {}, ["GPU-a", "GPU-b"], 6)
    assert [first["CUDA_VISIBLE_DEVICES"], second["CUDA_VISIBLE_DEVICES"]] == ["GPU-a", "GPU-b"]
    assert (third["CUDA_VISIBLE_DEVICES"], third["STILLHOUSE_DEVICE"]) == ("", "cpu")
    assert {each["OMP_NUM_THREADS"] for each in (first, second, third)} == {"2"}


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, {"OMP_NUM_THREADS": "1"}),
        ({"OMP_NUM_THREADS": "4"}, {}),
        ({"STILLHOUSE_DEVICE": "cpu"}, {"OMP_NUM_THREADS": "1"}),
    ],
)
def test_cores_are_divided_unless_somebody_has_done_so(environment: dict[str, str], expected: dict[str, str]) -> None:
    devices = ["0"] if environment.get("STILLHOUSE_DEVICE") == "cpu" else []
    assert divided(4, environment, devices, 2) == [expected] * 4


def test_gpus_are_those_that_the_driver_shows_or_somebody_has_chosen(tmp_path: Path) -> None:
    tool = tmp_path / "nvidia-smi"
    tool.write_text("#!/bin/sh\necho GPU-a\necho GPU-b\n")
    tool.chmod(0o755)
    assert gpus({"PATH": str(tmp_path)}) == ["GPU-a", "GPU-b"]
    assert gpus({"PATH": str(tmp_path), "CUDA_VISIBLE_DEVICES": "1, 3"}) == ["1", "3"]
    tool.write_text("#!/bin/sh\nexit 9\n")
    assert gpus({"PATH": str(tmp_path)}) == []
    assert gpus({"PATH": ""}) == []


def test_a_gpu_is_one_workers() -> None:
    assert one_each("2", {}) == [{"CUDA_VISIBLE_DEVICES": "2"}]
    assert [each["CUDA_VISIBLE_DEVICES"] for each in one_each("0,2", {})] == ["0", "2"]
    with pytest.raises(ValueError, match="names a GPU twice"):
        one_each("1,1", {})
    with pytest.raises(ValueError, match="nvidia-smi"):
        one_each("all", {"PATH": ""})
