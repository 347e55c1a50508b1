"""Other programs read a URL of ours: pandas and Hugging Face's datasets, each in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from core.ledger import Status
from tests.api.serving import Server
from tests.services import free_port


@pytest.fixture
def url(server: Server) -> str:
    """Address of a finished job's Parquet file."""
    job_id = server.workshop.job(Status.SUCCEEDED)
    return f"{server.url}/v1/jobs/{job_id}/files/data/train-00000-of-00001.parquet"


def consume(code: str, url: str, folder: Path) -> dict[str, object]:
    """The JSON that the code prints, run without any network but this machine's."""
    nowhere = f"http://127.0.0.1:{free_port()}"  # HF_HUB_OFFLINE would forbid this machine's own addresses as well
    offline = {
        "HF_ENDPOINT": nowhere,
        "HF_HOME": str(folder),
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    }
    offline |= dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), nowhere)
    offline |= dict.fromkeys(("no_proxy", "NO_PROXY"), "127.0.0.1")
    command = [sys.executable, "-c", f"import json, sys\nurl = sys.argv[1]\n{code}", url]
    run = subprocess.run(command, env=os.environ | offline, cwd=folder, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    result: dict[str, object] = json.loads(run.stdout)
    return result


def test_pandas_reads_a_url(url: str, tmp_path: Path) -> None:
    code = """
import pandas
frame = pandas.read_parquet(url)
print(json.dumps({"rows": len(frame), "labels": sorted(frame["label"].tolist())}))
"""
    assert consume(code, url, tmp_path) == {"rows": 10, "labels": list(range(10))}


@pytest.mark.parametrize("streaming", [False, True])
def test_datasets_loads_a_url(url: str, tmp_path: Path, streaming: bool) -> None:
    code = f"""
from datasets import load_dataset
rows = list(load_dataset("parquet", data_files=url, split="train", streaming={streaming}))
first = rows[0]["image"]
print(json.dumps({{"rows": len(rows), "size": first.size, "labels": sorted(row["label"] for row in rows)}}))
"""
    assert consume(code, url, tmp_path) == {"rows": 10, "size": [8, 8], "labels": list(range(10))}
