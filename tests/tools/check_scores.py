#!/usr/bin/python3
"""The project's scores against the same definitions written down in numpy.  usage: check_scores.py SCORES_OF_RAW

Grids: global, global with a row on each pole, regional, and Lambert conformal (areas by Gauss-Legendre
quadrature of the map's own scale factors, through PROJ).  Missing values in forecast, truth, climatology."""
import subprocess
import sys
import tempfile

import numpy as np
from osgeo import osr

from tap import check as report, finish

osr.UseExceptions()
TIMES, LEADS, VARIABLES = 5, 3, 2
LAMBERT = "+proj=lcc +lat_1=50 +lat_2=50 +lat_0=50 +lon_0=10 +R=6371229 +units=m +no_defs"


def row_weights(lat, is_global):
    """WeatherBench 2: differences of the sine of the cell edges; a regional grid keeps its own edges."""
    d = abs(lat[1] - lat[0])
    upper, lower = lat + d / 2, lat - d / 2
    if is_global:
        upper, lower = np.minimum(upper, 90), np.maximum(lower, -90)
    w = np.sin(np.deg2rad(upper)) - np.sin(np.deg2rad(lower))
    return w / w.mean()


def projected_weights(geo, height, width):
    """Cell areas from the Jacobian of the inverse projection at 3 x 3 Gauss points of each cell."""
    srs = osr.SpatialReference()
    srs.ImportFromProj4(LAMBERT)
    back = osr.CoordinateTransformation(srs, srs.CloneGeogCS())
    nodes, gauss = np.polynomial.legendre.leggauss(3)
    area = np.zeros((height, width))

    def lonlat(x, y):
        p = np.array(back.TransformPoints(np.stack([x.ravel(), y.ravel()], 1)))[:, :2]
        return np.deg2rad(p).T.reshape(2, *x.shape)  # lon, lat in radians

    e = 1.0  # metre
    for i, a in enumerate(nodes):
        for j, b in enumerate(nodes):
            x, y = np.meshgrid(geo[0] + (np.arange(width) + 0.5 + a / 2) * geo[1],
                               geo[3] + (np.arange(height) + 0.5 + b / 2) * geo[5])
            east, west, north, south = lonlat(x + e, y), lonlat(x - e, y), lonlat(x, y + e), lonlat(x, y - e)
            dx, dy = (east - west) / (2 * e), (north - south) / (2 * e)
            area += gauss[i] * gauss[j] * np.abs(dx[0] * dy[1] - dx[1] * dy[0]) * np.cos(lonlat(x, y)[1])
    return area / area.mean()


def scores(f, o, c, w):
    """Of fields [T][H][W]; w [H][W], mean 1."""
    per_time = []
    for ft, ot, ct in zip(f, o, c):
        e = ft - ot
        ok = ~np.isnan(e)
        ok_c = ok & ~np.isnan(ct)
        a, b = (ft - ct)[ok_c], (ot - ct)[ok_c]
        acc = (w[ok_c] * a * b).sum() / np.sqrt((w[ok_c] * a * a).sum() * (w[ok_c] * b * b).sum())
        per_time.append([np.average(e[ok] ** 2, weights=w[ok]), np.average(abs(e[ok]), weights=w[ok]),
                         np.average(e[ok], weights=w[ok]), acc, (~ok).sum()])
    mse, mae, bias, acc, missing = np.array(per_time).T
    return [mse.mean(), np.sqrt(mse.mean()), mae.mean(), bias.mean(), acc.mean(), len(f), missing.sum()]


def expected(f, o, c, weights):
    f, o, c = (x.astype(np.float64) for x in (f, o, c))
    for v in range(VARIABLES):
        for k, w in enumerate((np.ones_like(weights), weights)):
            for lead in range(LEADS):
                yield (v, str(lead), k), scores(f[:, lead, v], o[:, lead, v], c[:, lead, v], w)
            every = [x[:, :, v].reshape(-1, *x.shape[3:]) for x in (f, o, c)]
            yield (v, "all", k), scores(*every, w)


