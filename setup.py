"""Package metadata. `pip install .` for the library, `pip install .[dev]` for its tests."""

from pathlib import Path

from setuptools import find_packages, setup

setup(
    name="exact-meta-information",
    version="0.1.0",
    description="Meta-learning without memorization, by exact information estimation.",
    long_description=Path(__file__).with_name("README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    license_files=["LICENSE"],
    packages=find_packages(include=["maml*", "mine*", "pose_code*", "pose_data*"]),
    package_data={"maml.tasks": ["omniglot.csv"], "pose_code": ["run.sh"]},
    python_requires=">=3.10",
    install_requires=[
        "tensorflow>=2.18,<3",
        "keras>=3.5,<4",
        "tensorboard>=2.18",
        "numpy>=1.26",
        "scipy>=1.11",
        "absl-py>=2.0",
        "pillow>=10.1",
        "mujoco>=3.3",
        "trimesh>=4.4",
        "matplotlib>=3.8",
        "tqdm>=4.66",
        "lazy-loader>=0.4",
    ],
    extras_require={
        "gpu": ["tensorflow[and-cuda]>=2.18,<3"],
        "dev": [
            "build",
            "setuptools>=77",
            "pytest>=8",
            "pytest-xdist>=3.5",
            "ruff>=0.6",
        ],
        "bench": ["numpy-stl>=3.1"],
        "notebooks": ["jupyterlab>=4"],
    },
)
