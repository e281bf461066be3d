"""Tasks of known information: their truths, each found a second way, and their runner."""

import json
import math
import pathlib

import commands
import numpy as np
import pytest
from scipy import integrate, stats

import mine
from mine import benchmarks, reporting
from mine.benchmarks import TASKS, runner

ROOT = pathlib.Path(__file__).parent.parent


def pairs(dim, count, rho):
    """Correlation of x and y [2 dim, 2 dim] whose first ``count`` features are correlated."""
    matrix = np.eye(2 * dim)
    for i in range(count):
        matrix[i, dim + i] = matrix[dim + i, i] = rho
    return matrix


def densities(kind, matrix, dim_x):
    """Densities of x and y together, of x, and of y, by scipy."""
    parts = (slice(None), slice(None, dim_x), slice(dim_x, None))
    return [kind(matrix[part, part]) for part in parts]


def normal(matrix):
    return stats.multivariate_normal(cov=matrix)


def cauchy(matrix):
    return stats.multivariate_t(shape=matrix, df=1)


def invert(function, value):
    """The inverse of an increasing function on [-10, 10], read off a fine grid."""
    grid = np.linspace(-10, 10, 400_001)
    assert np.all(np.diff(function(grid)) > 0)
    return np.interp(value, function(grid), grid)


def wiggly_x(t):
    return t + 0.4 * np.sin(t) + 0.2 * np.sin(1.7 * t + 1) + 0.03 * np.sin(3.3 * t - 2.5)


def wiggly_y(t):
    return t - 0.4 * np.sin(0.4 * t) + 0.17 * np.sin(1.3 * t + 3.5) + 0.02 * np.sin(4.3 * t - 2.5)


def unroll(x):
    """From the plane back to the uniform variable, by the distance from the centre."""
    return (21 * np.linalg.norm(x, axis=1, keepdims=True) / (1.5 * np.pi) - 1) / 2


def mixture(t, weights, means):
    return sum(w * stats.norm.cdf(t, m) for w, m in zip(weights, means, strict=True))


def turn_back(t, first, second):
    """Undoes a rotation by |t|^2 / 3 of two of three features, as complex numbers."""
    plane = (t[:, first] + 1j * t[:, second]) * np.exp(-1j * (t**2).sum(1) / 3)
    turned = t.copy()
    turned[:, first], turned[:, second] = plane.real, plane.imag
    return turned


def uncube(t):
    return np.sign(t) * np.abs(t) ** (2 / 3)


def same(t):
    return t


DENSE = np.full((6, 6), 0.5) + 0.5 * np.eye(6)
BIVARIATE = densities(normal, pairs(1, 1, 0.75), 1)
SPARSE = densities(normal, pairs(3, 2, 0.8), 3)
CAUCHY = densities(cauchy, np.eye(2), 1)
SHARE = math.sqrt(1 - math.exp(-2 * 2.0 / 5))
BENEATH = {
    "normal-1x1": (BIVARIATE, same, same),
    "gaussian-5x5": (densities(normal, pairs(5, 5, SHARE), 5), same, same),
    "dense-3x3": (densities(normal, DENSE, 3), same, same),
    "sparse-5x5": (densities(normal, pairs(5, 2, 0.8), 5), same, same),
    "student-1x1-df1": (CAUCHY, same, same),
    "student-2x2-df2": (
        densities(lambda matrix: stats.multivariate_t(shape=matrix, df=2), np.eye(4), 2),
        same,
        same,
    ),
    "half-cube-sparse-3x3": (SPARSE, uncube, uncube),
    "asinh-student-1x1-df1": (CAUCHY, np.sinh, np.sinh),
    "wiggly-normal-1x1": (
        BIVARIATE,
        lambda x: invert(wiggly_x, x),
        lambda y: invert(wiggly_y, y),
    ),
    "swiss-roll-2x1": (BIVARIATE, lambda x: stats.norm.ppf(unroll(x)), stats.norm.ppf),
    "spiral-sparse-3x3": (
        SPARSE,
        lambda x: turn_back(x, 0, 1),
        lambda y: turn_back(y, 1, 2),
    ),
    "bimodal-1x1": (
        BIVARIATE,
        lambda x: stats.norm.ppf(mixture(x, (0.3, 0.7), (0, 5))),
        lambda y: stats.norm.ppf(mixture(y, (0.5, 0.5), (-1, 3))),
    ),
}
"""Task -> the densities beneath its maps, and the maps' inverses, all written a second time."""


