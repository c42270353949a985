#!/bin/sh
# Every test of the project: installs what is missing, configures, builds, runs, counts.
#
#   tests/run.sh [TEST or --suite SUITE ...]     all, or those that `meson test` would pick
#
# The last line is "N passed, N failed, N skipped": subtests where a test prints TAP, else the test itself.
# Exit status 1 when anything failed or nothing ran.  M2N_BUILD names the build folder [build];
# CI=true makes warnings errors.
set -eu
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
build=${M2N_BUILD:-$root/build}
export LC_ALL=C.UTF-8

stop() { # what went wrong, in the shape that whoever counts expects
  echo "tests/run.sh: $1"
  echo "0 passed, 1 failed, 0 skipped"
  exit 1
}

"$root/samples/setup.sh" build test qgis || stop "packages are missing"
werror=false
[ "${CI:-}" != true ] || werror=true
if [ -f "$build/build.ninja" ]; then
  grep -q "^werror = $werror" "$build/meson-private/cmd_line.txt" ||
    meson configure "$build" -Dwerror=$werror || stop "$build cannot be configured"
else
  meson setup "$build" "$root" -Dwerror=$werror || stop "configuring failed"
fi
ninja -C "$build" all meson-test-prereq || stop "the build failed"

log=$build/meson-logs/testlog.json
rm -f "$log"
status=0
meson test -C "$build" --no-rebuild --timeout-multiplier 3 "$@" || status=$?
exec /usr/bin/python3 "$root/tests/report.py" "$log" "$status"