def check(name, program, height, width, crs, geo, weights):
    rng = np.random.default_rng(7)
    shape = (TIMES, LEADS, VARIABLES, height, width)
    c = (280 + 10 * rng.standard_normal(shape)).astype(np.float32)
    o = (c + 2 + rng.standard_normal(shape)).astype(np.float32)
    f = (o + 0.3 + 0.7 * rng.standard_normal(shape)).astype(np.float32)
    for x in (f, o, c):
        x[rng.random(shape) < 0.03] = np.nan
    with tempfile.TemporaryDirectory() as folder:
        names = []
        for label, x in zip("foc", (f, o, c)):
            names.append(f"{folder}/{label}")
            x.tofile(names[-1])
        out = subprocess.run([program, *names, *map(str, (TIMES, LEADS, VARIABLES, height, width)), crs,
                              *map(repr, (geo[0], geo[1], geo[3], geo[5]))], check=True, capture_output=True,
                             text=True).stdout
    got = {}
    for line in out.splitlines():
        v, lead, k, *values = line.split()
        got[int(v), lead, int(k)] = np.array(values, float)
    worst, n = 0.0, 0
    for key, want in expected(f, o, c, weights):
        want = np.array(want, float)
        worst = max(worst, np.max(np.abs(got.pop(key) - want) / np.maximum(np.abs(want), 1e-3)))
        n += 1
    assert not got and n == VARIABLES * (LEADS + 1) * 2, "a line too many or too few"
    report(f"{name}: {n} rows agree to 1e-6", worst < 1e-6, f"largest relative difference {worst:.1e}")


def main():
    program = sys.argv[1]
    lat_global = 87.1875 - 5.625 * np.arange(32)
    lat_poles = 90 - 11.25 * np.arange(17)
    lat_gulf = 28.25 - 0.25 * np.arange(16)
    lambert_geo = (-1e6, 2.5e5, 0, 8e5, 0, -2.5e5)
    cases = [
        ("global", 32, 64, "EPSG:4326", (0, 5.625, 0, 90, 0, -5.625), row_weights(lat_global, True)),
        ("poles", 17, 32, "EPSG:4326", (-180, 11.25, 0, 95.625, 0, -11.25), row_weights(lat_poles, True)),
        ("regional", 16, 32, "EPSG:4326", (47.125, 0.25, 0, 28.375, 0, -0.25), row_weights(lat_gulf, False)),
    ]
    for name, height, width, crs, geo, w in cases:
        check(name, program, height, width, crs, geo, np.repeat(w[:, None], width, 1))
    w = projected_weights(lambert_geo, 6, 8)
    check_projected(program, lambert_geo, w)
    finish()


def check_projected(program, geo, weights):
    """Corners joined by great circles instead of the map's straight lines differ by some 1e-6 in area.  The
    weight of a cell is what a field that is 1 there and 0 elsewhere scores."""
    height, width, worst = 6, 8, 0.0
    with tempfile.TemporaryDirectory() as folder:
        zero = np.zeros((height, width), np.float32)
        zero.tofile(f"{folder}/o")
        for y, x in ((0, 0), (2, 3), (5, 7)):
            one = zero.copy()
            one[y, x] = 1
            one.tofile(f"{folder}/f")
            out = subprocess.run([program, f"{folder}/f", f"{folder}/o", f"{folder}/o", "1", "1", "1", str(height),
                                  str(width), LAMBERT, *map(repr, (geo[0], geo[1], geo[3], geo[5]))], check=True,
                                 capture_output=True, text=True).stdout
            mse = [float(line.split()[3]) for line in out.splitlines() if line.split()[1:3] == ["0", "1"]][0]
            want = weights[y, x] / weights.size
            worst = max(worst, abs(mse - want) / want)
    report("Lambert: weights of single cells agree to 1e-5", worst < 1e-5, f"largest relative difference {worst:.1e}")


if __name__ == "__main__":
    main()
