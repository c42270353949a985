#!/bin/bash
# From GRIB to a verified forecast with three commands: 2 m temperature of ERA5 over the British Isles, March 2019:
# 22 days to train, 4 to validate, 27-31 March to verify.  The PyTorch implementation reached RMSE 1.84 K on
# that split; persistence has 2.95, the same hour yesterday 1.59.
#
# usage: tests/train/long_uk.sh [FOLDER]     results stay in FOLDER
# Ten minutes on two cores.  Exit status 77: the data are not there.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
data=$root/../shared/data/train/pydata+xarray-data/era5-2mt-2019-03-uk.grib
bin=${M2N_BIN:-$root/build/plugin/cli}
out=${1:-$root/build/long_uk}
[ -e "$data" ] || { echo "$data: not there; skipped"; exit 77; }
mkdir -p "$out"
cd "$out"

"$bin/met2net-prepare" "$data" --quiet --variables t2m --output uk.safetensors \
    --train 2019-03-01/2019-03-22 --validation 2019-03-23/2019-03-26 --test 2019-03-27/2019-03-31
"$bin/met2net-train" uk.safetensors --preset gulf --epochs 20 \
    --threads "${M2N_THREADS:-0}" --seed "${SEED:-1}" --overwrite --output model.safetensors
"$bin/met2net-verify" --quiet --plain --model model.safetensors --span 2019-03-27/2019-03-31 "$data"
