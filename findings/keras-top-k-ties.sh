#!/usr/bin/env bash
# Keras gives a collapsed network a top-1 and top-5 accuracy of 100 %, with JAX even one whose outputs are all NaN.
# Versions: Python 3.11, Keras 3.15.1, JAX 0.10.2, PyTorch 2.15.0
#
# TopKCategoricalAccuracy counts a target as found if fewer than k outputs are strictly larger than its own. Where all
# outputs are equal, as of a dead network, every target is found: top-1 is 100 % beside an "accuracy" of 10 % on the
# same ten classes. NaN compares as not larger, so with the JAX backend a training that has diverged to NaN reports
# 1.00 for k = 1 and k = 5; with the PyTorch backend the same arrays give 0 %. A search that picks its best run by
# top-5 picks the broken one. Nothing is written about either case.
#
# Seen on 2026-11-28:
#     jax   distinct : accuracy 0.00, top-1 0.00, top-5 0.40
#     jax   all equal: accuracy 0.10, top-1 1.00, top-5 1.00
#     jax   all NaN  : accuracy 0.10, top-1 1.00, top-5 1.00
#     torch distinct : accuracy 0.00, top-1 0.00, top-5 0.40
#     torch all equal: accuracy 0.10, top-1 1.00, top-5 1.00
#     torch all NaN  : accuracy 0.10, top-1 0.00, top-5 0.00
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
"${install[@]}" keras==3.15.1 jax==0.10.2 torch==2.15.0 numpy==2.4.6 ||
    { echo "cannot be seen here: the packages did not install"; exit 77; }

trap 'tail -3 messages.txt; exit 1' ERR
for backend in jax torch; do
    KERAS_HOME="$work/keras" KERAS_BACKEND=$backend env/bin/python - 2>messages.txt <<'PY'
import keras
import numpy as np

labels = np.arange(100) % 10
network = keras.Sequential([keras.layers.Input((10,)), keras.layers.Activation("linear")])
network.compile(
    loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    metrics=["accuracy", *(keras.metrics.SparseTopKCategoricalAccuracy(k=k, name=f"top{k}") for k in (1, 5))],
)


def scores(kind: str, outputs: np.ndarray) -> tuple[float, float, float]:
    result = network.evaluate(outputs.astype(np.float32), labels, verbose=0, return_dict=True)
    told = tuple(round(float(result[name]), 3) for name in ("accuracy", "top1", "top5"))
    print(f"{keras.backend.backend():5} {kind:9}: accuracy {told[0]:.2f}, top-1 {told[1]:.2f}, top-5 {told[2]:.2f}")
    return told


always_next = np.eye(10)[(labels + 1) % 10] - np.arange(10) / 100  # never right, no ties
assert scores("distinct", always_next)[:2] == (0, 0)
assert scores("all equal", np.zeros((100, 10))) == (0.1, 1, 1), "ties count otherwise now"
nan = 1 if keras.backend.backend() == "jax" else 0
assert scores("all NaN", np.full((100, 10), np.nan)) == (0.1, nan, nan), "NaN counts otherwise now"
PY
done
