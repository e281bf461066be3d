"""Meta-learners over episodes, behind two hooks: ``encode`` a support set, ``predict`` a query.

A :class:`TaskFamily` gives episodes, a :class:`MetaLearner` is a Keras model that trains on them, a
regularizer adds a term to its loss, :func:`diagnose` says whether it memorizes.
"""

from maml.attentive import AttentiveCNP
from maml.augmentation import LabelAugmentation
from maml.bottleneck import Bottleneck
from maml.circular import Circular, CircularHead, VonMisesHead
from maml.contextual import CNP
from maml.diagnosis import Diagnosis, diagnose
from maml.diagnostics import Evaluator, squared_error
from maml.ensemble import Ensemble
from maml.episodes import Episode, TaskFamily
from maml.gradient_based import ANIL, FOMAML, MAML, MAMLPlusPlus, MetaSGD
from maml.imaml import IMAML
from maml.interventions import (
    Intervention,
    LabelPermutation,
    LabelScale,
    LabelShift,
    LabelSwap,
    OtherTask,
    SameTask,
)
from maml.likelihoods import (
    Categorical,
    CategoricalHead,
    Distribution,
    Head,
    NormalHead,
    accuracy,
)
from maml.meta_learner import MetaLearner, per_input
from maml.metric_based import MatchingNetwork, PrototypicalNetwork
from maml.normalization import CurrentBatchNormalization
from maml.registry import (
    LEARNERS,
    REGULARIZERS,
    TASKS,
    Networks,
    import_files,
    make_learner,
    make_regularizers,
)
from maml.regularizers import MutualInformation, Regularizer
from maml.relative import RelativeCNP
from maml.reptile import Reptile
from maml.saving import load, save
from maml.tasks import Problem
from maml.weight_kl import WeightDecay, WeightKL

__all__ = [
    "ANIL",
    "CNP",
    "FOMAML",
    "IMAML",
    "LEARNERS",
    "MAML",
    "REGULARIZERS",
    "TASKS",
    "AttentiveCNP",
    "Bottleneck",
    "Categorical",
    "CategoricalHead",
    "Circular",
    "CircularHead",
    "CurrentBatchNormalization",
    "Diagnosis",
    "Distribution",
    "Ensemble",
    "Episode",
    "Evaluator",
    "Head",
    "Intervention",
    "LabelAugmentation",
    "LabelPermutation",
    "LabelScale",
    "LabelShift",
    "LabelSwap",
    "MAMLPlusPlus",
    "MatchingNetwork",
    "MetaLearner",
    "MetaSGD",
    "MutualInformation",
    "Networks",
    "NormalHead",
    "OtherTask",
    "Problem",
    "PrototypicalNetwork",
    "Regularizer",
    "RelativeCNP",
    "Reptile",
    "SameTask",
    "TaskFamily",
    "VonMisesHead",
    "WeightDecay",
    "WeightKL",
    "accuracy",
    "diagnose",
    "import_files",
    "load",
    "make_learner",
    "make_regularizers",
    "per_input",
    "save",
    "squared_error",
]
