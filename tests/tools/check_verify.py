#!/usr/bin/python3
"""met2net-verify against the same sums written down in numpy, for a model and for forecast files, on a global and a
regional grid; the published figures of the Gulf test.  usage: check_verify.py MET2NET_VERIFY MET2NET_FORECAST"""
import csv
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import warnings
import xml.dom.minidom

import numpy as np
import xarray as xr

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "plugin"))
import fixture  # noqa: E402
from check_scores import row_weights, scores  # noqa: E402
from tap import check, finish, skip  # noqa: E402

os.environ.pop("PROJ_LIB", None)  # ecmwflibs points it at a folder of its own
warnings.simplefilter("ignore")
VERIFY, FORECAST = map(os.path.abspath, sys.argv[1:3])
HOUR, DAY = 3600, 86400
FIRST = fixture.INIT - 5 * HOUR  # 2024-01-01T01Z
SHARED = pathlib.Path(os.environ.get("M2N_SHARED", "none"))


def run(program, *args):
    return subprocess.run([program, *map(str, args)], capture_output=True, text=True)


def every_forecast(folder, model):
    """{initial time: [1 + steps][V][H][W]} by met2net-forecast; step 0 is the analysis on the model's grid."""
    out = f"{folder}/forecasts"
    p = run(FORECAST, "-q", "-m", model, "--initial-state", "-i", "2024-01-01T03/2024-01-02T12/1h", "-d", out, "-o",
            "{init:%s}.nc", f"{folder}/a.grib2")
    assert p.returncode == 0, p.stderr
    result = {}
    for name in os.listdir(out):
        with xr.open_dataset(f"{out}/{name}") as d:
            result[int(name[:-3])] = np.stack([d[n].values for n in fixture.NAMES], 1).astype(np.float64)
            lat = d.lat.values
    return result, lat


def expected(forecasts, lat, starts, climatology_span):
    """{(contender, variable, lead, weighting): [mse rmse mae bias acc times missing]}"""
    truth = {t: f[0] for t, f in forecasts.items()}
    normal = {}
    for hour in range(24):
        days = [x for t, x in truth.items() if t % DAY == hour * HOUR and climatology_span[0] <= t <= climatology_span[1]]
        normal[hour * HOUR] = np.mean(days, 0).astype(np.float32) if days else None  # a field like the others
    w = np.repeat(row_weights(lat, abs(lat).max() > 80)[:, None], fixture.W, 1)
    out = {}
    for lead in range(1, fixture.T + 1):
        valid = [t + lead * HOUR for t in starts]
        o = np.array([truth[t] for t in valid])
        c = np.array([normal[t % DAY] for t in valid])
        contenders = {
            "forecast": np.array([forecasts[t][lead] for t in starts]),
            "persistence": np.array([truth[t] for t in starts]),
            "same hour yesterday": np.array([truth[t - DAY] for t in valid]),
            "climatology": c,
        }
        for name, f in contenders.items():
            for v, variable in enumerate(fixture.NAMES):
                for weighting, ww in (("plain", np.ones_like(w)), ("area", w)):
                    out[name, variable, lead, weighting] = scores(f[:, v], o[:, v], c[:, v], ww)
    return out


def compare(label, got, want):
    keys = ("mse", "rmse", "mae", "bias", "acc", "times", "missing_points")
    worst = 0.0
    for row in got:
        w = want.pop((row["forecast"], row["variable"], row["lead_hours"], row["weighting"]))
        for key, x in zip(keys, w):
            if key == "acc" and (row[key] is None or np.isnan(x)):  # no anomaly, no direction
                worst = max(worst, 0 if row[key] is None and np.isnan(x) else 1)
            else:
                worst = max(worst, abs(row[key] - x) / max(abs(x), 1e-3))
        for other, skill in row["skill"].items():
            reference = [r for r in got if r["forecast"] == other and all(r[k] == row[k] for k in ("variable", "lead_hours", "weighting"))]
            worst = max(worst, abs(skill - (1 - row["mse"] / reference[0]["mse"])))
    check(f"{label}: all scores within 1e-6 of numpy", not want and worst < 1e-6, f"{worst:.2e}, {len(want)} left")


