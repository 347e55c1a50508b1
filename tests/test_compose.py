"""docker-compose.yml without docker: every command is run, every variable and every route is looked up."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
import yaml
from fastapi.testclient import TestClient
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from api.__main__ import configured
from api.app import create_app
from core.ledger import Ledger
from core.settings import Settings
from tests.services import free_port
from tests.stillhouse.running import until

ROOT = Path(__file__).parent.parent
GPU = "worker-gpu"


def composition(variables: Mapping[str, str] = MappingProxyType({})) -> dict[str, Any]:
    """The file as docker compose reads it where these variables are set."""

    def filled(found: Any) -> Any:
        if isinstance(found, dict):
            return {name: filled(value) for name, value in found.items()}
        if isinstance(found, list):
            return [filled(value) for value in found]
        if isinstance(found, str):
            return re.sub(r"\$\{(\w+):-([^}]*)\}", lambda m: variables.get(m[1]) or m[2], found)
        return found

    read: dict[str, Any] = filled(yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8")))
    assert "$" not in str(read), "every variable has a default"
    return read


FILE = composition()
SERVICES: dict[str, dict[str, Any]] = FILE["services"]
OURS = {name: service for name, service in SERVICES.items() if service.get("image") == "stillhouse"}
LIMIT = 60.0


def environment(service: dict[str, Any], home: Path, database_url: str, redis_url: str, port: int) -> dict[str, str]:
    """The service's own variables, with the addresses of this test's servers in place of those of the containers."""
    here = {
        "STILLHOUSE_HOME": str(home),
        "STILLHOUSE_DATABASE_URL": database_url,
        "STILLHOUSE_BROKER_URL": redis_url,
        "STILLHOUSE_PORT": str(port),
        "STILLHOUSE_DEVICE": "cpu",
        "STILLHOUSE_COMPILE": "never",
        "STILLHOUSE_CALIBRATE": "never",
    }
    given = here | {name: here.get(name, str(value)) for name, value in service["environment"].items()}
    return {name: value for name, value in os.environ.items() if not name.startswith("STILLHOUSE_")} | given


def command(service: dict[str, Any]) -> list[str]:
    program, *arguments = service["command"]
    assert program == "python"
    return [sys.executable, "-P", *arguments]


def healthcheck(service: dict[str, Any], port: int) -> list[str]:
    how, program, *arguments = service["healthcheck"]["test"]
    assert (how, program) == ("CMD", "python")
    inside = OURS["api"]["environment"]["STILLHOUSE_PORT"]
    return [sys.executable, "-P", *(word.replace(f":{inside}/", f":{port}/") for word in arguments)]


@contextmanager
def started(service: dict[str, Any], variables: dict[str, str], folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """The service as its container would run it; whatever is left of it afterwards is killed."""
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command(service), env=variables, cwd=folder, stdout=log, stderr=subprocess.STDOUT)
        try:
            yield process
        finally:
            process.kill()
            process.wait()


def said(process: subprocess.Popen[bytes], words: str, folder: Path) -> None:
    """Wait until the service has said these words."""
    deadline = time.monotonic() + LIMIT
    while words not in (text := (folder / "log").read_text("utf-8", "replace")):
        assert process.poll() is None, text
        assert time.monotonic() < deadline, text
        time.sleep(0.02)


def stops(process: subprocess.Popen[bytes], folder: Path) -> None:
    """A process stops as `docker compose down` asks: within the grace period, without complaint."""
    process.send_signal(signal.SIGTERM)
    # Uvicorn, once everything is closed, ends by the signal it was sent.
    assert process.wait(45) in (0, -signal.SIGTERM), (folder / "log").read_text("utf-8", "replace")


def test_the_services_are_those_that_were_promised() -> None:
    assert set(OURS) == {"api", "worker", GPU, "sweeper", "migrate"}
    assert set(SERVICES) == {*OURS, "postgres", "redis"}
    assert all(service["init"] for service in OURS.values())


def test_all_gpus_of_a_host_are_asked_for() -> None:
    (device,) = SERVICES[GPU]["deploy"]["resources"]["reservations"]["devices"]
    assert device == {"driver": "nvidia", "count": "all", "capabilities": ["gpu"]}
    assert [name for name, service in SERVICES.items() if "gpu" in service.get("profiles", ())] == [GPU]
    assert "deploy" not in SERVICES["worker"], "without a GPU it starts all the same"
    assert composition({"GPUS": "0,2"})["services"][GPU]["command"][-2:] == ["--gpus", "0,2"]


def test_each_of_two_gpus_has_one_worker(tmp_path: Path, sqlite_url: str, redis_url: str) -> None:
    tool = tmp_path / "nvidia-smi"
    tool.write_text("#!/bin/sh\necho GPU-a\necho GPU-b\n")
    tool.chmod(0o755)
    variables = environment(OURS[GPU], tmp_path / "home", sqlite_url, redis_url, 0)
    variables["PATH"] = f"{tmp_path}:{variables['PATH']}"
    variables.pop("CUDA_VISIBLE_DEVICES", None)
    ledger = Ledger(sqlite_url)
    with started(OURS[GPU], variables, tmp_path) as pool:
        until(lambda: len(ledger.workers()) == 2, "both workers have announced themselves")
        pids = [int(worker.worker_id.split(":")[1]) for worker in ledger.workers()]
        lines = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines() if line.startswith("{")]
        given = {line["pid"]: line["variables"] for line in lines if line["event"] == "worker started"}
        assert set(given) == set(pids)
        assert {own["CUDA_VISIBLE_DEVICES"] for own in given.values()} == {"GPU-a", "GPU-b"}
        stops(pool, tmp_path)
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids)
    ledger.close()


def example() -> dict[str, str]:
    """The variables of .env.example, those that are commented out as well."""
    lines = re.findall(r"^(?:# )?([A-Z_]+)=(.*)$", (ROOT / ".env.example").read_text("utf-8"), re.MULTILINE)
    return dict(lines)


def test_the_settings_file_reaches_the_services() -> None:
    used = set(re.findall(r"\$\{(\w+)", (ROOT / "docker-compose.yml").read_text("utf-8")))
    assert set(example()) == used | {"COMPOSE_PROFILES"}
    for name, value in example().items():
        if name != "COMPOSE_PROFILES":
            assert composition({name: "changed"}) != FILE, f"{name}={value} changes nothing"
    known = {profile for service in SERVICES.values() for profile in service.get("profiles", ())}
    assert set(example()["COMPOSE_PROFILES"].split(",")) <= known
    for name, service in composition({"STILLHOUSE_AUTH": "keys"})["services"].items():
        if name in OURS:
            assert Settings(auth=service["environment"]["STILLHOUSE_AUTH"]).auth == "keys"
    assert Settings(auth=SERVICES["api"]["environment"]["STILLHOUSE_AUTH"]).auth == "off"


def contained(service: dict[str, Any], written: Mapping[str, str]) -> dict[str, str]:
    """The variables of the service's container where these are written into .env."""
    read = any(file["path"] == ".env" for file in service.get("env_file", ()))
    return {**(written if read else {}), **service["environment"]}


