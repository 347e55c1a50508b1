"""No line of a log holds a secret: whichever module writes it, in whatever form, and whatever goes wrong."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

PASSWORDS = {
    "STILLHOUSE_DATABASE_URL": "postgresql://me:database-passw0rd@127.0.0.1:1/x",
    "STILLHOUSE_BROKER_URL": "redis://me:broker-passw0rd@127.0.0.1:1/0",
    "STILLHOUSE_STORE_URL": "file:///tmp/x?secret=store-passw0rd",
}
ROOT = Path(__file__).parents[2]

SPEAK = """
import logging, sys, threading, warnings
import structlog
from core import logs
from core.ledger import Parcel
from core.settings import Settings, settings
known = settings()
logs.configure(known)
log = structlog.stdlib.get_logger("ours")

def stumble(key, session, url):
    header = {"authorization": f"Bearer {key}", "cookie": f"stillhouse_session={session}"}
    raise OSError(f"no answer from {url}")

def provoked(tell):
    try:
        stumble("still_" + "Ab3" * 14 + "9", "session-t0ken-" * 4, known.broker_url)
    except OSError:
        tell("first")

provoked(lambda what: log.exception(what, settings=known, url=known.database_url, key="still_" + "Ab3" * 14 + "9"))
signed = Parcel("m", "h", "https://x", b"", ("whsec_hook-s3cret/+",), 1, 1)
log.warning("a webhook", parcel=signed, signs="whsec_hook-s3cret/+=")
provoked(logging.getLogger("theirs").exception)
logging.getLogger("theirs").error("connecting to %s with %r", known.store_url, known)
logging.getLogger("theirs").error("database-passw0rd %d", "broker-passw0rd")
warnings.warn("careful with database-passw0rd")
thread = threading.Thread(target=provoked, args=(lambda what: 1 / 0,))
thread.start()
thread.join()
stumble("still_" + "Ab3" * 14 + "9", "session-t0ken-" * 4, known.broker_url)
"""


@pytest.mark.parametrize("form", ["json", "console"])
def test_no_way_to_speak_tells_a_secret(form: str) -> None:
    done = run([sys.executable, "-c", SPEAK], STILLHOUSE_LOG_FORMAT=form)
    assert done.returncode == 1
    for secret in ("hook-s3cret", "passw0rd", "Ab3Ab3Ab3Ab3", "t0ken-session"):
        assert secret not in done.stderr
    said = done.stderr.splitlines()
    assert "A line of theirs could not be logged: TypeError" in said
    assert "no answer from redis://me:***@127.0.0.1:1/0" in done.stderr
    if form == "json":
        lines = [json.loads(line) for line in said if line.startswith("{")]
        assert len(lines) == len(said) - 1
        assert [line["event"] for line in lines].count("ended by a fault") == 2, "the thread and the process"
        assert "stumble" in [frame["name"] for frame in lines[0]["exception"][0]["frames"]]
    else:
        assert done.stderr.count("Traceback (most recent call last)") >= 4


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (["-m", "core.ledger"], "The database does not answer"),
        (["-m", "alembic", "-c", str(ROOT / "migrations" / "alembic.ini"), "upgrade", "head"], "OperationalError"),
    ],
)
def test_a_migration_that_fails_tells_no_password(command: list[str], words: str) -> None:
    done = run([sys.executable, *command])
    assert done.returncode == 1
    assert words in done.stderr
    assert "passw0rd" not in done.stderr + done.stdout


def run(command: list[str], **variables: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | PASSWORDS | {"PYTHONPATH": str(ROOT)} | variables
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
