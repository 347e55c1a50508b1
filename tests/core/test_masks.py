"""Secrets are found in whatever form they are written, and plain words stay as they are."""

from __future__ import annotations

import json

import pytest

from core.masks import masked, secrets_of

KEY = "still_" + "0aB" * 14 + "z"


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("to redis://me:pass word", "to redis://me:pass word"),
        ("to redis://me:p@ss/w:rd@host:1/0 now", "to redis://me:***@host:1/0 now"),
        ("to rediss://:pw@host", "to rediss://:***@host"),
        ("'amqp://u:pw@a//', 'amqp://u:pw@b//'", "'amqp://u:***@a//', 'amqp://u:***@b//'"),
        ("http://127.0.0.1:8000/v1/jobs", "http://127.0.0.1:8000/v1/jobs"),
        ("s3://bucket/prefix@2", "s3://bucket/prefix@2"),
        (f"key {KEY}!", "key still_0aB0aB0a***!"),
        (f"(b'authorization', b'Bearer {KEY}')", "(b'authorization', b'Bearer still_0aB0aB0a***')"),
        ("authorization: bearer eyJhbGciOiJIUzI1NiJ9.e30.x=", "authorization: bearer ***"),
        ("Cookie: stillhouse_session=" + "x-_" * 14, "Cookie: stillhouse_session=***"),
        ("{'stillhouse_session': '" + "y" * 43 + "'}", "{'stillhouse_session': '***'}"),
        (json.dumps(json.dumps({"password": "hunter2", "port": 1})), '"{\\"password\\": \\"***\\", \\"port\\": 1}"'),
        ("s3://b/p?access_key=AKIA&secret=abc&region=x", "s3://b/p?access_key=***&secret=***&region=x"),
        ("host=db user=me password=hunter2 dbname=x", "host=db user=me password=*** dbname=x"),
        ("signs with 'whsec_MfKQ9r8G+/w==' now", "signs with 'whsec_***' now"),
        ("tokens: 3 of 5", "tokens: 3 of 5"),
        ("Bearer realm", "Bearer realm"),
    ],
)
def test_what_looks_like_a_secret_is_hidden(said: str, shown: str) -> None:
    assert masked(said) == shown
    assert masked(shown) == shown


def test_secrets_that_are_known_are_hidden_wherever_they_stand() -> None:
    urls = [
        "postgresql://me:p%C3%A4ss%22word@db/x",
        None,
        "redis://h/0",
        "s3://b?key=AKIAQUITELONG",
        "amqp://g:guest@h",
    ]
    values = secrets_of(
        urls, {"AWS_SECRET_ACCESS_KEY": "wJalr/XUtn+FEMI", "PATH": "/usr/bin:/bin", "KEYBOARD": "german-de"}
    )
    written = ['päss"word', json.dumps('päss"word'), "p%C3%A4ss%22word", "AKIAQUITELONG", "wJalr/XUtn+FEMI"]
    assert {masked(word, values).strip('"') for word in written} == {"***"}
    assert masked("german-de guest /usr/bin:/bin", values) == "german-de guest /usr/bin:/bin"


def test_a_password_that_is_the_user_s_name_keeps_nothing_secret() -> None:
    values = secrets_of(["postgresql://stillhouse:stillhouse@db/stillhouse"], {})
    assert masked("stillhouse.doorbell", values) == "stillhouse.doorbell"
