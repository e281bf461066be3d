"""What is meta-learned: functions that make a :class:`~maml.tasks.problem.Problem`, by name.

The registry is :data:`maml.core.registry.TASKS`.

A file of one's own that decorates such a function with ``@maml.TASKS.register("name")`` adds one.
"""

from maml.tasks.few_shot_images import ImageClasses, images, omniglot
from maml.tasks.gaussian_clusters import Clusters, clusters
from maml.tasks.problem import Problem
from maml.tasks.regression import SHAPES, FunctionRange, Functions, functions
from maml.tasks.sinusoids import nme_sinusoid, sinusoid

__all__ = [
    "SHAPES",
    "Clusters",
    "FunctionRange",
    "Functions",
    "ImageClasses",
    "Problem",
    "clusters",
    "functions",
    "images",
    "nme_sinusoid",
    "omniglot",
    "sinusoid",
]
