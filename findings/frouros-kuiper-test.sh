#!/usr/bin/env bash
# frouros' test of Kuiper is the one of Kolmogorov and Smirnov with wrong probabilities: drift that it is for is missed.
# Versions: Python 3.11, frouros 0.9.0, SciPy 1.14.1, NumPy 2.1.3
#
# Kuiper's statistic is how far one sample runs ahead of the other, plus how far it falls behind. KuiperTest takes the
# larger of the two, as Kolmogorov and Smirnov do, and looks its probability up among those of the sum. So the p-value
# is far too large: of pairs that do not differ 1 % are below 0.05, and of pairs that differ in their width, which
# Kuiper's test is good at, 1 in 6 is found instead of 9 in 10. Nor may a test of times of day depend on the hour from
# which they are counted, as this one does. Nothing is said: the documentation names Kuiper's paper, "Tests concerning
# random points on a circle", and the statistic of its example is the one that KSTest gives.
#
# Seen on 2026-11-30, 300 pairs of samples of 100; the third row has a limit by simulation:
#     found at 0.05       no difference, width 1 and 1.7
#     KSTest                        4%,             46%
#     KuiperTest                    1%,             16%
#     Kuiper, simulated             6%,             93%
#     times of day, counted from each of the 24 hours
#     KuiperTest: p from 0.0006 to 0.3663
#     Kuiper's statistic: from 0.3750 to 0.3750
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
"${install[@]}" frouros==0.9.0 scipy==1.14.1 numpy==2.1.3 ||
    { echo "cannot be seen here: the packages did not install"; exit 77; }

env/bin/python -W error - <<'PY'
import numpy as np
from frouros.detectors.data_drift import KSTest, KuiperTest

rng = np.random.default_rng(0)


def ask(test: type, a: np.ndarray, b: np.ndarray) -> tuple[float, float]:
    detector = test()
    detector.fit(X=a)
    result = detector.compare(X=b)[0]
    return float(result.statistic), float(result.p_value)


def distances(a: np.ndarray, b: np.ndarray) -> tuple[float, float]:
    """The distances, as shares, by which the first sample runs ahead of the second one and falls behind it."""
    places = np.concatenate([a, b])
    ahead = (a[:, None] <= places).mean(axis=0) - (b[:, None] <= places).mean(axis=0)
    return max(float(ahead.max()), 0.0), max(float(-ahead.min()), 0.0)


def kuiper(a: np.ndarray, b: np.ndarray) -> float:
    """The statistic of Kuiper, rounded so that equal ones are equal."""
    return round(sum(distances(a, b)), 9)


def chance_limit(size: int) -> float:
    """The statistic that at most 5 % of the pairs exceed that do not differ: it depends on their size alone."""
    return float(np.quantile([kuiper(*rng.normal(size=(2, size))) for _ in range(4000)], 0.95))


limit = chance_limit(100)
shares = {}
for width in (1.0, 1.7):
    counts = np.zeros(3)
    for _ in range(300):
        a, b = rng.normal(0, 1, 100), rng.normal(0, width, 100)
        statistic, p = ask(KuiperTest, a, b)
        assert abs(statistic - max(distances(a, b))) < 1e-9, "the statistic is not the larger distance now"
        counts += [ask(KSTest, a, b)[1] < 0.05, p < 0.05, kuiper(a, b) > limit]
    shares[width] = counts / 300
print("found at 0.05       no difference, width 1 and 1.7")
for at, name in enumerate(("KSTest", "KuiperTest", "Kuiper, simulated")):
    print(f"{name:18} {shares[1.0][at]:13.0%}, {shares[1.7][at]:15.0%}")
assert 0.02 < shares[1.0][2] < 0.09 and shares[1.7][2] > 0.85
assert shares[1.0][1] < 0.02 and shares[1.7][1] < 0.3, "the test of Kuiper finds drift now"

weekdays, weekends = rng.normal(9, 4, 80) % 24, rng.normal(10, 6, 80) % 24
shifted = [((weekdays - hour) % 24, (weekends - hour) % 24) for hour in range(24)]
probabilities = [ask(KuiperTest, a, b)[1] for a, b in shifted]
sums = [kuiper(a, b) for a, b in shifted]
print("times of day, counted from each of the 24 hours")
print(f"KuiperTest: p from {min(probabilities):.4f} to {max(probabilities):.4f}")
print(f"Kuiper's statistic: from {min(sums):.4f} to {max(sums):.4f}")
assert max(sums) == min(sums)
assert max(probabilities) > 20 * min(probabilities), "the test does not depend on the hour now"
PY