@pytest.mark.parametrize("name", TASKS)
def test_samples_are_reproducible_pairs_of_the_promised_shape(name):
    task = TASKS[name]
    x, y = task.sample(500, seed=3)
    assert task.name == name and task.nats > 0 and task.source
    assert x.shape == (500, task.dim_x) and y.shape == (500, task.dim_y)
    assert x.dtype == y.dtype == np.float64
    assert np.isfinite(x).all() and np.isfinite(y).all()
    for again, first, other in zip(
        task.sample(500, seed=3), (x, y), task.sample(500, seed=4), strict=True
    ):
        np.testing.assert_array_equal(again, first)
        assert not np.any(again == other)


def test_there_are_fourteen_tasks_and_each_truth_is_found_a_second_way():
    assert len(TASKS) == 14
    assert set(TASKS) - set(BENEATH) == {"additive-0.1", "additive-0.75"}


def assert_is_mean(nats, pointwise):
    """``pointwise`` has the mean ``nats``, within four standard errors, which are small."""
    error = pointwise.std() / math.sqrt(len(pointwise))
    assert error < 0.005
    assert abs(pointwise.mean() - nats) < 4 * error


@pytest.mark.slow
@pytest.mark.parametrize("name", BENEATH)
def test_truth_is_the_mean_of_the_log_density_ratio(name):
    """Brings the samples back through the maps and averages log p(x, y) / p(x) p(y) by scipy."""
    (joint, margin_x, margin_y), back_x, back_y = BENEATH[name]
    x, y = TASKS[name].sample(200_000, seed=11)
    x, y = back_x(x), back_y(y)
    ratio = joint.logpdf(np.hstack([x, y])) - margin_x.logpdf(x) - margin_y.logpdf(y)
    assert_is_mean(TASKS[name].nats, ratio)


@pytest.mark.parametrize("epsilon", [0.1, 0.5, 0.75, 3.0])
def test_additive_noise_is_the_entropy_of_a_trapezoid(epsilon):
    task = benchmarks.additive_noise(epsilon)

    def density(y):
        return max(min(1, y + epsilon) - max(0, y - epsilon), 0) / (2 * epsilon)

    def integrand(y):
        return -density(y) * math.log(density(y)) if density(y) > 0 else 0.0

    entropy, _ = integrate.quad(
        integrand, -epsilon, 1 + epsilon, points=sorted([epsilon, 1 - epsilon])
    )
    assert task.nats == pytest.approx(entropy - math.log(2 * epsilon), abs=1e-7)
    x, y = task.sample(100_000, seed=5)
    assert np.abs(y - x).max() <= epsilon
    assert_is_mean(task.nats, np.array([-math.log(2 * epsilon * density(v)) for v in y[:, 0]]))


@pytest.mark.parametrize(
    ("make", "base"),
    [
        (benchmarks.half_cube, benchmarks.bivariate_normal(-0.6)),
        (benchmarks.asinh, benchmarks.student(1, 1, 1)),
        (benchmarks.wiggly, benchmarks.bivariate_normal(-0.6)),
        (benchmarks.normal_cdf, benchmarks.bivariate_normal(-0.6)),
        (lambda base: benchmarks.bimodal(-0.6), benchmarks.bivariate_normal(-0.6)),
    ],
    ids=["half-cube", "asinh", "wiggly", "normal-cdf", "bimodal"],
)
def test_increasing_maps_keep_ranks_and_information(make, base):
    mapped = make(base)
    assert mapped.nats == base.nats
    for before, after in zip(base.sample(5000, 1), mapped.sample(5000, 1), strict=True):
        assert not np.allclose(before, after)
        np.testing.assert_array_equal(stats.rankdata(before), stats.rankdata(after))


@pytest.mark.parametrize(
    ("name", "base"),
    [
        ("half-cube-sparse-3x3", benchmarks.sparse(3, 3, 2, 0.8)),
        ("asinh-student-1x1-df1", benchmarks.student(1, 1, 1)),
        ("wiggly-normal-1x1", benchmarks.bivariate_normal(0.75)),
        ("swiss-roll-2x1", benchmarks.bivariate_normal(0.75)),
        ("spiral-sparse-3x3", benchmarks.sparse(3, 3, 2, 0.8)),
        ("bimodal-1x1", benchmarks.bivariate_normal(0.75)),
    ],
)
def test_maps_can_be_undone(name, base):
    _, back_x, back_y = BENEATH[name]
    (x, y), (a, b) = base.sample(2000, seed=7), TASKS[name].sample(2000, seed=7)
    assert not np.allclose(y, b)
    np.testing.assert_allclose(back_x(a), x, rtol=1e-7, atol=1e-7)
    np.testing.assert_allclose(back_y(b), y, rtol=1e-7, atol=1e-7)


