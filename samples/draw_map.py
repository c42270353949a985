#!/usr/bin/python3
"""Draw a forecast as a map: 2 m temperature in colour, 10 m wind as streaks.

usage: draw_map.py RASTER OUT.png [--lead HOURS] [--width PIXELS]

RASTER is anything GDAL opens that covers the globe in longitude and latitude and whose bands carry the GRIB_*
metadata of met2net's (and GDAL's GRIB) driver: a GeoTIFF written from MET2NET:forecast.json, or that name itself.
"""
import argparse
import datetime
import json
import math
import pathlib
import sys

import cairo
import numpy as np
from osgeo import gdal, osr

gdal.UseExceptions()
COAST = pathlib.Path(__file__).resolve().parent / "coast.geojson"
FONT = "DejaVu Sans"
GLOBE = "+proj=robin +datum=WGS84 +units=m"
PAPER, INK, FAINT = (1, 1, 1), (0.13, 0.15, 0.18), (0.45, 0.48, 0.52)
# degrees Celsius and colour; colours between are blended
SCALE = [(-40, "4b2a78"), (-30, "5b4fa8"), (-20, "4a7fc1"), (-10, "7cb8dd"), (0, "c6e6ee"), (5, "d9efd0"),
         (10, "b5dc9c"), (15, "e6e68c"), (20, "fbd36b"), (25, "f6a553"), (30, "e8703e"), (35, "c93a36"), (40, "8b1a33")]


def colours(celsius):
    """(..., 3) of 0..1 for an array of temperatures."""
    steps = [s for s, _ in SCALE]
    rgb = np.array([[int(c[i:i + 2], 16) / 255 for i in (0, 2, 4)] for _, c in SCALE])
    return np.stack([np.interp(celsius, steps, rgb[:, k]) for k in range(3)], -1)


def utc(seconds):
    return datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc)


class Forecast:
    """The bands of one lead time, by GRIB element."""

    def __init__(self, name, lead_hours):
        self.dataset = gdal.Open(name)
        g = self.dataset.GetGeoTransform()
        if abs(self.dataset.RasterXSize * g[1] - 360) > 1e-6 or abs(self.dataset.RasterYSize * g[5] + 180) > 1e-6:
            sys.exit(f"draw_map.py: {name}: does not cover the globe in longitude and latitude")
        self.bands, leads = {}, set()
        for i in range(1, self.dataset.RasterCount + 1):
            band = self.dataset.GetRasterBand(i)
            m = band.GetMetadata()
            if "GRIB_FORECAST_SECONDS" not in m:
                continue
            lead = int(m["GRIB_FORECAST_SECONDS"].split()[0])
            leads.add(lead)
            if lead == lead_hours * 3600:
                self.bands[m["GRIB_ELEMENT"], m["GRIB_SHORT_NAME"]] = i
                self.valid = int(m["GRIB_VALID_TIME"].split()[0])
                self.init = int(m["GRIB_REF_TIME"].split()[0])
        if not leads:
            sys.exit(f"draw_map.py: {name}: no band says which lead time it is (GRIB_FORECAST_SECONDS)")
        if not self.bands:
            sys.exit(f"draw_map.py: {name}: no band at +{lead_hours} h; there are "
                     + ", ".join(f"+{s // 3600}" for s in sorted(leads)))

    def read(self, element, level):
        if (element, level) not in self.bands:
            sys.exit(f"draw_map.py: {self.dataset.GetDescription()}: no {element} at {level}")
        return self.bands[element, level]

    def on_page(self, element, level, page):
        """A field warped onto the page, smooth between its cells; NaN outside the globe."""
        options = gdal.WarpOptions(format="MEM", dstSRS=GLOBE, outputBounds=page.bounds, width=page.map_width,
                                   height=page.map_height, resampleAlg="cubicspline", outputType=gdal.GDT_Float32,
                                   dstNodata=float("nan"), warpOptions=["SOURCE_EXTRA=8"])
        return gdal.Warp("", self.wrapped(self.read(element, level)), options=options).ReadAsArray()

    def wrapped(self, index):
        """One band with three columns more on either side, so that the map has no seam."""
        extra = 3
        a, g = self.dataset.GetRasterBand(index).ReadAsArray(), list(self.dataset.GetGeoTransform())
        a = np.concatenate([a[:, -extra:], a, a[:, :extra]], 1)
        out = gdal.GetDriverByName("MEM").Create("", a.shape[1], a.shape[0], 1, gdal.GDT_Float32)
        g[0] -= extra * g[1]
        out.SetGeoTransform(g)
        out.SetProjection(self.dataset.GetProjection())
        out.GetRasterBand(1).WriteArray(a)
        return out

    def sampler(self, element, level):
        """f(lon, lat): bilinear value of a field on a regular lat/lon grid."""
        a, g = self.dataset.GetRasterBand(self.read(element, level)).ReadAsArray(), self.dataset.GetGeoTransform()
        rows, columns = a.shape

        def at(lon, lat):
            x, y = (lon - g[0]) / g[1] - 0.5, (lat - g[3]) / g[5] - 0.5
            y = min(max(y, 0), rows - 1.001)
            i, j = math.floor(x), math.floor(y)
            s, t = x - i, y - j
            i0, i1 = i % columns, (i + 1) % columns
            return (a[j, i0] * (1 - s) + a[j, i1] * s) * (1 - t) + (a[j + 1, i0] * (1 - s) + a[j + 1, i1] * s) * t
        return at


