"""Webhooks: what ends is told, signed, until it is taken, whoever dies; and nobody is told behind a wall."""

from __future__ import annotations

import random
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text, update

from core.ledger import Answer, Job, Ledger, Reach, Status, claims
from core.ledger.webhook_rows import DeliveryRow, WebhookRow
from core.settings import Settings
from core.webhooks import networks
from tests.ledger.orders import queued, running, standing
from tests.worker.receiver import Receiver, receiving
from tests.worker.service import BOTH, Service, over, until
from worker import post
from worker.courier import AT_ONCE, Courier
from worker.drain import Drain
from worker.post import Refused, Unanswered

HERE = "127.0.0.0/8"
ALICE = Reach("alice", everything=False)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


@pytest.fixture
def courier(ledger: Ledger, ledger_url: str, tmp_path: Path) -> Callable[[], None]:
    """Sends all that is due, and waits until it is known what came of it."""
    patient = {"webhook_timeout": 1.0, "webhook_pause": 1000.0, "webhook_attempts": 3}
    settings = Settings(home=tmp_path, database_url=ledger_url, webhook_networks=HERE, **patient)
    sender = Courier(settings, ledger, random.Random(0))

    def send() -> None:
        while sender.send(Drain()):
            for thread in threading.enumerate():
                if thread.name == "courier":
                    thread.join()

    return send


@pytest.mark.parametrize("ledger_url", ["postgresql"], indirect=True)
def test_a_webhook_that_is_deleted_just_then_fails_no_job(ledger: Ledger) -> None:
    webhook, _ = ledger.webhooks.create("https://example.org/hook")
    claim = running(ledger)
    waiting = text("SELECT count(*) FROM pg_locks WHERE NOT granted AND pid <> pg_backend_pid()")
    with ThreadPoolExecutor(1) as other:
        with ledger.database.write() as session:
            assert claims.succeed(session, claim, [], {})  # its row and its message are written when this block ends
            deleted = other.submit(ledger.webhooks.delete, webhook.id)
            until(lambda: deleted.done() or bool(session.execute(waiting).scalar()), "the deletion waits or is done")
        deleted.result()
    assert ledger.job(claim.job.id).status is Status.SUCCEEDED


def ended(ledger: Ledger, owner: str = "", status: Status = Status.SUCCEEDED) -> Job:
    return standing(ledger.within(Reach(owner)), status)[0]


def again(ledger: Ledger) -> None:
    """Make all due that waits."""
    with ledger.database.write() as session:
        waits = update(DeliveryRow).where(DeliveryRow.state == "pending")
        session.execute(waits.values(due_at=DeliveryRow.created_at))


def test_a_job_tells_the_webhook_that_it_named_whatever_that_is_told_of(
    ledger: Ledger, receiver: Receiver, courier: Callable[[], None]
) -> None:
    alice = ledger.within(ALICE)
    webhook, _ = alice.webhooks.create(receiver.url, ["job.named"])
    assert webhook.events == ("job.named",)
    by_others, _ = ledger.within(Reach("bob", everything=False)).webhooks.create(receiver.url, ["job.named"])
    named = [queued(alice, webhook_id=each) for each in (webhook.id, None, by_others.id)]
    for job in named:
        alice.request_cancel(job.id)
    courier()
    assert [message.told["data"]["id"] for message in receiver.messages] == [named[0].id]
    alice.webhooks.delete(webhook.id)
    alice.request_cancel(queued(alice, webhook_id=webhook.id).id)
    courier()
    assert len(receiver.messages) == 1, "one that is gone is told nothing"


def test_what_ends_is_told_to_its_owner_alone(ledger: Ledger, receiver: Receiver, courier: Callable[[], None]) -> None:
    mine, secret = ledger.within(ALICE).webhooks.create(receiver.url)
    only, other_secret = ledger.within(ALICE).webhooks.create(receiver.url, ["job.failed"])
    ledger.within(Reach("bob", everything=False)).webhooks.create(receiver.url)
    done, failed = ended(ledger, "alice"), ended(ledger, "alice", Status.FAILED)
    ended(ledger, "carol")
    courier()
    told = [(message.told["type"], message.told["data"]["id"]) for message in receiver.messages]
    assert sorted(told) == sorted([("job.succeeded", done.id), *2 * [("job.failed", failed.id)]])
    first = next(each for each in receiver.messages if each.told["type"] == "job.succeeded")
    assert first.told["data"] == {
        "id": done.id,
        "kind": "distillation",
        "status": "succeeded",
        "attempt": 1,
        "url": f"/v1/jobs/{done.id}",
    }
    assert first.signed_by(secret)
    assert not first.signed_by(other_secret)
    assert sum(message.signed_by(other_secret) for message in receiver.messages) == 1
    (kept,) = ledger.webhooks.deliveries(only.id)
    assert (kept.state, kept.attempts, kept.due_at, kept.answers[0]["status"]) == ("delivered", 1, None, 204)
    assert [each.type for each in ledger.webhooks.deliveries(mine.id)] == ["job.failed", "job.succeeded"]


