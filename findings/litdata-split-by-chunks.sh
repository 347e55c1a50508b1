#!/usr/bin/env bash
# LitData's "random" split and subsample of a small set are its first and last samples, as they lie: whole classes.
# Versions: Python 3.11, litdata 0.2.76, PyTorch 2.15.0, NumPy 2.4.6
#
# train_test_split(shuffle=True), the default, is "to shuffle the data before splitting", and subsample is the fraction
# "to be randomly sampled". What is shuffled are chunks, files of 64 MB as the README writes them; samples stay where
# they are. A small set is one chunk, so nothing is shuffled at all: of a set that lies class after class, as folders
# do, the test part has the last two of ten classes, which the training part has never seen, and a tenth of the set is
# class 0. In a few chunks only their order is random. The lengths are right and nothing is said. A list of
# indices for subset() is the way round.
#
# Seen on 2026-11-29 (samples of classes 0 to 9, of 100 each):
#     all                     : 100 100 100 100 100 100 100 100 100 100
#     split, train            : 100 100 100 100 100 100 100 100   0   0
#     split, test             :   0   0   0   0   0   0   0   0 100 100
#     subsample, shuffle=False: 100   0   0   0   0   0   0   0   0   0
#     subsample, shuffle=True : 100   0   0   0   0   0   0   0   0   0
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
"${install[@]}" litdata==0.2.76 torch==2.15.0 numpy==2.4.6 ||
    { echo "cannot be seen here: the packages did not install"; exit 77; }

cat >split.py <<'PY'
import litdata
import numpy as np


def sample(number: int) -> dict[str, object]:
    """A picture of class number // 100: a thousand lie class after class."""
    return {"image": np.full((8, 8), number % 256, np.uint8), "label": number // 100}


def classes(title: str, dataset: litdata.StreamingDataset) -> list[int]:
    counts = np.bincount([int(one["label"]) for one in dataset], minlength=10).tolist()
    print(f"{title:24}:", " ".join(f"{count:3d}" for count in counts))
    return counts


if __name__ == "__main__":
    litdata.optimize(fn=sample, inputs=list(range(1000)), output_dir="set", chunk_bytes="64MB", num_workers=1)
    whole = litdata.StreamingDataset("set")
    assert classes("all", whole) == [100] * 10
    train, test = litdata.train_test_split(whole, splits=[0.8, 0.2], shuffle=True)
    assert classes("split, train", train) == [100] * 8 + [0] * 2, "samples are shuffled before the split now"
    assert classes("split, test", test) == [0] * 8 + [100] * 2, "samples are shuffled before the split now"
    for shuffle in (False, True):
        tenth = litdata.StreamingDataset("set", subsample=0.1, shuffle=shuffle, seed=1)
        told = classes(f"subsample, shuffle={shuffle}", tenth)
        assert told == [100] + [0] * 9, "samples are drawn at random now"
PY
trap 'tail -3 messages.txt; exit 1' ERR
HOME="$work" env/bin/python split.py 2>messages.txt | tee output.txt | grep -E '^(all|split|subsample)'
grep -c '^subsample' output.txt | grep -qx 2
