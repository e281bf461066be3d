#!/usr/bin/env bash
# Makes a virtual environment for the examples: PyTorch (CPU), JAX, scikit-learn, and no TensorFlow.
set -euo pipefail
folder=${1:?"usage: examples/environment.sh DIR"}
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
python3 -m venv "$folder"
"$folder/bin/pip" install --quiet --disable-pip-version-check \
  numpy scipy matplotlib tqdm absl-py lazy-loader scikit-learn jax torch
"$folder/bin/pip" install --quiet --disable-pip-version-check --no-deps --editable "$root"
echo "Run: $folder/bin/python examples/scikit_learn.py"