def model_against_data(folder, name, model):
    forecasts, lat = every_forecast(folder, model)
    p = run(VERIFY, "-q", "-m", model, "--span", "2024-01-02T02/2024-01-02T10", "-c", "2024-01-01T03/2024-01-02T12",
            "--json", f"{folder}/s.json", "--csv", f"{folder}/s.csv", "--chart", f"{folder}/c.svg", "--maps",
            f"{folder}/m", "--protocol", f"{folder}/a.grib2")
    check(f"{name}: verified", p.returncode == 0, p.stderr)
    with open(f"{folder}/s.json") as f:
        report = json.load(f)
    # windows of 3 + 3 hours inside the span
    starts = range(FIRST + 27 * HOUR, FIRST + 31 * HOUR, HOUR)
    want = expected(forecasts, lat, starts, (FIRST + 2 * HOUR, FIRST + 35 * HOUR))  # hours of one and of two days
    check(f"{name}: every hour of the span is a start", report["forecasts"] == len(starts) and
          report["first_init_time"] == "2024-01-02T04:00Z" and report["last_init_time"] == "2024-01-02T07:00Z", report["forecasts"])
    compare(name, report["scores"], want)
    rows = list(csv.DictReader(open(f"{folder}/s.csv")))
    check(f"{name}: CSV says the same", len(rows) == len(report["scores"]) and all(
        abs(float(a["rmse"]) - b["rmse"]) < 1e-6 * b["rmse"] for a, b in zip(rows, report["scores"])))
    t2m = np.array([forecasts[t][1:, 0] - [forecasts[t + k * HOUR][0][0] for k in (1, 2, 3)] for t in starts])
    line = [x.split() for x in p.stdout.splitlines() if x.startswith("forecast") and " t2m " in x][0]
    check(f"{name}: the published protocol", np.allclose([float(x) for x in line[2:]], [(t2m ** 2).mean(), abs(t2m).mean(),
          np.sqrt((t2m ** 2).mean())], rtol=1e-5), line)
    for picture in ("c.svg", "m-rmse.svg", "m-bias.svg"):
        svg = xml.dom.minidom.parse(f"{folder}/{picture}").documentElement
        texts = [t.firstChild.data for t in svg.getElementsByTagName("text")]
        images = len(svg.getElementsByTagName("image"))
        check(f"{name}: {picture} is a picture", svg.tagName == "svg" and any("t2m" in t for t in texts) and
              images == (0 if picture == "c.svg" else 5 * 3 + 5), f"{images} images, {texts}")
    if name == "global":
        q = run(VERIFY, "-q", "-j", 1, "-m", model, "--span", "2024-01-02T02/2024-01-02T10", "-c",
                "2024-01-01T03/2024-01-02T12", "--protocol", f"{folder}/a.grib2")
        check("one job or many: the same numbers", q.stdout == p.stdout and "t2m" in q.stdout)
    return forecasts, lat


def files_against_data(folder, model, forecasts, lat):
    names = []
    for suffix in ("nc", "grib2", "zarr"):
        names.append(f"{folder}/f.{suffix}")
        run(FORECAST, "-q", "-m", model, "-i", "2024-01-02T06", "-o", names[-1], f"{folder}/a.grib2")
    start = FIRST + 29 * HOUR
    tables = []
    for name in names:
        p = run(VERIFY, "-q", "-f", name, "--json", f"{folder}/f.json", "-c", "2024-01-01T03/2024-01-02T02", f"{folder}/a.grib2")
        check(f"{name[-5:]}: judged", p.returncode == 0, p.stderr)
        with open(f"{folder}/f.json") as f:
            tables.append({(r["forecast"], r["variable"].replace("r1000", "r_1000"), r["lead_hours"], r["weighting"]): r["rmse"]
                           for r in json.load(f)["scores"]})
    want = {(k[0], k[1].replace("r1000", "r_1000"), *k[2:]): v[1]
            for k, v in expected(forecasts, lat, [start], (FIRST + 2 * HOUR, FIRST + 25 * HOUR)).items()}
    for name, got in zip(names, tables):
        exact = 1e-6 if not name.endswith("grib2") else 1e-3  # 16 bits
        worst = max(abs(got.get(k, np.inf) - v) / max(v, 1e-3) for k, v in want.items())
        check(f"{name[-5:]}: scores of the file", worst < exact and len(got) == len(want), worst)
    p = run(VERIFY, "-q", "-f", names[0], "-f", names[1], "-v", "t2m", f"{folder}/a.grib2")
    check("several files at once", p.returncode == 0 and "2 forecasts" in p.stdout, p.stderr + p.stdout)
    names = [f"{folder}/{i}.grib2" for i in range(4)]
    for name in names:
        shutil.copy(f"{folder}/a.grib2", name)
    p = run(VERIFY, "-q", "-m", model, "-s", "2024-01", "--json", f"{folder}/f.json", *names)
    check("of many names the first is shown, and a span may be a month", p.returncode == 0 and
          f" against {names[0]} and 3 more\n" in p.stdout, p.stderr + p.stdout)
    check("JSON has them all", json.loads(pathlib.Path(f"{folder}/f.json").read_text())["truth"] == ", ".join(names))