class Page:
    """The picture: a globe in Robinson's projection between a title and a colour bar."""

    def __init__(self, width):
        self.unit = width / 1600
        self.margin, self.top, self.bottom = 36 * self.unit, 104 * self.unit, 104 * self.unit
        geographic, globe = osr.SpatialReference(), osr.SpatialReference()
        geographic.ImportFromEPSG(4326)
        geographic.SetAxisMappingStrategy(osr.OAMS_TRADITIONAL_GIS_ORDER)
        globe.ImportFromProj4(GLOBE)
        self.to_globe = osr.CoordinateTransformation(geographic, globe)
        x, y = self.to_globe.TransformPoint(180, 0)[0], self.to_globe.TransformPoint(0, 90)[1]
        self.bounds = (-x, -y, x, y)
        self.map_width = int(width - 2 * self.margin)
        self.map_height = int(self.map_width * y / x)
        self.surface = cairo.ImageSurface(cairo.FORMAT_RGB24, width, int(self.map_height + self.top + self.bottom))
        self.c = cairo.Context(self.surface)
        self.c.set_source_rgb(*PAPER)
        self.c.paint()

    def place(self, points):
        """Pixels of (lon, lat) points."""
        scale = self.map_width / (self.bounds[2] - self.bounds[0])
        for x, y, _ in self.to_globe.TransformPoints([(max(-180, min(180, p[0])), p[1]) for p in points]):
            yield self.margin + (x - self.bounds[0]) * scale, self.top + (self.bounds[3] - y) * scale

    def path(self, points):
        for i, (x, y) in enumerate(self.place(points)):
            (self.c.line_to if i else self.c.move_to)(x, y)

    def outline(self):
        edge = [(180, lat) for lat in range(-90, 91)] + [(-180, lat) for lat in range(90, -91, -1)]
        self.path(edge)
        self.c.close_path()

    def text(self, x, y, words, size, colour=INK, bold=False, align=0.0):
        self.c.select_font_face(FONT, cairo.FONT_SLANT_NORMAL,
                                cairo.FONT_WEIGHT_BOLD if bold else cairo.FONT_WEIGHT_NORMAL)
        self.c.set_font_size(size * self.unit)
        self.c.set_source_rgb(*colour)
        self.c.move_to(x - align * self.c.text_extents(words).x_advance, y)
        self.c.show_text(words)

    def field(self, celsius):
        rgb = np.nan_to_num(colours(celsius), nan=1.0)
        pixels = np.zeros((self.map_height, self.map_width, 4), np.uint8)
        pixels[..., 2::-1] = (rgb * 255 + 0.5).astype(np.uint8)
        image = cairo.ImageSurface.create_for_data(bytearray(pixels.tobytes()), cairo.FORMAT_RGB24, self.map_width,
                                                   self.map_height, self.map_width * 4)
        self.c.save()
        self.outline()
        self.c.clip()
        self.c.set_source_surface(image, self.margin, self.top)
        self.c.paint()
        self.c.restore()

    def coasts(self):
        self.c.set_line_join(cairo.LINE_JOIN_ROUND)
        for feature in json.loads(COAST.read_text())["features"]:
            self.path(feature["geometry"]["coordinates"])
        self.c.set_source_rgba(*INK, 0.75)
        self.c.set_line_width(1.3 * self.unit)
        self.c.stroke()

    def graticule(self):
        for lon in range(-120, 180, 60):
            self.path([(lon, lat) for lat in range(-90, 91, 2)])
        for lat in (-60, -30, 0, 30, 60):
            self.path([(lon, lat) for lon in range(-180, 181, 4)])
        self.c.set_source_rgba(0, 0, 0, 0.16)
        self.c.set_line_width(0.8 * self.unit)
        self.c.stroke()
        self.outline()
        self.c.set_source_rgb(*FAINT)
        self.c.set_line_width(1.4 * self.unit)
        self.c.stroke()

    def streaks(self, u, v):
        """Where the wind blows: each streak is the path of some hours, thin tail first, arrow head last."""
        self.c.set_line_cap(cairo.LINE_CAP_ROUND)
        random = np.random.default_rng(1)
        for lat in np.arange(-81, 82, 6.0):
            step = 7.5 / max(0.25, math.cos(math.radians(lat)))
            for lon in np.arange(-180 + step / 2, 180, step):
                self.streak(u, v, lon + random.uniform(-1, 1), lat + random.uniform(-1.2, 1.2))

    def streak(self, u, v, lon, lat):
        points, speed = [(lon, lat)], 0
        for _ in range(12):
            east, north = u(lon, lat), v(lon, lat)
            speed = math.hypot(east, north)
            lat += 0.04 * north
            lon += 0.04 * east / max(0.2, math.cos(math.radians(lat)))
            if abs(lon) > 180 or abs(lat) > 87:
                return
            points.append((lon, lat))
        if speed < 2:
            return
        places = list(self.place(points))
        for k in range(1, len(places)):
            self.c.move_to(*places[k - 1])
            self.c.line_to(*places[k])
            self.c.set_source_rgba(0.08, 0.10, 0.16, 0.10 + 0.5 * k / len(places))
            self.c.set_line_width((0.5 + 1.2 * k / len(places)) * self.unit)
            self.c.stroke()
        self.arrow_head(places[-2], places[-1], min(1, 0.35 + speed / 15))

    def arrow_head(self, a, b, size):
        angle = math.atan2(b[1] - a[1], b[0] - a[0])
        self.c.move_to(*b)
        for side in (2.6, -2.6):
            self.c.line_to(b[0] + 6.5 * size * self.unit * math.cos(angle + side),
                           b[1] + 6.5 * size * self.unit * math.sin(angle + side))
        self.c.close_path()
        self.c.set_source_rgba(0.08, 0.10, 0.16, 0.65)
        self.c.fill()

    def colour_bar(self):
        left, width = self.margin + 0.2 * self.map_width, 0.6 * self.map_width
        y, height = self.top + self.map_height + 34 * self.unit, 16 * self.unit
        low, high = SCALE[0][0], SCALE[-1][0]
        for i in range(int(width)):
            self.c.set_source_rgb(*colours(np.array(low + (high - low) * i / width)))
            self.c.rectangle(left + i, y, 1.5, height)
            self.c.fill()
        for t in range(low, high + 1, 10):
            x = left + width * (t - low) / (high - low)
            self.text(x, y + height + 22 * self.unit, f"{t} °C".replace("-", "\u2212"), 15, FAINT, align=0.5)


