"""As much of S3's protocol as one client needs, served from a dictionary, so that s3fs itself is tested."""

from __future__ import annotations

import contextlib
import hashlib
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit
from xml.sax.saxutils import escape


class _Handler(BaseHTTPRequestHandler):
    objects: dict[str, bytes]
    protocol_version = "HTTP/1.1"

    def do_PUT(self) -> None:
        body = self._body()
        source = self.headers.get("x-amz-copy-source")
        if source is not None:
            body = self.objects[unquote(source).lstrip("/")]
        self.objects[self._key()] = body
        answer = f"<CopyObjectResult><ETag>{_etag(body)}</ETag></CopyObjectResult>" if source else ""
        self._answer(200, answer.encode(), {"ETag": _etag(body)})

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        if "list-type" in urlsplit(self.path).query:
            return self._answer(200, self._listing())
        if (body := self.objects.get(self._key())) is None:
            return self._answer(404, b"<Error><Code>NoSuchKey</Code></Error>")
        headers = {"ETag": _etag(body), "Last-Modified": "Tue, 01 Jan 2030 00:00:00 GMT"}
        if wanted := re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", "")):
            first, last = int(wanted[1]), min(int(wanted[2]), len(body) - 1)
            headers["Content-Range"] = f"bytes {first}-{last}/{len(body)}"
            return self._answer(206, body[first : last + 1], headers)
        return self._answer(200, body, headers)

    def do_DELETE(self) -> None:
        self.objects.pop(self._key(), None)
        self._answer(204, b"")

    def do_POST(self) -> None:
        bucket = self._key().rstrip("/")
        for key in re.findall(r"<Key>(.*?)</Key>", self._body().decode()):
            self.objects.pop(f"{bucket}/{key}", None)
        self._answer(200, b"<DeleteResult/>")

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def _key(self) -> str:
        return unquote(urlsplit(self.path).path).lstrip("/")

    def _listing(self) -> bytes:
        query = dict(part.split("=", 1) for part in urlsplit(self.path).query.split("&") if "=" in part)
        bucket, prefix = self._key().rstrip("/"), unquote(query.get("prefix", ""))
        keys = [key.removeprefix(f"{bucket}/") for key in sorted(self.objects)]
        found = "".join(
            f"<Contents><Key>{escape(key)}</Key><Size>{len(self.objects[f'{bucket}/{key}'])}</Size>"
            "<LastModified>2030-01-01T00:00:00Z</LastModified></Contents>"
            for key in keys
            if key.startswith(prefix)
        )
        return f"<ListBucketResult><IsTruncated>false</IsTruncated>{found}</ListBucketResult>".encode()

    def _body(self) -> bytes:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if "aws-chunked" not in self.headers.get("Content-Encoding", ""):
            return body
        whole, rest = b"", body
        while (size := int(rest.partition(b"\r\n")[0].partition(b";")[0], 16)) > 0:
            rest = rest.partition(b"\r\n")[2]
            whole, rest = whole + rest[:size], rest[size + 2 :]
        return whole

    def _answer(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


@contextlib.contextmanager
def s3_server() -> Iterator[str]:
    """The endpoint's URL of an empty S3 with whatever bucket is asked for."""
    handler = type("Handler", (_Handler,), {"objects": {}})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(timeout=10)


def credentials(endpoint: str) -> dict[str, str]:
    """The variables by which a process finds the server."""
    keys = {"AWS_ACCESS_KEY_ID": "k", "AWS_SECRET_ACCESS_KEY": "s", "AWS_DEFAULT_REGION": "us-east-1"}
    return {"AWS_ENDPOINT_URL": endpoint, **keys}


def _etag(body: bytes) -> str:
    return f'"{hashlib.md5(body, usedforsecurity=False).hexdigest()}"'
