#!/usr/bin/env bash
# PyOD's ECOD and COPOD judge new samples by each other: a thousand of the same fault in one call are hardly outliers.
# Versions: Python 3.11, pyod 3.6.7, scikit-learn 1.9.1, SciPy 1.17.1, NumPy 2.4.6
#
# A detector that is fitted on good samples is asked about new ones, and the threshold is the fitted one. But the tails
# that ECOD and COPOD score by are those of the fitted samples and the asked ones together, anew in each call. So the
# score of a sample is not its own: one sample far outside is an outlier, the same one in a call with many like it is
# none, and of a camera that has drifted, a sensor that broke or a batch from another source most samples pass, the
# more of them there are. Asked one by one all are found. Other detectors of the library (here a forest) do not do it.
# Nothing is said. The cure is to ask for each sample alone.
#
# Seen on 2026-12-01, fitted on 500 samples of three normal columns; asked about samples six deviations away:
#     ECOD       1 in a call: 100% are outliers, the first scores 18.6 (threshold 7.9)
#     ECOD      10 in a call: 100% are outliers, the first scores 13.9 (threshold 7.9)
#     ECOD     100 in a call:  57% are outliers, the first scores 8.2 (threshold 7.9)
#     ECOD    1000 in a call:   4% are outliers, the first scores 4.1 (threshold 7.9)
#     COPOD      1 in a call: 100% are outliers, the first scores 18.6 (threshold 7.0)
#     COPOD     10 in a call: 100% are outliers, the first scores 13.9 (threshold 7.0)
#     COPOD    100 in a call:  77% are outliers, the first scores 8.2 (threshold 7.0)
#     COPOD   1000 in a call:   0% are outliers, the first scores 2.9 (threshold 7.0)
#     IForest    1 in a call: 100% are outliers, the first scores 0.2 (threshold -0.0)
#     IForest 1000 in a call: 100% are outliers, the first scores 0.2 (threshold -0.0)
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
"${install[@]}" pyod==3.6.7 scikit-learn==1.9.1 scipy==1.17.1 numpy==2.4.6 ||
    { echo "cannot be seen here: the packages did not install"; exit 77; }

env/bin/python - <<'PY'
import numpy as np
from pyod.models.copod import COPOD
from pyod.models.ecod import ECOD
from pyod.models.iforest import IForest

draws = np.random.default_rng(0)
good = draws.normal(0, 1, (500, 3))
faults = draws.normal(6, 0.1, (1000, 3))
for kind in (ECOD, COPOD, IForest):
    detector = kind(contamination=0.05)
    if kind is IForest:
        detector.set_params(random_state=0)
    detector.fit(good)
    shares, scores = [], []
    for count in (1, 10, 100, 1000):
        shares.append(detector.predict(faults[:count]).mean())
        scores.append(detector.decision_function(faults[:count])[0])
        print(
            f"{kind.__name__:7} {count:4} in a call: {shares[-1]:4.0%} are outliers,"
            f" the first scores {scores[-1]:.1f} (threshold {detector.threshold_:.1f})"
        )
    if kind is IForest:
        assert shares == [1, 1, 1, 1], "the forest misses them, too"
        assert max(scores) - min(scores) < 1e-9, "the forest's scores depend on the call, too"
    else:
        assert shares[0] == 1 and shares[-1] < 0.2, "samples are judged by the fitted ones alone now"
        assert scores[-1] < scores[0] / 3, "the score of a sample is its own now"
        alone = np.mean([detector.predict(fault[None])[0] for fault in faults[:100]])
        assert alone == 1, "asked one by one they are not found, either"
PY
