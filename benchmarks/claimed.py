"""The claims as data: what each paper says first of its method, and the two jobs that decide it here."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from benchmarks.blended import BLENDED
from benchmarks.claim import Arm, Claim
from benchmarks.decided import DECIDED
from benchmarks.subsets import Changes

_RANDOM, _MTT, _WINDOW = Arm("random", "random"), Arm("MTT", "mtt"), Arm("window", "window")
_DC, _DSA, _PENALISED = Arm("DC", "dc"), Arm("DSA", "dsa"), {"sdc": {"weight": 0.002}}
_SRE2L, _DWA, _RDED = Arm("SRe2L", "sre2l"), Arm("DWA", "dwa"), Arm("RDED", "rded")
_TRAJECTORIES = {  # of some thousand images: three experts of 850 steps, students of 20 for two epochs
    "experts.count": 3,
    "experts.epochs": 12,
    "experts.batch_size": 64,
    "objective.syn_steps": 20,
    "objective.expert_epochs": 2,
    "objective.max_start_epoch": 6,
    "step_size.initial": 0.02,
    "schedule.steps": 100,
    "schedule.image_lr": 50.0,
}
_SHORT_MTT = Arm("MTT, 100 steps", "mtt", _TRAJECTORIES)
_FIVE_PERCENT = {  # one evaluation for every arm
    "network.norm": "batch",
    "evaluation.policy": "combined",
    "evaluation.schedule": "cosine",
    "evaluation.batch_size": 64,
    "evaluation.seeds": 1,
    "evaluation.epochs": 75,
    "evaluation.lr": 0.03,  # the better of 0.01 and 0.03 for random images, on validation
    "evaluation.baseline_lrs": [0.03],
}
_SHORTER = {  # with 220 images, batch norm and experts at a rate of 0.01: segments and students of half the length
    **_TRAJECTORIES,
    "objective.syn_steps": 10,
    "objective.expert_epochs": 1,
    "objective.batch_size": 64,
    "step_size.initial": 0.01,
    "schedule.steps": 60,
}
_WINDOWED = {"init.beta": 0.4, "init.score.networks": 3, "init.score.epochs": 10}
_PARTLY = Arm("SelMatch, 60 steps", "selmatch", {**_SHORTER, **_WINDOWED, "evaluation.coverage": None})
_SWEPT = Arm("SelMatch, 60 steps, beta swept", "selmatch", {**_PARTLY.overrides, "init.beta": "auto"})
_LARGER = {**_FIVE_PERCENT, "evaluation.epochs": 38, "evaluation.batch_size": 32}
_MTT_60 = Arm("MTT, 60 steps", "mtt", _SHORTER)
_RECOVERED = {  # students of 400 steps, one of each set; three arms share one teacher
    "teacher.network.width": 32,
    "teacher.epochs": 40,
    "schedule.steps": 300,
    "evaluation.baseline_lrs": [0.001],
    "evaluation.seeds": 1,
    "evaluation.epochs": 200,
    "evaluation.batch_size": 50,
}
_HALF = {"schedule.steps": 120}  # of the digits preset's outer steps, where each takes ten times as long as at ipc 1
_LONG = {"experts.count": 10, "experts.epochs": 20, "objective.expert_epochs": 3}
_EARLY = Arm("MTT, starts 0 to 3", "mtt", _LONG | {"objective.min_start_epoch": 0, "objective.max_start_epoch": 4})
_LATE = Arm("MTT, starts 13 to 16", "mtt", _LONG | {"objective.min_start_epoch": 13, "objective.max_start_epoch": 17})
_UNSEEN = {
    "evaluation.across": [
        {"kind": "mlp"},
        {"kind": "alexnet", "width": 32},
        {"kind": "resnet18", "width": 16, "norm": "batch"},
    ]
}
_FASHION, _ONE = "fashion-500-3", {"evaluation.seeds": 1, "evaluation.epochs": 100}
_DRAWN = Arm(
    "diffusion, 1,500 steps",
    "diffusion",
    {"objective.denoiser.steps": 1500, "objective.denoiser.width": 96, "objective.autoencoder.steps": 800},
)
_RDED_SOFT = Arm("RDED, soft", "rded", {"relabel": {"kind": "soft"}})
_MGDD, _SOLVED = Arm("MGDD", "mgdd"), Arm("random images, labels solved", "mgdd", {"init": {"kind": "real"}})
_MEANS = Arm("means as they are", "mgdd", {"init.meta": None, "init.steps": 0})
_DUAL, _CCFS = Arm("DUAL", "dual"), Arm("CCFS", "ccfs")
_BRIEF = {"evaluation.seeds": 1, "evaluation.epochs": 100}  # of 13 steps
_UNADJUSTED = Arm("DWA, teachers as they are", "dwa", {"objective.adjust.rho": 0.0})


def _on(dataset: str, name: str, paper: str, ipc: int, better: Arm, than: Arm, **changes: Any) -> Claim:
    claim, restated = f"{name}-{dataset.partition('-')[0]}-{ipc}", f"{better.name} above {than.name}"
    return Claim(claim, paper, restated, dataset, ipc, better, than, changes)


def _digits(name: str, paper: str, ipc: int, better: Arm, than: Arm, **changes: Any) -> Claim:
    return _on("digits", name, paper, ipc, better, than, **changes)


def _random_of(arm: Arm, told: str = "random") -> Arm:
    """The random real images of that arm's jobs."""
    return replace(arm, name=told, line="random")


