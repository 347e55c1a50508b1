"""The engine's process: how it is started, heard, told to stop, killed and reaped.

It lives in a session of its own, so that a signal meant for the worker does not reach it and one meant for it reaches
whatever it started. Its standard input is a life line: when the worker dies, even by `kill -9`, the pipe closes and the
engine ends itself. It sees no database, no broker and no secret: its environment is an allow list.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, Final, Self, final

import structlog

from core.masks import masked

Message = dict[str, Any]
"""One JSON object of the channel; worker.protocol has the types."""

_NAMES: Final = frozenset(
    (
        *("CC", "CXX"),  # the compilers of kernels
        *("HOME", "LANG", "LANGUAGE", "LD_LIBRARY_PATH", "LOGNAME", "PATH", "PYTHONPATH", "SHELL", "TEMP", "TMP"),
        *(
            "TMPDIR",
            "TZ",
            "USER",
            "VIRTUAL_ENV",
            "CURL_CA_BUNDLE",
            "REQUESTS_CA_BUNDLE",
            "SSL_CERT_DIR",
            "SSL_CERT_FILE",
        ),
        *("ALL_PROXY", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "all_proxy", "http_proxy", "https_proxy", "no_proxy"),
    )
)
_PREFIXES: Final = (
    "ATEN_", "CUBLAS_", "CUDA_", "CUDNN_", "DNNL_", "GLIBC_TUNABLES", "GOMP_", "KMP_", "LC_", "MALLOC_",
    "MKL_", "MKLDNN_", "NCCL_", "NVIDIA_", "OMP_", "ONEDNN_", "OPENBLAS_",
    "PYTORCH_", "TORCH", "TRITON_", "XDG_",
)  # fmt: skip
_TUNING: Final = {
    # Memory of a freed tensor is kept for the next one instead of being handed back and faulted in again: half of the
    # time of a training step on a CPU (ConvNet-3 width 32, batch 256). The allocator's own defaults suit small objects.
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TRIM_THRESHOLD_": str(8 << 30),
    # Threads that wait for each other spin for some microseconds before they sleep. Sleeping at once is twice as slow
    # on a quiet machine (ConvNet-3 of width 32 and 128: a gradient in 3.4 and 209 ms instead of 1.6 and 110), and the
    # library's own default, milliseconds of spinning, four times as slow on a busy one.
    "GOMP_SPINCOUNT": "2000",
}
_TAIL_LINES: Final = 40
_LONGEST_LINE: Final = 1 << 20

log = structlog.stdlib.get_logger(__name__)


def environment(of: Mapping[str, str]) -> dict[str, str]:
    """The part of an environment that the engine may see: paths, locale, proxies, and the numerical libraries' own.

    How memory and threads are handled is tuned to tensors, unless the environment says otherwise.
    """
    seen = {name: value for name, value in of.items() if name in _NAMES or name.startswith(_PREFIXES)}
    return _TUNING | seen | {"PYTHONUNBUFFERED": "1", "PYTHONFAULTHANDLER": "1"}


@final
class Child:
    """A running engine; as a context manager it leaves nothing of it behind."""

    def __init__(self, process: subprocess.Popen[bytes], channel: IO[bytes], hear: Callable[[Message], None]) -> None:
        self.killed = False
        """Whether it was this object that sent SIGKILL."""
        self._process = process
        self._hear = hear
        self._tail: deque[str] = deque(maxlen=_TAIL_LINES)
        assert process.stdout is not None
        self._readers = [
            threading.Thread(target=self._listen, args=(channel,), name="channel", daemon=True),
            threading.Thread(target=self._overhear, args=(process.stdout,), name="output", daemon=True),
        ]
        for reader in self._readers:
            reader.start()

    @classmethod
    def spawn(cls, module: str, job_dir: Path, hear: Callable[[Message], None]) -> Self:
        """Starts `python -P -m MODULE --job-dir JOB_DIR --channel FD`.

        Args:
            module: the engine.
            job_dir: the job's folder, with `job.json` written.
            hear: called from another thread with every message of the channel, in order.
        """
        ours, theirs = os.pipe()
        try:
            process = subprocess.Popen(
                [sys.executable, "-P", "-m", module, "--job-dir", str(job_dir), "--channel", str(theirs)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                pass_fds=(theirs,),
                start_new_session=True,
                env=environment(os.environ),
            )
        except BaseException:
            os.close(ours)
            raise
        finally:
            os.close(theirs)
        return cls(process, os.fdopen(ours, "rb"), hear)

    @property
    def pid(self) -> int:
        """The process, and the process group it leads."""
        return self._process.pid

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        self.bury()

    def wait(self, seconds: float) -> int | None:
        """The exit status (a signal's number negated), or None if it still runs after that many seconds."""
        try:
            return self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None

    def tell(self, message: Message) -> None:
        """Says something on its life line; nothing happens where it is gone."""
        assert self._process.stdin is not None
        with suppress(OSError, ValueError):
            self._process.stdin.write(json.dumps(message).encode() + b"\n")
            self._process.stdin.flush()

    def terminate(self) -> None:
        """Asks it, and all it started, to checkpoint and go."""
        self._signal(signal.SIGTERM)

    def kill(self) -> None:
        """Ends it now, whatever it is doing; harmless after its end."""
        if self._process.poll() is None:
            self.killed = True
            self._signal(signal.SIGKILL)

    def bury(self) -> None:
        """Reaps it, ends what it left running, and reads its pipes to the end; returns when nothing of it is left."""
        self._process.wait()
        self._signal(signal.SIGKILL)  # the group outlives its leader while, say, a data loader of it is alive
        for reader in self._readers:
            reader.join(timeout=5)
        if self._process.stdin is not None:
            with suppress(OSError):
                self._process.stdin.close()

    def last_words(self) -> list[str]:
        """The last lines of its standard output and error, without secrets."""
        return [masked(line) for line in self._tail]

    def _signal(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, number)

    def _listen(self, channel: IO[bytes]) -> None:
        with channel:
            while line := channel.readline(_LONGEST_LINE):
                try:
                    message = json.loads(line)
                except ValueError:
                    message = None
                if isinstance(message, dict):
                    self._hear(message)
                else:
                    log.warning("the engine spoke nonsense on the channel", line=line[:200].decode(errors="replace"))

    def _overhear(self, output: IO[bytes]) -> None:
        with output:
            while line := output.readline(_LONGEST_LINE):
                self._tail.append(line[:500].decode(errors="replace").rstrip())
