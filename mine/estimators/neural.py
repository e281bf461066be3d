"""MINE as a user meets it: fit to arrays, ask for the estimate, save, load."""

import dataclasses
import json
import math
import os

import numpy as np
import tensorflow as tf

from mine import critics
from mine.bounds import info_nce_ceiling
from mine.estimators import preprocessing
from mine.estimators.cross_fitting import Fits, build_trainer, cross_fit, score
from mine.estimators.options import CRITICS, FEW_FEATURES, LOW_DIMENSIONAL_HIDDEN, Options
from mine.estimators.result import Estimate, of_bound
from mine.estimators.sample_files import MAX_BYTES
from mine.estimators.training import Pairs
from mine.estimators.uncertainty import intervals
from mine.reporting.files import replacing
from mine.reporting.inputs.arrays import read_arrays
from mine.reporting.words import reason

MAX_VALUES = 2**24
"""Most values of a sample of a critic that is loaded: a file may claim more than memory holds."""


def summarize(fits: Fits, scores: list, seed: int, shared: bool = False) -> Estimate:
    """The estimate from the held-out scores of all folds' critics.

    Args:
        fits: the critics.
        scores: held-out scores, one for each critic.
        seed: of the resampling.
        shared: whether all critics scored the same samples, rather than each its own fold.
    """
    bound = fits.trainer.objective.bound
    sizes = np.array([len(fold.joint) for fold in scores])
    shares = sizes / sizes.sum()
    nats = float(shares @ [float(intervals.value(bound, fold)) for fold in scores])
    # Critics of the same samples are resampled alike.
    keys = [0 if shared else index for index in range(len(scores))]
    spread = shares @ np.stack(
        [
            intervals.replicates(bound, fold, tf.constant([seed, key])).numpy()
            for key, fold in zip(keys, scores, strict=True)
        ]
    )
    n = int(sizes[0] if shared else sizes.sum())
    return of_bound(
        bound,
        nats,
        intervals.interval(nats, spread),
        n,
        ceiling=info_nce_ceiling(fits.batch_size) if bound == "infonce" else None,
        curves=tuple(tuple(curve) for curve in fits.curves),
        warnings=tuple(intervals.warnings(bound, nats, n, scores, fits.batch_size)),
    )


def _check_parts(preprocess, shapes, tables, estimate, batch_size):
    """Raises ValueError or TypeError if parts of a saved file do not go together."""
    figures = [estimate.nats, *estimate.interval, estimate.bound_nats, *estimate.bound_interval]
    figures += estimate.second_opinions.values()
    if len(figures) < 6 or np.array(figures).dtype.kind not in "fi":
        raise ValueError("its estimate is not a number")
    for shape, table in zip(shapes, tables, strict=True):
        features = shape[-1] if len(shape) in (1, 2) else 0
        known = features if preprocess == "none" else table.shape[-1]
        if not 0 < math.prod(shape) <= MAX_VALUES or features != known or batch_size < 1:
            raise ValueError("its samples have no shape")
        if table.dtype.kind != "f" or table.ndim != 2 or not np.isfinite(table).all():
            raise ValueError("its tables hold no numbers")