@pytest.mark.slow
def test_normal_tasks_of_other_sizes_have_their_textbook_information():
    sums = 0.3 * 2 * 4 / math.sqrt((2 + 2 * 0.3) * (4 + 12 * 0.3))
    assert benchmarks.dense(2, 4, 0.3).nats == pytest.approx(-math.log(1 - sums**2) / 2)
    assert benchmarks.sparse(4, 2, 1, -0.6).nats == pytest.approx(-math.log(0.64) / 2)
    assert benchmarks.sparse(2, 2, 0, 0.9).nats == pytest.approx(0)
    covariance = 9.0 * pairs(20, 20, math.sqrt(1 - math.exp(-2 * 10 / 20)))
    assert benchmarks.multinormal(covariance, 20).nats == pytest.approx(10)
    assert benchmarks.gaussian(20, 10).nats == 10
    x, y = benchmarks.gaussian(20, 10).sample(50_000, 0)
    np.testing.assert_allclose(np.cov(x.T, y.T), covariance / 9, atol=0.03)


def test_student_information_at_its_ends():
    assert benchmarks.student(1, 1, 1).nats == pytest.approx(math.log(8 * math.pi) - 3)
    dispersion = pairs(2, 2, 0.5)
    nearly_normal = benchmarks.student(2, 2, 1e6, dispersion).nats
    assert nearly_normal == pytest.approx(-math.log(0.75), abs=1e-5)
    x, y = benchmarks.student(2, 2, 0.5, dispersion).sample(100_000, 2)
    joint, margin_x, margin_y = densities(
        lambda matrix: stats.multivariate_t(shape=matrix, df=0.5), dispersion, 2
    )
    ratio = joint.logpdf(np.hstack([x, y])) - margin_x.logpdf(x) - margin_y.logpdf(y)
    assert_is_mean(benchmarks.student(2, 2, 0.5, dispersion).nats, ratio)


def test_linear_gaussian_information_is_that_of_its_covariances():
    problem = benchmarks.linear_gaussian(3, 1.7)
    assert problem.nats == pytest.approx(1.7)
    y, d, x = problem.sample(200_000, seed=0)
    assert y.shape == d.shape == x.shape == (200_000, 3)
    assert y.dtype == d.dtype == x.dtype == np.float64
    for again, first in zip(problem.sample(200_000, seed=0), (y, d, x), strict=True):
        np.testing.assert_array_equal(again, first)
    assert not np.any(problem.sample(5, seed=1)[0] == y[:5])

    def log_det(*parts):
        return np.linalg.slogdet(np.cov(np.hstack(parts).T))[1]

    found = (log_det(y, x) + log_det(d, x) - log_det(y, d, x) - log_det(x)) / 2
    assert found == pytest.approx(problem.nats, abs=0.01)


def test_linear_gaussian_density_is_normal_and_broadcasts():
    problem = benchmarks.linear_gaussian(2, 0.9)
    y, d, x = problem.sample(6, seed=1)
    every = problem.log_prob(y[:, None], d[None], x[:, None])
    assert every.shape == (6, 6)
    for i in range(6):
        expected = stats.norm.logpdf(y[i], x[i] + d, problem.sigma).sum(axis=-1)
        np.testing.assert_allclose(every[i], expected)


