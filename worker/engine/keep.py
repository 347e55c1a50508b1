"""Files that a kill can't leave half written, most of them JSON."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any


def write(path: Path, content: Any) -> None:
    """Write so that a reader finds the old content or the new one, whole."""
    write_bytes(path, json.dumps(content).encode())


def write_bytes(path: Path, content: bytes) -> None:
    """The same of content that is no JSON."""
    partial = path.with_name(f"{path.name}.{os.getpid()}.part")
    partial.write_bytes(content)
    partial.replace(path)


def read(path: Path, default: Any) -> Any:
    """The content, or `default` where nothing was ever written."""
    return json.loads(path.read_text()) if path.exists() else default
