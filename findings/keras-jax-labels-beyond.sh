#!/usr/bin/env bash
# Keras with JAX trains on labels that its network has no output for: their loss is 0, and nothing is said.
# Versions: Python 3.11, Keras 3.15.1, JAX 0.10.2, PyTorch 2.15.0, scikit-learn 1.9.1
#
# Labels that count from 1, as in many archives, or that are -1 and 1, do not fit a network with as many outputs as
# there are classes. sparse_categorical_crossentropy of the JAX backend turns them to one-hot rows; a label out of
# range is a row of zeros, and its loss is 0 whatever the network says. Training goes on, the loss falls, and one class
# is never learned: of ten digits labelled 1 to 10 the tenth, and of -1 and 1 the network always says 1, with a loss
# near 0 and half of the answers wrong. With the PyTorch backend the same call is an error.
#
# Seen on 2026-11-29:
#     jax   labels 0 to 9   : loss 0.339, accuracy 0.94
#     jax   labels 1 to 10  : loss 0.271, accuracy 0.86
#     jax   labels 0 and 1  : loss 0.085, accuracy 1.00
#     jax   labels -1 and 1 : loss 0.003, accuracy 0.51
#     torch labels 0 to 9   : loss 0.344, accuracy 0.94
#     torch labels 1 to 10  : IndexError
#     torch labels 0 and 1  : loss 0.083, accuracy 1.00
#     torch labels -1 and 1 : IndexError
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
"${install[@]}" keras==3.15.1 jax==0.10.2 torch==2.15.0 scikit-learn==1.9.1 numpy==2.4.6 ||
    { echo "cannot be seen here: the packages did not install"; exit 77; }

trap 'tail -3 "$backend.txt"; exit 1' ERR
for backend in jax torch; do
    KERAS_HOME="$work/keras" KERAS_BACKEND=$backend env/bin/python 2>"$backend.txt" - <<'PY'
import keras
import numpy as np
from sklearn.datasets import load_digits

pixels, digits = load_digits(return_X_y=True)
pixels = (pixels / 16).astype(np.float32)
ones = digits < 2


def trained(title: str, x: np.ndarray, y: np.ndarray, outputs: int) -> tuple[float, float] | str:
    keras.utils.set_random_seed(0)
    network = keras.Sequential([keras.layers.Input((64,)), keras.layers.Dense(outputs, activation="softmax")])
    network.compile("adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    try:
        network.fit(x, y, epochs=30, verbose=0)
        told = network.evaluate(x, y, verbose=0, return_dict=True)
    except (IndexError, ValueError, RuntimeError) as error:
        print(f"{keras.backend.backend():5} {title:16}: {type(error).__name__}")
        return type(error).__name__
    print(f"{keras.backend.backend():5} {title:16}: loss {told['loss']:.3f}, accuracy {told['accuracy']:.2f}")
    return told["loss"], told["accuracy"]


results = [
    trained("labels 0 to 9", pixels, digits, 10),
    trained("labels 1 to 10", pixels, digits + 1, 10),
    trained("labels 0 and 1", pixels[ones], digits[ones], 2),
    trained("labels -1 and 1", pixels[ones], 2 * digits[ones] - 1, 2),
]
assert results[0][1] > 0.93 and results[2][1] > 0.95
if keras.backend.backend() == "torch":
    assert results[1] == results[3] == "IndexError", "PyTorch takes them now"
else:
    assert 0.8 < results[1][1] < 0.91, "labels beyond the outputs are counted now"
    assert results[3][0] < 0.1 and results[3][1] < 0.55, "negative labels are counted now"
PY
done
if grep -iE 'out of|range|bounds|label' jax.txt; then
    echo "it says something now"
    exit 1
fi