@pytest.mark.parametrize("name", OURS)
def test_every_setting_may_be_written_into_the_settings_file(name: str) -> None:
    there = contained(OURS[name], {"STILLHOUSE_MAX_RUNNING_JOBS": "2", "STILLHOUSE_HOME": "/elsewhere"})
    assert there.get("STILLHOUSE_MAX_RUNNING_JOBS") == "2"
    assert there["STILLHOUSE_HOME"] == OURS[name]["environment"]["STILLHOUSE_HOME"], "which is the volume's folder"
    assert not any(file["required"] for file in OURS[name]["env_file"]), "there need not be one"


def test_the_servers_are_told_no_settings() -> None:
    assert not any("env_file" in service for name, service in SERVICES.items() if name not in OURS)


def test_the_image_has_a_compiler_and_compiled_code() -> None:
    _, build, final = (ROOT / "Dockerfile").read_text("utf-8").split("\nFROM ")
    assert re.search(r"apt-get install .*\bg\+\+", final)
    assert "--compile-bytecode" in build
    assert "PYTHONDONTWRITEBYTECODE" not in build + final
    compiled = re.search(r"compileall -q (.*)", build)
    assert compiled is not None
    assert {command.split(".")[0] for service in OURS.values() for command in service["command"][2:3]} <= set(
        compiled[1].split()
    )


def test_a_service_that_uses_the_ledger_waits_for_its_migration() -> None:
    for name in ("api", "worker", GPU, "sweeper"):
        assert SERVICES[name]["depends_on"]["migrate"]["condition"] == "service_completed_successfully"
    for service in SERVICES.values():
        for needed, how in service.get("depends_on", {}).items():
            assert how["condition"] == "service_completed_successfully" or "healthcheck" in SERVICES[needed]


def test_every_variable_is_a_setting() -> None:
    names = {f"STILLHOUSE_{name.upper()}" for name in Settings.model_fields}
    for service in OURS.values():
        assert set(service["environment"]) <= names
        values = {name.removeprefix("STILLHOUSE_").lower(): v for name, v in service["environment"].items()}
        Settings(**values)
    dockerfile = (ROOT / "Dockerfile").read_text("utf-8")
    assert set(re.findall(r"STILLHOUSE_\w+", dockerfile)) <= names


def test_artifacts_outlive_the_containers_and_are_shared() -> None:
    home = OURS["api"]["environment"]["STILLHOUSE_HOME"]
    for service in OURS.values():
        assert service["environment"]["STILLHOUSE_HOME"] == home
        assert any(volume.split(":")[1] == home for volume in service["volumes"])
    named = {volume.split(":")[0] for service in SERVICES.values() for volume in service.get("volumes", ())}
    assert named == set(FILE["volumes"])


def test_every_health_check_asks_for_a_route(tmp_path: Path) -> None:
    app = create_app(Settings(home=tmp_path))
    urls = re.findall(r"http://[^'\s]+", str(SERVICES["api"]["healthcheck"]["test"]))
    assert urls
    for url in urls:
        assert urlsplit(url).path in app.openapi()["paths"]
        assert str(urlsplit(url).port) == OURS["api"]["environment"]["STILLHOUSE_PORT"]


