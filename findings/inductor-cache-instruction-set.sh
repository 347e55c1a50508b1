#!/usr/bin/env bash
# torch.compile takes a program made for AVX-512 out of its cache on a machine without it, and returns wrong sums.
# Versions: Python 3.11, PyTorch 2.15.0 (CPU), g++, a processor with AVX-512
#
# The key of inductor's cache of graphs (TORCHINDUCTOR_CACHE_DIR, kept by default) holds no instruction set, but the
# C++ text stored under it is written for vectors of 16 floats. A process that may use only AVX2
# (ATEN_CPU_CAPABILITY=avx2 here; a second machine that shares the folder in real life) counts a cache hit, compiles
# this text with AVX2's flags, where a vector has 8 floats, and so skips half of the elements: a row sum of 35.72
# becomes 23.38. There is no error and no warning. With a cache folder of its own the same process is right. Folders
# per instruction set are the way round. Without AVX-512 or g++ this cannot be seen: the script says so and ends with
# 77.
#
# Seen on 2026-11-28:
#     AVX512 fills the cache : hits 0, first sum 35.7214, largest error 3.8e-06
#     AVX2   shares the cache: hits 1, first sum 23.3786, largest error 1.4e+01
#     AVX2   has its own     : hits 0, first sum 35.7214, largest error 3.8e-06
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
"${PYTHON:-python3.11}" -m venv env
if command -v uv >/dev/null; then
    install=(uv pip install --quiet --python env/bin/python)
else
    install=(env/bin/python -m pip install --quiet --disable-pip-version-check)
fi
"${install[@]}" torch==2.15.0 numpy==2.4.6 ||
    { echo "cannot be seen here: the packages did not install"; exit 77; }

grep -q avx512f /proc/cpuinfo && command -v g++ >/dev/null ||
    { echo "cannot be seen here: it takes a processor with AVX-512, and g++"; exit 77; }
cat >sums.py <<'PY'
import json

import torch
from torch._dynamo.utils import counters

x = torch.arange(64 * 23, dtype=torch.float32).reshape(64, 23).remainder(7) / 7


def sums(x: torch.Tensor) -> torch.Tensor:
    return x.exp().sum(1)


compiled, eager = torch.compile(sums)(x), sums(x)
print(json.dumps({"capability": torch.backends.cpu.get_cpu_capability(), "first": compiled[0].item(),
                  "error": (compiled - eager).abs().max().item(), "hits": counters["inductor"]["fxgraph_cache_hit"]}))
PY
trap 'tail -3 messages.txt; exit 1' ERR
unset ATEN_CPU_CAPABILITY TORCHINDUCTOR_FORCE_DISABLE_CACHES TORCH_LOGS
export TMPDIR="$work"
TORCHINDUCTOR_CACHE_DIR="$work/shared" env/bin/python sums.py 2>messages.txt >first.json
ATEN_CPU_CAPABILITY=avx2 TORCHINDUCTOR_CACHE_DIR="$work/shared" env/bin/python sums.py 2>messages.txt >second.json
ATEN_CPU_CAPABILITY=avx2 TORCHINDUCTOR_CACHE_DIR="$work/own" env/bin/python sums.py 2>messages.txt >alone.json
env/bin/python - <<'PY'
import json
from pathlib import Path

first, second, alone = (json.loads(Path(name).read_text().splitlines()[-1])
                        for name in ("first.json", "second.json", "alone.json"))
for title, run in (("fills the cache", first), ("shares the cache", second), ("has its own", alone)):
    print(f"{run['capability']:6} {title:16}: hits {run['hits']}, first sum {run['first']:.4f}, "
          f"largest error {run['error']:.1e}")
assert first["capability"] == "AVX512" and second["capability"] == alone["capability"] == "AVX2"
assert first["error"] < 1e-4 and alone["error"] < 1e-4, "wrong without a shared cache as well"
assert second["hits"] == 1 and second["error"] > 1, "the shared cache gives right sums now"
PY
