"""Commands as users type them, in processes that start with the libraries loaded.

TensorFlow takes four seconds to import, and there are over a hundred commands. A server imports it
once; each command is a fork of it, which runs the module as ``python -m`` does. Commands that a
command starts are forks of the same server.
"""

import contextlib
import gc
import multiprocessing
import multiprocessing.forkserver
import os
import pathlib
import resource
import runpy
import subprocess
import sys
import tempfile
import warnings

_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(
    ["maml.experiments.study_command", "mine", "scipy.stats", "matplotlib.figure", "pandas"]
    + ["PIL.ImageOps", "jinja2", "markdown_it", "gymnasium", "pytest", "hypothesis"]
)

SECONDS = "FILE_OF_SECONDS"
"""Variable of the environment: a file to which each command adds its seconds of processor time."""


def start(module, *arguments, cwd, out, err, **variables):
    """The process of ``python -m MODULE ARGUMENTS``, whose output goes to the files out and err."""
    arguments = [str(argument) for argument in arguments]
    environment = os.environ | variables
    process = _CONTEXT.Process(
        target=_main, args=(module, arguments, str(cwd), environment, str(out), str(err))
    )
    process.start()
    return process


def run(module, *arguments, cwd=None, timeout=600, **variables):
    """``python -m MODULE ARGUMENTS`` in the folder ``cwd``, as ``subprocess.run`` gives it.

    ``module`` may be the path of a script; ``cwd`` None: where the tests run; ``variables`` are
    added to the environment.
    """
    with tempfile.TemporaryDirectory() as folder:
        out, err = (os.path.join(folder, name) for name in ("out", "err"))
        cwd = cwd or os.getcwd()
        process = start(module, *arguments, cwd=cwd, out=out, err=err, **variables)
        process.join(timeout)
        if process.is_alive():
            process.kill()
            raise subprocess.TimeoutExpired([module, *arguments], timeout)
        out, err = (pathlib.Path(path).read_text(encoding="utf-8") for path in (out, err))
    command = [sys.executable, "-m", module, *map(str, arguments)]
    return subprocess.CompletedProcess(command, process.exitcode, out, err)


def use_xla(used):
    """Whether XLA is used where it is by default, for some learners of vectors.

    It takes seconds to compile a step that most tests run a few times. Commands that are started by
    other means than :func:`start` use it, as users do.
    """
    from maml.learners.gradient_based.maml import MAML
    from maml.learners.in_context.transformer import TransformerNeuralProcess

    for learner in (MAML, TransformerNeuralProcess):
        if not hasattr(learner, "default_prefers_xla"):
            learner.default_prefers_xla = learner.prefers_xla
        learner.prefers_xla = learner.default_prefers_xla if used else False


def rewrite_graphs(rewritten):
    """Whether TensorFlow rewrites graphs before it runs them.

    The tests run each of hundreds of graphs a few times: rewriting them takes a sixth of the time
    of a command that trains a few steps. As with :func:`use_xla`, commands that are started by
    other means than :func:`start` do it, as users do.
    """
    import tensorflow as tf  # Here, since files of tests are collected without it too.

    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": not rewritten})


def _main(module, arguments, folder, environment, out, err):
    for number, path in ((1, out), (2, err)):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT), number)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    # Python means a child to use the server that it came from, and starts one more all the same.
    multiprocessing.forkserver._forkserver.ensure_running = lambda: None
    script = module.endswith(".py")
    sys.path[0:0] = [os.path.dirname(module) if script else folder]
    sys.argv = [module, *arguments]
    # Python warns of a module that is run and was imported; here all were.
    warnings.filterwarnings("ignore", category=RuntimeWarning, module="runpy")
    use_xla(False)
    rewrite_graphs(False)
    gc.freeze()  # What was loaded stays: a collection, as pytest's at its end, need not visit it.
    # Graphs are traced from millions of small objects that stay until the graph is gone. Looking
    # for garbage after every 700 of them, as Python does, takes a tenth of the time of the tests.
    gc.set_threshold(20_000, 10, 10)
    with _counted(environment.get(SECONDS)):
        if script:
            runpy.run_path(module, run_name="__main__")
        else:
            runpy.run_module(module, run_name="__main__", alter_sys=True)


@contextlib.contextmanager
def _counted(path):
    """Adds to a file, if any, the seconds of this process and of the children it waited for."""
    try:
        yield
    finally:
        used = map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
        if path:
            with open(path, "a", encoding="utf-8") as file:
                print(sum(of.ru_utime + of.ru_stime for of in used), file=file)
