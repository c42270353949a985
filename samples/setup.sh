#!/bin/sh
# Installs the Debian packages of the named sets, those that are missing and no others.
#
#   samples/setup.sh build|test|qgis ...     what to build and run; the test programs; QGIS and its tools
#
# As root, or through sudo.  When nothing is missing it touches nothing, so it works offline and for
# everybody.  Exit status 1: packages are missing and could not be installed; their names are printed.
set -eu

packages_build="gcc g++ libc6-dev meson ninja-build pkg-config python3
  libglib2.0-dev libjson-glib-dev libeccodes-dev libproj-dev libgdal-dev
  libaec-dev libopenjp2-7-dev libpng-dev
  gdal-bin python3-gdal python3-numpy python3-cairo fonts-dejavu-core"
packages_test="git libeccodes-tools cdo clang llvm valgrind zip libopenblas-dev
  libopenmpi-dev openmpi-bin python3-eccodes dpkg-dev python3-rasterio python3-netcdf4 python3-xarray python3-zarr python3-cfgrib"
packages_qgis="qgis python3-qgis qgis-providers qgis-server xvfb xauth"

missing() {
  for p in "$@"; do
    dpkg-query -W -f='${db:Status-Abbrev}' "$p" 2>/dev/null | grep -q '^.i' || printf '%s ' "$p"
  done
}

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"
  elif command -v sudo >/dev/null 2>&1; then sudo "$@"
  else
    echo "setup.sh: needs root or sudo to run: $*" >&2
    return 1
  fi
}

[ $# -gt 0 ] || { echo "usage: setup.sh build|test|qgis ..." >&2; exit 2; }
wanted=
for set_name in "$@"; do
  case $set_name in
    build) wanted="$wanted $packages_build" ;;
    test) wanted="$wanted $packages_test" ;;
    qgis) wanted="$wanted $packages_qgis" ;;
    *) echo "setup.sh: $set_name: not a set of packages (build, test, qgis)" >&2; exit 2 ;;
  esac
done

# shellcheck disable=SC2086  # the lists are meant to be split
lacking=$(missing $wanted)
[ -n "$lacking" ] || exit 0
command -v apt-get >/dev/null 2>&1 || {
  echo "setup.sh: no apt-get here; install what these Debian packages hold: $lacking" >&2
  exit 1
}
echo "setup.sh: installing $lacking" >&2
as_root apt-get update -q -o DPkg::Lock::Timeout=300 >&2 ||
  echo "setup.sh: the package lists could not be refreshed; trying with those at hand" >&2
# shellcheck disable=SC2086
as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends \
  -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 $lacking >&2 || {
  echo "setup.sh: could not install: $lacking" >&2
  exit 1
}
