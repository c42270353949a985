"""What a forecast holds, as the driver's headers tell it: variables, levels, times, units.

Opening costs no model time; compute() does, once per process and forecast.
"""
import datetime
import os
import re
from dataclasses import dataclass

from osgeo import gdal

from . import driver


@dataclass(frozen=True)
class Variable:
    """One variable of a forecast on one level."""
    name: str            # "t2m": what the open option VARIABLE takes
    element: str         # GRIB_ELEMENT: "TMP"
    level: str           # "2 m", "1000 hPa", ""
    quantity: str        # "Temperature"
    unit: str            # "K"
    valid_times: tuple   # Unix seconds, one per lead time, ascending
    bands: tuple         # 1-based bands in a data set of all variables

    @property
    def title(self):
        text = f"{self.quantity} {self.level}".strip()
        return text[:1].upper() + text[1:]


@dataclass(frozen=True)
class Forecast:
    path: str
    init_time: int       # Unix seconds
    variables: tuple

    @property
    def valid_times(self):
        return self.variables[0].valid_times

    @property
    def time_step(self):
        """Seconds between two lead times; an hour where there is but one."""
        times = self.valid_times
        return times[1] - times[0] if len(times) > 1 else 3600


def open_dataset(path, options=(), arrays=False):
    """GDAL data set of a forecast file, or of any raster that carries GRIB band metadata; of a forecast with its arrays
    too, which GDAL then copies to netCDF as CF variables over time."""
    kinds = gdal.OF_RASTER | (gdal.OF_MULTIDIM_RASTER if arrays else 0)
    return driver.call(gdal.OpenEx, path, kinds | gdal.OF_VERBOSE_ERROR, open_options=list(options))


def is_forecast_file(path):
    """True for a JSON file whose first key is "met2net"; reads a few bytes."""
    try:
        with open(path, "rb") as file:
            return re.match(rb'\s*\{\s*"met2net"', file.read(256)) is not None
    except OSError:
        return False


def write_whole(path, text):
    """A small file that appears complete or stays as it was; OSError."""
    part = f"{path}.part"
    try:
        with open(part, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    finally:
        if os.path.exists(part):
            os.remove(part)


def level_text(short_name):
    """"2-HTGL" -> "2 m", "100000-ISBL" -> "1000 hPa", "0-SFC" -> "" (the quantity alone says it)."""
    value, _, kind = short_name.partition("-")
    if kind == "HTGL":
        return f"{float(value):g} m"
    if kind == "ISBL":
        return f"{float(value) / 100:g} hPa"
    return {"SFC": "", "EATM": "", "MSL": "sea level"}.get(kind, short_name)


def unit_text(unit):
    """"m s**-1" -> "m/s"; "[K]" -> "K"; proportions have no unit."""
    unit = unit.strip().strip("[]")
    return {"m s**-1": "m/s", "m**2 s**-2": "m²/s²", "kg kg**-1": "kg/kg", "(0 - 1)": "", "1": "",
            "-": ""}.get(unit, unit)


def describe(path, options=()):
    """Forecast at `path`; DriverError in the driver's words, or when no band tells a time."""
    return describe_dataset(open_dataset(path, options), path)


def describe_dataset(dataset, path):
    groups, init_time = {}, None
    for number in range(1, dataset.RasterCount + 1):
        band = dataset.GetRasterBand(number)
        items = band.GetMetadata()
        if "GRIB_VALID_TIME" not in items:
            continue
        key = (items.get("GRIB_ELEMENT", ""), items.get("GRIB_SHORT_NAME", ""))
        groups.setdefault(key, []).append((_seconds(items["GRIB_VALID_TIME"]), number, band, items))
        if init_time is None:
            init_time = _seconds(items.get("GRIB_REF_TIME", items["GRIB_VALID_TIME"]))
    if not groups:
        raise driver.DriverError(f"{path}: no band tells its valid time (GRIB_VALID_TIME)")
    return Forecast(path, init_time, tuple(_variable(key, rows) for key, rows in groups.items()))


def _seconds(text):
    """GDAL writes "1706403600" or, before 3.5, "1706403600 sec UTC"."""
    return int(text.split()[0])


def _variable(key, rows):
    element, short_name = key
    rows = sorted(rows, key=lambda row: row[0])
    _, _, band, items = rows[0]
    quantity = re.sub(r"\s*\[.*\]$", "", items.get("GRIB_COMMENT", "")) or element
    unit = band.GetUnitType() or items.get("GRIB_UNIT", "")
    return Variable(items.get("MET2NET_VARIABLE", element), element, level_text(short_name), quantity,
                    unit_text(unit), tuple(r[0] for r in rows), tuple(r[1] for r in rows))


def compute(path, options=(), progress=None):
    """Has the driver compute; returns when every field is at hand.

    progress(done 0..1) -> False to stop. DriverError when it fails or was stopped.
    """
    dataset = open_dataset(path, options)
    callback = None if progress is None else (lambda done, _message, _data: 1 if progress(done) else 0)
    driver.call(dataset.GetRasterBand(1).ReadRaster, buf_xsize=1, buf_ysize=1, callback=callback)
    return dataset


def value_range(dataset, variable):
    """(lowest, highest) over all lead times, or None where every point is missing."""
    lows, highs = [], []
    for number in variable.bands:
        try:
            low, high = driver.call(dataset.GetRasterBand(number).ComputeRasterMinMax, 0)
        except driver.DriverError:
            continue  # a field of missing values has no range
        lows.append(low)
        highs.append(high)
    return (min(lows), max(highs)) if lows else None


def utc(seconds):
    return datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc)


def time_text(seconds):
    return utc(seconds).strftime("%Y-%m-%d %H:%M UTC")


def lead_text(seconds):
    """"+3 h", "+90 min", "+36 h"."""
    return f"{seconds / 3600:+g} h" if seconds % 3600 == 0 else f"{seconds / 60:+g} min"
