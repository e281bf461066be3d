"""What is meta-learned: an entry of :data:`maml.TASKS` is a function that makes a :class:`Problem`.

A file of one's own that decorates such a function with ``@maml.TASKS.register("name")`` adds one.
"""

from maml.tasks.clusters import Clusters, clusters
from maml.tasks.functions import SHAPES, FunctionRange, Functions, functions
from maml.tasks.images import ImageClasses, images, omniglot
from maml.tasks.problem import Problem
from maml.tasks.sinusoid import nme_sinusoid, sinusoid

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