def sums(folder):
    """Precipitation over each step, in GRIB2 and NetCDF alike."""
    metadata = [v if v["name"] != "tcc" else {**v, "name": "tp", "paramId": 228, "units": "m"} for v in fixture.VARIABLE_METADATA]
    fixture.write_model(f"{folder}/rain.safetensors", variables=json.dumps(metadata))
    run(FORECAST, "-q", "-m", f"{folder}/model.safetensors", "-i", "2024-01-01T06", "-o", f"{folder}/cloud.nc", f"{folder}/a.grib2")
    with xr.open_dataset(f"{folder}/cloud.nc") as d:
        d = d.rename(tcc="tp")
        d.tp.attrs = {"units": "m"}
        d.to_netcdf(f"{folder}/rain.nc")
    for suffix in ("nc", "grib2"):
        run(FORECAST, "-q", "-m", f"{folder}/rain.safetensors", "-o", f"{folder}/rained.{suffix}", f"{folder}/rain.nc")
    for forecast, truth in (("nc", "nc"), ("grib2", "nc"), ("nc", "grib2"), ("grib2", "grib2")):
        p = run(VERIFY, "-q", "-f", f"{folder}/rained.{forecast}", "-v", "tp,t2m", "--json", f"{folder}/rained.json",
                f"{folder}/rained.{truth}")
        check(f"sums of {forecast} against {truth}", p.returncode == 0, p.stderr)
        with open(f"{folder}/rained.json") as f:
            rmse = [r["rmse"] for r in json.load(f)["scores"] if r["forecast"] == "forecast" and r["variable"] == "tp"]
        check("and they are the same", len(rmse) == 2 * fixture.T and max(rmse) < 1e-4, rmse)


def errors(folder):
    model = f"{folder}/model.safetensors"
    fixture.write_analysis(f"{folder}/late.grib2", hours=range(200, 230))
    run(FORECAST, "-q", "-m", model, "-i", "2024-01-02T06", "-o", f"{folder}/f.tif", f"{folder}/a.grib2")
    os.mkfifo(f"{folder}/pipe")
    for args, status, word in (
            ((f"{folder}/a.grib2",), 2, "--model"),
            (("-m", model, "-f", "x.nc", f"{folder}/a.grib2"), 2, "--model"),
            (("-m", model, "--span", "2024-01-05/2024-01-06", f"{folder}/a.grib2"), 1, "no forecast can be scored"),
            (("-m", model, "--span", "2024-01-06/2024-01-05", f"{folder}/a.grib2"), 2, "before it begins"),
            (("-m", model, "--span", "none", f"{folder}/a.grib2"), 2, "--span: 'none' leaves nothing"),
            (("-m", model, "-l", "3x", f"{folder}/a.grib2"), 2, "--lead-time: "),
            (("-m", model, f"{folder}/none.grib2"), 1, "none.grib2"),
            (("-m", model, "-v", "sst", f"{folder}/a.grib2"), 2, "sst"),
            (("-m", model, "-v", "t2n", f"{folder}/a.grib2"), 2, 'did you mean "t2m"'),
            (("-m", model, "--chart", "c.png", f"{folder}/a.grib2"), 2, ".svg"),
            (("-m", model, "-v", "", f"{folder}/a.grib2"), 2, "--variables: expected names"),
            (("-f", f"{folder}/pipe", f"{folder}/a.grib2"), 1, "pipe: not a regular file"),
            (("-m", model, "--rows", "-1", f"{folder}/a.grib2"), 2, "--rows -1"),
            (("-m", model, "--csv", f"{folder}/pipe", f"{folder}/a.grib2"), 2, "is not replaced"),
            (("-m", model, "--csv", f"{folder}/a.grib2", f"{folder}/a.grib2"), 2, "is an input and is not replaced"),
            (("-m", model, "--json", model, f"{folder}/a.grib2"), 2, "is an input and is not replaced"),
            (("-m", model, "@/dev/zero"), 2, "/dev/zero: expected names"),
            (("-m", model, "--csv", "/nonexistent/s.csv", f"{folder}/a.grib2"), 1, "/nonexistent/s.csv: cannot be written"),
            (("-f", f"{folder}/f.nc", f"{folder}/late.grib2"), 1, "nothing in common"),
            (("-f", f"{folder}/f.tif", f"{folder}/a.grib2"), 1, "it is a TIFF")):
        p = run(VERIFY, "-q", *args)
        check(f"error: {word}", p.returncode == status and word in p.stderr and p.stdout == "", f"{p.returncode} {p.stderr}")


