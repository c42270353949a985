#!/usr/bin/python3
"""ERA5 and WeatherBench files in the layouts they are published in, written here with netCDF4, and read by
gridded_window: every value, time and place must be the one that went in.  usage: check_gridded.py PROGRAM"""
import calendar
import os
import subprocess
import sys
import tempfile

import netCDF4
import numpy as np

from tap import check, finish

HOUR, T = 3600, 8
START = calendar.timegm((2018, 1, 1, 0, 0, 0))
rng = np.random.default_rng(3)


def fields(*shape, base=280.0):
    """Different in every direction, so that any flip or shift shows."""
    x = base + rng.standard_normal(shape)
    return (x + np.arange(shape[-1]) * 0.1 + np.arange(shape[-2])[:, None] * 10).astype(np.float32)


def run(program, folder, variables, steps, init, *names):
    out = f"{folder}/window"
    p = subprocess.run([program, out, variables, str(steps), str(HOUR), str(init), *names], capture_output=True,
                       text=True)
    lines = p.stdout.splitlines()
    if p.returncode:
        return lines[-1] if lines else p.stderr, None, None
    head = lines[0].split()
    width, height = int(head[1]), int(head[2])
    values = np.fromfile(out, np.float32).reshape(steps, -1, height, width)
    return int(head[0]), [float(v) for v in head[3:]], values


def axis(f, name, values, units, kind="f8", dim=True, **attributes):
    if dim:
        f.createDimension(name, len(values))
    v = f.createVariable(name, kind, (name,) if dim else ())
    v.units = units
    for key, value in attributes.items():
        setattr(v, key, value)
    v[...] = values if dim else values[0]


def cds_old(program, folder):
    """time in hours since 1900 as int32, packed shorts, expver 1 and 5 side by side, rows from the north."""
    path, h, w = f"{folder}/old.nc", 5, 7
    want = fields(T, h, w)
    with netCDF4.Dataset(path, "w", format="NETCDF3_64BIT_OFFSET") as f:
        axis(f, "longitude", np.arange(w) * 0.25 + 47, "degrees_east", "f4", long_name="longitude")
        axis(f, "latitude", 28.5 - np.arange(h) * 0.25, "degrees_north", "f4", long_name="latitude")
        axis(f, "expver", [1, 5], "", "i4")
        epoch = calendar.timegm((1900, 1, 1, 0, 0, 0))
        axis(f, "time", (START - epoch) // HOUR + np.arange(T), "hours since 1900-01-01 00:00:00.0", "i4",
             calendar="gregorian")
        v = f.createVariable("t2m", "i2", ("time", "expver", "latitude", "longitude"), fill_value=-32767)
        v.units, v.missing_value, v.scale_factor, v.add_offset = "K", np.int16(-32767), 0.002, 300.0
        data = np.full((T, 2, h, w), np.nan)
        data[:5, 0], data[5:, 1] = want[:5], want[5:]
        v[:] = np.ma.masked_invalid(data)
    init, geo, got = run(program, folder, "t2m", T, "latest", path)
    check("cds old layout: time", init == START + (T - 1) * HOUR, init)
    check("cds old layout: values", got is not None and np.abs(got[:, 0] - want).max() < 0.0011, init)
    check("cds old layout: place", geo is not None and np.allclose(geo, [46.875, 0.25, 0, 28.625, 0, -0.25]), geo)


def cds_new(program, folder):
    """valid_time in seconds, pressure levels as doubles from high to low, expver as text, scalar number."""
    path, h, w = f"{folder}/new.nc", 4, 6
    levels = [1000.0, 850.0, 500.0]
    z, r = fields(T, 3, h, w, base=5e4), fields(T, 3, h, w, base=50)
    with netCDF4.Dataset(path, "w") as f:
        axis(f, "number", [0], "1", "i8", dim=False, standard_name="realization")
        axis(f, "valid_time", START + HOUR * np.arange(T), "seconds since 1970-01-01", "i8", standard_name="time",
             calendar="proleptic_gregorian")
        axis(f, "pressure_level", levels, "hPa", positive="down", standard_name="air_pressure")
        axis(f, "latitude", 40 - np.arange(h), "degrees_north", standard_name="latitude")
        axis(f, "longitude", np.arange(w) - 3, "degrees_east", standard_name="longitude")
        f.createVariable("expver", str, ("valid_time",))[:] = np.array(["0001"] * T, object)
        for name, data, units, param in (("z", z, "m**2 s**-2", 129), ("r", r, "%", 157)):
            v = f.createVariable(name, "f4", ("valid_time", "pressure_level", "latitude", "longitude"), zlib=True)
            v.units, v.GRIB_paramId, v.GRIB_typeOfLevel = units, param, "isobaricInhPa"
            v.coordinates = "number valid_time pressure_level latitude longitude expver"
            v[:] = data
    init, geo, got = run(program, folder, "z500,r1000,r850", 3, START + 4 * HOUR, path)
    want = np.stack([z[2:5, 2], r[2:5, 0], r[2:5, 1]], 1)
    check("cds new layout: levels", got is not None and np.array_equal(got, want), init)
    error, _, _ = run(program, folder, "z850,t850", 3, "latest", path)
    check("cds new layout: a missing variable is named", "t850" in str(error), error)
    error, _, _ = run(program, folder, "z850", 3, START + HOUR, path)
    check("cds new layout: a missing time is named", "2017-12-31T23:00:00Z" in str(error), error)


