"""Commands as users type them, in processes that start with the libraries loaded.

TensorFlow takes four seconds to import, and there are over a hundred commands. A server imports it
once; each command is a fork of it, which runs the module as ``python -m`` does.
"""

import multiprocessing
import os
import pathlib
import runpy
import subprocess
import sys
import tempfile
import warnings

_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(
    ["maml.experiments.sweep", "mine", "scipy.stats", "matplotlib.figure"]
)


def run(module, *arguments, cwd=None, timeout=600):
    """``python -m MODULE ARGUMENTS`` in the folder ``cwd``, as ``subprocess.run`` gives it.

    ``module`` may be the path of a script; ``cwd`` None: where the tests run.
    """
    arguments = [str(argument) for argument in arguments]
    with tempfile.TemporaryDirectory() as folder:
        paths = [os.path.join(folder, name) for name in ("out", "err")]
        environment = dict(os.environ)
        process = _CONTEXT.Process(
            target=_main, args=(module, arguments, str(cwd or os.getcwd()), environment, *paths)
        )
        process.start()
        process.join(timeout)
        if process.is_alive():
            process.kill()
            raise subprocess.TimeoutExpired([module, *arguments], timeout)
        out, err = (pathlib.Path(path).read_text(encoding="utf-8") for path in paths)
    command = [sys.executable, "-m", module, *arguments]
    return subprocess.CompletedProcess(command, process.exitcode, out, err)


def _main(module, arguments, folder, environment, out, err):
    for number, path in ((1, out), (2, err)):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT), number)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    script = module.endswith(".py")
    sys.path[0:0] = [os.path.dirname(module) if script else folder]
    sys.argv = [module, *arguments]
    # Python warns of a module that is run and was imported; here all were.
    warnings.filterwarnings("ignore", category=RuntimeWarning, module="runpy")
    if script:
        runpy.run_path(module, run_name="__main__")
    else:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
