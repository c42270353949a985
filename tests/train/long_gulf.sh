#!/bin/bash
# Trains on real ERA5 (Gulf, January 2024: 22 days to train, 4 to validate, 5 to test), three seeds each of
# the published way (30 epochs) and of --target change (12 epochs), and compares mean test RMSE with what the
# PyTorch implementation reached on the same split: u10 1.749, v10 2.093, t2m 1.721.
#
# usage: tests/train/long_gulf.sh [FOLDER]     results, logs and models stay in FOLDER
# Takes the better part of an hour on two cores.  Exit status 77: the data are not there.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
data=$root/../shared/data/train/derived_grib2/era5_gulf_2024-01_u10v10t2m.grib2
bin=${M2N_BIN:-$root/build/plugin/cli}
out=${1:-$root/build/long_gulf}
[ -e "$data" ] || { echo "$data: not there; skipped"; exit 77; }
mkdir -p "$out"
cd "$out"

[ -e gulf.safetensors ] || "$bin/met2net-prepare" "$data" --quiet --output gulf.safetensors \
    --variables u10,v10,t2m --region 47.125,24.375,55.125,28.375 --size 32x16 \
    --train 2024-01-01/2024-01-22 --validation 2024-01-23/2024-01-26 --test 2024-01-27/2024-01-31

run() { # target epochs seed
    name=$1-$3
    [ -e "$name.txt" ] && return
    /usr/bin/time -f "%e s, %U s of CPU" -o "$name.time" \
        "$bin/met2net-train" gulf.safetensors --output "$name.safetensors" --preset gulf \
        --target "$1" --epochs "$2" --seed "$3" --overwrite > "$name.part" 2> "$name.err"
    mv "$name.part" "$name.txt"
    echo "$name: $(grep ^model "$name.txt"), $(cat "$name.time")"
}
for seed in 1 2 3; do run field 30 $seed; done
for seed in 1 2 3; do run change 12 $seed; done

awk '/^model/ { split(FILENAME, f, "-"); n[f[1]]++
                for (v = 1; v <= 3; v++) sum[f[1], v] += $(v + 1) }
     END { limit[1] = 1.749; limit[2] = 2.093; limit[3] = 1.721; bad = 0
           for (t in n) { printf "%-8s mean of %d:", t, n[t]
               for (v = 1; v <= 3; v++) { m = sum[t, v] / n[t]; printf " %.3f", m
                   if (m > 1.03 * limit[v]) bad = 1 }
               print "" }
           print "1.03 x PyTorch:  ", 1.03 * limit[1], 1.03 * limit[2], 1.03 * limit[3]
           exit bad }' field-?.txt change-?.txt
