"""`stillhouse verify`: whatever happens to an artifact's files, it is noticed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from stillhouse.checksums import verify
from tests.stillhouse.running import command


def test_an_untouched_artifact_is_sound(artifact: Path) -> None:
    assert verify(artifact) == []
    answer = command("verify", artifact, "--json")
    assert (answer.code, answer.json["verified"]) == (0, True)


def test_the_standard_library_is_enough(artifact: Path) -> None:
    module = Path(sys.modules["stillhouse.checksums"].__file__ or "").parent
    code = f"import sys; sys.path.insert(0, {str(module)!r}); from checksums import *; print(verify(Path('.')))"
    run = subprocess.run([sys.executable, "-I", "-S", "-c", code], cwd=artifact, capture_output=True, text=True)
    assert run.stdout == "[]\n", run.stderr


def test_every_file_is_covered(artifact: Path) -> None:
    for path in sorted(path for path in artifact.rglob("*") if path.is_file()):
        sound = path.read_bytes()
        middle = len(sound) // 2
        path.write_bytes(sound[:middle] + bytes([sound[middle] ^ 1]) + sound[middle + 1 :])
        assert verify(artifact), f"{path} was changed"
        path.unlink()
        assert verify(artifact), f"{path} was removed"
        path.write_bytes(sound)
    assert verify(artifact) == []


def test_a_change_is_named_and_ends_with_8(artifact: Path) -> None:
    (artifact / "preview.png").write_bytes(b"")
    (artifact / "load.py").unlink()
    answer = command("verify", artifact)
    assert answer.code == 8
    assert "preview.png: its sha256 is" in answer.err
    assert "load.py: missing." in answer.err


def test_manifest_and_sums_must_agree(artifact: Path) -> None:
    manifest = json.loads((artifact / "manifest.json").read_text())
    manifest["files"][0]["bytes"] += 1
    (artifact / "manifest.json").write_text(json.dumps(manifest))
    name = manifest["files"][0]["name"]
    assert any(problem.startswith(name) for problem in verify(artifact))


@pytest.mark.parametrize("line", ["no sum at all", f"{'0' * 64}  ../outside", f"{'0' * 64}  /etc/passwd"])
def test_sums_that_make_no_sense_are_a_problem(artifact: Path, line: str) -> None:
    with (artifact / "SHA256SUMS").open("a") as sums:
        sums.write(f"{line}\n")
    assert verify(artifact)


def test_another_folder_is_no_artifact(tmp_path: Path) -> None:
    assert verify(tmp_path) == ["SHA256SUMS is missing: this is no complete artifact."]
    assert command("verify", tmp_path / "nowhere").code == 2
