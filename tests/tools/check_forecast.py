#!/usr/bin/python3
"""met2net-forecast as people use it: formats read by the programs they use, batches with bad inputs, second runs,
damaged outputs, killed runs.  usage: check_forecast.py MET2NET_FORECAST"""
import glob
import hashlib
import json
import os
import pathlib
import resource
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
import warnings

import cfgrib
import numpy as np
import xarray as xr
from osgeo import gdal

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "plugin"))
import fixture  # noqa: E402
from tap import check, finish, skip  # noqa: E402

for name in ("PROJ_LIB", "PROJ_DATA", "GDAL_DATA"):  # some of the above point these at folders of their own
    os.environ.pop(name, None)
warnings.simplefilter("ignore")
gdal.UseExceptions()
PROGRAM = os.path.abspath(sys.argv[1])
FORMATS = {"GRIB2": "grib2", "GTiff": "tif", "COG": "tif", "netCDF": "nc", "Zarr": "zarr"}
INIT = np.datetime64(fixture.INIT, "s")


def run(*args, stdin=None, cwd=None, locale=None):
    return subprocess.run([PROGRAM, *map(str, args)], capture_output=True, encoding="utf-8", input=stdin, cwd=cwd,
                          env={**os.environ, "LC_ALL": locale} if locale else None)


def digest(path):
    """Of a file or of a folder's names and bytes."""
    h = hashlib.sha256()
    for p in sorted(map(str, pathlib.Path(path).rglob("*"))) if os.path.isdir(path) else [path]:
        if os.path.isfile(p):
            h.update(os.path.relpath(p, path).encode() + pathlib.Path(p).read_bytes())
    return h.hexdigest()


def read_raster(path):
    """[step][variable][H][W]; bands go step by step, as the driver's do."""
    a = gdal.Open(str(path)).ReadAsArray()
    return a.reshape(-1, 5, *a.shape[1:])


def read_arrays(path):
    d = xr.open_zarr(path, chunks=None) if str(path).endswith("zarr") else xr.open_dataset(path)
    return np.stack([d[n].values for n in fixture.NAMES], 1)


def formats(folder):
    out = f"{folder}/formats"
    for name in FORMATS:
        p = run("-m", f"{folder}/model.safetensors", "-f", name, "-o", f"{out}/{name}.{{ext}}", f"{folder}/a.grib2")
        check(f"{name}: written", p.returncode == 0 and p.stdout.strip() == f"{out}/{name}.{FORMATS[name]}",
              p.stderr)
    want = read_arrays(f"{out}/netCDF.nc")
    check("values differ by step, variable and place",
          len({want[s, v].tobytes() for s in range(3) for v in range(5)}) == 15 and bool(np.ptp(want, (2, 3)).min() > 0))
    check("GeoTIFF holds what NetCDF holds", np.array_equal(read_raster(f"{out}/GTiff.tif"), want))
    check("COG holds what NetCDF holds", np.array_equal(read_raster(f"{out}/COG.tif"), want))
    try:
        check("Zarr holds what NetCDF holds", np.array_equal(read_arrays(f"{out}/Zarr.zarr"), want))
    except (ImportError, ValueError) as e:  # Debian's xarray without python3-zarr
        skip("Zarr read by xarray", str(e).splitlines()[0])
    for name in ("netCDF.nc", "Zarr.zarr"):  # a file, and a folder, as input
        p = run("-m", f"{folder}/model.safetensors", "-o", f"{out}/from-{name}.nc", f"{out}/{name}")
        check(f"a forecast from {name}", p.returncode == 0, p.stderr)
    check("the same from Zarr and from NetCDF",
          np.array_equal(read_arrays(f"{out}/from-netCDF.nc.nc"), read_arrays(f"{out}/from-Zarr.zarr.nc")))
    return want


def full_disk(folder):
    """A file that may not grow stands for it: one line, nothing left, no crash, in each format and at each length."""
    out = f"{folder}/full"
    os.mkdir(out)
    for name in set(FORMATS) - {"netCDF"}:  # whose library crashes, so it is asked first whether there is room: tests/fault
        for most in (100, 1000, 3000, 8000):
            def limit():
                signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
                resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
            p = subprocess.run([PROGRAM, "-q", "-m", f"{folder}/model.safetensors", "-f", name, "-o", f"{out}/a.{{ext}}",
                                f"{folder}/a.grib2"], capture_output=True, text=True, preexec_fn=limit)
            check(f"{name}: no more than {most} bytes",
                  p.returncode == 1 and "a." in p.stderr and len(p.stderr.splitlines()) == 1 and os.listdir(out) == [],
                  f"{p.returncode} {p.stderr} {os.listdir(out)}")


