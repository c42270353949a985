#!/bin/sh
# From a clone to a forecast: installs what is missing, builds, runs the model on the sample weather, and
# draws it.
#
#   samples/quickstart.sh [FOLDER]     where the GeoTIFF and the picture go [the build folder]
#
# M2N_BUILD names the build folder [build].
set -eu
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
build=${M2N_BUILD:-$root/build}
[ $# -le 1 ] || { echo "usage: quickstart.sh [FOLDER]" >&2; exit 2; }
mkdir -p "${1:-$build}"
out=$(CDPATH='' cd -- "${1:-$build}" && pwd)

"$root/samples/setup.sh" build
[ -f "$build/build.ninja" ] || meson setup "$build" "$root"
ninja -C "$build" plugin/gdal_MET2NET.so # tools and tests are built by a plain ninja

# The driver just built, whatever else is installed.
export GDAL_DRIVER_PATH="$build/plugin"
gdal_translate -q -of GTiff -co COMPRESS=DEFLATE "MET2NET:$root/samples/forecast.json" "$out/forecast.tif"
/usr/bin/python3 "$root/samples/draw_map.py" "$out/forecast.tif" "$out/forecast.png"
rm -f "$out/forecast.tif.aux.xml"

echo "forecast: $out/forecast.tif"
echo "picture:  $out/forecast.png"