@pytest.mark.parametrize("nats", [0.0, 1.7])
def test_redrawn_answers_have_the_density_of_answers_at_their_input(nats):
    problem = benchmarks.linear_gaussian(1, nats)
    others, d = problem.redraw(np.full((2, 1), 3.0), 100_000, seed=0)
    assert others.shape == d.shape == (2, 100_000, 1)
    spread = math.hypot(problem.weight, problem.sigma)
    assert others.mean() == pytest.approx(3.0, abs=5 * spread / math.sqrt(200_000))
    assert others.std() == pytest.approx(spread, rel=0.01)
    residual = others - problem.weight * d - 3.0
    assert residual.std() == pytest.approx(problem.sigma, rel=0.01)
    assert abs(np.corrcoef(residual.ravel(), d.ravel())[0, 1]) < 0.01


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: benchmarks.bivariate_normal(1.0), "positive definite"),
        (lambda: benchmarks.bivariate_normal(math.nan), "symmetric matrix"),
        (lambda: benchmarks.multinormal([[1, 0.5], [0.2, 1]], 1), "symmetric matrix"),
        (lambda: benchmarks.multinormal(1.0, 1), "symmetric matrix"),
        (lambda: benchmarks.multinormal(np.eye(3), 3), "dim_x"),
        (lambda: benchmarks.dense(3, 3, -0.5), "positive definite"),
        (lambda: benchmarks.dense(0, 3, 0.5), "dim_x"),
        (lambda: benchmarks.sparse(2, 3, 3, 0.5), "pairs"),
        (lambda: benchmarks.gaussian(0, 1.0), "dim"),
        (lambda: benchmarks.gaussian(2, -1.0), "nats"),
        (lambda: benchmarks.gaussian(2, 31.0), "nats"),
        (lambda: benchmarks.student(1, 1, 0), "df"),
        (lambda: benchmarks.student(1, 1, 2, np.eye(3)), "dispersion"),
        (lambda: benchmarks.spiral(benchmarks.bivariate_normal(0.5)), "2 features"),
        (lambda: benchmarks.additive_noise(0.0), "epsilon"),
        (lambda: benchmarks.linear_gaussian(1, -0.1), "nats"),
        (lambda: benchmarks.linear_gaussian(1, 400.0), "nats"),
        (lambda: benchmarks.linear_gaussian(0, 1.0), "dim"),
        (lambda: benchmarks.LinearGaussian(1, -1.0), "sigma"),
        (lambda: benchmarks.LinearGaussian(1, 1.0, math.nan), "weight"),
        (lambda: benchmarks.linear_gaussian(1, 1.0).redraw(np.zeros((5, 1)), 0, 0), "draws"),
        (lambda: TASKS["normal-1x1"].sample(0, 0), "`n`: expected at least 1; received 0"),
        (lambda: TASKS["normal-1x1"].sample(5, -1), "non-negative"),
    ],
)
def test_senseless_arguments_are_refused_by_name(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_a_seed_must_be_given():
    with pytest.raises(TypeError):
        TASKS["normal-1x1"].sample(5, None)


# -- the runner -----------------------------------------------------------------------------------

SMALL = ("--estimators=ksg,gaussian", "--tasks=normal-1x1,additive-0.75", "--samples=400")


def run(output, *arguments):
    return commands.run("mine.benchmarks", f"--output={output}", *arguments, cwd=ROOT)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A finished run, whose files no test may change."""
    folder = tmp_path_factory.mktemp("benchmark") / "new"
    process = run(folder, *SMALL, "--seeds=2")
    assert process.returncode == 0, process.stderr
    assert process.stdout.strip() == (folder / "table.md").read_text().strip()
    return folder


@pytest.mark.slow
def test_runner_tabulates_and_draws_estimates_beside_truths(finished):
    assert {path.name for path in finished.iterdir()} == {
        "estimates.json",
        "estimates.png",
        "table.json",
        "table.md",
    }
    table, text = (
        json.loads((finished / "table.json").read_text()),
        (finished / "table.md").read_text(),
    )
    assert [row["task"] for row in table["rows"]] == ["normal-1x1", "additive-0.75"]
    assert list(table["estimators"]) == ["ksg", "gaussian"]
    assert table["seeds"] == [0, 1] and table["samples"] == 400
    assert table["command"].startswith("python -m mine.benchmarks --output=")
    assert f"`{table['command']}`" in text and table["hardware"] in text
    assert "| normal-1x1 | 1 x 1 | 0.413 | " in text
    last_row = [line for line in text.splitlines() if line.startswith("|")][-1]
    assert last_row.startswith("| **median absolute error** |")
    kept = json.loads((finished / "estimates.json").read_text())["estimates"]
    for row in table["rows"]:
        for name, found in row["estimates"].items():
            nats = [r["nats"] for r in kept if (r["task"], r["estimator"]) == (row["task"], name)]
            assert len(nats) == 2 and nats[0] != nats[1]
            assert found["mean"] == pytest.approx(np.mean(nats))
            assert found["mean"] == pytest.approx(row["truth"], abs=0.25)
    for name, sums in table["estimators"].items():
        errors = [abs(r["nats"] - TASKS[r["task"]].nats) for r in kept if r["estimator"] == name]
        assert sums["estimates"] == 4 and sums["median_seconds"] > 0
        assert sums["median_absolute_error"] == pytest.approx(np.median(errors))


def test_runner_goes_on_where_it_was_killed(finished, tmp_path):
    """What was kept is not made again, what is missing comes out as if never interrupted."""
    content = json.loads((finished / "estimates.json").read_text())
    whole = content["estimates"]
    content["estimates"] = [whole[0] | {"nats": 123.0}, *whole[1:5]]
    (tmp_path / "estimates.json").write_text(json.dumps(content))
    process = run(tmp_path, *SMALL, "--seeds=2")
    assert process.returncode == 0, process.stderr
    after = json.loads((tmp_path / "estimates.json").read_text())["estimates"]
    assert [r["nats"] for r in after] == [123.0, *(r["nats"] for r in whole[1:])]
    assert [r["seconds"] for r in after[:5]] == [r["seconds"] for r in whole[:5]]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--tasks=normal-1x1,tea",), "--tasks: expected names of the suite standard, normal-1x1"),
        (
            ("--estimators=gaussian,tea",),
            "--estimators: expected names of the suite standard, mine",
        ),
        (("--samples=500",), "--samples: expected 400, as in"),
    ],
)
def test_runner_refuses_in_one_sentence(arguments, message, finished, tmp_path):
    (tmp_path / "estimates.json").write_text((finished / "estimates.json").read_text())
    process = run(tmp_path, *SMALL, *arguments)
    assert process.returncode != 0 and not process.stdout
    (error,) = [line for line in process.stderr.splitlines() if line.startswith("Error: ")]
    assert message in error and "Traceback" not in process.stderr


WHOLE = {
    "estimator": "ksg", "task": "normal-1x1", "seed": 0, "nats": 0.4, "interval": [0.3, None],
    "warnings": [], "seconds": 0.1,
}  # fmt: skip


@pytest.mark.parametrize(
    "estimates",
    [5, [1], [{}], [WHOLE | {"estimator": []}], [WHOLE | {"interval": [0.3]}],
     [WHOLE | {"nats": "0.4"}], [WHOLE | {"seconds": None}], [WHOLE | {"warnings": "no"}]],
)  # fmt: skip
def test_damaged_estimates_are_refused_in_one_sentence(estimates, tmp_path):
    path = tmp_path / "estimates.json"
    path.write_text(json.dumps({"samples": 5, "estimates": [WHOLE]}))
    assert len(runner.Store(path, samples=5).records) == 1
    path.write_text(json.dumps({"samples": 5, "estimates": estimates}))
    with pytest.raises(ValueError, match="expected the estimates of a run; received a damaged"):
        runner.Store(path, samples=5)


def test_estimates_that_are_no_numbers_are_kept_and_shown(tmp_path):
    store = runner.Store(tmp_path / "estimates.json", samples=5)
    for seed, nats in enumerate([math.nan, 0.5]):
        store.add(
            {"estimator": "dv", "task": "normal-1x1", "seed": seed, "nats": nats,
             "interval": [nats, nats], "warnings": ["diverged"], "seconds": 1.0}
        )  # fmt: skip
    assert "NaN" not in (tmp_path / "estimates.json").read_text()
    again = runner.Store(tmp_path / "estimates.json", samples=5)
    rows, summary = runner.tabulate(list(again.records.values()), TASKS)
    assert math.isnan(rows[0]["estimates"]["dv"]["mean"])
    assert summary["dv"]["with_warnings"] == summary["dv"]["estimates"] == 2


def test_intervals_are_students():
    values = [0.1, 0.4, 0.2]
    mean, half = reporting.mean_interval(values).values()
    low, high = stats.t.interval(0.95, 2, loc=np.mean(values), scale=stats.sem(values))
    assert (mean - half, mean + half) == pytest.approx((low, high))
    assert math.isnan(reporting.mean_interval([0.3])["ci95"])


def test_any_function_is_an_estimator(tmp_path):
    """Of one's own, beside one of the library; without TensorFlow."""

    def correlation(x, y):
        return -0.5 * np.log(1 - np.corrcoef(x[:, 0], y[:, 0])[0, 1] ** 2)

    text = mine.benchmark(
        {
            "correlation": correlation,
            "of the library": lambda x, y: mine.estimate(x, y, bound="ksg"),
        },
        tasks=["normal-1x1"],
        samples=500,
        output=tmp_path,
    )
    assert "correlation" in text and "of the library" in text
    found = reporting.read_json(tmp_path / "table.json", "rows")["rows"][0]
    assert found["estimates"]["correlation"]["mean"] == pytest.approx(found["truth"], abs=0.1)
    with pytest.raises(ValueError, match="returned by an estimator: expected nats"):
        mine.benchmark(lambda x, y: "much", tasks=["normal-1x1"], samples=50, output=tmp_path / "a")
    with pytest.raises(ValueError, match="`suite`: expected one of"):
        mine.benchmark(correlation, "none", output=tmp_path / "b")
