"""Where the training of a critic starts: at the best critic of a normal fit.

For jointly normal x and y, with u and v their canonical variables and r those's correlations,

    log p(x, y) / p(x) p(y) = sum over pairs of (r u v - r^2 (u^2 + v^2) / 2) / (1 - r^2)
                                                - log(1 - r^2) / 2,

a quadratic form, which :class:`mine.Concatenated` has. So of a normal copula nothing has to be
learned, and of another only what it differs by. Training is shorter, and closer to the information.

Reference: Cover & Thomas 2006, ch. 8; canonical correlations: Hotelling 1936.
"""

import numpy as np
from scipy import linalg

MIN_REST = 1e-6
"""Least 1 - r^2, so that the form of copies is finite."""


def normal_form(x, y) -> tuple[np.ndarray, float]:
    """The quadratic form of the log density ratio of a normal fit.

    A sample correlation is too large by chance: as much as independent x and y would show, at most
    (sqrt(dim_x) + sqrt(dim_y))^2 / n (Marchenko & Pastur 1967), is taken off each r^2.

    Args:
        x: [n, dim_x], columns of mean 0 and standard deviation 1.
        y: [n, dim_y], likewise.

    Returns:
        W [dim_x + dim_y, dim_x + dim_y], symmetric, and c, so that z' W z + c is the log ratio in
        nats at z, x and y side by side.
    """
    n = len(x)
    x_basis, x_map = _whiten(np.asarray(x, np.float64))
    y_basis, y_map = _whiten(np.asarray(y, np.float64))
    left, r, right = np.linalg.svd(x_basis.T @ y_basis, full_matrices=False)
    chance = (np.sqrt(x_basis.shape[1]) + np.sqrt(y_basis.shape[1])) ** 2 / n
    square = np.clip((r**2 - chance) / max(1 - chance, MIN_REST), 0, 1 - MIN_REST)
    u, v = x_map @ left, y_map @ right.T  # [dim, pairs], from features to canonical variables.
    ratio, cross = square / (1 - square), np.sqrt(square) / (1 - square)
    form = np.block(
        [[-(u * ratio) @ u.T, (u * cross) @ v.T], [(v * cross) @ u.T, -(v * ratio) @ v.T]]
    )
    return form / 2, float(-np.log1p(-square).sum() / 2)


def _whiten(values):
    """An orthonormal basis [n, rank] of the columns, and the map [dim, rank] to it times sqrt n."""
    basis, lengths, axes = linalg.svd(values, full_matrices=False)
    n = len(values)
    kept = lengths > n * np.finfo(np.float32).eps * lengths[0]
    return basis[:, kept], axes[kept].T * (np.sqrt(n) / lengths[kept])
