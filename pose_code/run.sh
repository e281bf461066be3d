#!/usr/bin/env bash
# Recipes: every algorithm on the pose data, at the size of the papers unless PRESET says otherwise.
#
#   DATA_DIR=... LOG_DIR=... [PRESET=paper] [SEEDS="0 1 2"] [FLAGS=...] pose_code/run.sh [RECIPE...]
#
# Without a recipe, all of them. A recipe that was stopped goes on where it was. FLAGS are flags of
# pose_code.train for every run. A table for each learner ends up in LOG_DIR/LEARNER.
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
    mr_maml_w) echo --learner=maml --shared_tower --regularizer=weights --kl_layers=tower ;;
    mr_maml_a) echo --learner=maml --shared_tower --regularizer=activations ;;
    maml_labels) echo --learner=maml --regularizer=mine --mi_target=label ;;
    cnp) echo --learner=cnp ;;
    mr_cnp_w) echo --learner=cnp --regularizer=weights --kl_layers=embedding ;;
    cnp_all_w) echo --learner=cnp --regularizer=weights --kl_layers=all ;;
    mr_cnp_a) echo --learner=cnp --regularizer=activations ;;
    cnp_labels) echo --learner=cnp --regularizer=mine --mi_target=label ;;
    cnp_labels_mine) echo --learner=cnp --regularizer=mine --mi_target=label --mi_bound=mine ;;
    cnp_predictions) echo --learner=cnp --regularizer=mine --mi_target=prediction --mi_weight=0.3 ;;
    cnp_predictions_js) echo --learner=cnp --regularizer=mine --mi_target=prediction --mi_bound=js --mi_weight=0.3 ;;
    *) echo "Error: there is no recipe $1; there are: $ALL." >&2; return 1 ;;
  esac
}

# What the scripts of Yin et al. 2020 set otherwise than the preset: maml_bbb.py, np_bbb.py,
# np_all_bbb.py and np_ib.py. There is no script for MAML with information in activations: its weight
# is that of the CNP. maml_bbb.py has 15 images where maml_vanilla.py has 10, here 10 for both, so that
# one table can hold them; and a tower with activations after its convolutions and none at its end,
# here that of maml_vanilla.py, the other way round. Its noise of 1e-9 disturbs nothing, ours starts
# with more; that of np_bbb.py is 0.05 for each weight, here 0.8 for a unit of 288 inputs. np_ib.py
# has a rate of 0.001 for all but encoder and decoder. A linear head cannot show a label that wraps,
# nor bound a prediction that a critic is paid for, so the information has a head that can.
# At the sizes of PRESET=cpu, the strengths that validation objects chose (docs/pose.md).
settings() {
  case $PRESET-$1 in
    paper-mr_maml_w) echo --steps=30000 --meta_lr=0.002 --kl_weight=0.001 --weight_decay=0 ;;
    paper-mr_maml_a) echo --bottleneck_weight=0.01 --weight_decay=0 ;;
    paper-mr_cnp_w | paper-cnp_all_w) echo --steps=100000 --meta_lr=0.0005 --dim_w=20 --dim_r=200 --dim_z=200 --kl_weight=0.001 --kl_sigma=0.8 ;;
    paper-mr_cnp_a) echo --steps=120000 --meta_lr=0.0005 --dim_w=64 --dim_r=100 --dim_z=64 --bottleneck_weight=0.01 ;;
    paper-*_labels*) echo --head=circle ;;
    paper-*_predictions*) echo --bound_outputs ;;
    cpu-mr_cnp_w) echo --kl_weight=0.0001 ;;
    cpu-cnp_all_w) echo --kl_weight=0.000001 ;;
    cpu-mr_cnp_a) echo --bottleneck_weight=0.001 ;;
    cpu-cnp_labels) echo --mi_weight=1 --mi_draws=32 ;;
    cpu-maml | cpu-fomaml) echo --shared_tower ;;
    cpu-mr_maml_w) echo --kl_weight=0.00001 ;;
    cpu-maml_labels) echo --shared_tower --mi_weight=0.3 ;;
  esac
}

ALL="maml fomaml mr_maml_w mr_maml_a maml_labels cnp mr_cnp_w cnp_all_w mr_cnp_a cnp_labels cnp_labels_mine cnp_predictions cnp_predictions_js"
[ $# -gt 0 ] || set -- $ALL
for recipe in "$@"; do flags "$recipe" > /dev/null; done # Refused before the first one trains.
learners=
for recipe in "$@"; do
  chosen=$(flags "$recipe")
  set_to=$(settings "$recipe")
  learner=${chosen#--learner=}
  learner=${learner%% *}
  case " $learners " in *" $learner "*) ;; *) learners="$learners $learner" ;; esac
  for seed in $SEEDS; do
    # shellcheck disable=SC2086 # The flags of a recipe are words.
    python -m pose_code.train --preset="$PRESET" --data_dir="$DATA_DIR" --resume \
      --logdir="$LOG_DIR/$learner/$recipe/seed$seed" --seed="$seed" $chosen $set_to $FLAGS
  done
done
# Learners see different numbers of images, so each has a table of its own.
for learner in $learners; do
  # shellcheck disable=SC2086
  python -m pose_code.baselines --preset="$PRESET" --learner="$learner" --data_dir="$DATA_DIR" \
    --logdir="$LOG_DIR/$learner" $FLAGS
  python -m pose_code.compare --logdirs="$LOG_DIR/$learner" --output="$LOG_DIR/$learner"
done
