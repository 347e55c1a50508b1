"""`stillhouse webhooks`: the addresses that a service tells when something has ended."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from stillhouse.api import Client
from stillhouse.errors import UsageError
from stillhouse.output import Commands, JsonOption, data, say, table

app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    help="Have addresses told, by signed messages, when jobs and inspections have ended.",
)

HookId = Annotated[str, typer.Argument(metavar="WEBHOOK", help="Id of a webhook, hook_...")]
Events = Annotated[
    list[str] | None,
    typer.Option("--event", help="What it is told of, as job.succeeded or dataset.ready; several times. Default: all."),
]


@app.command("list")
def list_webhooks(as_json: JsonOption = False) -> None:
    """List your webhooks."""
    with Client() as client:
        rows = client.webhooks.all()
    if as_json:
        data(rows)
        return
    columns = ("WEBHOOK", "STATE", "EVENTS", "URL", "PROBLEM")
    table(columns, [(r["id"], r["state"], " ".join(r["events"]) or "all", r["url"], r["problem"]) for r in rows])


@app.command()
def create(
    url: Annotated[str, typer.Argument(metavar="URL", help="Where to, by https://.")],
    events: Events = None,
    as_json: JsonOption = False,
) -> None:
    """Make a webhook and print its secret: once, the service shows it nowhere else."""
    with Client() as client:
        made = client.webhooks.create(url, events or ())
    _secret(made, as_json)


@app.command()
def rotate(
    webhook_id: HookId,
    overlap: Annotated[str, typer.Option("--overlap", metavar="TIME", help="How long the old one signs, too.")] = "24h",
    as_json: JsonOption = False,
) -> None:
    """Change a webhook's secret and print the new one, once."""
    with Client() as client:
        made = client.webhooks.rotate(webhook_id, overlap)
    _secret(made, as_json)


@app.command()
def change(
    webhook_id: HookId,
    url: Annotated[str | None, typer.Option("--url", help="Where to from now on.")] = None,
    events: Events = None,
    as_json: JsonOption = False,
) -> None:
    """Change where a webhook leads, or what it is told of."""
    _changed(webhook_id, as_json, url=url, events=events)


@app.command()
def enable(webhook_id: HookId, as_json: JsonOption = False) -> None:
    """Send to a webhook again, first what has waited."""
    _changed(webhook_id, as_json, enabled=True)


@app.command()
def disable(webhook_id: HookId, as_json: JsonOption = False) -> None:
    """Let all wait that a webhook is to be told."""
    _changed(webhook_id, as_json, enabled=False)


@app.command()
def delete(webhook_id: HookId, as_json: JsonOption = False) -> None:
    """Delete a webhook, and what waits for it."""
    with Client() as client:
        client.webhooks.delete(webhook_id)
    if as_json:
        data({"id": webhook_id, "deleted": True})
    say(f"{webhook_id} is deleted.")


@app.command("test")
def ping(webhook_id: HookId, as_json: JsonOption = False) -> None:
    """Send a webhook a message that says nothing; `deliveries` tells what came of it."""
    with Client() as client:
        sent = client.webhooks.test(webhook_id)
    data(sent if as_json else sent["id"])


@app.command()
def deliveries(
    webhook_id: HookId,
    state: Annotated[str | None, typer.Option("--state", help="Only what is pending, delivered or failed.")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="How many.")] = 20,
    as_json: JsonOption = False,
) -> None:
    """List what a webhook was sent, newest first, and what it answered."""
    with Client() as client:
        rows = client.webhooks.deliveries(webhook_id, state, limit)
    if as_json:
        data(rows)
        return
    columns = ("DELIVERY", "EVENT", "STATE", "ATTEMPTS", "ANSWER", "CREATED (UTC)")
    table(columns, [(r["id"], r["type"], r["state"], r["attempts"], _answer(r), r["created_at"][:16]) for r in rows])


@app.command()
def replay(
    webhook_id: HookId,
    delivery_ids: Annotated[
        list[str] | None, typer.Argument(metavar="[DELIVERY]...", help="Their ids, msg_...")
    ] = None,
    failed: Annotated[bool, typer.Option("--failed", help="All whose tries are used up.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Send deliveries again, under their ids, by which a receiver tells which it has."""
    if not delivery_ids and not failed:
        raise UsageError(
            "Nothing says what to send again: name deliveries, as 'stillhouse webhooks deliveries' lists them, "
            "or add --failed."
        )
    with Client() as client:
        named = list(delivery_ids or ())
        if failed:
            named += [each["id"] for each in client.webhooks.deliveries(webhook_id, "failed", 10_000)]
        sent = [client.webhooks.replay(webhook_id, each) for each in named]
    data(sent if as_json else f"{len(sent)} to be sent again.")


def _changed(webhook_id: str, as_json: bool, **changes: Any) -> None:
    with Client() as client:
        changed = client.webhooks.change(webhook_id, **changes)
    data(changed if as_json else changed["state"])


def _secret(made: dict[str, Any], as_json: bool) -> None:
    if as_json:
        data(made)
        return
    data(made["secret"])
    say(f"The secret of {made['id']} is shown this once: the receiver verifies with it what comes.")


def _answer(delivery: dict[str, Any]) -> str:
    """The newest answer in a few words."""
    if not delivery["answers"]:
        return ""
    last = delivery["answers"][-1]
    return str(last["problem"] or last["status"])
