"""Training steps as StableHLO: does JAX compute with them what TensorFlow computes?

    pip install jax
    python benchmarks/export.py --output=results/benchmarks --modules=/tmp/modules

The whole training step of every learner, with its inner loop, meta-gradient and Adam's update, is
exported as a StableHLO module, a function without state: variables and a batch of episodes ->
variables, loss. JAX compiles the module with its own XLA on the CPU and makes 10 steps;
``MetaLearner.fit`` makes 10 steps on the same batches. Reported is the largest difference of
all variables: weights, and the moments of the optimizers.

``--modules`` also keeps each module beside the arrays that it is called with, for
:func:`run_on_jax`, which needs neither TensorFlow nor this library.
"""

import contextlib
import importlib.metadata
import pathlib
from collections.abc import Iterator
from typing import NamedTuple

import maml  # First: it silences TensorFlow's start-up messages.

# isort: split
import keras
import numpy as np
import tensorflow as tf
from absl import flags

from maml.experiments.config import Config
from mine import reporting
from mine.reporting import commands
from mine.reporting.progress import ProgressBar
from mine.reporting.words import reason

STEPS, TASKS, TOLERANCE = 10, 4, 1e-5
"""Steps of a comparison, tasks in a batch, and the difference that is taken for rounding."""

CASES = {name: {"learner": name} for name in maml.LEARNERS} | {
    f"cnp + {name}": {"learner": "cnp", "regularizer": name}
    for name in ("label_mi", "prediction_mi", "mr_w")
}
"""Name -> options of the run."""

SMALL = {
    "learner.inner_steps": 2, "learner.hidden": (8,), "learner.dim_r": 8, "learner.dim_z": 8,
    "network.hidden": (8,), "network.embedding": (8,),
}  # fmt: skip
"""Options of the components that have them: XLA takes minutes for large graphs."""


class Module(NamedTuple):
    """A training step, and what it is called with.

    Attributes:
        code: StableHLO in MLIR's bytecode. Its arguments are the state, the parts of a batch, and
            the rest; its results begin with the next state and the loss.
        state: the values of all variables that a step may change.
        rest: those of metrics, which do not matter.
        batches: of each step, the four parts of its episodes.
    """

    code: bytes
    state: list[np.ndarray]
    rest: list[np.ndarray]
    batches: list[list[np.ndarray]]


def made(options: dict) -> tuple[maml.MetaLearner, list]:
    """A compiled learner of a small problem, and batches of its tasks."""
    kind = maml.LEARNERS[options["learner"]]
    task = "clusters" if kind.classification_only else "sinusoid"
    config = Config.of(options | {"task": task}, SMALL)
    problem = config.make_problem()
    learner = config.make_learner(problem)
    batches = [
        maml.Episode(*(tf.cast(part, keras.config.floatx()) for part in batch[:4]))
        for batch in (problem.train.sample(TASKS, [0, step]) for step in range(STEPS))
    ]
    learner.create_weights(batches[0])
    learner.compile("adam", jit_compile=True)
    return learner, batches


@contextlib.contextmanager
def computing_in(dtype: str) -> Iterator[None]:
    """Within it learners and batches are made in a precision, "float32" or "float64"."""
    before = keras.config.floatx()
    keras.config.set_floatx(dtype)
    try:
        yield
    finally:
        keras.config.set_floatx(before)


def variables_of(learner: maml.MetaLearner) -> list:
    """All variables that a step may change but those of metrics, each once."""
    optimizers = [of for of in (learner.optimizer, learner.critic_optimizer) if of is not None]
    every = [*learner.variables, *(v for of in optimizers for v in of.variables)]
    return list({id(v): v for v in every}.values())


def export(learner: maml.MetaLearner, batches: list) -> Module:
    """The training step of a compiled learner as StableHLO, and what it is called with.

    Args:
        learner: with weights.
        batches: episodes of the same shapes.

    Raises:
        tf.errors.OpError: the step has an operation that XLA does not have.
    """
    variables = variables_of(learner)
    specs = maml.Episode(*(tf.TensorSpec(part.shape, part.dtype) for part in batches[0][:4]))
    # Traced outside of XLA first, as in training.
    traced = tf.function(learner._step, autograph=False).get_concrete_function(specs)

    def stateless(state, *parts):
        for variable, value in zip(variables, state, strict=True):
            variable.assign(value)
        loss = traced(*parts)["loss"]
        return [tf.convert_to_tensor(variable) for variable in variables], loss

    step = tf.function(stateless, autograph=False, jit_compile=True)
    state = [tf.convert_to_tensor(variable) for variable in variables]
    given = (state, *batches[0][:4])
    code = step.experimental_get_compiler_ir(*given)(stage="stablehlo_serialized")
    captured = step.get_concrete_function(*given).graph.captures
    held = {
        id(variable.handle): variable for variable in step.get_concrete_function(*given).variables
    }
    return Module(
        code,
        [value.numpy() for value in state],
        [held.get(id(of), of).numpy() for of, _ in captured],
        [[np.asarray(part) for part in batch[:4]] for batch in batches],
    )


def run_on_jax(module: Module) -> list[np.ndarray]:
    """The state after a step on each of the batches, by JAX on the CPU."""
    import jax
    from jax.extend import backend

    jax.config.update("jax_enable_x64", True)  # Counters of steps have 64 bits.
    client = backend.get_backend("cpu")
    device = client.local_devices()[0]
    program = client.compile_and_load(module.code, (device,), backend.get_compile_options(1, 1))
    state = module.state
    for batch in module.batches:
        given = [jax.device_put(value, device) for value in (*state, *batch, *module.rest)]
        results = program.execute_sharded(given).disassemble_into_single_device_arrays()
        state = [np.asarray(value) for (value,) in results[: len(state)]]
    return state


