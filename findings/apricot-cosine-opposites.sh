#!/usr/bin/env bash
# apricot takes opposites for copies with metric="cosine": a coreset of three irises leaves out a whole kind.
# Versions: Python 3.11, apricot-select 0.6.1, numba 0.68.1, scikit-learn 1.9.1, NumPy 2.4.6
#
# The documentation says that scikit-learn's distances are taken from their maximum. Of "cosine" and "corr" the
# square is taken instead: an angle of 180 degrees has a similarity of 1, as 0 degrees has, and 90 degrees has the least
# of all. Features around 0, as standardised columns, embeddings and series are, have opposites, and what stands for a
# sample stands for its opposite, too: a rising series for a falling one. Shapes, counts and gains look right, and
# nothing is said. The cure is metric="precomputed" with (1 + cosine) / 2.
#
# Seen on 2026-12-01, standardised irises, facility location:
#     similarity by cosine at 90 degrees : 0, at 180 degrees: 1
#     of a rising and of a falling series, by corr: 1
#     3 chosen by cosine     : 2, 1, 0 of the three kinds, 21% point away from all of them, 66% of kinds right
#     3 chosen by precomputed: 1, 1, 1 of the three kinds, 0% point away from all of them, 80% of kinds right
#     5 chosen by cosine     : 3, 2, 0 of the three kinds, 1% point away from all of them, 67% of kinds right
#     5 chosen by precomputed: 2, 2, 1 of the three kinds, 0% point away from all of them, 79% of kinds right
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
"${install[@]}" apricot-select==0.6.1 numba==0.68.1 scikit-learn==1.9.1 numpy==2.4.6 scipy==1.17.1 ||
    { echo "cannot be seen here: the packages did not install"; exit 77; }

trap 'tail -3 messages.txt; exit 1' ERR
env/bin/python 2>messages.txt - <<'PY'
import numpy as np
from apricot import FacilityLocationSelection
from sklearn.datasets import load_iris
from sklearn.preprocessing import StandardScaler, normalize

flowers, species = load_iris(return_X_y=True)
flowers = StandardScaler().fit_transform(flowers)
directions = normalize(flowers)
cosines = np.clip(directions @ directions.T, -1, 1)


def similarity(one: list[float], other: list[float], metric: str) -> float:
    """How far the first one, chosen alone, stands for the other: its gain less the 1 that it has for itself."""
    return float(FacilityLocationSelection(1, metric=metric).fit(np.array([one, other])).gains[0]) - 1


across, opposite = (similarity([1.0, 0.0], other, "cosine") for other in ([0.0, 1.0], [-1.0, 0.0]))
print(f"similarity by cosine at 90 degrees : {across:g}, at 180 degrees: {opposite:g}")
assert abs(across) < 1e-9 and abs(opposite - 1) < 1e-9, "opposites are not alike now"
series = similarity([1.0, 2.0, 4.0, 5.0], [5.0, 4.0, 2.0, 1.0], "corr")
print(f"of a rising and of a falling series, by corr: {series:g}")
assert abs(series - 1) < 1e-9, "a rising series is not a falling one now"

kinds, right = {}, {}
for count in (3, 5):
    for metric, table in (("cosine", flowers), ("precomputed", (1 + cosines) / 2)):
        chosen = FacilityLocationSelection(count, metric=metric).fit(table).ranking
        kinds[metric] = np.bincount(species[chosen], minlength=3)
        away = (cosines[:, chosen].max(axis=1) < 0).mean()
        right[metric] = (species[chosen][cosines[:, chosen].argmax(axis=1)] == species).mean()
        print(
            f"{count} chosen by {metric:11}: {', '.join(map(str, kinds[metric]))} of the three kinds,"
            f" {away:.0%} point away from all of them, {right[metric]:.0%} of kinds right"
        )
    assert kinds["precomputed"].min() >= 1 and right["precomputed"] > right["cosine"] + 0.05
    assert kinds["cosine"].min() == 0, "no kind is left out now"
PY
if grep -iE 'warn|squar|cosine|opposite' messages.txt; then
    echo "it says something now"
    exit 1
fi
