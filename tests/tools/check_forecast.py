#!/usr/bin/python3
"""met2net-forecast as people run it: batches with bad inputs, second runs, damaged outputs, full disks, killed runs, and
names and options it cannot use.  usage: check_forecast.py MET2NET_FORECAST"""
import json
import os
import pathlib
import resource
import shutil
import signal
import stat
import subprocess
import tempfile
import time

import xarray as xr

from forecast_tool import FORMATS, PROGRAM, digest, fixture, run
from tap import check, finish


def full_disk(folder):
    """A file that may not grow stands for it: one line, nothing left, no crash, in each format and at each length."""
    out = f"{folder}/full"
    os.mkdir(out)
    for name in FORMATS:
        for most in (100, 1000, 3000, 8000):
            def limit():
                resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
            p = subprocess.run([PROGRAM, "-q", "-m", f"{folder}/model.safetensors", "-f", name, "-o", f"{out}/a.{{ext}}",
                                f"{folder}/a.grib2"], capture_output=True, text=True, preexec_fn=limit)
            check(f"{name}: no more than {most} bytes",
                  p.returncode == 1 and "a." in p.stderr and len(p.stderr.splitlines()) == 1 and os.listdir(out) == [],
                  f"{p.returncode} {p.stderr} {os.listdir(out)}")


