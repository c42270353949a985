"""A forecast file from anywhere must not make us read what it likes."""
import json
import os
import shutil
import struct

import tap
from osgeo import gdal

import fixture

gdal.UseExceptions()


class AllowedSource(fixture.Case):
    def setUp(self):
        super().setUp()
        self.secret = self.top / "secret"
        self.secret.mkdir()
        shutil.copy(self.folder / "analysis.grib2", self.secret / "analysis.grib2")

    def opens(self, path=None, **env):
        code = "import sys; gdal.Open(sys.argv[1])"
        self.run_python(code, path or self.forecast, **env)

    def refused(self, path=None, pattern="MET2NET_ALLOWED_SOURCE", **env):
        out = self.run_tool("gdalinfo", path or self.forecast, status=1, **env)
        self.assertRegex(out, pattern)

    def test_siblings_and_children_are_allowed(self):
        (self.folder / "sub" / "deep").mkdir(parents=True)
        shutil.move(str(self.folder / "analysis.grib2"), self.folder / "sub" / "deep" / "analysis.grib2")
        self.write_forecast(input="sub/deep/analysis.grib2")
        self.opens()
        self.write_forecast(input=str(self.folder / "sub" / "deep" / "analysis.grib2"))
        self.opens()
        self.write_forecast(input="sub/../sub/deep/analysis.grib2")
        self.opens()

    def test_other_folders_are_refused(self):
        for name in ("../secret/analysis.grib2", str(self.secret / "analysis.grib2"), "sub/../../secret/analysis.grib2",
                     "/etc/passwd"):
            (self.folder / "sub").mkdir(exist_ok=True)
            self.write_forecast(input=name)
            self.refused()
            self.write_forecast(model=name)
            self.refused()

    def test_a_folder_whose_name_begins_alike_is_another_folder(self):
        twin = self.top / "folder2"
        twin.mkdir()
        shutil.copy(self.folder / "analysis.grib2", twin)
        self.write_forecast(input="../folder2/analysis.grib2")
        self.refused()

    def test_symbolic_links_are_resolved_first(self):
        os.symlink(self.secret / "analysis.grib2", self.folder / "link.grib2")
        os.symlink(self.secret, self.folder / "linked")
        for name in ("link.grib2", "linked/analysis.grib2"):
            self.write_forecast(input=name)
            self.refused()
        os.symlink(self.folder / "analysis.grib2", self.folder / "inside.grib2")
        self.write_forecast(input="inside.grib2")
        self.opens()

    def test_links_inside_a_folder_of_inputs(self):
        inputs = self.folder / "inputs" / "t2m"
        inputs.mkdir(parents=True)
        self.write_forecast(input="inputs")
        self.refused(pattern="no field with rows")  # allowed, but there is nothing in it
        os.symlink(self.folder / "analysis.grib2", inputs / "inside.nc")
        self.refused(pattern="no field with rows|inside.nc")
        os.symlink(self.secret / "analysis.grib2", inputs / "outside.nc")
        self.refused()
        (inputs / "outside.nc").unlink()
        (self.folder / "other").mkdir()
        os.symlink(self.folder / "other", inputs / "other")
        os.symlink(self.secret / "analysis.grib2", self.folder / "other" / "a.nc")
        self.refused()
        (self.folder / "other" / "a.nc").unlink()
        for i in range(10):  # followed blindly, 10 to the power of the longest path
            os.symlink(self.folder / "inputs", self.folder / "other" / f"round{i}")
        self.refused()

    def test_zarr_by_its_folders_alone(self):
        """Consolidated metadata may name what lies elsewhere: they are not asked, and those of Kerchunk refused."""
        zarr = self.folder / "a.zarr"
        for name, dims in (("time", 1), ("latitude", 1), ("longitude", 1), ("t2m", 3)):
            shape = {"time": [6], "latitude": [4], "longitude": [8], "t2m": [6, 4, 8]}[name]
            (zarr / name).mkdir(parents=True)
            (zarr / name / ".zarray").write_text(json.dumps(
                {"chunks": shape, "compressor": None, "dtype": "<f8", "fill_value": 1.0, "filters": None, "order": "C",
                 "shape": shape, "zarr_format": 2}))
            (zarr / name / ".zattrs").write_text(json.dumps(
                {"_ARRAY_DIMENSIONS": ["time", "latitude", "longitude"] if dims == 3 else [name],
                 "units": {"time": "hours since 2024-01-01", "latitude": "degrees_north", "longitude": "degrees_east"}.get(name, "K")}))
        for name, values in (("time", range(6)), ("latitude", (60, 20, -20, -60)), ("longitude", range(-160, 200, 45))):
            (zarr / name / "0").write_bytes(struct.pack(f"<{len(values)}d", *values))
        (zarr / ".zgroup").write_text('{"zarr_format": 2}')
        self.write_forecast(input="a.zarr")
        self.refused(pattern="needs u10 .* has t2m")
        (zarr / ".zmetadata").write_text('{"metadata": {".zgroup": {"zarr_format": 2}}, "zarr_consolidated_format": 1}')
        self.refused(pattern="needs u10 .* has t2m")
        for key in ("record_size", "r\\u0065cord_size"):
            (zarr / ".zmetadata").write_text('{"metadata": {}, "%s": 10}' % key)
            self.refused(pattern="zmetadata: may lead to other files")

    def test_forecast_folder_reached_through_a_link(self):
        os.symlink(self.folder, self.top / "alias")
        self.opens(str(self.top / "alias" / "forecast.json"))

    def test_names_are_relative_to_the_forecast_file_itself(self):
        elsewhere = self.top / "elsewhere"
        elsewhere.mkdir()
        os.symlink("../folder/forecast.json", elsewhere / "link.json")
        os.symlink(elsewhere / "link.json", self.top / "link_to_link.json")
        for source in ("analysis.grib2", "*.grib2"):
            self.write_forecast(input=source)
            self.opens(str(elsewhere / "link.json"))
            self.opens(str(self.top / "link_to_link.json"))
        shutil.copy(self.folder / "analysis.grib2", elsewhere / "beside.grib2")
        self.write_forecast(input="beside.grib2")
        self.refused(str(elsewhere / "link.json"), "No such file")
        self.write_forecast(input=str(elsewhere / "beside.grib2"))
        self.refused(str(elsewhere / "link.json"))

    def test_any_and_lists(self):
        self.write_forecast(input=str(self.secret / "analysis.grib2"))
        self.opens(MET2NET_ALLOWED_SOURCE="ANY")
        self.opens(MET2NET_ALLOWED_SOURCE=f"/nowhere;{self.secret};{self.folder}/")
        self.refused(MET2NET_ALLOWED_SOURCE=str(self.secret))  # the model beside the file is not in the list
        self.refused(MET2NET_ALLOWED_SOURCE=f"{self.folder};{self.top}/sec")
        self.refused(MET2NET_ALLOWED_SOURCE="anyy")

    def test_network_names_are_refused_without_a_connection(self):
        for name in ("/vsicurl/http://127.0.0.1:9/a.grib2", "http://127.0.0.1:9/a.grib2", "/vsis3/bucket/a.grib2",
                     "/vsizip//vsicurl/http://127.0.0.1:9/a.zip/a.grib2", "/vsigs_streaming/b/a", "/vsiwebhdfs/a"):
            self.write_forecast(input=name)
            self.refused(CPL_CURL_VERBOSE="YES")

    def test_virtual_names_out_of_place_are_refused(self):
        for name in ("/vsizip/f.zip/a.grib2", "/vsistdin/", "/vsimem/a.grib2", "/vsisubfile/0_9,/etc/passwd",
                     "/vsisparse/a.xml"):
            self.write_forecast(input=name)
            self.refused()

    def test_virtual_names_beside_a_virtual_file(self):
        code = """
import sys, json
def put(name, data):
    gdal.FileFromMemBuffer(name, data)
put("/vsimem/f/model.safetensors", open("model.safetensors", "rb").read())
put("/vsimem/f/sub/analysis.grib2", open("analysis.grib2", "rb").read())
put("/vsimem/g/analysis.grib2", open("analysis.grib2", "rb").read())
def forecast(name):
    put("/vsimem/f/forecast.json", json.dumps({"met2net": 1, "model": "model.safetensors", "input": name}).encode())
    return gdal.Open("/vsimem/f/forecast.json")
forecast("sub/analysis.grib2"); forecast("/vsimem/f/sub/analysis.grib2")
for name in ("../g/analysis.grib2", "/vsimem/g/analysis.grib2", "sub/../../g/analysis.grib2", "/etc/passwd",
             "sub/vsizip/../x"):
    try:
        forecast(name)
        sys.exit(name + " was opened")
    except RuntimeError as e:
        assert "MET2NET_ALLOWED_SOURCE" in str(e), e
"""
        self.run_python(code)

    def test_names_that_the_user_typed_are_free(self):
        gdal.OpenEx(f"MET2NET:{self.secret}/analysis.grib2", open_options=[f"MODEL={self.folder}/model.safetensors"])
        gdal.OpenEx(self.forecast, open_options=[f"MODEL={self.folder}/../folder/model.safetensors"])

    def test_a_forecast_naming_itself_or_another(self):
        self.write_forecast(input="forecast.json")
        self.refused(pattern="forecast.json: no GRIB message")
        self.write_forecast(model="forecast.json")
        self.refused(pattern="forecast.json: not safetensors")


if __name__ == "__main__":
    tap.main()
