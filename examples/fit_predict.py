"""Does an estimator with ``fit`` and ``predict_proba`` memorize, such as TabPFN? Few-shot tasks."""

import numpy as np
from sklearn.neighbors import KNeighborsClassifier  # from tabpfn import TabPFNClassifier

from maml.diagnostics import memorization_report


def predict(support_x, support_y, query_x):
    return KNeighborsClassifier(1).fit(support_x, support_y).predict_proba(query_x)


rng = np.random.default_rng(0)
labels = np.tile(np.arange(3), [60, 8])  # Classes in turn: the first nine points have each thrice.
x = np.take_along_axis(rng.standard_normal([60, 3, 5]), labels[..., None], axis=1)
x += 0.3 * rng.standard_normal(x.shape)
tasks = [(x[i, :9], labels[i, :9], x[i, 9:], labels[i, 9:]) for i in range(60)]
print(memorization_report(predict, tasks[:30], held_out=tasks[30:], output="probs", verbose=False))