def draw(raster, out, lead, width):
    f, page = Forecast(raster, lead), Page(width)
    page.field(f.on_page("TMP", "2-HTGL", page) - 273.15)
    page.graticule()
    page.coasts()
    page.streaks(f.sampler("UGRD", "10-HTGL"), f.sampler("VGRD", "10-HTGL"))
    page.text(page.margin, 48 * page.unit, "Temperature at 2 m and wind at 10 m", 30, bold=True)
    page.text(page.margin, 80 * page.unit,
              f"Met2Net forecast of the sample atmosphere, +{lead} h, from {utc(f.init):%d %B %Y %H:%M} UTC", 19, FAINT)
    page.text(width - page.margin, 48 * page.unit, f"{utc(f.valid):%d %B %Y}", 22, align=1.0)
    page.text(width - page.margin, 80 * page.unit, f"{utc(f.valid):%H:%M} UTC", 22, align=1.0)
    page.colour_bar()
    page.surface.write_to_png(out)


def main():
    ap = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    ap.add_argument("raster")
    ap.add_argument("png")
    ap.add_argument("--lead", type=int, default=12, help="hours [12]")
    ap.add_argument("--width", type=int, default=1600, help="pixels [1600]")
    a = ap.parse_args()
    draw(a.raster, a.png, a.lead, a.width)


if __name__ == "__main__":
    main()
