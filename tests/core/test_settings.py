"""Settings: defaults that work on one machine, and relations that must hold."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from core.settings import Settings, faults, strangers


def test_everything_follows_from_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STILLHOUSE_HOME", str(tmp_path))
    found = Settings()
    assert found.ledger_url == f"sqlite:///{tmp_path / 'stillhouse.db'}"
    assert found.artifacts_url == f"file://{tmp_path / 'store'}"
    assert found.datasets == tmp_path / "datasets"
    monkeypatch.setenv("STILLHOUSE_DATABASE_URL", "postgresql://db/x")
    monkeypatch.setenv("STILLHOUSE_STORE_URL", "s3://bucket")
    monkeypatch.setenv("STILLHOUSE_DATA_DIR", "/data")
    found = Settings()
    assert (found.ledger_url, found.artifacts_url, found.datasets) == (
        "postgresql://db/x",
        "s3://bucket",
        Path("/data"),
    )


@pytest.mark.parametrize(
    ("variables", "fix"),
    [
        ({"HEARTBEAT_INTERVAL": "30"}, "STILLHOUSE_HEARTBEAT_INTERVAL"),
        ({"SELF_FENCE_AFTER": "55"}, "at most 50"),
        ({"LEASE_TTL": "0"}, "STILLHOUSE_LEASE_TTL is '0': use a number of more than 0."),
        ({"LEASE_TTL": "soon"}, "STILLHOUSE_LEASE_TTL is 'soon': use a number."),
        ({"PORT": "70000"}, "STILLHOUSE_PORT is '70000': use a number of at most 65535."),
        ({"SESSION_DAYS": "1000000"}, "STILLHOUSE_SESSION_DAYS is '1000000': use a number of at most 36500."),
        ({"RETENTION_DAYS": "inf"}, "STILLHOUSE_RETENTION_DAYS is 'inf': use a number of at most 36500."),
        ({"CHECKPOINT_DAYS": "1e9"}, "STILLHOUSE_CHECKPOINT_DAYS is '1e9': use a number of at most 36500."),
        ({"LEASE_TTL": "inf"}, "STILLHOUSE_LEASE_TTL is 'inf': use a number of at most 86400."),
        ({"MAX_ATTEMPTS": "1.5"}, "STILLHOUSE_MAX_ATTEMPTS is '1.5': use a whole number."),
        ({"DEVICE": "tpu"}, "STILLHOUSE_DEVICE is 'tpu': use 'auto', 'cpu' or 'cuda'."),
        ({"CALIBRATE": "off"}, "STILLHOUSE_CALIBRATE is 'off': use 'auto' or 'never'."),
        (
            {"WEBHOOK_NETWORKS": "10.0.0.0/8,home"},
            "STILLHOUSE_WEBHOOK_NETWORKS is '10.0.0.0/8,home': use networks, such",
        ),
        ({"BROKER_URL": "valkey://me:pw@h"}, "names the scheme valkey://: write redis:// instead"),
        ({"BROKER_URL": "keydbs://me:pw@h"}, "write rediss:// instead"),
        ({"BROKER_URL": "carrier://me:pw@h"}, "STILLHOUSE_BROKER_URL names the scheme carrier://, which nothing here"),
        ({"BROKER_URL": "localhost:6379"}, "names no scheme: write redis://HOST:6379/0"),
        ({"DATABASE_URL": "mysql://me:pw@h"}, "STILLHOUSE_DATABASE_URL names mysql: use sqlite:///FILE"),
        ({"DATABASE_URL": "me:pw@h"}, "STILLHOUSE_DATABASE_URL is no URL: write sqlite:///FILE"),
        ({"DATABASE_URL": "postgresql://me:pw@h:pw/x"}, "has a port that is no number"),
        ({"DATABASE_URL": "sqlite://"}, "The ledger needs a file"),
        ({"STORE_URL": "s4://me:pw@h"}, "write file:///absolute/folder or s3://BUCKET/PREFIX"),
        ({"STORE_URL": "gs://bucket"}, "needs the package gcsfs, which is not installed: pip install gcsfs."),
    ],
)
def test_bad_settings_are_refused_with_the_fix(
    variables: dict[str, str], fix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(f"STILLHOUSE_{name}", value)
    with pytest.raises(ValidationError) as refused:
        Settings()
    (sentence,) = faults(refused.value)
    assert fix in sentence
    assert "pw" not in sentence + str(refused.value)


@pytest.mark.parametrize(
    "url",
    ["redis://h", "rediss://h", "amqp://u:pw@h//", "amqps://h", "sentinel://h", "filesystem:///x", "redis+socket:///s"],
)
def test_every_broker_that_celery_speaks_to_is_taken(url: str) -> None:
    assert Settings(broker_url=url).broker_url == url


@pytest.mark.parametrize("command", ["api", "worker", "worker.sweeper", "core.ledger"])
def test_no_process_starts_with_bad_settings(command: str) -> None:
    bad = {"STILLHOUSE_CALIBRATE": "off", "STILLHOUSE_PORT": "-1"}
    run = [sys.executable, "-m", command]
    done = subprocess.run(run, env=os.environ | bad, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.splitlines() == [
        "STILLHOUSE_PORT is '-1': use a number of at least 0.",
        "STILLHOUSE_CALIBRATE is 'off': use 'auto' or 'never'.",
    ]


def test_an_empty_variable_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PORT", "DATABASE_URL", "AUTH"):
        monkeypatch.setenv(f"STILLHOUSE_{name}", "")
    found = Settings()
    assert (found.port, found.database_url, found.auth) == (8000, None, "off")


def test_a_variable_that_is_no_setting_is_told_with_the_nearest() -> None:
    variables = {
        "STILLHOUSE_AUHT": "keys",
        "STILLHOUSE_ZZ": "1",
        "STILLHOUSE_AUTH": "off",
        "STILLHOUSE_URL": "x",
        "A": "",
    }
    assert strangers(variables) == {
        "STILLHOUSE_AUHT": "Did you mean STILLHOUSE_AUTH?",
        "STILLHOUSE_ZZ": "There is no such setting.",
    }


def test_settings_show_no_password() -> None:
    found = Settings(database_url="postgresql://me:pw@h/x", broker_url="redis://:pw@h", store_url="s3://b?secret=pw")
    for shown in (repr(found), str(found), f"{found}"):
        assert "pw" not in shown
        assert "postgresql://me:***@h/x" in shown


def test_every_setting_is_described() -> None:
    assert all(field.description for field in Settings.model_fields.values())
