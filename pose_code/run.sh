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
    maml_mr_w) echo --learner=maml --regularizer=mr_w ;;
    maml_mr_a) echo --learner=maml --regularizer=mr_a ;;
    maml_label_mi) echo --learner=maml --regularizer=label_mi ;;
    cnp) echo --learner=cnp ;;
    cnp_mr_w | cnp_mr_w_all) echo --learner=cnp --regularizer=mr_w ;;
    cnp_mr_a) echo --learner=cnp --regularizer=mr_a ;;
    cnp_label_mi | cnp_label_mi_mine) echo --learner=cnp --regularizer=label_mi ;;
    cnp_prediction_mi | cnp_prediction_mi_js) echo --learner=cnp --regularizer=prediction_mi ;;
    *) echo "Error: unknown recipe $1: expected one of $ALL." >&2; return 1 ;;
  esac
}

# What the scripts of Yin et al. 2020 set otherwise than the preset: maml_bbb.py, np_bbb.py,
# np_all_bbb.py and np_ib.py. There is no script for MAML with MR-A: its weight is that of the CNP.
# maml_bbb.py has 15 images where maml_vanilla.py has 10, here 10 for both, so that one table can hold
# them; and a tower with activations after its convolutions and none at its end, here that of
# maml_vanilla.py, the other way round. Its noise of 1e-9 disturbs nothing, ours starts with more; that
# of np_bbb.py is 0.05 for each weight, here 0.8 for a unit of 288 inputs. np_ib.py has a rate of 0.001
# for all but encoder and decoder. A normal head cannot show a label that wraps, nor bound a prediction
# that a critic reads, so the information terms have a head that can.
# At the sizes of PRESET=cpu, the strengths that validation objects chose (docs/results/pose.md);
# Label-MI of the CNP has its defaults.
settings() {
  local sizes="dim_r=200;dim_z=200"
  case $PRESET-$1 in
    paper-maml_mr_w) echo --steps=30000 --meta_lr=0.002 --weight_decay=0 --network_options=shared_tower=true "--regularizer_options=layers=tower;weight=0.001" ;;
    paper-maml_mr_a) echo --weight_decay=0 --network_options=shared_tower=true --regularizer_options=weight=0.01 ;;
    paper-cnp_mr_w) echo --steps=100000 --meta_lr=0.0005 --network_options=dim_w=20 "--learner_options=$sizes" "--regularizer_options=layers=embedding;weight=0.001;sigma=0.8" ;;
    paper-cnp_mr_w_all) echo --steps=100000 --meta_lr=0.0005 --network_options=dim_w=20 "--learner_options=$sizes" "--regularizer_options=layers=all;weight=0.001;sigma=0.8" ;;
    paper-cnp_mr_a) echo --steps=120000 --meta_lr=0.0005 --network_options=dim_w=64 "--learner_options=dim_r=100;dim_z=64" --regularizer_options=weight=0.01 ;;
    paper-cnp_label_mi_mine) echo --head=circular --regularizer_options=bound=mine ;;
    paper-*_label_mi) echo --head=circular ;;
    paper-cnp_prediction_mi) echo --head_options=bounds=-1:11 --regularizer_options=weight=0.3 ;;
    paper-cnp_prediction_mi_js) echo --head_options=bounds=-1:11 "--regularizer_options=bound=js;weight=0.3" ;;
    cpu-maml | cpu-fomaml) echo --network_options=shared_tower=true ;;
    cpu-maml_label_mi) echo --network_options=shared_tower=true --regularizer_options=weight=0.3 ;;
    cpu-maml_mr_w) echo --network_options=shared_tower=true "--regularizer_options=layers=tower;weight=0.00001" ;;
    cpu-cnp_mr_w) echo "--regularizer_options=layers=embedding;weight=0.0001" ;;
    cpu-cnp_mr_w_all) echo "--regularizer_options=layers=all;weight=0.000001" ;;
    cpu-cnp_mr_a) echo --regularizer_options=weight=0.001 ;;
    *-maml_mr_w) echo --network_options=shared_tower=true --regularizer_options=layers=tower ;;
    *-maml_mr_a) echo --network_options=shared_tower=true ;;
    *-cnp_mr_w) echo --regularizer_options=layers=embedding ;;
    *-cnp_mr_w_all) echo --regularizer_options=layers=all ;;
    *-cnp_label_mi_mine) echo --regularizer_options=bound=mine ;;
    *-cnp_prediction_mi) echo --regularizer_options=weight=0.3 ;;
    *-cnp_prediction_mi_js) echo "--regularizer_options=bound=js;weight=0.3" ;;
  esac
}

ALL="maml fomaml maml_mr_w maml_mr_a maml_label_mi cnp cnp_mr_w cnp_mr_w_all cnp_mr_a cnp_label_mi cnp_label_mi_mine cnp_prediction_mi cnp_prediction_mi_js"
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
  python -m maml.compare --runs="$LOG_DIR/$learner" --output="$LOG_DIR/$learner"
done
