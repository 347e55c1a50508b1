#!/usr/bin/env bash
# WebDataset makes one sample of two pictures whose names are alike up to their first dot.
# Versions: Python 3.11, webdataset 1.0.2
#
# Files of a tar belong to one sample if their names are equal up to the first dot, and whatever follows is the field's
# name. Names with a dot of their own, as of a scale, a version or a date, are cut there: scan-1.25mm.png and
# scan-1.75mm.png are the fields "25mm.png" and "75mm.png" of one sample "scan-1". Iterating gives fewer samples than
# there are pictures, and without a warning. What decodes by the last extension decodes both, so that only who asks for
# the field "png" hears of it, as a missing field. Pillow, tarfile and every file manager see two pictures.
#
# Seen on 2026-11-29:
#     4 pictures in the tar, 2 samples
#     sample scan-1: 25mm.png, 75mm.png
#     sample scan-2: 25mm.png, 75mm.png
#     decoded: 2 pictures in the sample scan-1
#     without dots: 4 samples
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
"${install[@]}" webdataset==1.0.2 numpy==2.4.6 pillow==13.0.0 ||
    { echo "cannot be seen here: the packages did not install"; exit 77; }

env/bin/python - <<'PY'
import io
import tarfile
import warnings

import webdataset
from PIL import Image

warnings.simplefilter("error", UserWarning)  # it would be heard


def samples(names: list[str], *, decoded: bool = False) -> list[dict]:
    with tarfile.open("set.tar", "w") as archive:
        for shade, name in enumerate(names):
            data = io.BytesIO()
            Image.new("L", (8, 8), 40 * shade).save(data, "PNG")
            member = tarfile.TarInfo(name)
            member.size = data.tell()
            data.seek(0)
            archive.addfile(member, data)
    found = webdataset.WebDataset("set.tar", shardshuffle=False)
    return list(found.decode("pil") if decoded else found)


def fields(sample: dict) -> list[str]:
    return sorted(name for name in sample if not name.startswith("__"))


dotted = [f"scan-{number}.{part}mm.png" for number in (1, 2) for part in (25, 75)]
found = samples(dotted)
print(f"{len(dotted)} pictures in the tar, {len(found)} samples")
for sample in found:
    print(f"sample {sample['__key__']}: {', '.join(fields(sample))}")
first = samples(dotted, decoded=True)[0]
pictures = [name for name in fields(first) if isinstance(first[name], Image.Image)]
print(f"decoded: {len(pictures)} pictures in the sample {first['__key__']}")
plain = samples([name.replace(".", "_", 1) for name in dotted])
print(f"without dots: {len(plain)} samples")
assert [fields(sample) for sample in found] == [["25mm.png", "75mm.png"]] * 2, "names are cut elsewhere now"
assert len(pictures) == 2, "only one of them is decoded now"
assert len(plain) == 4
PY
