"""`python -m mine.estimators` as a user runs it."""

import json

import commands
import numpy as np
import pytest

TRUTH = -0.5 * np.log(1 - 0.8**2)


def run(*flags):
    return commands.run("mine.estimators", *flags)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Files of 2,000 samples with correlation 0.8, and of z which both depend on."""
    folder = tmp_path_factory.mktemp("samples")
    rng = np.random.default_rng(0)
    x, noise, z = rng.standard_normal((3, 2000, 1))
    y = 0.8 * x + 0.6 * noise
    np.savez(folder / "pair.npz", x=x, y=y)
    np.savez(folder / "given.npz", x=x + z, y=y + z, z=z)
    np.save(folder / "x.npy", x)
    np.savetxt(folder / "y.csv", y, delimiter=",", header="height", comments="")
    np.savez(folder / "unequal.npz", x=x, y=y[:500])
    np.savez(folder / "constant.npz", x=np.ones_like(x), y=y)
    np.savez(folder / "objects.npz", x=np.array([None, 1], dtype=object), y=y)
    np.savez(folder / "nameless.npz", a=x, y=y)
    (folder / "cut.npz").write_bytes((folder / "pair.npz").read_bytes()[:900])
    np.savez(folder / "short.npz", x=x, y=y, z=z[:500])
    (folder / "header.csv").write_text("height\n")
    (folder / "words.csv").write_text("1\ntwo\n")
    return folder


@pytest.mark.slow
def test_critic_prints_nats_second_opinions_and_draws_its_curve(folder, tmp_path):
    done = run(f"--data={folder / 'pair.npz'}", f"--curve={tmp_path / 'curve.png'}", "--steps=300")
    assert done.returncode == 0, done.stderr
    assert "nats (95 % interval" in done.stdout
    assert "second opinions: ksg" in done.stdout
    assert (tmp_path / "curve.png").stat().st_size > 1000
    assert float(done.stdout.split()[0]) == pytest.approx(TRUTH, abs=0.1)


def test_two_files_and_json(folder):
    done = run(f"--x={folder / 'x.npy'}", f"--y={folder / 'y.csv'}", "--bound=ksg", "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["nats"] == pytest.approx(TRUTH, abs=0.06)
    assert found["interval"][0] < found["nats"] < found["interval"][1]
    assert found["bound"] == "ksg"
    assert found["samples"] == 2000


def test_z_is_conditioned_on(folder):
    done = run(f"--data={folder / 'given.npz'}", "--bound=gaussian", "--json")
    assert json.loads(done.stdout)["nats"] == pytest.approx(TRUTH, abs=0.05)


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (["--data={}/unequal.npz"], "x has 2000, y has 500"),
        (["--data={}/constant.npz"], "received column 0, which is 1 in every sample"),
        (["--data={}/objects.npz"], "Python objects, which are not read; save numbers"),
        (["--data={}/nameless.npz"], "received a, y, without x"),
        (["--data={}/cut.npz"], "damaged"),
        (["--data={}/none.npz"], "No such file"),
        (["--x={}/x.npy", "--y={}/words.csv"], "'two'"),
        (["--x={}/x.npy"], "--data=FILE.npz"),
        (["--x={}/x.npy", "--y={}/pair.npz"], "holds several arrays"),
        (
            ["--x={}/x.npy", "--y={}/header.csv"],
            "header.csv: expected lines of numbers; received none",
        ),
        (["--data={}/short.npz"], "x has 2000, y has 2000, z has 500"),
        (["--data={}/pair.npz", "--bound=ksg", "--steps=100"], "Invalid argument --steps"),
        (["--data={}/pair.npz", "--critic=bilinear", "--negatives=all"], "diverges"),
    ],
    ids=lambda value: value.replace(" ", "-") if isinstance(value, str) else None,
)
def test_what_cannot_be_estimated_is_one_sentence(folder, flags, told):
    done = run(*(flag.format(folder) for flag in flags))
    assert done.returncode == 1
    errors = [line for line in done.stderr.splitlines() if line.startswith("Error: ")]
    assert len(errors) == 1
    assert told in errors[0]
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