def run_on_tensorflow(learner: maml.MetaLearner, batches: list) -> list[np.ndarray]:
    """The same by the learner's own training."""
    data = tf.data.Dataset.from_tensor_slices(
        tuple(tf.stack(parts) for parts in zip(*(batch[:4] for batch in batches), strict=True))
    )
    learner.fit(data.map(maml.Episode), verbose=0)
    return [variable.numpy() for variable in variables_of(learner)]


def keep(module: Module, name: str, folder: pathlib.Path) -> None:
    """Writes a module and what it is called with: ``NAME.mlirbc``, ``NAME.npz``."""
    folder.mkdir(parents=True, exist_ok=True)
    parts = {"state": module.state, "rest": module.rest}
    parts |= {f"batch{number}": batch for number, batch in enumerate(module.batches)}
    arrays = {f"{part}_{i}": of for part, values in parts.items() for i, of in enumerate(values)}
    reporting.write(module.code, folder / f"{name}.mlirbc")
    with reporting.replacing(folder / f"{name}.npz", ".npz") as path:
        np.savez(path, **arrays)


def largest(one: list[np.ndarray], other: list[np.ndarray]) -> float:
    """The largest difference of two states, leaving out counters."""
    pairs = zip(one, other, strict=True)
    return max(float(np.max(np.abs(a - b))) for a, b in pairs if a.dtype.kind == "f" and a.size)


def compare(name: str, modules: str | None = None, dtype: str = "float32") -> dict:
    """The row of a case: how far JAX and TensorFlow are apart, or why there is no module."""
    if maml.LEARNERS[CASES[name]["learner"]].network_kind == "prior":
        return {"case": name, "failure": "it has no weights to train"}
    try:
        with computing_in(dtype):
            given = made(CASES[name])
            module = export(*given)
            expected = run_on_tensorflow(*given)
        found = run_on_jax(module)
    except (tf.errors.OpError, RuntimeError, TypeError, ValueError) as error:
        return {"case": name, "failure": reason(error)}
    if modules:
        keep(module, name, pathlib.Path(modules))
    equal = all(
        np.allclose(a, b, rtol=TOLERANCE, atol=TOLERANCE)
        for a, b in zip(found, expected, strict=True)
    )
    return {
        "case": name, "kilobytes": len(module.code) / 1000, "variables": len(expected),
        "moved": largest(module.state, expected), "apart": largest(found, expected), "equal": equal,
    }  # fmt: skip


def cells(row: dict) -> list[str]:
    """A row of the page."""
    if "failure" in row:
        return [row["case"], "", "", "", "", row["failure"]]
    numbers = [f"{row['kilobytes']:.0f} kB", f"{row['moved']:.2g}", f"{row['apart']:.1g}"]
    double = row.get("apart_float64")
    verdict = "equal" if row["equal"] else "not equal"
    if double is not None and double <= TOLERANCE:
        verdict = "equal in float64 only"
    return [row["case"], *numbers, "" if double is None else f"{double:.1g}", verdict]


def page(result: dict) -> str:
    """The page of a result."""
    versions = ", ".join(f"{name} {version}" for name, version in result["versions"].items())
    columns = ("learner", "module", "change", "apart", "apart, float64", "result")
    lines = [
        "# Training steps as StableHLO, on JAX",
        "",
        f"`{result['command']}`; {result['hardware']}; {result['date']}; {versions}.",
        "",
        f"{STEPS} training steps of {TASKS} tasks (sinusoids; clusters for classification), by "
        "`MetaLearner.fit` and by JAX on the CPU, from the module that TensorFlow exported. "
        "Change: the largest change of a variable, a weight or a moment of Adam. Apart: the "
        f"largest difference after them. Equal: to {TOLERANCE:g} (relative or absolute) in "
        "float32. Where that does not hold, the same is done in float64, which tells rounding from "
        "a fault. Prototypical network and Relative CNP are apart in one bias that changes no "
        "distance: Adam divides its gradient, zero but for rounding, by its own size. iMAML is "
        "apart in the moments of Adam, that is in the meta-gradient, which conjugate gradients "
        "find. Policies have no module, since a step collects trajectories.",
        "",
        *reporting.markdown_table(columns, map(cells, result["rows"])),
    ]
    return "\n".join(lines) + "\n"


def main():
    given = flags.FLAGS
    output = pathlib.Path(given.output)
    versions = {name: importlib.metadata.version(name) for name in ("tensorflow", "keras", "jax")}
    before = reporting.read_json(there) if (there := output / "export.json").exists() else {}
    rows = {row["case"]: row for row in before.get("rows", ()) if before["versions"] == versions}
    for name in ProgressBar(given.learners or list(CASES), unit="learner"):
        rows[name] = compare(name, given.modules)
        if not rows[name].get("equal", True):
            rows[name]["apart_float64"] = compare(name, dtype="float64").get("apart")
        result = reporting.provenance("benchmarks/export.py")
        result |= {"versions": versions, "steps": STEPS, "tolerance": TOLERANCE}
        result["rows"] = [rows[case] for case in CASES if case in rows]
        reporting.write_tables(result, page(result), output, "export")
    print(page(result))


if __name__ == "__main__":
    flags.DEFINE_string("output", "results/benchmarks", "Folder of the table.")
    flags.DEFINE_string("modules", None, "Folder for the modules and their arrays; default: none.")
    flags.DEFINE_list("learners", None, "Names of cases; rows of others are kept. [all]")
    commands.run(main)
