#!/bin/sh
# The tests under a sanitizer or valgrind, each in a build folder of its own.
#
#   tests/sanitize.sh address [TEST or --suite SUITE ...]    ASan, LSan and UBSan: all suites but fault, those in Python too
#   tests/sanitize.sh thread                                 TSan: pool, sessions, trainer, groups of processes, load on the driver
#   tests/sanitize.sh valgrind                               memcheck: the units written in C
#
# Exit status 0: clean.
set -eu
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
kind=${1:-}
[ $# -eq 0 ] || shift
jobs=${JOBS:-2}

build() { # folder, further options of meson
  folder=$1
  shift
  [ -f "$folder/build.ninja" ] || meson setup "$folder" "$root" -Dbuildtype=debugoptimized "$@"
  # shellcheck disable=SC2086  # the list is meant to be split
  ninja -C "$folder" -j "$jobs" ${targets:-}
}

supp=$root/tests
case $kind in
address)
  build "$root/build-address" -Db_sanitize=address,undefined -Db_lundef=false
  export ASAN_OPTIONS=detect_leaks=1:allocator_may_return_null=1:detect_odr_violation=0:detect_stack_use_after_return=1
  export UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1 M2N_PATIENCE=30
  # a foreign program (Python, QGIS, gdal_translate) needs the runtime before it loads anything of ours
  first=$(${CC:-cc} -print-file-name=libasan.so):$(${CC:-cc} -print-file-name=libstdc++.so)
  # not the faults: their library stands in for malloc as ASan's does, and no program starts with both; LSan looks on there
  [ $# -gt 0 ] || set -- --no-suite fault
  exec meson test -C "$root/build-address" --no-rebuild --print-errorlogs --timeout-multiplier 30 --num-processes "$jobs" \
    --wrap "env M2N_BUILD=$root/build-address LD_PRELOAD=$first:$root/build-address/tests/lib/liblsan_ours.so" "$@"
  ;;
thread)
  targets="tests/engine/test_parallel tests/engine/test_model tests/engine/test_session tests/train/test_trainer
    tests/train/test_group tests/train/test_weight_average tests/grib/test_archive tests/load/load plugin/gdal_MET2NET.so
    plugin/cli/met2net-train plugin/cli/met2net-prepare plugin/cli/met2net-forecast plugin/cli/met2net-verify
    plugin/cli/met2net-convert plugin/cli/met2net-info samples/weather/weather"
  # GLib's locks are futexes in a library that TSan does not see into: tsan_glib.h tells it of them
  build "$root/build-thread" -Db_sanitize=thread -Db_lundef=false \
    "-Dc_args=-include $supp/lib/tsan_glib.h -D_GNU_SOURCE= $(pkg-config --cflags glib-2.0)"
  # G_SLICE: memory that GLib hands from thread to thread by itself would look like a race
  export TSAN_OPTIONS="halt_on_error=1:suppressions=$supp/tsan.supp" G_SLICE=always-malloc
  exec meson test -C "$root/build-thread" --no-rebuild --print-errorlogs --timeout-multiplier 10 \
    parallel test_session-avx2 trainer group load "$@"
  ;;
valgrind)
  build "${M2N_BUILD:-$root/build}"
  # M2N_ISA: valgrind 3.19 does not know AVX-512
  exec env M2N_ISA=avx2 meson test -C "${M2N_BUILD:-$root/build}" --no-rebuild --print-errorlogs \
    --timeout-multiplier 30 \
    --wrap "valgrind -q --error-exitcode=9 --leak-check=full --errors-for-leak-kinds=definite --suppressions=$supp/valgrind.supp" \
    json safetensors source rng parallel test_archive fuzz-safetensors fuzz-checkpoint "$@"
  ;;
*)
  sed -n '2,8s/^# \{0,1\}//p' "$0" >&2
  exit 2
  ;;
esac
