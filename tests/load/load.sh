#!/bin/sh
# Ten minutes of load: 8 processes of 64 threads each on the same and different forecasts.
#
#   tests/load/load.sh [SECONDS]     M2N_BUILD names the build folder [build]
set -eu
root=$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd)
build=${M2N_BUILD:-$root/build}
export M2N_SAMPLES="$root/samples" GDAL_DRIVER_PATH="$build/plugin" LD_LIBRARY_PATH="$build/plugin"
exec "$build/tests/load/load" --seconds "${1:-600}" --threads 64 --processes 8 --forecasts 12