def test_a_transition_that_does_not_happen_is_not_told(ledger: Ledger, receiver: Receiver) -> None:
    webhook, _ = ledger.webhooks.create(receiver.url)
    claim = running(ledger)
    with ledger.database.write() as session:
        claims.fail(session, claim, {"code": "x"})
        session.flush()
        session.rollback()
    assert ledger.webhooks.deliveries(webhook.id) == []


def test_what_is_not_taken_is_sent_again_until_its_tries_are_used_up(
    ledger: Ledger, receiver: Receiver, courier: Callable[[], None]
) -> None:
    webhook, _ = ledger.webhooks.create(receiver.url)
    receiver.answer = lambda message: 302 if len(receiver.messages) == 1 else 500
    ended(ledger)
    courier()
    failing = ledger.webhooks.get(webhook.id)
    assert failing.state == "failing"
    assert "no redirect is followed" in (failing.problem or "")
    courier()
    assert len(receiver.messages) == 1, "the pause is not over"
    for _ in range(3):
        again(ledger)
        courier()
    (message_id,) = {message.id for message in receiver.messages}
    assert len(receiver.messages) == 3
    (kept,) = ledger.webhooks.deliveries(webhook.id, state="failed")
    assert [each["status"] for each in kept.answers] == [302, 500, 500]
    disabled = ledger.webhooks.get(webhook.id)
    assert (disabled.state, disabled.problem) == ("disabled", "It answered 500.")
    # what happens meanwhile waits, and a replay comes under the same id
    receiver.answer = lambda message: 200
    waiting = ended(ledger)
    ledger.webhooks.replay(webhook.id, kept.id)
    courier()
    assert len(receiver.messages) == 3
    assert ledger.webhooks.change(webhook.id, enabled=True).state == "active"
    courier()
    assert receiver.messages[3].id == message_id or receiver.messages[4].id == message_id
    assert {message.told["data"]["id"] for message in receiver.messages[3:]} == {
        waiting.id,
        receiver.messages[0].told["data"]["id"],
    }
    assert {each.state for each in ledger.webhooks.deliveries(webhook.id)} == {"delivered"}


def test_one_message_that_is_not_taken_disables_nothing_where_others_are(
    ledger: Ledger, receiver: Receiver, courier: Callable[[], None]
) -> None:
    webhook, _ = ledger.webhooks.create(receiver.url)
    receiver.answer = lambda message: 400 if message.told["type"] == "job.failed" else 200
    ended(ledger, status=Status.FAILED)
    courier()
    ended(ledger)
    courier()
    for _ in range(2):
        again(ledger)
        courier()
    assert [each.state for each in ledger.webhooks.deliveries(webhook.id)] == ["delivered", "failed"]
    assert ledger.webhooks.get(webhook.id).state == "failing"


def test_a_receiver_that_is_gone_is_asked_no_more(
    ledger: Ledger, receiver: Receiver, courier: Callable[[], None]
) -> None:
    webhook, _ = ledger.webhooks.create(receiver.url)
    receiver.answer = lambda message: 410
    ledger.webhooks.test(webhook.id)
    courier()
    assert ledger.webhooks.get(webhook.id).state == "disabled"


def test_both_secrets_sign_while_they_are_rotated(
    ledger: Ledger, receiver: Receiver, courier: Callable[[], None]
) -> None:
    webhook, old = ledger.webhooks.create(receiver.url)
    _, new = ledger.webhooks.rotate(webhook.id, timedelta(hours=1))
    ledger.webhooks.test(webhook.id)
    courier()
    _, newest = ledger.webhooks.rotate(webhook.id, timedelta(0))
    ledger.webhooks.test(webhook.id)
    courier()
    signed = [[message.signed_by(secret) for secret in (old, new, newest)] for message in receiver.messages]
    assert signed == [[True, True, False], [False, False, True]]


