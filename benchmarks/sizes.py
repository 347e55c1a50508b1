"""Methods that make any number of images from one training: accuracy against size, seconds, diversity.

    python -m benchmarks.sizes --home DIR [--data DIR] [--only PART ...] [--budget HOURS] [--write]

Three parts, each a section of benchmarks/CLAIMS.md that `--write` puts in the place of the dataset's own, if there is
one. `diffusion`: accuracy against images a class, beside random real images, with the generator's bytes and samples a
second. `mgdd`: every size from one adapted generator and the seconds of it, beside the identity in the generator's
place, and the seconds of adaptation that FRePo's accuracy takes beside FRePo's own. `diversity`: how alike the images
of a class are that SRe2L and its descendants recover.

Jobs go through the REST API of a service whose state is in `--home`: run again, it takes up what is there, and a
finished job is not repeated, be it one of benchmarks.claims. After `--budget` hours no further job is begun. `--set`
changes a field of every job's recipe, or of those of one method, `--set diffusion:objective.guidance=1.0`.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from benchmarks import adapted, alike, drawn, jobs, sections
from benchmarks.jobs import Ask, Setting
from benchmarks.machine import describe
from benchmarks.subsets import DATASETS

Part = Callable[[argparse.Namespace, Setting, Ask], str | None]

_PICTURES = Path(__file__).parents[1] / "docs" / "pictures"
_SHOWN = 10  # images a class of the picture, if there is that size


def main(arguments: Sequence[str] | None = None) -> None:
    """Run what is missing, print the sections."""
    options = _options(arguments)
    wanted = {options.dataset, *([options.source] if options.source else [])}
    with jobs.serving(options, wanted) as ask:
        said = written(options, ask)
    for name, title, text in said:
        print(f"## {title}\n\n{text}\n")
        if options.write:
            sections.write(name, title, text)


def written(options: argparse.Namespace, ask: Ask) -> list[tuple[str, str, str]]:
    """Name, title and text of each section there is anything to say in."""
    setting = Setting(options.dataset, options.seeds, _changes(options))
    found = []
    for part in options.only or _PARTS:
        title, assemble = _PARTS[part]
        if (text := assemble(options, setting, ask)) is not None:
            where = describe(options.data, options.home, options.pictures)
            title = f"{title}: {setting.told.partition(',')[0]}"
            found.append((f"sizes: {part}, {setting.dataset}", title, f"{text}\n\n{where}"))
    return found


def _diffusion(options: argparse.Namespace, setting: Setting, ask: Ask) -> str | None:
    found = drawn.gather(setting, ask, options.ipcs)
    if not found:
        return None
    if not options.write:
        return drawn.said(setting, found)
    size = min(found, key=lambda ipc: abs(ipc - _SHOWN))
    path = options.pictures / f"diffusion-{setting.dataset}.png"
    drawn.shown(found[size][0].artifact(), path)
    return drawn.said(setting, found, f"![images of each class](../docs/pictures/{path.name})")


def _mgdd(options: argparse.Namespace, setting: Setting, ask: Ask) -> str | None:
    sizes = adapted.sizes(setting, ask, options.sizes)
    race = adapted.race(setting, ask, options.race, options.adaptations, options.frepo_steps)
    return "\n\n".join(text for text in (sizes, race) if text) or None


def _diversity(options: argparse.Namespace, setting: Setting, ask: Ask) -> str | None:
    found = alike.gather(setting, ask, options.recovered)
    return alike.said(setting, options.recovered, found, options.home / "datasets") if found else None


_PARTS: Final[dict[str, tuple[str, Part]]] = {
    "diffusion": (drawn.TITLE, _diffusion),
    "mgdd": (adapted.TITLE, _mgdd),
    "diversity": (alike.TITLE, _diversity),
}


def _changes(options: argparse.Namespace) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    if options.source:
        found["mgdd"] = {"init.source": options.source}
    for text in options.set:
        path, _, value = text.partition("=")
        method, _, path = path.rpartition(":")
        found.setdefault(method, {})[path] = json.loads(value)
    return found


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    jobs.add_options(parser)
    sizes: dict[str, Any] = {"type": int, "nargs": "+", "metavar": "N"}
    parser.add_argument("--dataset", choices=sorted(DATASETS), default="digits", help="(%(default)s)")
    parser.add_argument("--only", nargs="+", choices=list(_PARTS), metavar="PART", help=f"of {', '.join(_PARTS)}")
    parser.add_argument("--ipcs", **sizes, default=[1, 3, 10, 30, 100], help="of diffusion (%(default)s)")
    parser.add_argument("--sizes", **sizes, default=[1, 3, 7, 10, 50], help="of mgdd (%(default)s)")
    parser.add_argument(
        "--race", **sizes | {"nargs": "*"}, default=[1, 10], help="sizes of MGDD beside FRePo (%(default)s)"
    )
    parser.add_argument("--adaptations", **sizes, default=[10, 50, 200], help="MGDD's steps there (%(default)s)")
    parser.add_argument("--frepo-steps", **sizes, default=[100, 400], help="FRePo's steps there (%(default)s)")
    parser.add_argument("--recovered", type=int, default=10, metavar="N", help="size of diversity (%(default)s)")
    parser.add_argument("--source", choices=sorted(DATASETS), help="what MGDD is meta-trained on; else the dataset")
    parser.add_argument("--pictures", type=Path, default=_PICTURES, help="where the picture goes (docs/pictures)")
    parser.add_argument("--set", action="append", default=[], metavar="[METHOD:]PATH=JSON", help="a field of a recipe")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
