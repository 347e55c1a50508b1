"""docs/WEBHOOKS.md as a stranger follows it: its commands and its receiver, with a job of a real worker."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.stillhouse.running import CHEAP, Running, until
from tests.worker.receiver import receiving

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "WEBHOOKS.md").read_text("utf-8")
(MAKE, KEEP), (SNIPPET,) = (re.findall(rf"```{kind}\n(.*?)```", PAGE, re.DOTALL) for kind in ("bash", "python"))


def test_the_page_is_followed_to_a_verified_message(running: Running, tmp_path: Path) -> None:
    ours = {"STILLHOUSE_URL": running.url, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}

    def shell(commands: str, **variables: str) -> str:
        done = subprocess.run(
            ["bash", "-ec", commands],
            cwd=tmp_path,
            env=os.environ | ours | variables,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    snippet: dict[str, Any] = {}
    exec(SNIPPET, snippet)
    verified: Callable[..., dict[str, Any]] = snippet["verified"]
    with receiving() as receiver:
        shell(MAKE, RECEIVER=receiver.url)
        secret = (tmp_path / "secret.txt").read_text().strip()
        until(lambda: receiver.messages, "the test message has come")
        job = running.kept.submit("digits", ipc=1, method="random", seed=4711, evaluation=CHEAP)
        until(lambda: len(receiver.messages) == 2, "the job's message has come")
        test, done = receiver.messages
        assert verified(secret, test.headers, test.body)["type"] == "webhook.test"
        told = verified(secret, done.headers, done.body)
        assert (told["type"], told["data"]["id"], told["data"]["url"]) == (
            "job.succeeded",
            job.id,
            f"/v1/jobs/{job.id}",
        )
        for forged in (done.body + b" ", done.body.replace(b"succeeded", b"cancelled")):
            with pytest.raises(ValueError, match="signature"):
                verified(secret, done.headers, forged)
        (webhook,) = running.kept.webhooks.all()
        assert (webhook["events"], webhook["state"]) == (["job.succeeded", "job.failed"], "active")
        said = shell(KEEP, WEBHOOK=webhook["id"])
    for expected in (done.headers["webhook-id"], "delivered", "204", "0 to be sent again", "disabled", "active"):
        assert expected in said
    assert running.kept.webhooks.all() == []
    assert (tmp_path / "secret.txt").read_text().strip() != secret
    made = running.kept.webhooks.create(receiver.url)
    deleted = running.command("webhooks", "delete", made["id"], "--json")
    assert deleted.json == {"id": made["id"], "deleted": True}
    refused = running.command("webhooks", "create", "https://169.254.169.254/")
    assert refused.code == 2
    assert "STILLHOUSE_WEBHOOK_NETWORKS" in refused.err
    log = (running.home.parent / f"{running.home.name}.log").read_text()
    assert "a webhook was told" in log
    assert secret not in log