def weatherbench(program, folder):
    """A folder per variable, a file per year, rows from the south, 0..360, level as dimension or scalar."""
    root, h, w = f"{folder}/5.625deg", 8, 16
    lat, lon = -78.75 + np.arange(h) * 22.5, np.arange(w) * 22.5
    steps = {2017: 3, 2018: 5}
    first = START - 3 * HOUR
    truth = {n: fields(T, h, w) for n in ("t2m", "u10", "tcc", "t")}
    truth["r"] = fields(T, 13, h, w)
    levels = [50, 100, 150, 200, 250, 300, 400, 500, 600, 700, 850, 925, 1000]
    layout = {"t2m": ("2m_temperature", "K"), "u10": ("10m_u_component_of_wind", "m s**-1"),
              "tcc": ("total_cloud_cover", "(0 - 1)"), "t": ("temperature_850", "K"), "r": ("relative_humidity", "%")}
    for name, (long_name, units) in layout.items():
        os.makedirs(f"{root}/{long_name}")
        at = 0
        for year, n in steps.items():
            with netCDF4.Dataset(f"{root}/{long_name}/{long_name}_{year}_5.625deg.nc", "w") as f:
                epoch = calendar.timegm((1900, 1, 1, 0, 0, 0))
                axis(f, "lon", lon, "degrees_east", standard_name="longitude")
                axis(f, "lat", lat, "degrees_north", standard_name="latitude")
                axis(f, "time", (first - epoch) // HOUR + at + np.arange(n), "hours since 1900-01-01", "i8",
                     calendar="proleptic_gregorian")
                dims, data = ("time", "lat", "lon"), truth[name][at:at + n]
                if name == "r":
                    axis(f, "level", levels, "millibars", "i4", long_name="pressure_level")
                    dims = ("time", "level", "lat", "lon")
                if name == "t":
                    axis(f, "level", [850], "millibars", "i4", dim=False)
                v = f.createVariable(name, "f4", dims, zlib=True)
                v.units = units
                if name == "t":
                    v.coordinates = "level"
                v[:] = data
            at += n
    init, geo, got = run(program, folder, "u10,t2m,tcc,r1000,t850", T, "latest", root)
    want = np.stack([truth["u10"], truth["t2m"], truth["tcc"], truth["r"][:, 12], truth["t"]], 1)[..., ::-1, :]
    check("weatherbench: latest over two years", init == START + 4 * HOUR, init)
    check("weatherbench: values, north first", got is not None and np.array_equal(got, want), init)
    check("weatherbench: place", geo is not None and np.allclose(geo, [-11.25, 22.5, 0, 90, 0, -22.5]), geo)


def place(f, h=3, w=4):
    axis(f, "time", np.arange(T), "hours since 2018-01-01", "i4", standard_name="time", axis="T")
    axis(f, "lon", 5.0 + np.arange(w), "degrees_east", standard_name="longitude", axis="X")
    axis(f, "lat", 50.0 - np.arange(h), "degrees_north", standard_name="latitude", axis="Y")
    return h, w


def cdo(program, folder):
    """What `cdo -f nc copy` makes of GRIB: vertical axes of length 1, numbered, and none for the whole atmosphere."""
    path = f"{folder}/cdo.nc"
    with netCDF4.Dataset(path, "w") as f:
        h, w = place(f)
        axis(f, "height", [10.0], "m", standard_name="height", positive="up", axis="Z")
        axis(f, "height_2", [2.0], "m", standard_name="height", positive="up", axis="Z")
        axis(f, "plev", [100000.0], "Pa", standard_name="air_pressure", positive="down", axis="Z")
        axis(f, "lev", [1.0, 2.0], "1", standard_name="hybrid_sigma_pressure", positive="down", axis="Z")
        truth = {}
        for name, level, standard, unit in (("10u", "height", "eastward_wind", "m s**-1"),
                                            ("2t", "height_2", "air_temperature", "K"), ("tcc", None, None, "%"),
                                            ("r", "plev", "relative_humidity", "%"), ("q", "lev", None, "kg kg**-1")):
            n = len(f[level]) if level else 0
            v = f.createVariable(name, "f4", ("time", *([level] if level else []), "lat", "lon"))
            v.units, truth[name] = unit, fields(*((T, n, h, w) if level else (T, h, w)))
            if standard:
                v.standard_name = standard
            v[:] = truth[name]
    init, _, got = run(program, folder, "u10,t2m,tcc,r1000", T, "latest", path)
    want = [truth["10u"][:, 0], truth["2t"][:, 0], truth["tcc"] / 100, truth["r"][:, 0]]
    check("cdo: levels with numbers, and none", got is not None and np.allclose(got, np.stack(want, 1), rtol=1e-6), init)
    error, _, _ = run(program, folder, "q1", T, "latest", path)
    check("cdo: a model level is no pressure", "q1" in str(error), error)


