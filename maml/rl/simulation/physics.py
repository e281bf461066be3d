"""MuJoCo models that are stepped as one batch, and whose states are plain arrays."""

import pathlib
import threading
from typing import NamedTuple

import numpy as np

from mine.reporting.version import DISTRIBUTION

TOTAL_MASS = {"half_cheetah": 14.0}
"""In kg, where Gymnasium's model has one. MuJoCo gives up its option ``settotalmass``."""

SUBSTEPS = 5
"""Steps of MuJoCo in one of an environment (``frame_skip`` of Gymnasium)."""

TORSO = 1
"""Number of the body that moves ahead."""

STATE = ("qpos", "qvel", "qacc_warmstart")
"""What a step of MuJoCo depends on in these models, beside the controls."""

NEEDS = (
    "Simulated environments need the package mujoco, 4.0 or later (Python 3.11 or later): "
    f"pip install '{DISTRIBUTION}[rl]'."
)


def load_model(name: str):
    """A model of Gymnasium, ``mujoco.MjModel``.

    Args:
        name: "half_cheetah" or "ant".

    Raises:
        ImportError: MuJoCo is not installed.
    """
    try:
        import mujoco
    except ImportError as error:
        raise ImportError(NEEDS, name="mujoco") from error
    path = pathlib.Path(__file__).with_name(f"{name}.xml")
    model = mujoco.MjModel.from_xml_string(path.read_text(encoding="utf-8"))
    if name in TOTAL_MASS:
        mujoco.mj_setTotalmass(model, TOTAL_MASS[name])
        mujoco.mj_setConst(model, mujoco.MjData(model))
    # A simulation that diverges would start anew, and go on as if nothing had been.
    model.opt.disableflags |= mujoco.mjtDisableBit.mjDSBL_AUTORESET
    return model


class Simulations(NamedTuple):
    """States of a batch of simulations, all float64: what the next step depends on.

    Attributes:
        positions: of the joints, metres and radians, [batch, nq].
        velocities: of the joints, per second, [batch, nv].
        warm_start: accelerations from which MuJoCo's solver starts, [batch, nv].
        torso: where the torso is, in metres, [batch, 3]. As MuJoCo's own ``xpos``, and so as
            Gymnasium reads it, that of the substep before the last.
    """

    positions: np.ndarray
    velocities: np.ndarray
    warm_start: np.ndarray
    torso: np.ndarray


class Physics:
    """Steps any number of simulations of a model at once, on all cores.

    A simulation depends neither on the others of its batch nor on the number of cores, to the last
    bit (``mujoco.batch``).

    Args:
        name: of the model, see :func:`load_model`.

    Attributes:
        model: ``mujoco.MjModel``.
        seconds: that pass in a step.

    Raises:
        ImportError: there is no MuJoCo, or it is too old.
    """

    def __init__(self, name: str):
        self.model = load_model(name)
        self.seconds = self.model.opt.timestep * SUBSTEPS
        # Trajectories may be collected in a thread of a data set while others are scored.
        self._lock = threading.Lock()
        self._batch = None
        self._room_for(1)

    def _room_for(self, count: int):
        """MuJoCo's batch, which is only a place to compute in: it grows when it has to."""
        if self._batch is None or self._batch.nsim < count:
            try:
                from mujoco.batch import Batch
            except ImportError as error:
                raise ImportError(NEEDS, name="mujoco") from error
            self._batch = Batch(self.model, count)
        return self._batch

    def begin(self, positions: np.ndarray, velocities: np.ndarray) -> Simulations:
        """Simulations that start at joint positions [batch, nq] with velocities [batch, nv]."""
        rows = np.arange(len(positions))
        with self._lock:
            batch = self._room_for(len(positions))
            for name, values in zip((*STATE, "ctrl"), (positions, velocities, 0, 0), strict=True):
                batch.bind(name)[rows] = values
            batch.bind("xpos")
            batch.forward(rows)
            return self._read(rows)

    def step(self, state: Simulations, controls: np.ndarray, running: np.ndarray) -> Simulations:
        """The simulations after ``seconds`` with constant controls [batch, nu].

        Those that are not ``running``, boolean [batch], stay as they are.
        """
        rows = np.flatnonzero(running)
        moved = Simulations(*(values.copy() for values in state))
        given = (state.positions, state.velocities, state.warm_start, controls)
        with self._lock:
            batch = self._room_for(len(running))
            for name, values in zip((*STATE, "ctrl"), given, strict=True):
                batch.bind(name)[rows] = values[rows]
            batch.bind("xpos")
            batch.step(rows, nstep=SUBSTEPS)
            for values, new in zip(moved, self._read(rows), strict=True):
                values[rows] = new
        return moved

    def _read(self, rows: np.ndarray) -> Simulations:
        batch = self._batch
        return Simulations(
            *(batch.bind(name)[rows] for name in STATE), batch.bind("xpos")[rows, TORSO]
        )