def _same(arm: Arm) -> Arm:
    """The random real images of that arm's jobs, under the same teacher's labels."""
    return _random_of(arm, f"random, labelled as {arm.name}")


def _seen(changes: Changes) -> Changes:
    """The changes as RDED takes them, which has no steps."""
    return {path: value for path, value in changes.items() if path != "schedule.steps"}


def _labelled(dataset: str, **changes: Any) -> tuple[Claim, ...]:
    """The claims about images under a teacher's labels."""
    seen = _seen(changes)
    return (
        _on(
            dataset,
            "sre2l",
            "recovered images beat real ones under a teacher's labels",
            10,
            _SRE2L,
            _same(_SRE2L),
            **changes,
        ),
        _on(
            dataset,
            "dwa-real",
            "images of adjusted teachers beat real ones under a teacher's labels",
            10,
            _DWA,
            _same(_DWA),
            **changes,
        ),
        _on(dataset, "dwa", "adjusted teachers, from real images, improve SRe2L", 10, _DWA, _SRE2L, **changes),
        _on(
            dataset,
            "dwa-adjustment",
            "the part of DWA's gain that is the adjustment's",
            10,
            _DWA,
            _UNADJUSTED,
            **changes,
        ),
        _on(dataset, "rded", "parts beat real images, labels of views", 10, _RDED, _same(_RDED), **seen),
        _on(
            dataset,
            "rded-soft",
            "parts beat real images, a soft label each",
            10,
            _RDED_SOFT,
            _same(_RDED_SOFT),
            **seen,
        ),
        _on(
            dataset,
            "rded-hard",
            "parts beat real images, hard labels",
            10,
            Arm("RDED, hard", "rded", line="distilled_hard"),
            Arm("random, hard", "rded", line="random_hard"),
            **seen,
        ),
    )