def cmip(program, folder):
    """CMIP and CORDEX: a generic quantity by its standard name, its height a scalar named by `coordinates`."""
    path, truth = f"{folder}/cmip.nc", {}
    with netCDF4.Dataset(path, "w") as f:
        h, w = place(f)
        axis(f, "height", [10.0], "m", dim=False, standard_name="height", positive="up", axis="Z")
        axis(f, "height2m", [2.0], "m", dim=False, standard_name="height", positive="up", axis="Z")
        axis(f, "plev", [50000.0], "Pa", standard_name="air_pressure", positive="down", axis="Z")
        for name, at, standard, unit in (("uas", "height", "eastward_wind", "m s-1"),
                                         ("near_ground", "height2m", "air_temperature", "K"),
                                         ("above", None, "air_temperature", "K"), ("psl", "", None, "Pa")):
            v = f.createVariable(name, "f4", ("time", *(["plev"] if at is None else []), "lat", "lon"))
            v.units, v.standard_name = unit, standard or "air_pressure_at_mean_sea_level"
            if at:
                v.coordinates = at
            truth[name] = fields(T, h, w)
            v[:] = truth[name][:, None] if at is None else truth[name]
    init, _, got = run(program, folder, "u10,t2m,t500,msl", T, "latest", path)
    check("cmip: heights as scalars", got is not None and np.array_equal(got, np.stack(list(truth.values()), 1)), init)


def units(program, folder):
    path, h, w = f"{folder}/units.nc", 3, 4
    celsius, percent = fields(T, h, w, base=20), fields(T, h, w, base=30)
    with netCDF4.Dataset(path, "w") as f:
        axis(f, "time", np.arange(T), "hours since 2018-01-01", "i4")
        axis(f, "lat", 50 + np.arange(h), "degrees_north")
        axis(f, "lon", [358, 359, 0, 1], "degrees_east")
        for name, data, unit in (("t2m", celsius, "degC"), ("tcc", percent, "%"), ("u10", percent, "furlong/day")):
            f.createVariable(name, "f4", ("time", "lat", "lon")).units = unit
            f[name][:] = data
    init, geo, got = run(program, folder, "t2m,tcc", T, "latest", path)
    want = np.stack([celsius + 273.15, percent / 100], 1)[..., ::-1, :]
    check("units: converted where stated", got is not None and np.allclose(got, want, rtol=1e-6), init)
    check("units: longitudes across Greenwich", geo is not None and np.allclose(geo[:2], [357.5, 1]), geo)
    error, _, _ = run(program, folder, "u10", 2, "latest", path)
    check("units: an unknown one is an error", "furlong" in str(error), error)


def bad(program, folder):
    path = f"{folder}/bad.nc"
    with open(path, "wb") as f:
        f.write(b"CDF\x01" + bytes(40))
    error, _, _ = run(program, folder, "t2m", 2, "latest", path)
    check("broken file", "bad.nc" in str(error), error)
    error, _, _ = run(program, folder, "t2m", 2, "latest", f"{folder}/none.nc")
    check("missing file", "none.nc" in str(error), error)
    path = f"{folder}/holes.nc"
    with netCDF4.Dataset(path, "w") as f:
        axis(f, "time", np.arange(2), "hours since 2018-01-01", "i4")
        axis(f, "lat", [1, 2], "degrees_north")
        axis(f, "lon", [1, 2], "degrees_east")
        v = f.createVariable("t2m", "f4", ("time", "lat", "lon"), fill_value=-999)
        v.units = "K"
        v[:] = np.ma.masked_equal([[[1, 2], [3, 4]], [[1, 2], [-1, 4]]], -1)
    error, _, _ = run(program, folder, "t2m", 2, "latest", path)
    check("missing values are named", "missing values" in str(error) and "01:00:00" in str(error), error)


def main():
    program = sys.argv[1]
    with tempfile.TemporaryDirectory() as folder:
        for test in (cds_old, cds_new, weatherbench, cdo, cmip, units, bad):
            test(program, folder)
    finish()


if __name__ == "__main__":
    main()
