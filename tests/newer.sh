#!/bin/sh
# Every test with the compilers and libraries of another Debian, in a folder of its own: tests/run.sh there, warnings as errors.
#
#   tests/newer.sh SUITE FOLDER [ARGUMENT of run.sh ...]     SUITE: trixie, forky, sid ...
#
# As root, with debootstrap; takes 5 GB, and a quarter of an hour the first time.  Tests what is committed, with ../shared if that is there.
# M2N_MIRROR names the mirror [the first one apt uses here].  Nothing stays mounted; the folder stays, to be removed by hand.
set -eu
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
[ $# -ge 2 ] || { echo "usage: tests/newer.sh SUITE FOLDER [ARGUMENT of run.sh ...]" >&2; exit 2; }
[ "$(id -u)" = 0 ] || { echo "newer.sh: needs root, for debootstrap and chroot" >&2; exit 1; }
suite=$1
mkdir -p "$2"
folder=$(CDPATH='' cd -- "$2" && pwd)
shift 2
mirror=${M2N_MIRROR:-$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | head -n 1)}

if [ ! -e "$folder/debootstrapped" ]; then
  script=/usr/share/debootstrap/scripts/$suite
  [ -e "$script" ] || script=${script%/*}/sid # of a release that debootstrap does not know yet
  debootstrap --variant=minbase "$suite" "$folder" "$mirror" "$script"
  # services stay off, archives are not kept, a mirror may lag behind
  printf '#!/bin/sh\nexit 101\n' > "$folder/usr/sbin/policy-rc.d"
  chmod +x "$folder/usr/sbin/policy-rc.d"
  printf '%s\n' 'Acquire::Check-Valid-Until "false";' 'APT::Keep-Downloaded-Packages "false";' \
    > "$folder/etc/apt/apt.conf.d/99met2net"
  touch "$folder/debootstrapped"
fi

away() {
  for at in proc sys dev src/shared; do
    ! mountpoint -q "$folder/$at" || umount "$folder/$at" 2>/dev/null || umount -l "$folder/$at" # lazily while a child ends
  done
}
trap away EXIT
trap 'exit 1' HUP INT TERM
mkdir -p "$folder/src/shared"
mount -t proc proc "$folder/proc"
mount -t sysfs sys "$folder/sys"
mount --bind /dev "$folder/dev"
if [ -d "$root/../shared" ]; then
  mount --bind "$root/../shared" "$folder/src/shared"
  mount -o remount,ro,bind "$folder/src/shared"
fi
rm -rf "$folder/src/met2net"
git clone -q "$root" "$folder/src/met2net"

status=0
chroot "$folder" env -i HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin CI=true M2N_BUILD=/src/build \
  /src/met2net/tests/run.sh "$@" || status=$?
# shellcheck disable=SC2016  # dpkg's names
chroot "$folder" dpkg-query -W -f='${Package} ${Version}\n' gcc clang meson libgdal-dev libeccodes-dev libproj-dev \
  libglib2.0-dev qgis python3 python3-numpy python3-xarray libopenmpi-dev || true
exit "$status"