CLAIMS = (
    _digits("herding", "typical images beat random ones at small ipc", 1, Arm("herding", "herding"), _RANDOM),
    _digits("k-center", "covering a class beats random images", 10, Arm("k-center", "k-center"), _RANDOM),
    _digits("k-means", "centres of clusters beat random images at small ipc", 1, Arm("k-means", "k-means"), _RANDOM),
    _digits(
        "forgetting", "the hardest images are worse than random at small ipc", 10, _RANDOM, Arm("hardest", "forgetting")
    ),
    _digits("el2n", "the hardest images are worse than random at small ipc", 10, _RANDOM, Arm("hardest", "el2n")),
    _digits(
        "dual",
        "scores of the first epochs choose better than counts of forgetting",
        25,
        _DUAL,
        Arm("hardest", "forgetting"),
    ),
    _digits("dual-random", "difficulty and uncertainty, drawn, beat random images", 25, _DUAL, _RANDOM),
    _digits(
        "self-evolved", "rounds of what is wrong beat random images", 25, Arm("self-evolved", "self-evolved"), _RANDOM
    ),
    _digits("ccfs", "above real images under a teacher's labels", 25, _CCFS, _same(_CCFS), **_BRIEF),
    _digits(
        "ccfs-hard",
        "above real images with hard labels",
        25,
        replace(_CCFS, name="CCFS, hard", line="distilled_hard"),
        replace(_CCFS, name="random, hard", line="random_hard"),
        **_BRIEF,
    ),
    _digits("window", "a window of difficulty beats the hardest images", 10, _WINDOW, Arm("hardest", "forgetting")),
    _digits("dc", "far above real images at ipc 1", 1, _DC, _RANDOM),
    _digits("dsa", "augmentation improves DC", 10, _DSA, _DC),
    _digits("idc", "four tiles in an image beat one image", 1, Arm("IDC", "idc"), _DSA),
    _digits("dm", "above real images without an inner loop", 1, Arm("DM", "dm"), _RANDOM),
    _digits("mtt", "far above real images at ipc 1", 1, _MTT, _RANDOM),
    _digits("tesla", "TESLA's truncated gradient costs accuracy (ours)", 1, _MTT, Arm("TESLA", "tesla")),
    _digits("ftd", "flat experts improve MTT", 1, Arm("FTD", "ftd"), _MTT),
    _digits("att", "the closest step improves MTT", 1, Arm("ATT", "att"), _MTT),
    _digits(
        "att-across",
        "the closest step improves MTT on unseen architectures",
        1,
        Arm("ATT, mean of three", "att", _UNSEEN, "across"),
        Arm("MTT, mean of three", "mtt", _UNSEEN, "across"),
    ),
    _digits("datm", "learned labels and growing windows improve MTT at ipc 10", 10, Arm("DATM", "datm"), _MTT, **_HALF),
    _digits(
        "sdc",
        "penalising difficulty improves MTT at ipc 1",
        1,
        Arm("MTT with SDC", "mtt", _PENALISED),
        _MTT,
    ),
    *(
        _digits(
            f"sdc-{host.name.lower()}",
            f"penalising difficulty improves {host.name}",
            1,
            replace(host, name=f"{host.name} with SDC", overrides=_PENALISED),
            host,
        )
        for host in (_DC, _DSA)
    ),
    _digits("segments", "early segments are for small sets", 1, _EARLY, _LATE),
    _digits("segments", "late segments are for larger sets", 10, _LATE, _EARLY, **_HALF, **{"schedule.image_lr": 30.0}),
    _digits(
        "selmatch",
        "distilling a part of a window improves the window",
        10,
        Arm("SelMatch, 120 steps", "selmatch", _HALF),
        _WINDOW,
    ),
    _digits(
        "seqmatch",
        "two stages improve MTT at as many epochs of evaluation",
        4,
        Arm("SeqMatch", "seqmatch"),
        Arm("MTT, 600 epochs", "mtt", {"evaluation.epochs": 600}),
        **_HALF,
    ),
    _digits(
        "seqmatch-idc",
        "two stages improve IDC at as many epochs of evaluation",
        4,
        Arm("SeqMatch-IDC", "seqmatch-idc"),
        Arm("IDC, 600 epochs", "idc", {"evaluation.epochs": 600}),
    ),
    _digits("bptt", "far above real images at ipc 1", 1, Arm("BPTT", "bptt"), _RANDOM),
    _digits("rat-bptt", "random truncation improves BPTT", 1, Arm("RaT-BPTT", "rat-bptt"), Arm("BPTT", "bptt")),
    _digits(
        "at-bptt", "placing the window improves RaT-BPTT", 1, Arm("AT-BPTT", "at-bptt"), Arm("RaT-BPTT", "rat-bptt")
    ),
    _digits(
        "frepo", "far above real images at ipc 1, by features of a pool of networks", 1, Arm("FRePo", "frepo"), _RANDOM
    ),
    _digits("mgdd", "a generator improves the images that labels are solved for", 10, _MGDD, _MEANS),
    _digits("mgdd-means", "clusters' means under a generator beat images (ours)", 1, _MGDD, _SOLVED),
    _digits(
        "linear-exact",
        "one image a class holds a linear classifier (ours)",
        1,
        Arm("linear-exact, ridge regression", "linear-exact", line="ridge"),
        Arm("random, ridge regression", "linear-exact", line="ridge_random"),
    ),
    _digits("diffusion", "generated images train as well as real ones", 10, Arm("diffusion", "diffusion"), _RANDOM),
    *_labelled("digits"),
    _digits("cda", "crops that become smaller improve SRe2L", 10, Arm("CDA", "cda"), _SRE2L),
    _digits("dwa-start", "the part of DWA's gain that is its start's", 10, _UNADJUSTED, _SRE2L),
    _digits(
        "lpld",
        "a fortieth of the labels costs little",
        10,
        Arm("LPLD, all labels", "lpld", {"relabel.keep": 1.0}),
        Arm("LPLD", "lpld"),
    ),
    _on("cifar10-500", "mtt", "far above real images at ipc 1", 1, _SHORT_MTT, _RANDOM),
    *(
        claim
        for ipc in (1, 10)
        for claim in (
            _on(
                _FASHION,
                "mgdd",
                "a generator improves the images that labels are solved for",
                ipc,
                _MGDD,
                _MEANS,
                **_ONE,
            ),
            _on(
                _FASHION,
                "mgdd-means",
                "clusters' means under a generator beat images (ours)",
                ipc,
                _MGDD,
                _SOLVED,
                **_ONE,
            ),
            _on(
                _FASHION,
                "diffusion",
                "generated images train as well as real ones",
                ipc,
                _DRAWN,
                _random_of(_DRAWN),
                **_ONE,
            ),
        )
    ),
    _on("fashion-500", "mtt", "far above real images at ipc 1", 1, _SHORT_MTT, _RANDOM),
    _on("lung", "mtt", "far above real images at ipc 1", 1, _SHORT_MTT, _RANDOM),
    _on(
        "fashion-500",
        "selmatch",
        "above random images at 5 % of the data",
        22,
        _PARTLY,
        _random_of(_PARTLY),
        **_FIVE_PERCENT,
    ),
    _on(
        "fashion-500",
        "selmatch-window",
        "distilling a part of a window improves the window",
        22,
        _PARTLY,
        Arm("the same window", "window", _WINDOWED),
        **_FIVE_PERCENT,
    ),
    _on(
        "fashion-500",
        "selmatch-mtt",
        "above MTT at 5 % of the data",
        22,
        _PARTLY,
        _MTT_60,
        **_FIVE_PERCENT,
    ),
    *(
        _on(_FASHION, "selmatch", f"above random images at {told}", ipc, arm, _random_of(arm), **_LARGER)
        for ipc, arm, told in ((50, _PARTLY, "11 % of the data"), (90, _SWEPT, "20 % of the data"))
    ),
    _on(_FASHION, "selmatch-mtt", "above MTT at 11 % of the data", 50, _PARTLY, _MTT_60, **_LARGER),
    _on(
        _FASHION,
        "seqmatch",
        "two stages improve MTT at as many epochs of evaluation",
        50,
        Arm(
            "SeqMatch, 60 steps a stage", "seqmatch", _SHORTER | {"schedule.stages.epochs": 19, "evaluation.epochs": 19}
        ),
        _MTT_60,
        **_LARGER,
    ),
    *_labelled("cifar10-500", **_RECOVERED),
    # as many steps of the student's as on CIFAR-10
    *_labelled(_FASHION, **_RECOVERED | {"evaluation.epochs": 100, "evaluation.batch_size": 25}),
    _on(
        "tiny-20",
        "dwa",
        "adjusted teachers, from real images, improve SRe2L",
        3,
        _DWA,
        _SRE2L,
        **_RECOVERED
        | {"teacher.epochs": 30, "schedule.steps": 150, "evaluation.epochs": 75, "evaluation.batch_size": 15},
    ),
    _on(
        "cifar10-500",
        "pruned",
        "a fortieth of the labels costs little",
        10,
        _RDED,
        Arm("RDED, a fortieth of the labels", "rded", {"relabel.keep": 0.025}),
        **_seen(_RECOVERED),
    ),
    *BLENDED,
    *DECIDED,
)