class MINE:
    """Estimates I(x; y) by critics that learn to tell pairs from deranged pairs.

    Args:
        **options: the fields of :class:`mine.Options`.

    Raises:
        ValueError: an option is invalid, or two of them do not go together.
    """

    def __init__(self, **options):
        self.options = Options.of(**options)
        self._fits = self._estimate = None

    def fit(self, x, y) -> "MINE":
        """Trains a critic for each fold.

        Args:
            x: [n] or [n, dim_x]; for critic="deepsets" also sets [n, elements, dim_x].
            y: the same of y.

        Returns:
            Itself.

        Raises:
            ValueError: the samples are unusable: see
                :func:`mine.estimators.preprocessing.check`.
            ArithmeticError: training ended in scores that are not finite.
        """
        checked = preprocessing.check(x=x, y=y)
        self._fits = self._estimate = None
        self._preprocessors = [
            preprocessing.Preprocessor(self.options.preprocess).fit(checked[name]) for name in "xy"
        ]
        pairs = self._pairs(checked)
        options = self.options.resolve(pairs.features)
        self._fits = cross_fit(self._critic(pairs), pairs, options)
        self._estimate = summarize(self._fits, self._fits.scores, self.options.seed)
        return self

    def estimate(self, x=None, y=None) -> Estimate:
        """The information in the samples it was fitted to, or in others from the same source.

        Args:
            x: [n] or [n, dim_x], other samples; None for those it was fitted to, each scored by
                the critic that has not seen it.
            y: the same of y.

        Raises:
            ValueError: it has not been fitted, or the samples are of another shape.
        """
        if self._fits is None:
            raise ValueError(
                "Invalid call: expected a fitted MINE; received one without critics; call "
                "fit(x, y) first."
            )
        if x is None and y is None:
            return self._estimate
        pairs = self._pairs(preprocessing.check(x=x, y=y))
        scores = []
        for weights in self._fits.weights:
            self._fits.trainer.set_weights(weights)
            scores.append(score(self._fits.trainer, pairs, self._fits.batch_size))
        return summarize(self._fits, scores, self.options.seed, shared=True)

    def save(self, path: os.PathLike) -> None:
        """Writes one file, arrays and text only; read it with :meth:`load`.

        Args:
            path: of the file.

        Raises:
            ValueError: it has not been fitted.
        """
        estimate = self.estimate()
        options = dataclasses.asdict(self.options)
        if callable(self.options.critic):
            options["critic"] = None
        content = {
            "options": json.dumps(options),
            "estimate": json.dumps(estimate.to_dict()),
            "shapes": json.dumps([list(shape) for shape in self._shapes]),
            "batch_size": self._fits.batch_size,
            "table_x": self._preprocessors[0].table,
            "table_y": self._preprocessors[1].table,
        }
        for fold, weights in enumerate(self._fits.weights):
            content |= {f"weights_{fold}_{i}": weight for i, weight in enumerate(weights)}
        with replacing(path) as temporary, temporary.open("wb") as file:
            np.savez(file, **content)

    @classmethod
    def load(cls, path: os.PathLike, critic=None) -> "MINE":
        """Reads what :meth:`save` wrote; no code in the file is run.

        Args:
            path: of the file.
            critic: the function that makes the critic, if it was one of the user's own.

        Raises:
            FileNotFoundError: the file does not exist.
            ValueError: the file is damaged or was not written by :meth:`save`, or ``critic`` is
                missing.
        """
        try:
            content = read_arrays(path, MAX_BYTES)
            if isinstance(content, np.ndarray):
                raise ValueError("it holds a single array")
            options = json.loads(str(content["options"]))
            estimate = Estimate.from_dict(json.loads(str(content["estimate"])))
            shapes = json.loads(str(content["shapes"]))
            tables = [content["table_x"], content["table_y"]]
            own = options["critic"] is None
            if own and critic is not None:
                options["critic"] = critic
            loaded = cls(**options | ({"critic": "concatenated"} if own and not critic else {}))
            batch_size = int(content["batch_size"])
            _check_parts(options["preprocess"], shapes, tables, estimate, batch_size)
        except (AttributeError, KeyError, RecursionError, TypeError, ValueError) as error:
            raise ValueError(
                f"Cannot load {path}: expected a file that mine.MINE.save wrote; received another "
                f"or a damaged one ({reason(error)}); save the estimator again."
            ) from error
        if own and critic is None:
            raise ValueError(
                f"Missing argument `critic`: expected the function that made the critic of {path}; "
                "received None."
            )
        loaded._preprocessors = []
        for table in tables:
            preprocessor = preprocessing.Preprocessor(loaded.options.preprocess)
            preprocessor.table = table
            loaded._preprocessors.append(preprocessor)
        dummies = [np.zeros([2, *shape], np.float32) for shape in shapes]
        pairs = Pairs((dummies[0],), dummies[1])
        resolved = loaded.options.resolve(pairs.features)
        trainer = build_trainer(loaded._critic(pairs), pairs, resolved)
        expected = trainer.weights()
        last = f"weights_{resolved.folds - 1}_0" in content
        weights = [
            [content.get(f"weights_{fold}_{i}") for i in range(len(expected))]
            for fold in range(resolved.folds if last else 1)
        ]
        for fold in weights:
            if not last or any(
                a is None or a.shape != b.shape or a.dtype.kind != "f" or not np.isfinite(a).all()
                for a, b in zip(fold, expected, strict=True)
            ):
                raise ValueError(
                    f"Cannot load {path}: expected the weights of its critic; received arrays of "
                    "other shapes; give the function that made the critic as `critic`, or save "
                    "the estimator again."
                )
        loaded._fits = Fits(trainer, weights, list(estimate.curves), [], batch_size)
        loaded._shapes, loaded._estimate = shapes, estimate
        return loaded

    def _pairs(self, checked) -> Pairs:
        """Samples as the critic takes them: preprocessed, float32."""
        shapes = [checked[name].shape[1:] for name in "xy"]
        if self._fits is None:
            self._shapes = shapes
        for name, shape, known in zip("xy", shapes, self._shapes, strict=True):
            if list(shape) != list(known):
                raise ValueError(
                    f"Invalid shape of `{name}`: expected samples of shape {list(known)}, to "
                    f"which this MINE was fitted; received samples of shape {list(shape)}."
                )
        x, y = (
            preprocessing.single(name, preprocess(checked[name]))
            for preprocess, name in zip(self._preprocessors, "xy", strict=True)
        )
        return Pairs((x,), y)

    def _critic(self, pairs: Pairs):
        """A function of a seed that makes the critic."""
        if callable(self.options.critic):
            return self.options.critic
        make = getattr(critics, CRITICS[self.options.critic])
        sets = [part.ndim == 3 for part in (*pairs.conditions, pairs.y)]
        if self.options.critic == "deepsets":
            return lambda seed: make(sets, seed=seed)
        if any(sets):
            raise ValueError(
                f"Invalid value for `critic`: expected 'deepsets' for samples [elements, "
                f"features], which are sets; received {self.options.critic!r}; flatten the samples "
                "to use it."
            )
        if self.options.critic == "concatenated" and pairs.features <= FEW_FEATURES:
            return lambda seed: make(LOW_DIMENSIONAL_HIDDEN, seed=seed)
        return lambda seed: make(seed=seed)