def by_xarray(folder):
    d = xr.open_dataset(f"{folder}/formats/netCDF.nc")
    check("xarray: names", set(d.data_vars) == set(fixture.NAMES), list(d.data_vars))
    check("xarray: valid times", np.array_equal(d.time.values, INIT + np.arange(1, 4).astype("timedelta64[h]")), d.time)
    check("xarray: initial time", d.forecast_reference_time.values == INIT, d.forecast_reference_time)
    check("xarray: lead times", np.array_equal(d.leadtime.values, np.arange(1, 4).astype("timedelta64[h]")))
    check("xarray: units", {n: d[n].units for n in fixture.NAMES} ==
          {"t2m": "K", "u10": "m/s", "v10": "m/s", "tcc": "1", "r1000": "%"}, {n: d[n].units for n in d})
    check("xarray: standard names", [d[n].standard_name for n in fixture.NAMES] ==
          ["air_temperature", "eastward_wind", "northward_wind", "cloud_area_fraction", "relative_humidity"])
    check("xarray: levels", float(d.height_2) == 2 and float(d.height_10) == 10 and float(d.pressure_1000) == 1000 and
          d.pressure_1000.units == "hPa" and "height_10" in d.u10.coords and "height_2" not in d.u10.encoding["coordinates"])
    check("xarray: places", np.allclose(d.lat[[0, -1]], [84.375, -84.375]) and np.allclose(d.lon[[0, -1]], [-174.375, 174.375]))
    check("provenance: model hash", d.MET2NET_MODEL_SHA256 ==
          hashlib.sha256(pathlib.Path(f"{folder}/model.safetensors").read_bytes()).hexdigest())
    check("provenance: input, time, version", d.MET2NET_INPUT == "a.grib2" and d.MET2NET_INIT_TIME == "2024-01-01T06:00:00Z"
          and d.source == f"met2net {d.MET2NET_VERSION}" and d.Conventions == "CF-1.8")


def by_cfgrib(folder, want):
    seen = {}
    for d in cfgrib.open_datasets(f"{folder}/formats/GRIB2.grib2", backend_kwargs={"indexpath": ""}):
        for name in d.data_vars:
            seen[name] = d[name]
    check("cfgrib: names", set(seen) == {"t2m", "u10", "v10", "tcc", "r"}, list(seen))
    check("cfgrib: times", all(d.time.values == INIT and np.array_equal(d.valid_time.values, INIT + d.step.values)
                               and len(d.step) == 3 for d in seen.values()))
    check("cfgrib: levels", float(seen["t2m"].heightAboveGround) == 2 and float(seen["u10"].heightAboveGround) == 10
          and float(seen["r"].isobaricInhPa) == 1000)
    scale = {"tcc": 0.01 if seen["tcc"].units == "%" else 1}
    for i, name in enumerate(("t2m", "u10", "v10", "tcc", "r")):
        x = seen[name].values * scale.get(name, 1)
        check(f"cfgrib: {name} within the packing", bool(np.abs(x - want[:, i]).max() <= np.ptp(want[:, i]) / 60000))
    names = pathlib.Path(f"{folder}/formats").glob("GRIB2*")
    check("GRIB2: nothing beside the file", [p.name for p in names] == ["GRIB2.grib2"])


def by_cdo(folder):
    for name, labels in (("netCDF.nc", ("t2m", "r1000")), ("GRIB2.grib2", ("2t", "r"))):
        p = subprocess.run(["cdo", "-s", "sinfon", f"{folder}/formats/{name}"], capture_output=True, text=True)
        check(f"cdo reads {name}", p.returncode == 0 and all(f": {n} " in p.stdout + " " for n in labels)
              and "2024-01-01 07:00:00" in p.stdout and "2024-01-01 09:00:00" in p.stdout
              and "10 m" in p.stdout and "lonlat" in p.stdout, p.stdout + p.stderr)


