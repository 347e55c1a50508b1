"""Every script prints its table, takes its measurements in processes of their own, and resumes."""

from __future__ import annotations

import importlib
import json
from argparse import Namespace
from pathlib import Path

import pytest
import torch

from benchmarks import convolutions, limits, peer_step, scaling
from benchmarks.processes import Runs

SCRIPTS = ("peer_step", "peer_experts", "evaluate", "limits", "scaling")
QUICK = ["--width", "4", "--repeats", "1", "--iterations", "1"]


def rows(printed: str) -> list[list[str]]:
    """The cells of a printed table's rows, head and rule left out."""
    lines = [line for line in printed.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines[2:]]


@pytest.mark.parametrize("script", SCRIPTS)
def test_help_says_what_is_measured(script: str, capsys: pytest.CaptureFixture[str]) -> None:
    module = importlib.import_module(f"benchmarks.{script}")
    with pytest.raises(SystemExit) as end:
        module.main(["--help"])
    said = capsys.readouterr().out
    assert end.value.code == 0
    assert f"python -m benchmarks.{script}" in said
    assert "--device" in said


@pytest.mark.parametrize("script", ["peer_step", "peer_experts", "evaluate"])
def test_the_reference_has_to_be_given(script: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        importlib.import_module(f"benchmarks.{script}").main(["--arms", "peer"])
    assert "--peer PATH is needed" in capsys.readouterr().err


@pytest.mark.slow
def test_a_run_resumes_where_it_was_left(checkout: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kept = tmp_path / "runs.jsonl"
    command = ["--peer", str(checkout), "--runs", str(kept), "--steps", "2", "--batch", "4", "--expert-steps", "1"]
    command += ["--arms", "peer", "eager", *QUICK]
    peer_step.main(command)
    first = rows(capsys.readouterr().out)
    assert [row[0] for row in first] == ["peer", "eager"]
    assert all(float(cell) > 0.9999 for row in first for cell in row[-4:-2]), "cosines to the reference and to float64"
    lines = kept.read_text("utf-8").splitlines()
    assert len(lines) == 3, "two arms, and float64 once"
    kept.write_text("\n".join(lines[1:]) + "\n", "utf-8")  # as if the reference's measurement had not been taken
    peer_step.main(command)
    second = rows(capsys.readouterr().out)
    assert second[1][1] == first[1][1], "ours was not measured again"
    again = kept.read_text("utf-8").splitlines()
    assert again[:2] == lines[1:]
    (old, new) = json.loads(lines[0]), json.loads(again[2])
    assert old["key"] == new["key"]
    assert old["found"]["seconds"] != new["found"]["seconds"], "the reference was"


@pytest.mark.slow
def test_a_child_that_fails_is_heard(checkout: Path, tmp_path: Path) -> None:
    (checkout / "networks.py").write_text("raise RuntimeError('a broken checkout')", "utf-8")
    command = ["--peer", str(checkout), "--steps", "1", "--batch", "2", "--expert-steps", "0", "--arms", "peer"]
    with pytest.raises(SystemExit, match="a broken checkout"):
        peer_step.main([*command, *QUICK])


def test_every_way_to_convolve_is_timed(capsys: pytest.CaptureFixture[str]) -> None:
    convolutions.main(["--widths", "16", "--sides", "8", "--batches", "2", "--turns", "1"])
    found = rows(capsys.readouterr().out)
    assert [row[0] for row in found] == ["16, 8, 2, float32", "16, 8, 2, bfloat16"]
    contestants = convolutions.ways(16, 8, 2, torch.float32)
    assert {row[-1] for row in found} <= set(contestants)
    direct, last, _, tiles, grouped = (forward() for forward, _ in contestants.values())
    torch.testing.assert_close(last, direct)
    torch.testing.assert_close(grouped.view(36, 16, -1).mT, tiles)


def test_a_verdict_is_printed_beside_the_ways(capsys: pytest.CaptureFixture[str]) -> None:
    convolutions.main(["--widths", "16", "--sides", "8", "--batches", "2", "--verdict"])
    found = {row[0]: row[1:] for row in rows(capsys.readouterr().out)}
    assert set(found) == {f"16, 8, 2, {factors}" for factors in ("float32", "bfloat16", "rounded")}
    assert all(float(milliseconds) > 0 for milliseconds in found["16, 8, 2, rounded"][:4])
    assert {len(row) for row in found.values()} == {5}, "a way that is none of a precision leaves its column empty"


@pytest.mark.slow
def test_limits_compares_with_both_peaks(capsys: pytest.CaptureFixture[str]) -> None:
    limits.main(["--arms", "eager", "--batches", "2", *QUICK])
    found = rows(capsys.readouterr().out)
    assert [row[0] for row in found] == ["gradient, eager, 2", "adjoint, eager, 2"]
    assert all(float(row[1].split()[0]) > 0 for row in found)


@pytest.mark.slow
def test_scaling_varies_one_size_at_a_time(capsys: pytest.CaptureFixture[str]) -> None:
    scaling.main(
        [
            "--arms",
            "eager",
            "--vary",
            "steps",
            "experts",
            "--steps",
            "1",
            "1",
            "2",
            "--batch",
            "2",
            "--experts",
            "1",
            "2",
            *QUICK,
        ]
    )
    found = rows(capsys.readouterr().out)
    assert [row[1] for row in found if row[0] == "eager"] == ["1", "2", "2"]


def test_what_the_children_share_lies_beside_the_file(tmp_path: Path) -> None:
    file = tmp_path / "runs.jsonl"
    file.write_text(json.dumps({"key": "a", "found": {"seconds": 1}}) + "\n", "utf-8")
    runs = Runs.open("benchmarks.limits", Namespace(runs=file))
    assert runs.folder == tmp_path / "runs.shared"
    assert runs.folder.is_dir()
