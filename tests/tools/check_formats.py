#!/usr/bin/python3
"""What met2net-forecast writes, read by the programs people use: formats, parts, other CRSs, long forecasts.
usage: check_formats.py MET2NET_FORECAST"""
import glob
import hashlib
import json
import os
import pathlib
import shutil
import subprocess
import tempfile

import cfgrib
import numpy as np
import xarray as xr
from osgeo import gdal

from forecast_tool import FORMATS, fixture, read_arrays, read_raster, run
from tap import check, finish, skip

INIT = np.datetime64(fixture.INIT, "s")


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
    hours = (d.time_bnds.values - d.time.values[:, None]) / np.timedelta64(1, "h")
    bounds = {**d.time.attrs, **d.time.encoding}.get("bounds")
    check("NetCDF: bounds of what is summed up", bounds == "time_bnds" and (hours == [-1, 0]).all(), hours)
    p = run("-m", f"{folder}/rain.safetensors", "-o", f"{folder}/rained.zarr", f"{folder}/rain.nc")
    z = xr.open_zarr(f"{folder}/rained.zarr", consolidated=False)
    check("Zarr: the same", p.returncode == 0 and (z.time_bnds.values == d.time_bnds.values).all() and
          z.time_bnds.dims == ("time", "nv"), p.stderr)
    d = xr.open_dataset(f"{folder}/formats/netCDF.nc")
    check("NetCDF: no bounds where nothing is summed up", "time_bnds" not in d and "bounds" not in d.time.attrs)
    p = run("-m", f"{folder}/rain.safetensors", "-o", f"{folder}/again.nc", f"{folder}/rained.nc")
    check("and that is read back", p.returncode == 0, p.stderr)


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
    folder = tempfile.mkdtemp(prefix="m2n-formats-")
    try:
        fixture.write_model(f"{folder}/model.safetensors")
        fixture.write_analysis(f"{folder}/a.grib2")
        want = formats(folder)
        by_xarray(folder)
        by_cfgrib(folder, want)
        by_cdo(folder)
        by_gdal(folder)
        subsets(folder, want)
        axes_of_netcdf(folder)
        sums(folder)
        long_horizon(folder)
    finally:
        shutil.rmtree(folder)
    finish()


if __name__ == "__main__":
    main()
