#!/usr/bin/env bash
# k-means-constrained finds clusters in centimetres and none in kilometres: distances are whole thousandths of a unit.
# Versions: Python 3.11, k-means-constrained 0.9.1, OR-Tools 9.15.6755, scikit-learn 1.9.1, NumPy 2.4.6
#
# k-means does not care for the unit. Here each assignment is a flow of least cost, and the solver takes whole numbers:
# distances are multiplied by 1,000, rounded, and cast to 32 bits. Where they are below half a thousandth, as of
# spectra, histograms that sum to one or lengths in a large unit, all of them are 0 and any assignment that keeps the
# sizes will do: no warning, and as many members as were asked for. Above two millions, as of salaries or bytes, they
# overflow, and a warning speaks of a cast. Both end as clusters that look right by their sizes.
#
# Seen on 2026-11-30, the 150 irises, three clusters of 40 to 60, agreement with the species (adjusted Rand index; by
# chance 0) and spread within clusters beside that of scikit-learn's KMeans without limits:
#     centimetres  sizes 40 50 60  agreement 0.73 (KMeans 0.73)  spread  1.0 times  no warning
#     kilometres   sizes 41 49 60  agreement 0.29 (KMeans 0.73)  spread  7.5 times  no warning
#     nanometres   sizes 40 50 60  agreement 0.32 (KMeans 0.73)  spread  4.4 times  invalid value encountered in cast
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
"${install[@]}" k-means-constrained==0.9.1 ortools==9.15.6755 scikit-learn==1.9.1 numpy==2.4.6 scipy==1.17.1 ||
    { echo "cannot be seen here: the packages did not install"; exit 77; }

env/bin/python - <<'PY'
import warnings

import numpy as np
from k_means_constrained import KMeansConstrained
from sklearn.cluster import KMeans
from sklearn.datasets import load_iris
from sklearn.metrics import adjusted_rand_score

flowers, species = load_iris(return_X_y=True)
agreement, told = {}, {}
for name, a_centimetre in (("centimetres", 1.0), ("kilometres", 1e-5), ("nanometres", 1e7)):
    measured = flowers * a_centimetre
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = KMeansConstrained(3, size_min=40, size_max=60, random_state=0).fit(measured)
    free = KMeans(3, n_init=10, random_state=0).fit(measured)
    agreement[name] = adjusted_rand_score(species, found.labels_)
    told[name] = ", ".join(sorted({str(each.message) for each in caught})) or "no warning"
    print(
        f"{name:<12} sizes {' '.join(map(str, sorted(np.bincount(found.labels_))))}  agreement {agreement[name]:.2f}"
        f" (KMeans {adjusted_rand_score(species, free.labels_):.2f})"
        f"  spread {found.inertia_ / free.inertia_:4.1f} times  {told[name]}"
    )
    assert adjusted_rand_score(species, free.labels_) > 0.7, "without limits the unit matters, too"
assert agreement["centimetres"] > 0.7 and told["centimetres"] == "no warning"
assert agreement["kilometres"] < 0.5, "clusters in kilometres are those in centimetres"
assert told["kilometres"] == "no warning", "there is a warning of small distances now"
assert agreement["nanometres"] < 0.5, "clusters in nanometres are those in centimetres"
PY
