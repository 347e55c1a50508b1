"""Settings: defaults that work on one machine, and relations that must hold."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.settings import Settings


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
        ({"LEASE_TTL": "0"}, "greater than 0"),
        ({"PORT": "70000"}, "65535"),
        ({"DEVICE": "tpu"}, "'auto', 'cpu' or 'cuda'"),
    ],
)
def test_impatience_is_refused(variables: dict[str, str], fix: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(f"STILLHOUSE_{name}", value)
    with pytest.raises(ValueError, match=fix):
        Settings()


def test_every_setting_is_described() -> None:
    assert all(field.description for field in Settings.model_fields.values())
