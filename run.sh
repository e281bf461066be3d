#!/usr/bin/env bash
# The front door: installs what it needs into a virtual environment, then does the job.
# Without arguments: the main job on a procedural CAD set. See `./run.sh help`.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

help() {
  cat <<'TEXT'
./run.sh                       the main job: makes CAD models, renders, trains three ways, compares
./run.sh test [PYTEST_ARGS]    installs what the tests need and runs them; -m "not slow": in minutes,
                               --exhaustive: with more cases
./run.sh data FLAGS            CAD models -> train_data.pkl, val_data.pkl. --data_dir=DIR (required);
                               --CAD_dir=DIR (your models), --skip_classes; or else a procedural set,
                               --num_per_class, --classes; for both --num_images, --canonical,
                               --image_size (of the pickles, pixels), --num_val (held-out objects,
                               default 15), --seed (of models and renders), --workers; --shards=N
                               writes folders in place of the pickles, for sets larger than memory
./run.sh train FLAGS           one training run; --helpfull lists the flags
./run.sh compare FLAGS         one table from many runs, and a page: --runs=DIR --output=DIR
./run.sh baselines FLAGS       constant predictor, and kernel regression on pixels (no training)
./run.sh pose FLAGS            study of poses of rendered objects: all regularizers, tools and
                               bounds. --data_dir=DIR (required)
./run.sh sinusoid FLAGS        study of memorization on sinusoids: all regularizers, two learners
./run.sh robustness FLAGS      learners on sinusoids, and study of task shift
./run.sh ambiguity FLAGS       study of ambiguous regression: probabilistic learners, exact Bayes
./run.sh fewshot FLAGS         study of few-shot classification: --omniglot=FILE,
                               --miniimagenet=FILE, each of python -m maml.tasks.prepare
./run.sh threshold FLAGS       study of how many training tasks it takes until learners stop memorizing
./run.sh image_threshold FLAGS the same for random projections of images: --omniglot=FILE
./run.sh docs                  builds the documentation site in OUTPUT/site; warnings are errors
./run.sh doctor                what this machine has, what is missing, and what mends it; --data_dir=DIR
./run.sh rl FLAGS              study of meta reinforcement learning; --envs=navigation,codes,...
./run.sh help                  this text

A virtual environment that is active is used; otherwise .venv is made. OUTPUT (default: output) is
where jobs work; they go on where they were stopped. Studies write to OUTPUT/results, or --output=DIR.
The main job, compare and studies end with report.html, a page for a browser.
OpenGL is installed if this is root.
TEXT
}

# -- environment --------------------------------------------------------------------------------

environment() { # extras, such as "[dev]"
  if [ -z "${VIRTUAL_ENV:-}" ]; then
    [ -x .venv/bin/python ] || python3 -m venv .venv
    export VIRTUAL_ENV=$PWD/.venv
  fi
  export PATH=$VIRTUAL_ENV/bin:$PATH
  # What was installed, for which sources: done again when these change. [dev] holds all but [docs].
  local stamp=$VIRTUAL_ENV/.installed sources holds="[dev]" others
  sources="$PWD $(cat setup.py pyproject.toml | cksum)"
  if [ "$1" = "[docs]" ]; then holds=$1; fi
  if ! grep -qsxF -e "$sources $holds" -e "$sources $1" "$stamp"; then
    echo "Installing the package and what it needs into $VIRTUAL_ENV ..."
    python -m pip install --quiet --disable-pip-version-check --editable ".$1"
    others=$(grep -sF "$sources" "$stamp" || true)
    printf '%s\n' ${others:+"$others"} "$sources $1" > "$stamp"
  fi
  export TF_CPP_MIN_LOG_LEVEL=${TF_CPP_MIN_LOG_LEVEL:-3}
}

opengl() { # Where this cannot help, the renderer says what is missing.
  python -c "from pose_data import gl_backend; gl_backend.choose()" > /dev/null 2>&1 && return
  if [ "$(id -u)" = 0 ] && command -v apt-get > /dev/null; then
    echo "Installing OpenGL (libegl1, libgl1) ..."
    apt-get update -qq
    apt-get install -qq -y libegl1 libgl1 > /dev/null
  fi
}

# -- steps --------------------------------------------------------------------------------------

data_name() { # flags: the name of the folder --data_dir, read as the commands read flags
  python - "$@" <<'PYTHON' 2> /dev/null || true # What is wrong with a flag its command says.
import pathlib, sys
from absl import flags
flags.DEFINE_string("data_dir", "", "")
flags.FLAGS(sys.argv, known_only=True)
print(pathlib.Path(flags.FLAGS.data_dir).resolve().name)
PYTHON
}

data() {
  opengl
  python -m pose_data.make_data "$@"
}

study() { # module, folder, flags: a study whose runs and tables are in folders of that name
  local module=$1 out=${OUTPUT:-output} name=$2
  shift 2
  python -m "$module" --logdir="$out/$name" --output="$out/results/$name" "$@"
}

main_job() {
  local out=${OUTPUT:-output}
  if [ ! -f "$out/data/split.json" ]; then
    data --data_dir="$out/data" --num_per_class=8 --num_images=50 --canonical=random --num_val=32
  fi
  python -m pose_code.baselines --data_dir="$out/data" --logdir="$out/runs"
  local name
  for name in none label_mi prediction_mi; do
    echo "== Training a CNP, regularizer: $name"
    set -- --regularizer="$name"
    [ "$name" != prediction_mi ] || set -- "$@" --regularizer_options=weight=0.3
    python -m pose_code.train --data_dir="$out/data" --logdir="$out/runs/$name" --resume "$@"
  done
  python -m maml.compare --runs="$out/runs" --output="$out"
  echo "Page for a browser: $out/report.html"
  echo "Pictures: $out/table.png, $out/curves.png, $out/data/contact_sheet.png and"
  echo "predictions.png in $out/runs/{none,label_mi,prediction_mi}."
}

command=${1:-main}
[ $# -gt 0 ] && shift
case $command in
  main)
    environment "[pose,experiments]"
    main_job
    ;;
  test)
    environment "[dev]"
    opengl
    python tests/run.py "$@"
    ;;
  data)
    environment "[pose,experiments]"
    data "$@"
    ;;
  pose)
    environment "[pose,experiments]"
    study pose_code.study "pose/$(data_name "$@")" "$@"
    ;;
  sinusoid)
    environment "[pose,experiments]"
    study maml.studies.memorization memorization "$@"
    ;;
  robustness | ambiguity | fewshot | image_threshold | threshold)
    environment "[pose,experiments]"
    study "maml.studies.$command" "$command" "$@"
    ;;
  rl)
    environment "[pose,experiments,rl]"
    study maml.rl.study rl "$@"
    ;;
  train | baselines)
    environment "[pose,experiments]"
    python -m "pose_code.$command" "$@"
    ;;
  compare)
    environment "[pose,experiments]"
    python -m maml.compare "$@"
    ;;
  docs)
    environment "[docs]"
    # Sources are the pages as they lie in the repository; a warning is an error.
    sphinx-build -W --keep-going -b html -c docs . "${OUTPUT:-output}/site" "$@"
    echo "Open ${OUTPUT:-output}/site/docs/index.html"
    ;;
  doctor)
    environment "[pose,experiments]"
    python -m maml.doctor "$@"
    ;;
  help | --help | -h) help ;;
  *)
    echo "Error: unknown command $command: expected one of those below." >&2
    help >&2
    exit 1
    ;;
esac
