"""An ensemble in GRIB: one member makes a forecast, which one is the user's choice, and who does not choose is told."""
import os
import pathlib

import numpy as np
import tap
from osgeo import gdal

import fixture

gdal.UseExceptions()
BUILD = pathlib.Path(os.environ["M2N_BUILD"]).resolve()
NOTE = "ens.grib2: an ensemble of members 0, 2, 7: member 0 is taken"


class Ensemble(fixture.Case):
    def setUp(self):
        super().setUp()
        fixture.write_analysis(self.folder / "ens.grib2", members=(7, 0, 2))
        self.path = self.write_forecast("ens.json", input=["ens.grib2"])

    def bands(self, path, *options):
        self.last = self.run_tool("gdal_translate", "-q", *[x for o in options for x in ("-oo", o)], path, "out.tif")
        return gdal.Open(str(self.folder / "out.tif")).ReadAsArray()

    def of_one(self, member):
        """The forecast from a file that holds the weather of that member and no other."""
        fixture.write_analysis(self.folder / "one.grib2", seed=member)
        return self.bands(self.write_forecast("one.json", input=["one.grib2"]))

    def test_option_and_key_choose(self):
        for member in (7, 2, 0):
            want = self.of_one(member)
            np.testing.assert_array_equal(self.bands(self.path, f"MEMBER={member}"), want)
            self.assertNotIn("is taken", self.last)
            key = self.write_forecast("key.json", input=["ens.grib2"], member=member)
            np.testing.assert_array_equal(self.bands(key), want)
        np.testing.assert_array_equal(self.bands(key, "MEMBER=7"), self.of_one(7))  # options win

    def test_the_lowest_and_a_warning(self):
        np.testing.assert_array_equal(self.bands(self.path), self.of_one(0))
        said = self.run_python("import sys\nfor i in range(3): gdal.Open(sys.argv[1]).ReadRaster()", self.path)
        self.assertEqual(said.count(NOTE), 1, said)
        self.assertIn("MEMBER=n", said)

    def test_metadata_tells(self):
        for options, want in (([], "0"), (["MEMBER=7"], "7")):
            ds = gdal.OpenEx(self.path, gdal.OF_RASTER, open_options=options)
            self.assertEqual(ds.GetMetadataItem("MET2NET_MEMBER"), want)
        self.assertIsNone(gdal.Open(self.forecast).GetMetadataItem("MET2NET_MEMBER"))

    def test_no_such_member(self):
        for path, option, want in ((self.path, "MEMBER=3", "member 3: it holds members 0, 2, 7"),
                                   (self.forecast, "MEMBER=3", "analysis.grib2: member 3: its messages belong to no ensemble"),
                                   (self.path, "MEMBER=-1", '"-1": expected the number of a member'),
                                   (self.path, "MEMBER=1.5", '"1.5": expected the number of a member'),
                                   (self.write_forecast("k.json", member=-2), None, "member: expected 0 to 65535"),
                                   (self.write_forecast("s.json", member="2"), None, "member")):
            said = self.run_tool("gdalinfo", *(["-oo", option] if option else []), path, status=1)
            self.assertIn(want, said)

    def test_what_belongs_to_no_member_serves_all(self):
        lines = [fixture.messages(self.folder / n) for n in ("ens.grib2", "analysis.grib2")]
        with open(self.folder / "mixed.grib2", "wb") as f:  # temperature of no ensemble, the rest of three members
            f.write(b"".join(m for i, m in enumerate(lines[0]) if i // 3 % fixture.V != 0))
            f.write(b"".join(m for i, m in enumerate(lines[1]) if i % fixture.V == 0))
        path = self.write_forecast("mixed.json", input=["mixed.grib2"])
        np.testing.assert_array_equal(self.bands(path, "MEMBER=0"), self.of_one(0))
        self.assertNotEqual(self.bands(path, "MEMBER=7").tolist(), self.of_one(7).tolist())

    def test_a_window_is_of_one_member(self):
        kept = [m for i, m in enumerate(fixture.messages(self.folder / "ens.grib2")) if i not in (6 * 3 * 5 - 2,)]
        (self.folder / "gap.grib2").write_bytes(b"".join(kept))  # member 0 lacks its last field
        path = self.write_forecast("gap.json", input=["gap.grib2"])
        ds = gdal.Open(path)
        self.assertEqual(ds.GetMetadataItem("MET2NET_INIT_TIME"), "2024-01-01T05:00:00Z")
        ds = gdal.OpenEx(path, gdal.OF_RASTER, open_options=["MEMBER=7"])
        self.assertEqual(ds.GetMetadataItem("MET2NET_INIT_TIME"), "2024-01-01T06:00:00Z")

    def test_batch(self):
        tool = [BUILD / "plugin/cli" / "met2net-forecast", "-m", "model.safetensors", "ens.grib2"]
        said = self.run_tool(*tool)
        self.assertEqual(said.count(NOTE), 1, said)
        said = self.run_tool(*tool, "--member", "0,2-7", status=1)
        self.assertIn("member 3: it holds members 0, 2, 7", said)
        self.assertIn("3 forecasts made (3 files), 0 already complete, 4 failed", said)
        self.assertIn("3 already complete", self.run_tool(*tool, "--member", "0,2,7"))
        keys = self.run_tool("grib_get", "-p", "perturbationNumber,numberOfForecastsInEnsemble,productDefinitionTemplateNumber",
                             "ens_20240101T0600Z_07.grib2")
        self.assertEqual(set(keys.split("\n")), {"7 3 1", ""})
        os.replace(self.folder / "ens_20240101T0600Z_02.grib2", self.folder / "ens_20240101T0600Z_07.grib2")
        self.assertIn("holds member 2, expected 7", self.run_tool(*tool, "--member", "7", "-o", "{input}_{init}_{member}.grib2"))
        self.run_tool(*tool, "--member", "7", "-o", "m{member}.tif")
        np.testing.assert_array_equal(gdal.Open(str(self.folder / "m07.tif")).ReadAsArray(), self.bands(self.path, "MEMBER=7"))
        for wrong in ("", "a", "3-1", "-1", "1,,2"):
            self.assertIn("expected numbers such as", self.run_tool(*tool, f"--member={wrong}", status=2))

    def test_scores_say_which_member_they_are_of(self):
        fixture.write_analysis(self.folder / "ens.grib2", hours=range(1, 13), members=(4, 6))
        said = self.run_tool(BUILD / "plugin/cli" / "met2net-verify", "-m", "model.safetensors", "ens.grib2")
        self.assertIn("note: ens.grib2: an ensemble of members 4, 6: member 4 is taken", said)

    def test_arrays_have_no_members(self):
        self.run_tool(BUILD / "plugin/cli" / "met2net-forecast", "-o", "f.nc", self.forecast)
        said = self.run_tool("gdalinfo", "-oo", "MODEL=model.safetensors", "-oo", "MEMBER=1", "MET2NET:f.nc", status=1)
        self.assertIn("f.nc: member 1: members are told apart in GRIB files alone", said)


if __name__ == "__main__":
    tap.main()
