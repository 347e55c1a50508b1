"""The script that installs what the tests start: silent where all is there, and plain where it cannot help."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

SCRIPT = Path(__file__).parents[1] / ".ci" / "programs"


def programs(path: str, *packages: str) -> subprocess.CompletedProcess[str]:
    variables = {name: value for name, value in os.environ.items() if name != "CHROMIUM"} | {"PATH": path}
    command = ["/bin/bash", str(SCRIPT), *packages]
    return subprocess.run(command, env=variables, capture_output=True, text=True, timeout=60, check=False)


def test_where_everything_is_nothing_is_done(tmp_path: Path) -> None:
    (tmp_path / "chromium").symlink_to("/bin/true")
    done = programs(f"{os.environ['PATH']}:{tmp_path}")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_what_cannot_be_installed_is_named_with_the_command(tmp_path: Path) -> None:
    done = programs(str(tmp_path), "git")
    assert done.returncode == 1
    assert "apt-get install --no-install-recommends git redis-server chromium" in done.stderr