def by_gdal(folder):
    # a process of its own: rasterio and osgeo do not share one PROJ set-up
    program = """import json, rasterio, sys
with rasterio.open(sys.argv[1]) as f:
    print(json.dumps({"n": f.count, "names": f.descriptions, "epsg": f.crs.to_epsg(), "place": f.transform[:6],
                      "units": f.units, "nodata": str(f.nodata), "last": f.tags(f.count), "tags": f.tags()}))"""
    p = subprocess.run(["/usr/bin/python3", "-c", program, f"{folder}/formats/COG.tif"], capture_output=True, text=True)
    r = json.loads(p.stdout) if p.returncode == 0 else {"n": 0}
    check("rasterio: bands", r["n"] == 15 and r["names"][0] == "t2m 2 m, 2024-01-01T07:00:00Z (+1 h)", p.stderr + str(r))
    check("rasterio: place", r.get("epsg") == 4326 and r["place"] == [11.25, 0, -180, 0, -11.25, 90], r)
    check("rasterio: units and metadata", r.get("units", [])[:4] == ["K", "m/s", "m/s", "1"] and r["nodata"] == "nan"
          and r["last"]["GRIB_SHORT_NAME"] == "100000-ISBL" and r["last"]["GRIB_FORECAST_SECONDS"] == "10800"
          and r["tags"]["MET2NET_INPUT"] == "a.grib2", r)
    info = gdal.Info(f"{folder}/formats/COG.tif", format="json")
    check("gdalinfo: it is a COG", info["metadata"]["IMAGE_STRUCTURE"]["LAYOUT"] == "COG", info["metadata"])
    info = gdal.Info(f"{folder}/formats/GRIB2.grib2", format="json")
    check("gdalinfo: GRIB2 bands", len(info["bands"]) == 15 and info["bands"][1]["metadata"][""]["GRIB_ELEMENT"] == "UGRD"
          and info["bands"][1]["metadata"][""]["GRIB_SHORT_NAME"] == "10-HTGL", info["bands"][1]["metadata"])


def subsets(folder, want):
    out = f"{folder}/subsets"
    p = run("-m", f"{folder}/model.safetensors", "-v", "u10,t2m", "-s", "1h,3h", "--initial-state", "-d", out, "-o",
            "{init:%Y}/{variable}_{step}.nc", f"{folder}/a.grib2")
    names = sorted(os.path.relpath(f, out) for f in glob.glob(f"{out}/**/*.nc", recursive=True))
    check("a file per variable and step", p.returncode == 0 and
          names == [f"2024/{v}_{s:03}.nc" for v in ("t2m", "u10") for s in (0, 1, 3)], p.stderr + str(names))
    d = xr.open_dataset(f"{out}/2024/u10_003.nc")
    check("the right variable and step in each", np.array_equal(d.u10.values[0], want[2, 1]) and list(d.data_vars) == ["u10"])
    d = xr.open_dataset(f"{out}/2024/t2m_000.nc")  # a cell of the model holds four of the analysis: bilinear midpoint
    lat, lon = -90 + 5.625 * (np.arange(32) + 0.5), 5.625 * (np.arange(64) + 0.5)
    x = fixture.analysis_field(0, 6, *np.meshgrid(lat, lon, indexing="ij"))[::-1]
    x = np.roll(x.reshape(16, 2, 32, 2).mean((1, 3)), 16, 1)
    check("the initial state is the analysis", bool(np.abs(d.t2m.values[0] - x).max() < 0.01), np.abs(d.t2m.values[0] - x).max())
    p = run("-m", f"{folder}/model.safetensors", "-t", "EPSG:3857", "-b", "0,0,6000000,4000000", "-r", "100000", "-o",
            f"{out}/m.tif", f"{folder}/a.grib2")
    info = gdal.Info(f"{out}/m.tif", format="json") if p.returncode == 0 else {}
    check("output CRS, bounds, resolution", info.get("size") == [60, 40] and
          info["geoTransform"] == [0, 100000, 0, 4000000, 0, -100000] and "3857" in info["coordinateSystem"]["wkt"], p.stderr)
    gdal.Warp("/vsimem/w.tif", f"{folder}/formats/GTiff.tif", dstSRS="EPSG:3857", outputBounds=(0, 0, 6e6, 4e6), xRes=1e5,
              yRes=1e5, resampleAlg="bilinear")
    a, b = (gdal.Open(n).ReadAsArray() for n in (f"{out}/m.tif", "/vsimem/w.tif"))
    check("and the values gdalwarp gives", bool(np.abs(a[0] - b[0]).max() < 0.05), np.abs(a[0] - b[0]).max())
    p = run("-m", f"{folder}/model.safetensors", "-t", "EPSG:3857", "-o", f"{out}/m.nc", f"{folder}/a.grib2")
    d = gdal.Open(f"NETCDF:{out}/m.nc:t2m")
    check("NetCDF in another CRS", p.returncode == 0 and d.GetSpatialRef().GetAuthorityCode(None) == "3857" and
          d.GetGeoTransform()[5] < 0, p.stderr)


