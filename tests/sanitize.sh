#!/bin/sh
# The tests under a sanitizer or valgrind, each in a build folder of its own.
#
#   tests/sanitize.sh address [TEST or --suite SUITE ...]    ASan, LSan and UBSan: all suites but fault and three of QGIS, those in Python too
#   tests/sanitize.sh thread                                 TSan: pool, models, sessions, trainer, groups of processes, load on the driver, the tools' threads
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
  # Not the faults: their library stands in for malloc as ASan's does, and no program starts with both; LSan looks on there.
  # Not QGIS's own programs: at their first GDALAllRegister(), before the driver is loaded, glibc's lock of message catalogues
  # has one reader too few under ASan (QGIS 3.22), and the next bindtextdomain() waits for ever.  QGIS in Python is looked at.
  # shellcheck disable=SC2046  # the list is meant to be split
  [ $# -gt 0 ] || set -- $(meson test -C "$root/build-address" --no-rebuild --no-suite fault --list | sed 's/.* \/ //' |
    grep -vxE 'qgis-(desktop|server|processing)')
  exec meson test -C "$root/build-address" --no-rebuild --print-errorlogs --timeout-multiplier 30 --num-processes "$jobs" \
    --wrap "env M2N_BUILD=$root/build-address LD_PRELOAD=$first:$root/build-address/tests/lib/liblsan_ours.so" "$@"
  ;;
thread)
  targets="tests/engine/test_parallel tests/engine/test_model tests/engine/test_session tests/train/test_trainer
    tests/train/test_resume tests/train/test_group tests/train/test_weight_average tests/grib/test_archive tests/load/load plugin/gdal_MET2NET.so
    plugin/cli/met2net-train plugin/cli/met2net-prepare plugin/cli/met2net-forecast plugin/cli/met2net-verify
    plugin/cli/met2net-convert plugin/cli/met2net-info samples/weather/weather"
  # GLib's locks are futexes in a library that TSan does not see into: tsan_glib.h tells it of them
  build "$root/build-thread" -Db_sanitize=thread -Db_lundef=false \
    "-Dc_args=-include $supp/lib/tsan_glib.h -D_GNU_SOURCE= $(pkg-config --cflags glib-2.0)"
  # G_SLICE: memory that GLib hands from thread to thread by itself would look like a race
  export TSAN_OPTIONS="halt_on_error=1:suppressions=$supp/tsan.supp" G_SLICE=always-malloc
  exec env M2N_PATIENCE=30 meson test -C "$root/build-thread" --no-rebuild --print-errorlogs --timeout-multiplier 30 \
    parallel test_model-avx2 test_session-avx2 weight_average test_archive trainer resume group load forecast verify "$@"
  ;;
valgrind)
  build "${M2N_BUILD:-$root/build}"
  # M2N_ISA: valgrind 3.19 does not know AVX-512
  exec env M2N_ISA=avx2 meson test -C "${M2N_BUILD:-$root/build}" --no-rebuild --print-errorlogs \
    --timeout-multiplier 100 \
    --wrap "valgrind -q --error-exitcode=9 --leak-check=full --errors-for-leak-kinds=definite --suppressions=$supp/valgrind.supp" \
    json safetensors source rng parallel test_archive fuzz-safetensors fuzz-checkpoint "$@"
  ;;
*)
  sed -n '2,8s/^# \{0,1\}//p' "$0" >&2
  exit 2
  ;;
esac
