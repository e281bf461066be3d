"""Do scikit-learn's estimators memorize? Each is fitted to the support set, so they adapt."""

import numpy as np
from sklearn.linear_model import Ridge
from sklearn.neighbors import KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from maml.diagnostics import memorization_report

rng = np.random.default_rng(0)
x = rng.standard_normal([60, 40, 3])
y = np.einsum("tnd,td->tn", x, rng.standard_normal([60, 3]))
for estimator in (Ridge(0.1), KNeighborsRegressor(3), make_pipeline(StandardScaler(), Ridge(0.1))):
    report = memorization_report(
        lambda sx, sy, qx, estimator=estimator: estimator.fit(sx, sy).predict(qx),
        (x[:30], y[:30]), held_out=(x[30:], y[30:]), shots=20, relabel="scale", verbose=False,
    )  # fmt: skip
    print(type(estimator).__name__, report.verdict)
