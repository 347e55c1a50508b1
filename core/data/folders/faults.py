"""Files of an archive that cannot be taken, told together, so that the sender does not have to send it ten times."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, final

from core.data.facts import DatasetInvalid
from core.data.left_out import LeftOut

NAMED: Final = 10
"""Most files that one message names."""


@final
@dataclass(frozen=True)
class Fault:
    """A file, quoted, and in words why it cannot be taken and how that is mended."""

    file: str
    fault: str
    fix: str
    path: str = ""
    """The file's whole path, where it is one that may be left out."""


@final
class UnreadableError(ValueError):
    """A picture that cannot be taken: `fault` and `fix` say why and how to mend it."""

    def __init__(self, fault: str, fix: str) -> None:
        self.fault, self.fix = fault, fix
        super().__init__(f"{fault}; {fix}")


def refusal(faults: Sequence[Fault]) -> DatasetInvalid:
    """One refusal of all the files: it names up to ten of them, each with its fault, and their number."""
    if len(faults) == 1:
        return DatasetInvalid(f"{faults[0].file} {faults[0].fault}; {faults[0].fix}")
    fixes: defaultdict[str, defaultdict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for each in faults[:NAMED]:
        fixes[each.fix][each.fault].append(each.file)
    told = [
        f"{', '.join(_each(files, fault) for fault, files in kinds.items())}; {fix}" for fix, kinds in fixes.items()
    ]
    more = f" ({len(faults) - NAMED:,} more are not named here)" if len(faults) > NAMED else ""
    return DatasetInvalid(f"{len(faults):,} files cannot be taken{more}: {'. '.join(told)}")


def left_out(names: Sequence[str], why: str = "") -> LeftOut:
    """The remark on files of these names, the first of which it lists."""
    return LeftOut(f"Left out{f', {why}' if why else ''}: {listed(names)}.", names)


def skipped(faults: Sequence[Fault]) -> LeftOut:
    """The remark on files that were left out as they cannot be taken, up to ten of them with their faults."""
    files: defaultdict[str, list[str]] = defaultdict(list)
    for each in faults[:NAMED]:
        files[each.fault].append(each.file)
    told = ", ".join(_each(names, fault) for fault, names in files.items())
    more = f" and {len(faults) - NAMED:,} more" if len(faults) > NAMED else ""
    remark = f"Left out, as they cannot be taken, {len(faults):,} files: {told}{more}."
    return LeftOut(remark, [each.path for each in faults])


def _each(files: Sequence[str], fault: str) -> str:
    return f"{', '.join(files)}{' each ' if len(files) > 1 else ' '}{fault}"


def listed(names: Sequence[str]) -> str:
    """Up to ten of the names, quoted, and the number of the others."""
    more = f" and {len(names) - NAMED:,} more" if len(names) > NAMED else ""
    return ", ".join(quoted(name) for name in names[:NAMED]) + more


def quoted(name: str) -> str:
    """A name in quotes, its beginning left out if it is long."""
    return repr(name if len(name) <= 100 else f"...{name[-97:]}")