def damage_values(path):
    """Overwrites 16 bytes inside a packed chunk: the file opens as before, some field cannot be read or differs.
    (HDF5 1.10 itself crashes on some damage to its own tables, so the place is chosen.)"""
    whole = pathlib.Path(path).read_bytes()
    want = xr.open_dataset(path).load().to_array().values.tobytes()
    program = """import sys, xarray as xr
d = xr.open_dataset(sys.argv[1])
print("open", flush=True)
sys.stdout.buffer.write(d.load().to_array().values.tobytes())"""
    for at in range(len(whole) - 2000, len(whole) // 3, -997):
        data = whole[:at] + bytes(b ^ 0x55 for b in whole[at:at + 16]) + whole[at + 16:]
        pathlib.Path(path).write_bytes(data)
        p = subprocess.run(["/usr/bin/python3", "-c", program, path], capture_output=True)
        if p.stdout.startswith(b"open\n") and p.stdout[5:] != want:
            return True
    return False


def batch(folder):
    """Twelve inputs, four of them bad in different ways."""
    inputs, out = f"{folder}/inputs", f"{folder}/batch"
    os.mkdir(inputs)
    for i in range(12):
        fixture.write_analysis(f"{inputs}/{i:02}.grib2", seed=i)
    whole = pathlib.Path(f"{inputs}/03.grib2").read_bytes()
    pathlib.Path(f"{inputs}/03.grib2").write_bytes(whole[:len(whole) // 2 - 50])
    pathlib.Path(f"{inputs}/05.grib2").write_bytes(b"not a GRIB file, whatever its name says")
    fixture.write_analysis(f"{inputs}/07.grib2", names=["t2m", "u10", "v10", "tcc"])
    fixture.write_analysis(f"{inputs}/09.grib2", hours=range(1, 3))
    args = ["-m", f"{folder}/model.safetensors", "-d", out, "-o", "{input}.nc", f"{inputs}/*.grib2"]
    p = run(*args)
    made = sorted(f for f in os.listdir(out))
    good = [f"{i:02}.nc" for i in range(12) if i not in (3, 5, 7, 9)]
    check("batch: good ones made, exit 1", p.returncode == 1 and made == good, f"{p.returncode} {made} {p.stderr}")
    errors = [line for line in p.stderr.splitlines() if line.startswith("met2net-forecast: ")]
    check("batch: each bad one named once", len(errors) == 4 and
          all(sum(f"{i:02}.grib2" in e for e in errors) == 1 for i in (3, 5, 7, 9)), p.stderr)
    check("batch: the reason is told", "r1000" in [e for e in errors if "07.grib2" in e][0], errors)
    before = {f: (os.stat(f"{out}/{f}").st_mtime_ns, digest(f"{out}/{f}")) for f in made}
    p = run(*args)
    check("second run: nothing is made", p.returncode == 1 and p.stdout == "" and "8 already complete" in p.stderr and
          before == {f: (os.stat(f"{out}/{f}").st_mtime_ns, digest(f"{out}/{f}")) for f in os.listdir(out)}, p.stderr)
    with open(f"{out}/00.nc", "r+b") as f:
        f.truncate(os.path.getsize(f"{out}/00.nc") - 100)
    check("a place in the packed values is found", damage_values(f"{out}/01.nc"))
    os.unlink(f"{out}/02.nc")
    p = run(*args)
    check("damaged and missing ones are made again, the others not", sorted(p.stdout.split()) ==
          [f"{out}/{f}" for f in ("00.nc", "01.nc", "02.nc")] and
          all(digest(f"{out}/{f}") == before[f][1] for f in before), p.stdout + p.stderr)
    p = run("-j", 2, "--overwrite", *args)
    check("two jobs: the same bytes", all(digest(f"{out}/{f}") == before[f][1] for f in before) and
          len(p.stdout.split()) == 8, p.stderr)
    p = run("-m", f"{folder}/model.safetensors", "-d", out, "-o", "one.nc", f"{inputs}/00.grib2", f"{inputs}/01.grib2")
    check("two inputs to one name: an error, not a lottery", p.returncode == 1 and "{input}" in p.stderr and
          len(p.stdout.split()) == 1, p.stderr)


def degrees_labelled_kelvin(folder):
    """Said for each input that has it, not for each of its times; the forecast is made."""
    for name in ("c1", "c2"):
        fixture.write_analysis(f"{folder}/{name}.grib2", celsius=True)
    p = run("-q", "-m", f"{folder}/model.safetensors", "-i", "2024-01-01T03/2024-01-01T06/1h", "-d", f"{folder}/celsius",
            *(f"{folder}/{name}.grib2" for name in ("c1", "a", "c2")))
    said = [line.split(": mean")[0] for line in p.stderr.splitlines() if line.endswith("wrong units?")]
    check("degrees labelled K are told", p.returncode == 0 and len(p.stdout.split()) == 12 and
          said == [f"met2net-forecast: t2m of {folder}/{name}.grib2" for name in ("c1", "c2")], p.stderr)


def grib_is_checked(folder):
    args = ["-m", f"{folder}/model.safetensors", "-o", f"{folder}/checked.{{ext}}"]
    for name in ("GRIB2", "Zarr", "GTiff"):
        path = f"{folder}/checked.{FORMATS[name]}"
        first = run(*args, "-f", name, f"{folder}/a.grib2")
        same = digest(path)
        second = run(*args, "-f", name, f"{folder}/a.grib2")
        check(f"{name}: complete counts as done", first.stdout.strip() == path and second.stdout == "" and
              second.returncode == 0, second.stderr)
        if name == "Zarr":
            os.unlink(f"{path}/t2m/1.0.0")
        else:
            os.truncate(path, os.path.getsize(path) * 2 // 3)
        p = run(*args, "-f", name, f"{folder}/a.grib2")
        check(f"{name}: damaged is made again", p.stdout.strip() == path and digest(path) == same and
              "written again" in p.stderr, p.stderr)
    path = f"{folder}/checked.grib2"
    run(*args, "-f", "GRIB2", f"{folder}/a.grib2")
    os.utime(f"{folder}/a.grib2")
    time.sleep(1.1)
    os.utime(f"{folder}/a.grib2")
    p = run(*args, "-f", "GRIB2", f"{folder}/a.grib2")
    check("GRIB2: older than its input is made again", p.stdout.strip() == path and "older" in p.stderr, p.stderr)
    p = run(*args, "-f", "GRIB2", "--sidecar", "--overwrite", f"{folder}/a.grib2")
    with open(path + ".json") as f:
        check("GRIB2: provenance in a sidecar on request", json.load(f)["MET2NET_INPUT"] == "a.grib2")


def other_wishes(folder):
    """Of the same size and from the same forecast, but not what is there: as many variables, times, pixels."""
    wishes = [("-v", "t2m"), ("-v", "tcc"), ("-s", "1h,3h"), ("-s", "2h,3h"), ("-b", "10,10,30,30", "-r", "2"),
              ("-b", "11,10,31,30", "-r", "2"), ("-b", "10,11,30,31", "-r", "2"),
              ("-t", "EPSG:4258", "-b", "10,11,30,31", "-r", "2")]
    for name in FORMATS:
        args = ["-q", "-m", f"{folder}/model.safetensors", "-f", name, "-o", f"{folder}/wish.{{ext}}", f"{folder}/a.grib2"]
        for wish in wishes:
            if name == "GRIB2" and "-t" in wish:
                continue  # GRIB2 knows the earth, not the datum
            first, again = run(*wish, *args), run(*wish, *args)
            check(f"{name}: {' '.join(wish)}: made, once", [len(p.stdout.split()) for p in (first, again)] == [1, 0],
                  first.stderr + again.stdout + again.stderr)


def killed(folder):
    out = f"{folder}/killed"
    names = "\n".join(f"{folder}/inputs/{i:02}.grib2" for i in (0, 1, 2, 4, 6, 8, 10, 11))
    args = [PROGRAM, "-m", f"{folder}/model.safetensors", "-l", "3d", "-d", out, "-f", "zarr", "-"]
    p = subprocess.Popen(args, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    p.stdin.write(names)
    p.stdin.close()
    first = p.stdout.readline()
    p.send_signal(signal.SIGKILL)
    p.wait()
    check("killed: it had begun", first.startswith(out), first)
    p = subprocess.run(args, input=names, capture_output=True, text=True)
    made = sorted(os.listdir(out))
    check("killed and started again: complete, nothing left over", p.returncode == 0 and len(made) == 8 and
          all(name.endswith(".zarr") and not name.startswith(".") for name in made), f"{made} {p.stderr}")
    p = subprocess.run(args, input=names, capture_output=True, text=True)
    check("and each file valid", p.returncode == 0 and p.stdout == "" and "8 already complete" in p.stderr, p.stderr)
    interrupted = subprocess.Popen([*args[:-1], "--overwrite", "-l", "40d", "-"], stdin=subprocess.PIPE,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    interrupted.stdin.write(names)
    interrupted.stdin.close()
    interrupted.stdout.readline()
    interrupted.send_signal(signal.SIGINT)
    interrupted.wait()
    left = [n for n in os.listdir(out) if n.startswith(".")]
    check("Ctrl-C: status 130 and no half file", interrupted.returncode == 130 and not left,
          f"{interrupted.returncode} {left}")


def names(folder):
    with open(f"{folder}/list.txt", "w") as f:
        f.write("# two of them\ninputs/00.grib2\n\n  inputs/01.grib2  \n")
    for label, args, stdin in (("a list", [f"@{folder}/list.txt"], None),
                               ("standard input", ["-"], f"{folder}/inputs/00.grib2\n{folder}/inputs/01.grib2\n"),
                               ("a pattern", [f"{folder}/**/0[01].grib2"], None)):
        p = run("-n", "-m", f"{folder}/model.safetensors", "-d", f"{folder}/none", *args, stdin=stdin)
        check(f"names from {label}", p.returncode == 0 and p.stdout.count(".grib2 (") == 2 and
              "In all: 2 forecasts" in p.stdout, p.stdout + p.stderr)
    check("a dry run writes nothing", not os.path.exists(f"{folder}/none"))
    check("a dry run tells memory and time", "B of memory" in p.stdout and " s with 1 at once" in p.stdout, p.stdout)
    for args, word in (((f"{folder}/a.grib2",), "model"), (("-m", "x", "-o", "{nothing}.nc", "y"), "{nothing}"),
                       (("-m", "x", "-f", "bmp", "y"), "bmp"), (("--no-such-option",), "no-such-option"),
                       (("-m", "x", "-l", "12", "y"), '--lead-time: "12"'), (("--led-time", "3h"), "did you mean --lead-time?"),
                       (("-m", "x", "-s", "", "y"), "--steps : expected lead times"),
                       (("-m", "x", "-s", "6h,", "y"), "--steps 6h,: expected lead times"), ((), "Usage"),
                       (("-m", "x"), "nothing is named to work on")):
        p = run(*args)
        check(f"usage error is told: {' '.join(args)[-30:]}", p.returncode in (1, 2) and word.lower() in p.stderr.lower(),
              f"{p.returncode} {p.stderr}")
    os.mkdir(f"{folder}/results")
    pathlib.Path(f"{folder}/results/precious").write_text("x")
    os.mkfifo(f"{folder}/fifo")
    for name, kind in (("results", "GTiff"), ("results", "Zarr"), ("fifo", "GRIB2")):
        p = run("-m", f"{folder}/model.safetensors", "-f", kind, "-o", f"{folder}/{name}", f"{folder}/a.grib2")
        check(f"{name} is not replaced by {kind}", p.returncode == 1 and "is not replaced" in p.stderr and
              os.listdir(f"{folder}/results") == ["precious"] and stat.S_ISFIFO(os.stat(f"{folder}/fifo").st_mode), p.stderr)
    for name in ("a.grib2", "model.safetensors"):
        whole = pathlib.Path(f"{folder}/{name}").read_bytes()
        p = run("-m", f"{folder}/model.safetensors", "-f", "GRIB2", "-o", f"{folder}/{name}", f"{folder}/a.grib2")
        check(f"the input {name} is not replaced", p.returncode == 1 and "is an input and is not replaced" in p.stderr and
              pathlib.Path(f"{folder}/{name}").read_bytes() == whole, p.stderr)
    p = run("-m", f"{folder}/model.safetensors", "-o", f"{folder}/\u00fc.nc", f"{folder}/a.grib2", locale="C")
    check("names of files as they are in the locale C", p.stdout == f"{folder}/\u00fc.nc\n", p.stdout + p.stderr)
    for text, word in (("", "no name in it"), ("GRIB\0\0\0\2", "/vsistdin/")):
        p = run("-m", f"{folder}/model.safetensors", "-", stdin=text)
        check(f"standard input: {word}", p.returncode != 0 and word in p.stderr, p.stderr)
    p = run("-m", f"{folder}/a.grib2", f"{folder}/a.grib2", f"{folder}/b.grib2")
    check("what is no model is told once", p.returncode == 1 and p.stderr.count("\n") == 1 and "but GRIB" in p.stderr, p.stderr)
    p = run("-m", f"{folder}/model.safetensors", "--creation-option", "COMPRESS=FOO", "-o", "x.tif", f"{folder}/a.grib2")
    check("a creation option that GDAL does not know", p.returncode == 2 and "COMPRESS" in p.stderr, p.stderr)
    p = run("-m", f"{folder}/model.safetensors", "-v", "t2n", f"{folder}/a.grib2", f"{folder}/b.grib2")
    check("an unknown variable names those there are, once", p.returncode == 2 and "t2n" in p.stderr and
          "t2m, u10" in p.stderr and p.stderr.count("\n") == 1, p.stderr)
    p = run("-m", f"{folder}/model.safetensors", "-t", "EPSG:99999", f"{folder}/a.grib2", f"{folder}/b.grib2")
    check("a CRS that is none is told once", p.returncode == 2 and "EPSG:99999" in p.stderr and p.stderr.count("\n") == 1,
          p.stderr)
    p = run("-m", f"{folder}/model.safetensors", "-t", "EPSG:3857", "-b", "5,47,15,55", f"{folder}/a.grib2")
    check("degrees on a grid in metres are refused", p.returncode != 0 and "--bounds 5,47,15,55: narrower than a pixel" in
          p.stderr and "metre; the forecast reaches from -2003" in p.stderr, p.stderr)
    p = run("-m", f"{folder}/model.safetensors", "-b", "5,47,15,55", f"{folder}/a.grib2")
    check("and a part of one pixel", p.returncode != 0 and "11.25 degrees; the forecast reaches from -180,-90 to 180,90" in
          p.stderr, p.stderr)
    with open(f"{folder}/f.json", "w") as f:
        f.write('{"met2net": 1, "model": "model.safetensors", "input": ["a.grib2"], "variables": ["v10"]}')
    p = run("-d", folder, "-o", "json.nc", f"{folder}/f.json")
    check("a forecast file is an input", p.returncode == 0 and list(xr.open_dataset(f"{folder}/json.nc").data_vars) == ["v10"],
          p.stderr)


def main():
    folder = tempfile.mkdtemp(prefix="m2n-forecast-")
    try:
        fixture.write_model(f"{folder}/model.safetensors")
        fixture.write_analysis(f"{folder}/a.grib2")
        full_disk(folder)
        batch(folder)
        degrees_labelled_kelvin(folder)
        grib_is_checked(folder)
        other_wishes(folder)
        killed(folder)
        names(folder)
    finally:
        shutil.rmtree(folder)
    finish()


if __name__ == "__main__":
    main()
