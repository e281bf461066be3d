"""Regression of sinusoids: mutually exclusive (MAML), or told apart by their inputs (MWM)."""

import functools
import math

import tensorflow as tf

from maml.core.checks import check_finite, check_whole
from maml.core.label_transforms import LabelScale
from maml.core.registry import TASKS
from maml.distributions.metrics import MSE
from maml.distributions.normal import NormalHead
from maml.nn.mlp import mlp_networks
from maml.tasks.function_plots import FunctionProblem
from maml.tasks.problem import TEST, VALIDATION, Problem, split_seed
from maml.tasks.regression import Functions, functions


@TASKS.register("sinusoid")
def sinusoid(
    shots: int = 10,
    queries: int = 10,
    noise: float = 0.0,
    phase: float = math.pi,
    told: bool = False,
    train_tasks: int = 0,
) -> Problem:
    """The sinusoids of MAML (Finn et al. 2017, arXiv 1703.03400, section 5.1).

    y = A sin(x - p) with A uniform in [0.1, 5] and p uniform in [0, ``phase``]; a million training
    tasks, or fewer, and 2,000 others each for validation and test.

    Args:
        shots: support points an episode.
        queries: query points an episode.
        noise: standard deviation of the noise in every label.
        phase: the largest phase in radians: pi as in MAML, 2 pi as in pyMeta.
        told: whether the parameters stand beside x in all inputs, see :func:`functions`.
        train_tasks: number of training tasks; 0 for a million.
    """

    return functions(
        shots,
        queries,
        phase=(0.0, phase),
        noise=noise,
        told=told,
        train_tasks=train_tasks,
    )


@TASKS.register("nme_sinusoid")
def nme_sinusoid(
    shots: int = 10,
    queries: int = 10,
    noise: float = 0.1,
    amplitudes: int = 20,
    signed: bool = True,
) -> Problem:
    """The non-mutually-exclusive sinusoids of MWM (Yin et al. 2020, arXiv 1912.03820, section 6.1).

    y = A sin(x) + noise, and the input is x beside a one-hot code, [1 + amplitudes].

    * Training: ``amplitudes`` tasks, A equally spaced from 0.1 to 4, and the code is the number of
      the amplitude. So the input gives the answer away, and the support set is not needed.
    * Validation and test: 2,000 tasks each with A uniform in [0.1, 4], and a code drawn at random,
      *whatever A is*. So a learner that trusts the code is wrong: its expected squared error is
      1.41 + noise^2. (Codes near A would let it score well: neighbours are only 0.2 apart.)

    Labels of support and queries carry the noise, in all splits, so noise^2 is the least error that
    can be reached. The authors' notebooks differ: they train on the lowest 16 of the 20 amplitudes,
    draw the codes of tests from these, and the one of neural processes scores against labels
    without noise.

    Args:
        shots: support points an episode.
        queries: query points an episode.
        noise: standard deviation of the noise in every label.
        amplitudes: number of training tasks.
        signed: whether relabelings negate half of the tasks, beside scaling them.
    """
    check_whole(1, shots=shots, queries=queries)
    check_finite(least=0, noise=noise)
    low, high = 0.1, 4.0

    def family(amplitude, number):
        phase, frequency = tf.zeros_like(amplitude), tf.ones_like(amplitude)
        code = tf.one_hot(number, amplitudes)
        return Functions("sine", amplitude, phase, frequency, (), shots, queries, noise, code=code)

    def held_out(split, num_tasks=2000):
        which, code = tf.unstack(tf.random.split(split_seed(split), 2))
        amplitude = tf.random.stateless_uniform([num_tasks], which, low, high)
        number = tf.random.stateless_uniform([num_tasks], code, 0, amplitudes, tf.int32)
        return family(amplitude, number)

    return FunctionProblem(
        description="y = A sin(x) + noise; in training a one-hot code in the input determines A",
        train=family(tf.linspace(low, high, amplitudes), tf.range(amplitudes)),
        validation=held_out(VALIDATION),
        test=held_out(TEST),
        head=NormalHead(),
        build_networks=functools.partial(mlp_networks, 1 + amplitudes),
        label_transform=LabelScale(signed=signed),
        # No tested task has a negative amplitude: what a learner does there is beside the point.
        diagnostic_transform=LabelScale(signed=False),
        metrics=(MSE,),
        mutually_exclusive=False,
    )
