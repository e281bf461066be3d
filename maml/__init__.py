"""Meta-learners over episodes, behind two hooks: ``encode`` a support set, ``decode`` a query.

A :class:`TaskFamily` gives episodes, a :class:`MetaLearner` is a Keras model that trains on them, a
regularizer adds a term to its loss, :func:`diagnose` says whether it memorizes.

Nothing is imported before it is used: ``import maml`` starts no TensorFlow.
"""

import lazy_loader

from mine.reporting import extras, imports, quiet_tensorflow
from mine.reporting.processes import stopping

extras.install()
imports.install()
quiet_tensorflow.install()
stopping.install()

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=[
        "core",
        "diagnostics",
        "distributions",
        "experiments",
        "learners",
        "nn",
        "regularizers",
        "studies",
        "tasks",
        "testing",
    ],
    submod_attrs={
        "core.episodes": ["Episode", "PaddedEpisode", "TaskFamily"],
        "core.label_transforms": [
            "LabelOffset",
            "LabelPermutation",
            "LabelScale",
            "LabelSwap",
            "LabelTransform",
            "OtherTask",
            "SameTask",
        ],
        "core.metrics": ["Metric"],
        "core.plugins": ["import_files"],
        "core.registry": [
            "HEADS",
            "LEARNERS",
            "REGULARIZERS",
            "TASKS",
            "Networks",
            "make_learner",
            "make_regularizers",
        ],
        "diagnostics.black_box": ["memorization_report"],
        "diagnostics.report": ["MemorizationReport"],
        "diagnostics.scores": ["Evaluator", "diagnose"],
        "distributions.base": ["Distribution", "Head"],
        "distributions.categorical": ["Categorical", "CategoricalHead"],
        "distributions.circular": ["Circular", "CircularHead", "VonMisesHead"],
        "distributions.gaussian": ["Gaussian", "GaussianHead"],
        "distributions.metrics": ["ACCURACY", "MSE", "accuracy", "squared_error"],
        "distributions.mixture": ["Mixture", "mix"],
        "distributions.normal": ["Normal", "NormalHead"],
        "learners.base": ["MetaLearner", "per_input"],
        "learners.ensemble": ["Ensemble"],
        "learners.gradient_based.implicit": ["IMAML"],
        "learners.gradient_based.maml": ["MAML"],
        "learners.gradient_based.reptile": ["Reptile"],
        "learners.gradient_based.variants": ["ANIL", "FOMAML", "MAMLPlusPlus", "MetaSGD"],
        "learners.in_context.memory": ["MemoryModule"],
        "learners.in_context.transformer": ["TransformerNeuralProcess"],
        "learners.label_equivariant": ["RelativeCNP"],
        "learners.metric_based": ["MatchingNetwork", "PrototypicalNetwork"],
        "learners.neural_processes": ["CNP", "AttentiveCNP"],
        "learners.probabilistic.abml": ["ABML"],
        "learners.probabilistic.bmaml": ["BMAML"],
        "learners.probabilistic.latent_np": ["AttentiveLatentNP", "LatentNP"],
        "learners.probabilistic.neural_statistician": ["NeuralStatistician"],
        "learners.probabilistic.platipus": ["PLATIPUS"],
        "learners.saving": ["load", "save"],
        "nn.normalization": ["CurrentBatchNormalization"],
        "nn.padding": ["masked_mean"],
        "regularizers.base": ["Regularizer"],
        "regularizers.label_augmentation": ["LabelAugmentation"],
        "regularizers.label_mi": ["LabelMI"],
        "regularizers.metamix": ["MetaMix"],
        "regularizers.mlti": ["MLTI"],
        "regularizers.mr_a": ["MRA"],
        "regularizers.mr_w": ["MRW"],
        "regularizers.prediction_mi": ["PredictionMI"],
        "regularizers.weight_decay": ["WeightDecay"],
        "tasks.arrays": ["ArrayTasks"],
        "tasks.image_folder": ["image_folder"],
        "tasks.problem": ["Problem"],
        "version": ["__version__"],
    },
)