def test_a_webhook_ends_with_its_key_and_goes_on_with_another(
    ledger: Ledger, receiver: Receiver, courier: Callable[[], None]
) -> None:
    alice = ledger.within(ALICE)
    (key, _), (other, _) = (ledger.keys.create("alice", name) for name in ("first", "second"))
    webhook, _ = alice.webhooks.create(receiver.url, key_id=key.id)
    ledger.keys.revoke(key.id)
    ended(ledger, "alice")
    courier()
    assert receiver.messages == []
    assert "enable it again" in (alice.webhooks.get(webhook.id).problem or "")
    alice.webhooks.change(webhook.id, enabled=True, key_id=other.id)
    courier()
    assert len(receiver.messages) == 1


def test_two_couriers_never_send_the_same(ledger: Ledger) -> None:
    webhook, _ = ledger.webhooks.create("https://example.org/")
    ledger.webhooks.test(webhook.id)
    (parcel,) = ledger.outbox.take(8, 60.0)
    assert ledger.outbox.take(8, 60.0) == []
    with ledger.database.write() as session:  # the first one's lease is over
        session.execute(update(DeliveryRow).values(due_at=DeliveryRow.created_at))
        session.execute(update(WebhookRow).values(busy_until=WebhookRow.created_at))
    (second,) = ledger.outbox.take(8, 60.0)
    assert (second.id, second.attempt) == (parcel.id, 2)
    taken = Answer(200, None, 0.1)
    assert [ledger.outbox.conclude(each, taken, None) for each in (parcel, second, second)] == [False, True, False]


def test_receivers_that_hang_hold_up_nobody_elses(ledger: Ledger, ledger_url: str, tmp_path: Path) -> None:
    """More of them than there are hands, each with a heap of messages, and all before the other one by their ids."""
    settings = Settings(home=tmp_path, database_url=ledger_url, webhook_networks=HERE, webhook_timeout=0.3)
    sender, drain, told = Courier(settings, ledger, random.Random(0)), Drain(), threading.Event()
    with receiving() as hanging, receiving() as other:
        hanging.answer = lambda message: 204 if told.wait(60) else 500
        other.answer = lambda message: told.set() or 204
        for _ in range(AT_ONCE + 2):
            webhook, _ = ledger.within(ALICE).webhooks.create(hanging.url)
            for _ in range(20):
                ledger.webhooks.test(webhook.id)
        mine, _ = ledger.within(Reach("bob", everything=False)).webhooks.create(other.url)
        ledger.webhooks.test(mine.id)
        sending = threading.Thread(target=sender.run, args=(drain,))
        sending.start()
        try:
            assert told.wait(60)
            assert len(hanging.messages) <= 3 * AT_ONCE, "two turns of each, and those that begin just then"
        finally:
            drain.set()
            sending.join()


@over(BOTH)
def test_a_killed_courier_loses_nothing_and_its_receiver_can_tell(service: Service, receiver: Receiver) -> None:
    service.settings = service.settings.model_copy(update={"webhook_networks": HERE, "webhook_timeout": 1.0})
    webhook, secret = service.ledger.webhooks.create(receiver.url)
    held = threading.Event()
    receiver.answer = lambda message: 200 if len(receiver.messages) > 1 or held.wait(60) else 500
    job, _ = standing(service.ledger, Status.SUCCEEDED)  # committed, and nobody there to send it
    sweeper = service.start_sweeper()
    until(lambda: receiver.messages, "the message has come")
    sweeper.kill()
    sweeper.wait()
    service.start_sweeper()
    until(lambda: service.ledger.webhooks.deliveries(webhook.id)[0].state == "delivered", "it is delivered")
    held.set()
    assert {message.id for message in receiver.messages} == {service.ledger.webhooks.deliveries(webhook.id)[0].id}
    assert len(receiver.messages) >= 2
    assert receiver.messages[-1].told["data"]["id"] == job.id
    assert receiver.messages[-1].signed_by(secret)
    logs = "\n".join(path.read_text() for path in service.settings.home.glob("*.log"))
    assert secret not in logs
    assert "a webhook was told" in logs


