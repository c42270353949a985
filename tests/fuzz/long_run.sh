#!/bin/sh
# libFuzzer on each target in turn, guided by coverage; corpus and findings are kept.
#
#   tests/fuzz/long_run.sh [SECONDS PER TARGET [FOLDER [FOLDER OF REAL GRIB FILES]]]     [3600 fuzz-work]
set -eu
root=$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd)
work=${2:-$root/build-fuzz/work}
"$root/tests/fuzz/build.sh"
mkdir -p "$work"
/usr/bin/python3 "$root/tests/fuzz/make_seeds.py" "$work/stamp" "$work/seeds" ${3:+"$3"}
mkdir -p "$work/seeds/checkpoint" && cp "$root/build-fuzz/tests/fuzz/checkpoint.seed" "$work/seeds/checkpoint"
export M2N_FUZZ_BASE="$work/seeds/base" G_DEBUG=fatal-warnings LSAN_OPTIONS="suppressions=$root/tests/lsan.supp"
status=0
# -timeout counts seconds of the clock, of which a busy machine takes many: slow cases are to be judged again alone
for target in driver grib grib_unpack model dataset checkpoint forecast_file options safetensors hdf5; do
  mkdir -p "$work/corpus/$target"
  nice "$root/build-fuzz/tests/fuzz/fuzz_$target" -max_total_time="${1:-3600}" -timeout=900 -rss_limit_mb=2560 \
    -max_len=200000 -artifact_prefix="$work/" "$work/corpus/$target" "$work/seeds/$target" || status=1
done
exit $status
