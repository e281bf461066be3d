"""Package metadata. `pip install .` gives mine and maml; extras add what other parts need.

* `[pose]`: pose_data and pose_code, which render CAD models;
* `[experiments]`: the commands that train, compare and tabulate runs;
* `[scale]`: studies on many machines, by dask, MPI or SLURM;
* `[rl]`: simulated robots, and environments of Gymnasium;
* `[bench]`: benchmarks against other packages, and fuzzing by coverage;
* `[docs]`: the documentation site;
* `[dev]`: tests and checks, with those above.
"""

from pathlib import Path

from setuptools import find_packages, setup

NAME = "exact-meta-information"

COMMANDS = {
    "mine-estimate": "mine.estimators.command",
    "mine-benchmark": "mine.benchmarks.runner",
    "maml-train": "maml.train",
    "maml-evaluate": "maml.evaluate",
    "maml-compare": "maml.compare",
    "maml-components": "maml.components",
    "maml-doctor": "maml.doctor",
    "maml-report": "maml.experiments.report.command",
    "maml-prepare": "maml.tasks.prepare",
    "maml-rl-train": "maml.rl.train",
    "maml-rl-evaluate": "maml.rl.evaluate",
    "maml-rl-study": "maml.rl.study",
    "maml-rl-video": "maml.rl.video",
    "pose-make-cad": "pose_data.make_cad",
    "pose-vary-cad": "pose_data.vary_cad",
    "pose-convert-cad": "pose_data.convert_cad",
    "pose-mujoco-render": "pose_data.mujoco_render",
    "pose-resize-images": "pose_data.resize_images",
    "pose-data-gen": "pose_data.data_gen",
    "pose-make-data": "pose_data.make_data",
    "pose-train": "pose_code.train",
    "pose-baselines": "pose_code.baselines",
    "pose-predict": "pose_code.predict",
    "pose-render": "pose_code.render",
    "pose-study": "pose_code.study",
}
"""Console command -> its module, which has a function ``cli``."""

PACKAGES = ("mine", "maml", "pose_data", "pose_code")

setup(
    name=NAME,
    version="0.1.0",
    description="Meta-learning without memorization, by exact information estimation.",
    long_description=Path(__file__).with_name("README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    license_files=["LICENSE"],
    packages=find_packages(include=[f"{package}*" for package in PACKAGES]),
    package_data={
        **{package: ["py.typed"] for package in PACKAGES},
        "maml.experiments.report": ["template/*"],
        "maml.rl.simulation": ["*.xml"],
        "maml.tasks": ["omniglot.csv"],
        "pose_code": ["py.typed", "run.sh"],
    },
    entry_points={
        "console_scripts": [f"{command} = {module}:cli" for command, module in COMMANDS.items()],
        "maml.tasks": ["pose = pose_code.problem"],
    },
    python_requires=">=3.10",
    install_requires=[
        "tensorflow>=2.18,<3",
        "keras>=3.5,<4",
        "h5py>=3.10",
        "numpy>=1.26",
        "scipy>=1.11",
        "absl-py>=2.0",
        "matplotlib>=3.8",
        "tqdm>=4.66",
        "lazy-loader>=0.4",
        "packaging>=22",
    ],
    extras_require={
        "pose": ["mujoco>=3.3", "trimesh>=4.4", "mapbox_earcut>=1.0.2,<3", "pillow>=10.1"],
        "experiments": [
            "pandas>=2.0",
            "tensorboard>=2.18",
            "jinja2>=3.1,<4",
            "markdown-it-py>=3,<5",
            "markupsafe>=2.1",
            "pillow>=10.1",
        ],
        "rl": [
            "gymnasium>=1.1,<2",
            'mujoco>=4.0; python_version >= "3.11"',
            "pillow>=10.1",
        ],
        "scale": ["distributed>=2024.8", "mpi4py>=4", "mpich>=4.3", "submitit>=1.5"],
        "gpu": ["tensorflow[and-cuda]>=2.18,<3"],
        "dev": [
            f"{NAME}[pose,experiments,rl,scale]",
            "gymnasium[mujoco]>=1.1,<2",  # The environments that those of `[rl]` are held against.
            "build",
            "setuptools>=77",
            "pytest>=8",
            "html5lib>=1.1",
            "hypothesis>=6.100,<7",
            "scikit-learn>=1.4",
            "ruff>=0.6",
            "mypy>=1.11",
            "pre-commit>=3.5",
        ],
        "docs": [
            f"{NAME}[pose,experiments,rl,scale]",
            "scikit-learn>=1.4",  # Of a tutorial.
            "sphinx>=8",
            "furo>=2024.8",
            "myst-nb>=1.2",
        ],
        "bench": [
            f"{NAME}[pose,experiments]",
            "numpy-stl>=3.1",
            'jax>=0.10; python_version >= "3.11"',  # Of benchmarks/export.py.
            # Of benchmarks/fuzz.py, with hypothesis and pytest, which are in `[dev]`.
            'atheris>=2.3,<4; sys_platform == "linux" and platform_machine == "x86_64"',
        ],
        "notebooks": [
            f"{NAME}[experiments]",
            "jupyterlab>=4",
            "ipywidgets>=8",
            "scikit-learn>=1.4",
        ],
    },
)
