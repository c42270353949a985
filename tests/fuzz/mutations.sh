#!/bin/sh
# Mutations of real files (bit flips, numbers, truncations, splices, repeats) through readers and driver, under
# ASan and UBSan: each an error or a valid result within 65 s and 2560 MB.
#
#   tests/fuzz/mutations.sh [CASES PER TARGET [SEED [FOLDER OF REAL GRIB FILES]]]     [10000 1]
#
# The build folder is that of tests/sanitize.sh address.
set -eu
root=$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd)
build=$root/build-address
[ -f "$build/build.ninja" ] ||
  meson setup "$build" "$root" -Dbuildtype=debugoptimized -Db_sanitize=address,undefined -Db_lundef=false
ninja -C "$build" -j "${JOBS:-1}"
seeds=$(mktemp -d)
trap 'rm -rf "$seeds"' EXIT
/usr/bin/python3 "$root/tests/fuzz/make_seeds.py" "$seeds/stamp" "$seeds" ${3:+"$3"}
mkdir -p "$seeds/checkpoint" && cp "$build/tests/fuzz/checkpoint.seed" "$seeds/checkpoint"
export M2N_FUZZ_BASE="$seeds/base" G_DEBUG=fatal-warnings LSAN_OPTIONS="suppressions=$root/tests/lsan.supp"
for target in safetensors model dataset checkpoint forecast_file options hdf5 driver grib grib_unpack; do
  nice "$build/tests/fuzz/fuzz_$target" -runs="${1:-10000}" -seed="${2:-1}" "$seeds/$target"
done