def degrees_labelled_kelvin(folder, model):
    fixture.write_analysis(f"{folder}/c.grib2", hours=range(1, 13), celsius=True)
    p = run(VERIFY, "-q", "-m", model, f"{folder}/c.grib2")
    told = [line for line in p.stdout.splitlines() if line.endswith("wrong units?")]
    check("degrees labelled K are told with the scores", p.returncode == 0 and len(told) == 1 and
          told[0].startswith(f"note: t2m of {folder}/c.grib2: mean "), p.stdout + p.stderr)
    p = run(VERIFY, "-q", "-m", model, f"{folder}/a.grib2")
    check("and others are not", p.returncode == 0 and "wrong units" not in p.stdout, p.stdout + p.stderr)


def gulf(folder):
    """Real ERA5, the file of the Climate Data Store as it came and as GRIB2."""
    data = {"NetCDF": SHARED / "data/train/Ziadt160+PI-GNN-Dust/era5_test.nc",
            "GRIB2": SHARED / "data/train/derived_grib2/era5_gulf_2024-01_u10v10t2m.grib2"}
    model = SHARED / "models/gulf_u10v10t2m.safetensors"
    if not all(p.exists() for p in (*data.values(), model)):
        skip("ERA5 of the Gulf", "../shared is not there")
        return
    reports = {}
    for kind, path in data.items():
        p = run(VERIFY, "-q", "-m", model, "--span", "2024-01-27/2024-01-31", "--json", f"{folder}/{kind}.json", path)
        check(f"Gulf, {kind}: verified", p.returncode == 0, p.stderr)
        with open(f"{folder}/{kind}.json") as f:
            reports[kind] = json.load(f)
    check("Gulf: NetCDF and GRIB2 give the same scores", reports["NetCDF"]["scores"] == reports["GRIB2"]["scores"])
    check("Gulf: the test windows of the reference", reports["NetCDF"]["forecasts"] == 97)
    rmse = {(r["forecast"], r["variable"]): r["rmse"] for r in reports["NetCDF"]["overall"] if r["weighting"] == "plain"}
    for name, values in (("forecast", (1.749, 2.093, 1.721)), ("persistence", (1.751, 1.863, 3.679)),
                         ("same hour yesterday", (3.247, 4.289, 2.021))):
        got = [rmse[name, v] for v in ("u10", "v10", "t2m")]
        check(f"Gulf: RMSE of {name} as the reference has it", np.allclose(got, values, atol=2e-3), got)


def main():
    folder = tempfile.mkdtemp(prefix="m2n-verify-")
    try:
        model = f"{folder}/model.safetensors"
        fixture.write_model(model)
        write_hours(f"{folder}/a.grib2")
        forecasts, lat = model_against_data(folder, "global", model)
        files_against_data(folder, model, forecasts, lat)
        sums(folder)
        errors(folder)
        degrees_labelled_kelvin(folder, model)
        shutil.rmtree(f"{folder}/forecasts")
        regional = f"{folder}/regional.safetensors"
        fixture.write_model(regional, grid=json.dumps({"crs": "EPSG:4326", "width": fixture.W, "height": fixture.H,
                                                       "geotransform": [5, 1.5, 0, 70, 0, -1.5]}))
        model_against_data(folder, "regional", regional)
        gulf(folder)
    finally:
        shutil.rmtree(folder)
    finish()


def write_hours(path):
    """36 hours; the second day is not the first one again."""
    for part, hours, seed in ((f"{path}.1", range(1, 24), 0), (f"{path}.2", range(24, 37), 7)):
        fixture.write_analysis(part, hours=hours, seed=seed)
    pathlib.Path(path).write_bytes(b"".join(pathlib.Path(f"{path}.{i}").read_bytes() for i in (1, 2)))


if __name__ == "__main__":
    main()