def test_the_image_holds_what_the_commands_need() -> None:
    kept = {line[1:] for line in (ROOT / ".dockerignore").read_text("utf-8").splitlines() if line.startswith("!")}
    for path in kept:
        assert (ROOT / path).exists(), path
    for service in OURS.values():
        assert service["command"][2].split(".")[0] in kept


def test_the_whole_composition_works(tmp_path: Path, bare_postgres_url: str, redis_url: str) -> None:
    """migrate, then api, worker and sweeper on PostgreSQL and Redis, each by its own command with its own variables."""
    port = free_port()
    folders = {name: tmp_path / name for name in OURS}
    for folder in folders.values():
        folder.mkdir()

    def variables(name: str) -> dict[str, str]:
        return environment(OURS[name], tmp_path / "home", bare_postgres_url, redis_url, port)

    migrate = subprocess.run(
        command(OURS["migrate"]), env=variables("migrate"), cwd=folders["migrate"], capture_output=True
    )
    assert migrate.returncode == 0, migrate.stderr
    assert Ledger(bare_postgres_url).ready()["ready"]

    names = ("api", "worker", "sweeper")
    with (
        started(OURS["api"], variables("api"), folders["api"]) as api,
        started(OURS["worker"], variables("worker"), folders["worker"]) as worker,
        started(OURS["sweeper"], variables("sweeper"), folders["sweeper"]) as sweeper,
    ):
        said(api, "Uvicorn running", folders["api"])
        said(worker, "worker ready", folders["worker"])
        said(sweeper, "sweeper ready", folders["sweeper"])
        for name in ("api", "worker"):
            check = healthcheck(OURS[name], port)

            def healthy(check: list[str] = check, name: str = name) -> bool:
                return subprocess.run(check, env=variables(name), cwd=folders[name]).returncode == 0

            until(healthy, f"{name} is healthy")  # Uvicorn says that it runs before its workers do
        checks = httpx.get(f"http://127.0.0.1:{port}/readyz", trust_env=False).json()["checks"]
        assert checks["trigger"] == "doorbell"
        assert checks["workers"]["alive"] == 1
        for name, process in zip(names, (api, worker, sweeper), strict=True):
            stops(process, folders[name])


def test_a_gpu_worker_differs_in_its_devices_alone() -> None:
    worker, gpu = SERVICES["worker"], SERVICES[GPU]
    assert gpu["environment"] == worker["environment"] | {"STILLHOUSE_DEVICE": "cuda"}
    assert gpu["command"] == [*worker["command"], "--gpus", "all"]
    rest = {key: value for key, value in gpu.items() if key not in ("command", "environment", "profiles", "deploy")}
    assert rest == {key: value for key, value in worker.items() if key not in ("command", "environment")}


@pytest.mark.parametrize(("proxy", "believed"), [("172.18.0.1", True), ("172.18.0.2", False)])
def test_a_cookie_is_secure_where_a_proxy_that_is_named_says_tls(tmp_path: Path, proxy: str, believed: bool) -> None:
    named = composition({"STILLHOUSE_TRUSTED_PROXIES": "172.18.0.1"})["services"]["api"]["environment"]
    proxies = named["STILLHOUSE_TRUSTED_PROXIES"]
    config = configured(Settings(home=tmp_path, auth="keys", trusted_proxies=proxies))
    config.load()
    app: Any = config.loaded_app
    services = app.app.state.services
    services.ledger.migrate()
    _, secret = services.ledger.keys.create("alice", "test")
    with TestClient(app, client=(proxy, 40_000)) as client:
        headers = {"X-Forwarded-Proto": "https"}
        entered = client.post("/login", data={"key": secret}, headers=headers, follow_redirects=False)
    assert ("; Secure" in entered.headers["Set-Cookie"]) is believed


def test_every_service_has_a_limit_of_memory() -> None:
    assert all("mem_limit" in service for service in SERVICES.values())


def test_the_image_has_no_tools_of_developers() -> None:
    pinned, ours = (
        dict(re.findall(r"^([\w.-]+)==(\S+)", (ROOT / name).read_text("utf-8"), re.MULTILINE))
        for name in ("requirements.lock", "server.lock")
    )
    assert ours.items() <= pinned.items(), "run `make lock`"
    groups = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["dependency-groups"]
    server, tools = ({canonical(line) for line in groups[name] if isinstance(line, str)} for name in ("server", "dev"))
    assert server <= set(ours)
    assert tools & set(ours) <= {"packaging", "pyyaml"}, "which libraries of the server need"
    assert "requirements.lock" not in (ROOT / "Dockerfile").read_text("utf-8")


def canonical(requirement: str) -> str:
    return canonicalize_name(Requirement(requirement).name)


@pytest.mark.parametrize("name", ["postgres", "redis"])
def test_the_servers_are_asked_whether_they_are_well(name: str) -> None:
    assert SERVICES[name]["healthcheck"]["test"][0] == "CMD"
    assert "ports" not in SERVICES[name], "reached from inside alone"
