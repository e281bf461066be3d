"""The layout of the packages: imports point one way, folders and files are small, imports light."""

import ast
import graphlib
import importlib
import inspect
import pathlib
import re
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parent.parent
PACKAGES = ("mine", "maml", "pose_data", "pose_code")

# Each layer imports from itself and from those before it.
LAYERS = (
    "mine.reporting",
    "mine",
    "maml.core",
    "maml.distributions",
    "maml.nn",
    "maml.learners",
    "maml.regularizers",
    "maml.diagnostics",
    "maml.tasks",
    "maml.experiments",
    "maml.studies",
    "maml",  # Its commands.
    "maml.rl",
    "pose_code",
)
ALLOWED = {of: set(LAYERS[: number + 1]) for number, of in enumerate(LAYERS)}
ALLOWED["pose_data"] = {"pose_data", "maml.core", "mine.reporting"}
ALLOWED["pose_code"] |= {"pose_data"}

MAX_MODULES, MAX_LINES = 15, 400


def module_name(path):
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {
    module_name(path): path for package in PACKAGES for path in (ROOT / package).rglob("*.py")
}


def imported(name, lazily=True):
    """Modules of this project that a module imports; with ``lazily`` also inside functions."""
    tree = ast.parse(MODULES[name].read_text(encoding="utf-8"))
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    inside = {
        node for found in ast.walk(tree) if isinstance(found, functions) for node in ast.walk(found)
    }
    found = set()
    for node in ast.walk(tree):
        if node in inside and not lazily:
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name} has a relative import"
            members = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {member if member in MODULES else node.module for member in members}
    return found & MODULES.keys()


def layer(name):
    """The layer of a module: the longest that its name begins with."""
    within = [of for of in ALLOWED if f"{name}.".startswith(f"{of}.")]
    return max(within, key=len)


def test_the_rules_see_the_imports():
    assert "mine.bounds" in imported("mine.objective")
    assert layer("maml.core.registry") == "maml.core" and layer("maml.train") == "maml"
    assert "mine.estimators.neural" in imported("mine.estimators.mutual_information")
    assert "mine.estimators.neural" not in imported("mine.estimators.mutual_information", False)


@pytest.mark.parametrize("name", MODULES)
def test_imports_point_one_way(name):
    allowed = ALLOWED[layer(name)]
    above = {other for other in imported(name) if layer(other) not in allowed}
    assert not above, f"{name} imports {sorted(above)}"


def test_no_module_imports_itself_through_others():
    graphlib.TopologicalSorter({name: imported(name) for name in MODULES}).prepare()


@pytest.mark.parametrize("folder", sorted({path.parent for path in MODULES.values()}), ids=str)
def test_a_folder_can_be_read_at_a_glance(folder):
    modules = [path for path in folder.glob("*.py") if path.name != "__init__.py"]
    assert len(modules) <= MAX_MODULES
    for path in folder.glob("*.py"):
        assert len(path.read_text(encoding="utf-8").splitlines()) <= MAX_LINES, path


@pytest.mark.parametrize(
    "package", [name for name, path in MODULES.items() if path.name == "__init__.py"]
)
def test_no_module_hides_a_function_or_class_of_its_package(package):
    """Importing a module sets it as an attribute of its package, in place of a function."""
    module = importlib.import_module(package)
    submodules = {path.stem for path in MODULES[package].parent.glob("*.py")}
    submodules |= {path.parent.name for path in MODULES[package].parent.glob("*/__init__.py")}
    resolve = getattr(module, "__getattr__", lambda name: getattr(module, name))
    for name in submodules & set(getattr(module, "__all__", ())):
        assert inspect.ismodule(resolve(name)), name


HEAVY = ("tensorflow", "keras", "matplotlib", "scipy", "pandas", "mujoco", "trimesh")


@pytest.mark.parametrize("package", [*PACKAGES, "mine.reporting", "mine.estimators"])
def test_importing_a_package_loads_nothing_heavy(package):
    code = f"import sys, {package}; print(*(set({HEAVY}) & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert (done.returncode, done.stdout.strip()) == (0, ""), done.stderr


def test_types_of_the_packages_that_declare_them_are_right():
    done = subprocess.run([sys.executable, "-m", "mypy"], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stdout


def test_registries_find_all_that_registers():
    """In a process that has imported nothing else: a folder may be missing from their lists."""
    names = {kind: [] for kind in ("HEADS", "LEARNERS", "OUTER", "REGULARIZERS", "TASKS")}
    for path in MODULES.values():
        found = re.findall(r"^@([A-Z]+)\.register\(\"([^\"]+)\"", path.read_text(), re.MULTILINE)
        for registry, name in found:
            names.get(registry, []).append(name)
    assert all(names.values()) and len(names["LEARNERS"]) > 20
    code = (
        "from maml.core import registry\n"
        f"for kind, names in {names!r}.items():\n"
        "    missing = [n for n in names if n not in getattr(registry, kind)]\n"
        "    assert not missing, (kind, missing)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-500:]
