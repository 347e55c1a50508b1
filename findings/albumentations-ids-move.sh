#!/usr/bin/env bash
# Albumentations returns other numbers than it was given beside its boxes: the id 900100259990 is 900100259840.
# Versions: Python 3.11, albumentations 2.0.8, opencv-python-headless 5.0.0.93, NumPy 2.4.6
#
# label_fields name what goes with boxes or keypoints: their class, and, as boxes get lost when a picture is cut, an id
# to know them by. All that are numbers go through one array of float32, as the coordinates do, and whole numbers above
# 16,777,216 are rounded: the ids of COCO's crowds have twelve digits, and ids made of a time or of a hash are as long.
# Neighbours become one. It is so with a pipeline that changes no pixel, and for lists as for arrays of int64, which
# are int64 again afterwards. A list of the classes 0 and 1 comes back as the floats 0.0 and 1.0. Names, and numbers
# given as text, are kept. Nothing is said. The cure is [str(number) for number in ids].
#
# Seen on 2026-11-30:
#     boxes, list of int     : 900100259990 900100259989 -> 900100259840 900100259840, float
#     boxes, array of int64  : 900100259990 900100259989 -> 900100259840 900100259840, int64
#     keypoints, list of int : 900100259990 900100259989 -> 900100259840 900100259840, float
#     boxes, list of str     : 900100259990 900100259989 -> 900100259990 900100259989, str
#     10,000 ids in a row from 2,000,000,000: 79 remain
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
"${install[@]}" albumentations==2.0.8 opencv-python-headless==5.0.0.93 numpy==2.4.6 ||
    { echo "cannot be seen here: the packages did not install"; exit 77; }

NO_ALBUMENTATIONS_UPDATE=1 env/bin/python -W error - <<'PY'
import albumentations
import numpy as np

picture = np.zeros((100, 100, 3), np.uint8)


def passed(ids, what: str = "boxes") -> list:
    """What comes back for the ids of as many boxes or keypoints, from a pipeline that changes nothing."""
    if what == "boxes":
        how = {"bbox_params": albumentations.BboxParams(format="coco", label_fields=["ids"])}
        places = {"bboxes": [[10, 10, 40, 40]] * len(ids)}
    else:
        how = {"keypoint_params": albumentations.KeypointParams(format="xy", label_fields=["ids"])}
        places = {"keypoints": [[10, 10]] * len(ids)}
    result = albumentations.Compose([albumentations.NoOp()], **how)(image=picture, ids=ids, **places)
    assert all(len(result[name]) == len(ids) for name in places) and (result["image"] == picture).all()
    return list(result["ids"])


ids = [900100259990, 900100259989]
kinds = {
    "boxes, list of int": (ids, "boxes"),
    "boxes, array of int64": (np.array(ids), "boxes"),
    "keypoints, list of int": (ids, "keypoints"),
    "boxes, list of str": ([str(number) for number in ids], "boxes"),
}
for title, (given, what) in kinds.items():
    back = passed(given, what)
    print(f"{title:23}:", *ids, "->", *(int(value) for value in back), end=f", {type(back[0]).__name__}\n")
    if "str" in title:
        assert back == given
    else:
        assert [int(value) for value in back] == 2 * [900100259840], "ids are kept now"
assert passed([0, 1]) == [0, 1] and isinstance(passed([0, 1])[1], float)
assert passed(["cat", "dog"]) == ["cat", "dog"]
left = len(set(passed(list(range(2 * 10**9, 2 * 10**9 + 10_000)))))
print(f"10,000 ids in a row from 2,000,000,000: {left} remain")
assert left < 100
PY