def axes_of_netcdf(folder):
    """Whatever the CRS: the axes carry its unit, and those round another pole its names."""
    rotated = "+proj=ob_tran +o_proj=longlat +o_lon_p=0 +o_lat_p=39.25 +lon_0=18 +R=6371229"
    feet = "US_survey_foot"
    for crs, x, names, units in (("EPSG:2264", "x", ["projection_x_coordinate", "projection_y_coordinate"], [feet, feet]),
                                 (rotated, "rlon", ["grid_longitude", "grid_latitude"], ["degrees", "degrees"])):
        path = f"{folder}/axes-{x}.nc"
        p = run("-m", f"{folder}/model.safetensors", "-v", "t2m", "-t", crs, "-o", path, f"{folder}/a.grib2")
        d = xr.open_dataset(path)
        got = [d[n] for n in (d.t2m.dims[2], d.t2m.dims[1])]
        check(f"NetCDF: names and units of axes, {crs}", p.returncode == 0 and d.t2m.dims[2] == x and
              [a.standard_name for a in got] == names and [a.units for a in got] == units, p.stderr + str(got))
    p = subprocess.run(["cdo", "-s", "griddes", f"{folder}/axes-rlon.nc"], capture_output=True, text=True)
    check("cdo knows it as degrees round another pole", "rotated_latitude_longitude" in p.stdout and
          'xunits    = "degrees"' in p.stdout, p.stdout + p.stderr)


def sums(folder):
    """What is summed up over a time step is said to be."""
    variables = [v if v["name"] != "tcc" else {**v, "name": "tp", "paramId": 228, "units": "m"}
                 for v in fixture.VARIABLE_METADATA]
    fixture.write_model(f"{folder}/rain.safetensors", variables=json.dumps(variables))
    d = xr.open_dataset(f"{folder}/formats/netCDF.nc").rename(tcc="tp")
    d.tp.attrs = {"units": "m"}
    d.to_netcdf(f"{folder}/rain.nc")
    p = run("-m", f"{folder}/rain.safetensors", "-o", f"{folder}/rained.nc", f"{folder}/rain.nc")
    d = xr.open_dataset(f"{folder}/rained.nc")
    check("NetCDF: cell methods", p.returncode == 0 and [d[n].cell_methods for n in ("tp", "t2m")] ==
          ["time: sum", "time: point"], p.stderr + str(d.tp))
    p = run("-m", f"{folder}/rain.safetensors", "-o", f"{folder}/again.nc", f"{folder}/rained.nc")
    check("and that is read back", p.returncode == 0, p.stderr)


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
                       (("-m", "x", "-l", "12", "y"), "12"), ((), "Usage")):
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


def long_horizon(folder):
    fixture.write_model(f"{folder}/wild.safetensors", readout=20.0)
    p = run("-m", f"{folder}/wild.safetensors", "-l", "5d", "-o", f"{folder}/long.nc", f"{folder}/a.grib2")
    d = xr.open_dataset(f"{folder}/long.nc")
    check("120 h: all steps, finite", p.returncode == 0 and len(d.time) == 120 and
          all(bool(np.isfinite(d[n].values).all()) for n in fixture.NAMES), p.stderr)
    check("120 h: cloud cover stays in 0..1, though the model leaves it",
          float(d.tcc.min()) == 0 and float(d.tcc.max()) == 1, f"{float(d.tcc.min())} {float(d.tcc.max())}")
    check("120 h: humidity stays above 0", float(d.r1000.min()) == 0)
    short = run("-m", f"{folder}/wild.safetensors", "-o", f"{folder}/short.nc", f"{folder}/a.grib2")
    s = xr.open_dataset(f"{folder}/short.nc")
    check("the first window is the same however far it goes", short.returncode == 0 and
          all(np.array_equal(s[n].values, d[n].values[:3]) for n in fixture.NAMES))


def main():
    folder = tempfile.mkdtemp(prefix="m2n-forecast-")
    try:
        fixture.write_model(f"{folder}/model.safetensors")
        fixture.write_analysis(f"{folder}/a.grib2")
        want = formats(folder)
        full_disk(folder)
        by_xarray(folder)
        by_cfgrib(folder, want)
        by_cdo(folder)
        by_gdal(folder)
        subsets(folder, want)
        axes_of_netcdf(folder)
        sums(folder)
        batch(folder)
        degrees_labelled_kelvin(folder)
        grib_is_checked(folder)
        other_wishes(folder)
        killed(folder)
        names(folder)
        long_horizon(folder)
    finally:
        shutil.rmtree(folder)
    finish()


if __name__ == "__main__":
    main()
