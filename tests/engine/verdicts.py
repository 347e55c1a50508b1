"""Verdicts as a machine might have measured them."""

from __future__ import annotations

from core.engine.kernels.compiled import rule
from core.plan.ways import Finding, Kind, Pick, Precision, Verdict


def verdict_of(precision: Precision, *picks: Pick, kinds: tuple[Kind, ...] = ((128, 16, 64),)) -> Verdict:
    """A pick for each kind, twice as fast as the rule's."""
    return Verdict(
        findings=tuple(
            Finding(
                precision=precision,
                channels=channels,
                side=side,
                batch=batch,
                pick=pick,
                rule=rule(precision),
                seconds={str(rule(precision)): 2.0, str(pick): 1.0},
            )
            for pick, (channels, side, batch) in zip(picks, kinds, strict=True)
        )
    )
