#!/bin/sh
# Builds the fuzz targets as libFuzzer programs under ASan and UBSan, in their own folder.
#
#   tests/fuzz/build.sh [FOLDER]     [build-fuzz]
set -eu
root=$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd)
build=${1:-$root/build-fuzz}
[ -f "$build/build.ninja" ] ||
  CC=clang CXX=clang++ meson setup "$build" "$root" -Dbuildtype=debugoptimized -Db_lundef=false \
    -Db_sanitize=address,undefined \
    -Dc_args=-fsanitize=fuzzer-no-link -Dcpp_args=-fsanitize=fuzzer-no-link
ninja -C "$build" -j "${JOBS:-1}"
