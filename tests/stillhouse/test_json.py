"""With `--json` every command that fails ends standard error with one document."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import typer

from stillhouse.cli import app
from tests.stillhouse.running import command

ORDER: Final = ("digits", "--ipc", 1)
NO_ADDRESS: Final = {
    "advise": ORDER,
    "cancel": ("job_1",),
    "datasets": (),
    "delete": ("job_1", "--yes"),
    "distill": ORDER,
    "events": ("job_1",),
    "finish": ("job_1",),
    "forecast": ORDER,
    "get": ("job_1", "--out", "out"),
    "key list": (),
    "key revoke": ("key_1",),
    "link": ("job_1",),
    "list": (),
    "methods": (),
    "pause": ("job_1",),
    "report": ("job_1",),
    "resume": ("job_1",),
    "retry": ("job_1",),
    "show": ("job_1",),
    "submit": ORDER,
    "upload": ("pets.zip",),
    "wait": ("job_1",),
    "webhooks change": ("hook_1", "--url", "https://example.org"),
    "webhooks delete": ("hook_1",),
    "webhooks create": ("https://example.org",),
    "webhooks deliveries": ("hook_1",),
    "webhooks list": (),
    "webhooks disable": ("hook_1",),
    "webhooks enable": ("hook_1",),
    "webhooks replay": ("hook_1", "msg_1"),
    "webhooks rotate": ("hook_1",),
    "webhooks test": ("hook_1",),
}
"""Words for commands that speak to a service, whose address is none."""
HERE: Final = {
    "compile": ((*ORDER, "--method", "nope"), "'nope'"),
    "doctor": (("--port", "BUSY"), "not ready"),
    "export": (("file/export",), "does not answer"),
    "import": (("nowhere",), "holds no whole export"),
    "key create": (("me", "--scope", "nope"), "nope"),
    "serve": (("--port", "BUSY"), "Cannot listen on"),
    "verify": (("empty",), "is not as published"),
}
"""Words for commands that work here, and what is told."""


def named() -> Iterator[str]:
    """All commands that take `--json`."""

    def below(group: Any, before: str) -> Iterator[str]:
        for name, each in group.commands.items():
            if hasattr(each, "commands"):
                yield from below(each, f"{name} ")
            elif any("--json" in parameter.opts for parameter in each.params):
                yield f"{before}{name}"

    yield from below(typer.main.get_command(app), "")


def failed(*words: object, **environment: str) -> tuple[int, dict[str, Any]]:
    """The exit code of a command, and the last line of its standard error."""
    answer = command(*words, "--json", **environment)
    document: dict[str, Any] = json.loads(answer.err.splitlines()[-1])
    assert (answer.code, set(document)) == (
        document["exit_code"],
        {"error", "message", "exit_code", "status", "errors"},
    ), answer
    return answer.code, document


def test_every_command_is_tried() -> None:
    assert sorted([*NO_ADDRESS, *HERE]) == sorted(named())


@pytest.mark.parametrize("name", sorted(NO_ADDRESS))
@pytest.mark.parametrize("address", ["http://[::1", "http://localhost:port"])
def test_an_address_that_is_none(name: str, address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    code, told = failed(*name.split(), *NO_ADDRESS[name], STILLHOUSE_URL=address)
    assert (code, "is no service address" in told["message"]) == (2, True)


@pytest.mark.parametrize("name", sorted(HERE))
def test_a_command_that_works_here(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").touch()
    (tmp_path / "empty").mkdir()
    words, why = HERE[name]
    with socket.create_server(("127.0.0.1", 0)) as busy:
        put = [busy.getsockname()[1] if word == "BUSY" else word for word in words]
        code, told = failed(*name.split(), *put, STILLHOUSE_HOME=str(tmp_path / "home"), STILLHOUSE_DEVICE="cpu")
    assert code in (1, 2, 8)
    assert why in told["message"]


def test_what_comes_before_a_command_or_is_not_foreseen(tmp_path: Path) -> None:
    assert "--nope" in failed("--nope", "list")[1]["message"]
    (tmp_path / "locks").mkdir()
    (tmp_path / "locks/stillhouse.lock").write_bytes(b"\xff")
    words = ("distill", *ORDER, "--out", tmp_path / "out", "--lock", tmp_path / "locks/stillhouse.lock")
    assert failed(*words)[0] in (1, 2)
