#!/usr/bin/env bash
# Recipes: every algorithm on the pose data, at the size of the papers unless PRESET says otherwise.
#
#   DATA_DIR=... LOG_DIR=... [PRESET=paper] [SEEDS="0 1 2"] [FLAGS=...] pose_code/run.sh [RECIPE...]
#
# Without a recipe, all of them. A recipe that was stopped goes on where it was. FLAGS are flags of
# pose_code.train for every run. A table for each learner ends up in LOG_DIR/cnp and LOG_DIR/maml.
set -euo pipefail

: "${DATA_DIR:?set it to the folder of train_data.pkl and val_data.pkl}"
: "${LOG_DIR:?set it to a folder for the results}"
PRESET=${PRESET:-paper}
SEEDS=${SEEDS:-0}
FLAGS=${FLAGS:-}

flags() {
  case $1 in
    maml) echo --learner=maml ;;
    fomaml) echo --learner=fomaml ;;
    maml_labels) echo --learner=maml --regularizer=mine --mi_target=label --head=circle ;;
    cnp) echo --learner=cnp ;;
    cnp_labels) echo --learner=cnp --regularizer=mine --mi_target=label --head=circle ;;
    cnp_labels_mine) echo --learner=cnp --regularizer=mine --mi_target=label --mi_bound=mine --head=circle ;;
    cnp_predictions) echo --learner=cnp --regularizer=mine --mi_target=prediction --mi_weight=0.3 --bound_outputs ;;
    cnp_predictions_js) echo --learner=cnp --regularizer=mine --mi_target=prediction --mi_bound=js --mi_weight=0.3 --bound_outputs ;;
    *) echo "Error: there is no recipe $1; there are: $ALL." >&2; return 1 ;;
  esac
}

ALL="maml fomaml maml_labels cnp cnp_labels cnp_labels_mine cnp_predictions cnp_predictions_js"
[ $# -gt 0 ] || set -- $ALL
learners=
for recipe in "$@"; do
  chosen=$(flags "$recipe")
  learner=${chosen#--learner=}
  learner=${learner%% *}
  case " $learners " in *" $learner "*) ;; *) learners="$learners $learner" ;; esac
  for seed in $SEEDS; do
    # shellcheck disable=SC2086 # The flags of a recipe are words.
    python -m pose_code.train --preset="$PRESET" --data_dir="$DATA_DIR" --resume \
      --logdir="$LOG_DIR/$learner/$recipe/seed$seed" --seed="$seed" $chosen $FLAGS
  done
done
# Learners see different numbers of images, so each has a table of its own.
for learner in $learners; do
  # shellcheck disable=SC2086
  python -m pose_code.baselines --preset="$PRESET" --learner="$learner" --data_dir="$DATA_DIR" \
    --logdir="$LOG_DIR/$learner" $FLAGS
  python -m pose_code.compare --logdirs="$LOG_DIR/$learner" --output="$LOG_DIR/$learner"
done
