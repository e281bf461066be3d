"""Curves of a single point, such as those of a run of one epoch, are seen in pictures."""

import matplotlib.colors
import matplotlib.image
import numpy as np
import pytest

import mine
from maml.experiments import plots
from mine import reporting
from mine.estimators.command import draw_curve
from mine.reporting.pictures import marker_of, new_axes

NAN = np.nan


def history(*values, test=0.0):
    """Columns of ``history.csv``: the values on training tasks, and more on test tasks."""
    names = [f"{of}_{kind}mse" for of in ("train", "test") for kind in ("", "no_support_")]
    columns = {name: np.array(values) + test * name.startswith("test") for name in names}
    return {"step": 100 * np.arange(1, 1 + len(values))} | columns


def shown(path, colour):
    """The share of a picture's pixels that are nearly of a colour."""
    pixels = matplotlib.image.imread(path)[..., :3]
    return np.mean(np.abs(pixels - matplotlib.colors.to_rgb(colour)).max(-1) < 0.05)


@pytest.mark.parametrize("values", [[1.0], [NAN, 1.0], [1.0, NAN, 1.0], [1.0, 2.0, NAN]])
def test_a_history_shows_every_split_that_has_a_value(tmp_path, values):
    figure, axes = new_axes()
    ax = plots.plot_history(history(*values, test=2.0), "mse", axes[0, 0])
    ax.get_legend().remove()
    reporting.picture(figure, tmp_path / "history.png")
    for colour in reporting.COLOURS[:2]:
        assert shown(tmp_path / "history.png", colour) > 1e-5


@pytest.mark.parametrize(
    "values, marker",
    [
        ([1.0], "."), ([NAN, 1.0], "."), ([1.0, NAN, 2.0], "."), ([1.0, np.inf], "."),
        ([1.0, 2.0], ""), ([NAN, 1.0, 2.0, NAN], ""),
    ],
)  # fmt: skip
def test_only_a_line_that_is_not_seen_has_a_marker(values, marker):
    assert marker_of(values) == marker


def test_curves_of_one_epoch_are_dots_beside_lines_of_more():
    runs = {"a": history(1.0), "b": history(2.0, 3.0)}
    ax = plots.plot_curves(runs, "test_mse", "train_mse", new_axes()[1][0, 0])
    assert [line.get_marker() for line in ax.lines] == [".", ".", "", ""]


def test_a_critic_that_trained_one_epoch_is_a_dot(tmp_path):
    for name, nats in (("dot", 0.3), ("legend", NAN)):
        curves = ((nats,),)
        estimate = mine.Estimate(0.5, (0.4, 0.6), "mine", 100, 0.5, (0.4, 0.6), curves=curves)
        draw_curve(estimate, tmp_path / f"{name}.png")
    first = "#1f77b4"  # Of matplotlib's colours.
    assert shown(tmp_path / "dot.png", first) > shown(tmp_path / "legend.png", first)
