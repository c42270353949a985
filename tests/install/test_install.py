#!/usr/bin/env python3
"""What `meson install` leaves behind is whole: a C program builds and runs against it by pkg-config alone, GDAL
finds the driver, the tools start, and everything lies where Debian looks.

usage: test_install.py BUILD SOURCE"""
import os
import pathlib
import re
import subprocess
import sys
import tempfile

BUILD, SOURCE = (pathlib.Path(a).resolve() for a in sys.argv[1:3])
POINT = ["13.4", "52.5"]
TOOLS = ["met2net-prepare", "met2net-train", "met2net-forecast", "met2net-verify", "met2net-convert",
         "met2net-info"]
failures = []
number = 0


def check(name, good, note=""):
    global number
    number += 1
    print(f"{'ok' if good else 'not ok'} {number} /install/{name}")
    if not good:
        failures.append(name)
        print("\n".join("# " + line for line in str(note).splitlines()))


def run(command, **environment):
    return subprocess.run([str(c) for c in command], env=os.environ | {k: str(v) for k, v in environment.items()},
                          capture_output=True, text=True)


def find(root, pattern):
    found = sorted(root.rglob(pattern))
    return found[0] if found else root / "missing" / pattern


def check_library(root, work):
    """read_forecast.c from the installed header and library, as a stranger would build it."""
    header, library, pc = find(root, "met2net.h"), find(root, "libmet2net.so"), find(root, "met2net.pc")
    check("header", header.parent.name == "include" and header.exists(), header)
    check("library-has-a-soname", library.is_symlink() and find(root, "libmet2net.so.0").exists(), library)
    check("pkg-config-file", pc.parent.name == "pkgconfig" and pc.exists(), pc)

    at = {"PKG_CONFIG_PATH": pc.parent, "PKG_CONFIG_SYSROOT_DIR": root}
    flags = run(["pkg-config", "--cflags", "--libs", "met2net"], **at)
    check("pkg-config-knows-met2net", flags.returncode == 0, flags.stderr)
    program = work / "read_forecast"
    built = run(["cc", "-Wall", "-Wextra", "-Werror", SOURCE / "samples/read_forecast.c", "-o", program,
                 *flags.stdout.split()], **at)
    check("program-builds", built.returncode == 0, built.stderr)
    forecast = SOURCE / "samples/forecast.json"
    here = run([program, forecast, *POINT], LD_LIBRARY_PATH=library.parent)
    there = run([BUILD / "samples/read_forecast", forecast, *POINT])
    check("program-runs", here.returncode == 0 and len(here.stdout.splitlines()) >= 12, here.stderr)
    check("same-forecast-as-in-the-build-folder", here.stdout == there.stdout, here.stdout + there.stdout)

    wanted = run(["gdallocationinfo", "-valonly", "-wgs84", f"MET2NET:{forecast}", *POINT],
                 GDAL_DRIVER_PATH=BUILD / "plugin").stdout.split()
    found = re.findall(r" (-?[0-9.]+) [^ ]+", here.stdout)
    check("same-numbers-as-gdal-shows", len(found) == len(wanted) > 0
          and all(abs(float(a) - float(b)) < 0.0051 for a, b in zip(found, wanted)), f"{found[:5]} {wanted[:5]}")

    for std in (["cc", "-std=c99"], ["c++", "-std=c++11"]):
        lone = work / ("lone.c" if std[0] == "cc" else "lone.cpp")
        lone.write_text("#include <met2net.h>\nint main(void) { return met2net_api_version() != MET2NET_API; }\n")
        r = run([*std, "-pedantic", "-Wall", "-Werror", lone, "-o", work / "lone", *flags.stdout.split()])
        r = r if r.returncode else run([work / "lone"], LD_LIBRARY_PATH=library.parent)
        check(f"header-alone-{std[1][5:]}", r.returncode == 0, r.stderr)


def check_driver(root):
    driver, library = find(root, "gdal_MET2NET.so"), find(root, "libmet2net.so")
    debian = run(["pkg-config", "--variable=pcfiledir", "gdal"]).stdout.strip()
    wanted = pathlib.Path(str(root) + os.path.normpath(f"{debian}/../gdalplugins")) / driver.name
    check("driver-lies-where-gdal-looks", driver == wanted, f"{driver}, wanted {wanted}")
    at = {"GDAL_DRIVER_PATH": driver.parent, "LD_LIBRARY_PATH": library.parent}
    formats = run(["gdalinfo", "--formats"], **at)
    check("gdal-lists-the-driver", "MET2NET -raster" in formats.stdout, formats.stderr)
    info = run(["gdalinfo", f"MET2NET:{SOURCE / 'samples/forecast.json'}"], **at)
    check("gdalinfo-opens-the-sample", "Driver: MET2NET" in info.stdout and "Band 1 " in info.stdout,
          info.stdout[-500:] + info.stderr)


def check_tools(root):
    for tool in TOOLS:
        path = find(root, tool)
        r = run([path, "--help"], LD_LIBRARY_PATH=find(root, "libmet2net.so").parent) if path.exists() else None
        check(f"tool-{tool}", r is not None and path.parent.name == "bin" and r.returncode == 0
              and "Usage:" in r.stdout, r.stderr if r else "not installed")


def main():
    with tempfile.TemporaryDirectory() as folder:
        root, work = pathlib.Path(folder) / "root", pathlib.Path(folder) / "work"
        work.mkdir()
        os.environ["XDG_CACHE_HOME"] = str(work / "cache")
        r = run(["meson", "install", "-C", BUILD, "--no-rebuild", "--quiet"], DESTDIR=root)
        check("meson-install", r.returncode == 0, r.stdout + r.stderr)
        check_library(root, work)
        check_driver(root)
        check_tools(root)
        left = run(["git", "-C", SOURCE, "status", "--porcelain", "--ignored", "--", "samples"])
        check("nothing-written-beside-the-sample", ".aux.xml" not in left.stdout, left.stdout)
    print(f"1..{number}")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
