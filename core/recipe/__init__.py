"""The vocabulary of dataset distillation as frozen data; no torch.

A `Recipe` is a handful of choices: how the synthetic images start (`init`), what is optimised (`parameterize`,
`labels`, `step_size`), what they are asked to match (`objective`, with `experts` or a `teacher` where it needs them),
for how long (`schedule`), what happens to the labels afterwards (`relabel`) and how the result is judged
(`evaluation`).
Each choice is data; the behaviour lives in `core.engine`. A combination that means nothing cannot be constructed:
the error says which field to change, and to what.
"""

from core.recipe import search, share
from core.recipe.component import Component, FieldError, RecipeError, invalid_combination
from core.recipe.diffusion import Generative, Identity, KlAutoencoder, UVit
from core.recipe.evaluation import Coverage, CutMix, Evaluation, FullTraining, Policy
from core.recipe.network import (
    AlexNet,
    Architecture,
    Experts,
    Gsam,
    LeNet,
    Linear,
    Mlp,
    Network,
    Norm,
    Optimiser,
    PlainSgd,
    ResNet18,
    SeriesConvNet,
    Vgg11,
)
from core.recipe.objective import Distribution, Gradient, Growth, NoObjective, Objective, Performance, Sdc, Trajectory
from core.recipe.pairing import Paired
from core.recipe.pixels import Augment, MeanStd, Preprocess, Transform, Unprocessed, Zca
from core.recipe.recipe import Recipe
from core.recipe.regression import Generated, Meta, Pool, Regression, Solved, Spanning, Targets
from core.recipe.relabel import KeepLabels, LabelledViews, Relabel, SoftLabels
from core.recipe.rounds import Rounds
from core.recipe.schedule import Blend, Schedule
from core.recipe.selection import (
    BetaDraw,
    CScore,
    Dual,
    El2n,
    Embedding,
    Forgetting,
    Herding,
    KCenter,
    KMeans,
    LearnedScore,
    Ranked,
    Score,
    Scored,
    Window,
)
from core.recipe.share import Counts, Share
from core.recipe.stages import Stage, Stages
from core.recipe.start import (
    Correct,
    Crops,
    Hard,
    Init,
    Labels,
    Learnable,
    Mixed,
    Noise,
    Parameterize,
    Pixels,
    Real,
    StepSize,
    Tiles,
)
from core.recipe.statistics import Adjustment, Statistics, Views
from core.recipe.storage import Columns, Compact, Exact, Storage
from core.recipe.teacher import Teacher
from core.recipe.two_layer import TwoLayer

__all__ = [
    "Adjustment",
    "AlexNet",
    "Architecture",
    "Augment",
    "BetaDraw",
    "Blend",
    "CScore",
    "Columns",
    "Compact",
    "Component",
    "Correct",
    "Counts",
    "Coverage",
    "Crops",
    "CutMix",
    "Distribution",
    "Dual",
    "El2n",
    "Embedding",
    "Evaluation",
    "Exact",
    "Experts",
    "FieldError",
    "Forgetting",
    "FullTraining",
    "Generated",
    "Generative",
    "Gradient",
    "Growth",
    "Gsam",
    "Hard",
    "Herding",
    "Identity",
    "Init",
    "KCenter",
    "KMeans",
    "KeepLabels",
    "KlAutoencoder",
    "LabelledViews",
    "Labels",
    "LeNet",
    "Learnable",
    "LearnedScore",
    "Linear",
    "MeanStd",
    "Meta",
    "Mixed",
    "Mlp",
    "Network",
    "NoObjective",
    "Noise",
    "Norm",
    "Objective",
    "Optimiser",
    "Paired",
    "Parameterize",
    "Performance",
    "Pixels",
    "PlainSgd",
    "Policy",
    "Pool",
    "Preprocess",
    "Ranked",
    "Real",
    "Recipe",
    "RecipeError",
    "Regression",
    "Relabel",
    "ResNet18",
    "Rounds",
    "Schedule",
    "Score",
    "Scored",
    "Sdc",
    "SeriesConvNet",
    "Share",
    "SoftLabels",
    "Solved",
    "Spanning",
    "Stage",
    "Stages",
    "Statistics",
    "StepSize",
    "Storage",
    "Targets",
    "Teacher",
    "Tiles",
    "Trajectory",
    "Transform",
    "TwoLayer",
    "UVit",
    "Unprocessed",
    "Vgg11",
    "Views",
    "Window",
    "Zca",
    "invalid_combination",
    "search",
    "share",
]
