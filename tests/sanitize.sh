#!/bin/sh
# The tests under a sanitizer or valgrind, each in a build folder of its own.
#
#   tests/sanitize.sh address [TEST or --suite SUITE ...]    ASan and UBSan: the units in C
#   tests/sanitize.sh thread                                 TSan: pool and sessions (GLib's mutexes it cannot see)
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
  ninja -C "$folder" -j "$jobs"
}

supp=$root/tests
case $kind in
address)
  build "$root/build-address" -Db_sanitize=address,undefined -Db_lundef=false
  export ASAN_OPTIONS=detect_leaks=1:allocator_may_return_null=1:detect_odr_violation=0:detect_stack_use_after_return=1
  export UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1
  # not those in Python: their interpreter would need the runtime loaded before it
  [ $# -gt 0 ] || set -- --suite fuzz --suite lib --suite engine --suite grib adam log settings trainer dataset
  exec meson test -C "$root/build-address" --no-rebuild --print-errorlogs --timeout-multiplier 8 "$@"
  ;;
thread)
  build "$root/build-thread" -Db_sanitize=thread -Db_lundef=false
  export TSAN_OPTIONS="halt_on_error=1:suppressions=$supp/tsan.supp"
  exec meson test -C "$root/build-thread" --no-rebuild --print-errorlogs --timeout-multiplier 8 \
    parallel test_session-avx2 "$@"
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
