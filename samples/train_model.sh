#!/bin/bash
# Trains samples/model.safetensors anew on a year of sample weather: some minutes on two cores, a gigabyte of
# memory, 300 MB of disk that are given back.
#
# usage: samples/train_model.sh [MODEL.safetensors]      default: samples/model.safetensors
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
model=${1:-$root/samples/model.safetensors}
build=${M2N_BUILD:-$root/build}
work=$(mktemp -d "${TMPDIR:-/tmp}/met2net-sample.XXXXXX")
trap 'rm -rf "$work"' EXIT

echo "a year of weather"
"$build/samples/weather/weather" --quiet --seed 1 --start 2020-01-01T00 --hours 8784 --output "$work/year.grib2"
"$build/plugin/cli/met2net-prepare" "$work/year.grib2" --output "$work/year.safetensors" \
  --variables u10,v10,t2m,tcc,r1000 \
  --train 2020-01-01/2020-12-16 --validation 2020-12-17/2020-12-23 --test 2020-12-24/2020-12-31
rm "$work/year.grib2"
# a small network: the file must stay below 5 MB, a forecast below a second
"$build/plugin/cli/met2net-train" "$work/year.safetensors" --output "$work/model.safetensors" \
  --hid-S 8 --hid-T 64 --N-T 3 --target change --learning-rate 2e-3 --average-weights 0.98 \
  --batch 4 --epoch-windows 240 --epochs "${EPOCHS:-8}" --seed 1
mv "$work/model.safetensors" "$model"
echo "$model"
