#!/usr/bin/env bash
# Coreax measures distances between 8-bit pictures modulo 256, and its coresets and their scores come of that.
# Versions: Python 3.11, coreax 1.0.0, JAX 0.10.2, scikit-learn 1.9.1, NumPy 2.4.6
#
# Data keeps the type that it is given, and the squared distance of two rows is the dot product of their difference
# in that type: of uint8, as pictures are stored, differences, squares and sums all run over at 256, and the minus of
# exp(-distance) does as well. The similarity of two pictures, which is 1 at most, is above 1 for nearly all pairs, and
# the median heuristic and kernel herding come of it: what herding chooses is worse than chance. The discrepancy (MMD)
# that tells how good a coreset is says that it is perfect. Nothing is raised or said, and indices and shapes are right.
# data.astype(float) is the cure.
#
# Seen on 2026-11-29:
#     median heuristic: 34.5 of floats, 8.0 of 8 bits
#     random : mean MMD of ten choices of 50 0.1078
#     float32:   0% of pairs above 1, herding of 50: MMD told 0.0460, true 0.0460
#     uint8  :  99% of pairs above 1, herding of 50: MMD told 0.0000, true 0.1226
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
"${install[@]}" coreax==1.0.0 jax==0.10.2 scikit-learn==1.9.1 numpy==2.4.6 ||
    { echo "cannot be seen here: the packages did not install"; exit 77; }

trap 'tail -3 messages.txt; exit 1' ERR
JAX_PLATFORMS=cpu env/bin/python 2>messages.txt - <<'PY'
import jax
import jax.numpy as jnp
import numpy as np
from coreax import Data
from coreax.kernels import SquaredExponentialKernel, median_heuristic
from coreax.metrics import MMD
from coreax.solvers import KernelHerding, RandomSample
from sklearn.datasets import load_digits

pixels = load_digits().data
scale = float(median_heuristic(pixels.astype(np.float32)[:1000]))
wrong = float(median_heuristic(pixels.astype(np.uint8)[:1000]))
print(f"median heuristic: {scale:.1f} of floats, {wrong:.1f} of 8 bits")
kernel = SquaredExponentialKernel(length_scale=scale)
real = Data(jnp.asarray(pixels, jnp.float32))


def herded(kind: type) -> tuple[float, float, float]:
    """How many pairs are more alike than a picture is to itself; MMD of the coreset, as told and as it is."""
    data = Data(jnp.asarray(pixels.astype(kind)))
    alike = np.asarray(kernel.compute(data.data[:300], data.data[:300]))
    chosen, _ = KernelHerding(coreset_size=50, kernel=kernel).reduce(data)
    told = float(MMD(kernel).compute(data, chosen.points))
    true = float(MMD(kernel).compute(real, real[chosen.unweighted_indices]))
    above = (alike > 1.0001).mean()
    print(
        f"{np.dtype(kind)!s:7}: {above:4.0%} of pairs above 1, "
        f"herding of 50: MMD told {told:.4f}, true {true:.4f}"
    )
    return above, told, true


chance = []
for number in range(10):
    drawn, _ = RandomSample(coreset_size=50, random_key=jax.random.key(number)).reduce(real)
    chance.append(float(MMD(kernel).compute(real, drawn.points)))
print(f"random : mean MMD of ten choices of 50 {np.mean(chance):.4f}")
above, told, true = herded(np.float32)
assert above == 0 and abs(told - true) < 1e-3 and true < np.mean(chance) / 2
above, told, true = herded(np.uint8)
assert above > 0.9 and wrong < scale, "8-bit distances are right now"
assert true > 0.8 * np.mean(chance) and told < 0.01, "8-bit pictures are herded and measured well now"
PY