@pytest.mark.parametrize(
    "host",
    [
        *("127.0.0.1", "localhost", "0.0.0.0", "10.0.0.1", "172.16.3.4", "192.168.1.1", "169.254.169.254"),
        *("100.64.0.1", "224.0.0.1", "255.255.255.255", "2130706433", "0x7f.1", "0177.0.0.1", "127.1"),
        *("[::1]", "[::]", "[fe80::1]", "[fd00::1]", "[::ffff:127.0.0.1]", "[::ffff:a9fe:a9fe]", "[64:ff9b::7f00:1]"),
        *("[2002:7f00:1::]", "[::127.0.0.1]", "[ff02::1]", "LOCALHOST.", "a.localhost"),
    ],
)
def test_nobody_behind_a_wall_is_told(host: str) -> None:
    with pytest.raises(Refused, match=r"private network"):
        post.post(f"https://{host}:1/", b"", {}, 1.0, ())


def test_what_a_name_says_is_looked_up_once_and_checked(monkeypatch: pytest.MonkeyPatch, receiver: Receiver) -> None:
    """A name whose owner answers first with an allowed address and then with another: the first is connected to."""
    answers = iter(["127.0.0.1", "127.0.0.2"])
    asked: list[str] = []
    real = socket.getaddrinfo

    def lookup(host: str, port: int, **options: object) -> object:
        asked.append(host)
        return real(next(answers) if host == "rebound.example" else host, port, type=socket.SOCK_STREAM)

    monkeypatch.setattr(post.socket, "getaddrinfo", lookup)
    url = receiver.url.replace("127.0.0.1", "rebound.example")
    assert post.post(url, b"{}", {"webhook-id": "1"}, 5.0, networks("127.0.0.1"))[0] == 204
    assert asked == ["rebound.example"]
    with pytest.raises(Refused):
        post.post(url, b"{}", {}, 5.0, networks("127.0.0.1"))
    assert len(receiver.messages) == 1
    assert receiver.messages[0].headers["host"] == f"rebound.example:{receiver.port}"


@pytest.mark.parametrize("begin", [b"", b"HTTP/1.1 200 OK\r\nA: "])
def test_a_receiver_that_drags_on_is_cut(begin: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        over = threading.Event()

        def drip() -> None:
            client, _ = server.accept()
            with client:
                try:
                    client.sendall(begin)
                    while not over.wait(0.05):
                        client.sendall(b"x" if begin else b"")
                except OSError:
                    return

        thread = threading.Thread(target=drip)
        thread.start()
        try:
            with pytest.raises(Unanswered, match=r"within 0.5 s"):
                post.post(f"http://127.0.0.1:{server.getsockname()[1]}/", b"", {}, 0.5, networks(HERE))
        finally:
            over.set()
            thread.join()


def test_a_certificate_is_checked_for_the_name_that_was_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, receiver: Receiver
) -> None:
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    new = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days"]
    names = ["1", "-subj", "/CN=hook", "-addext", "subjectAltName=DNS:hook.example"]
    subprocess.run([*new, *names, "-keyout", key, "-out", certificate], check=True, capture_output=True)
    served = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    served.load_cert_chain(certificate, key)
    trusting = ssl.create_default_context(cafile=str(certificate))
    real = socket.getaddrinfo
    monkeypatch.setattr(post.socket, "getaddrinfo", lambda _, port, **more: real("127.0.0.1", port, **more))
    with receiving(served) as receiver:
        told = receiver.url.replace("127.0.0.1", "hook.example")
        assert post.post(told, b"{}", {"webhook-id": "1"}, 5.0, networks(HERE), trusting)[0] == 204
        for url, tls in ((told, ssl.create_default_context()), (told.replace("hook.", "other."), trusting)):
            with pytest.raises(Unanswered, match="certificate is not trusted"):
                post.post(url, b"{}", {}, 5.0, networks(HERE), tls)
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(Unanswered, match=r"within 0.3 s"):
        post.post(f"https://hook.example:{silent.getsockname()[1]}/", b"", {}, 0.3, networks(HERE))


def test_the_libraries_of_receivers_verify_what_comes(
    ledger: Ledger, receiver: Receiver, courier: Callable[[], None]
) -> None:
    library = pytest.importorskip("standardwebhooks")
    webhook, secret = ledger.webhooks.create(receiver.url)
    ledger.webhooks.test(webhook.id)
    courier()
    (message,) = receiver.messages
    assert library.Webhook(secret).verify(message.body.decode(), message.headers)["type"] == "webhook.test"
    for wrong in (message.body + b" ", message.body.replace(b"test", b"best")):
        with pytest.raises(library.webhooks.WebhookVerificationError):
            library.Webhook(secret).verify(wrong.decode(), message.headers)
