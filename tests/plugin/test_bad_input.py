"""Whatever is wrong with the input: one line that names file, thing and value; no crash; no other file touched."""
import http.server
import json
import os
import struct
import threading

import tap
from osgeo import gdal

import fixture

gdal.UseExceptions()


class BadInput(fixture.Case):
    def check(self, pattern, name="forecast.json", *options):
        """Opening or the first read fails with the pattern in one line, and leaves the folder as it is."""
        before = {n: os.stat(self.folder / n).st_mtime_ns for n in os.listdir(self.folder)}
        out = self.run_tool("gdal_translate", "-q", *[x for o in options for x in ("-oo", o)], name, "none.tif",
                            status=1, CPL_DEBUG="OFF")
        lines = [row for row in out.splitlines() if row.startswith("ERROR")]
        self.assertRegex(lines[0], pattern)
        self.assertEqual({n: os.stat(self.folder / n).st_mtime_ns for n in os.listdir(self.folder)}, before)
        return lines

    def check_text(self, pattern, text):
        (self.folder / "forecast.json").write_text(text)
        lines = self.check(pattern)
        self.assertEqual(len(lines), 1, lines)

    def check_key(self, pattern, **changes):
        self.write_forecast(**changes)
        lines = self.check(pattern)
        self.assertEqual(len(lines), 1, lines)

    # ---- the forecast file

    def test_missing_keys(self):
        self.check_text(r'forecast.json:1:1: the key "model" is missing', '{"met2net": 1, "input": "analysis.grib2"}')
        self.check_text(r'forecast.json:1:1: the key "input" is missing', '{"met2net": 1, "model": "model.safetensors"}')

    def test_unknown_key_with_place_and_suggestion(self):
        self.check_text(r'forecast.json:3:2: unknown key "led_time"; did you mean "lead_time"\?',
                        '{"met2net": 1,\n "model": "model.safetensors", "input": "analysis.grib2",\n "led_time": "3h"}')
        self.check_key(r'unknown key "crss"; did you mean "crs"\?', output={"crss": "EPSG:3857"})
        self.check_key(r'unknown key "banana"; expected one of met2net, model', banana=1)

    def test_repeated_key(self):
        self.check_text(r'forecast.json:1:\d+: key "model" given twice',
                        '{"met2net": 1, "model": "model.safetensors", "model": "model.safetensors"}')

    def test_wrong_types(self):
        self.check_key("model: expected the name of a file, in double quotes", model=7)
        self.check_key(r'input: expected names of files, such as \["analysis.grib2"\]', input=[["analysis.grib2"]])
        self.check_key("input: an empty list; expected names of files", input=[])
        self.check_key('lead_time: expected a length of time such as "24h"', lead_time=24)
        self.check_key("initial_state: expected true or false", initial_state="yes")
        self.check_text("met2net: expected a whole number", '{"met2net": 1.5}')

    def test_comments(self):
        (self.folder / "forecast.json").write_text('// mine\n{"met2net": 1}')
        self.check("forecast.json:1:1: JSON has no comments", "MET2NET:forecast.json")
        self.check_text("forecast.json:2:1: JSON has no comments", '{"met2net": 1,\n# mine\n"model": "m"}')

    def test_server_without_ranges(self):
        folder = self.folder

        class WholeFiles(http.server.SimpleHTTPRequestHandler):
            def __init__(self, *args):
                super().__init__(*args, directory=str(folder))

            def log_message(self, *args):
                pass

        with http.server.ThreadingHTTPServer(("127.0.0.1", 0), WholeFiles) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            (folder / "large.grib2").write_bytes(bytes(30 << 20))  # GDAL takes a small one at once
            self.check("large.grib2: .* the server gives whole files only, not ranges of bytes: download the file first",
                       f"MET2NET:/vsicurl/http://127.0.0.1:{server.server_port}/large.grib2", "MODEL=model.safetensors")
            server.shutdown()

    def test_version(self):
        self.check_text("version 2 of the format; this program reads version 1",
                        '{"met2net": 2, "model": "model.safetensors", "input": "analysis.grib2"}')

    def test_broken_json(self):
        whole = (self.folder / "forecast.json").read_text()
        for cut in range(12, len(whole) - 1):
            self.check_cut(whole[:cut])
        for tail in ("x", "{}", ",", "\0"):
            self.check_cut(whole + tail)

    def check_cut(self, text):
        (self.folder / "forecast.json").write_text(text)
        with self.assertRaisesRegex(RuntimeError, r"forecast.json:\d+:\d+: "):
            gdal.Open("MET2NET:" + self.forecast)

    def test_deep_nesting_and_size(self):
        self.check_text(r"input: expected names of files", '{"met2net": 1, "input": ' + "[" * 500000)
        self.check_text(r"a forecast file has at most", '{"met2net": 1' + " " * (1 << 20) + "}")

    def test_nul_in_a_name(self):
        self.check_text("wrong escape", '{"met2net": 1, "model": "model.safetensors\\u0000.txt", "input": "a"}')

    # ---- files

    def test_missing_files(self):
        self.check_key("forecast.json: no.safetensors: No such file", model="no.safetensors")
        self.check_key("forecast.json: no.grib2: No such file", input=["analysis.grib2", "no.grib2"])
        self.check("nothing.json", "MET2NET:nothing.json")

    def test_folder_pipe_and_device(self):
        (self.folder / "sub").mkdir()
        os.mkfifo(self.folder / "pipe")
        self.check_key("sub: no field with rows, columns and a time", input="sub")
        self.check_key("sub: not a regular file", model="sub")
        self.check_key("pipe: not a regular file", input="pipe")
        self.check("not a regular file", "MET2NET:/dev/zero", "MODEL=model.safetensors")

    def test_not_a_model(self):
        self.check_key("analysis.grib2: not safetensors but GRIB$", model="analysis.grib2")
        (self.folder / "torch.pth").write_bytes(b"PK\3\4" + bytes(100))
        self.check_key("torch.pth: not safetensors but a zip file, as PyTorch saves", model="torch.pth")
        self.check_key("model.safetensors: times: expected a tensor", input="model.safetensors")

    def test_not_grib(self):
        self.run_tool("gdal_translate", "-q", "forecast.json", "f.tif")
        self.check_key("f.tif: no GRIB message in .* it is a TIFF, which is not read", input="f.tif")
        (self.folder / "a.gz").write_bytes(b"\x1f\x8b" + bytes(100))
        self.check_key("a.gz: no GRIB message in 102 bytes; it is compressed: /vsigzip/", input="a.gz")
        (self.folder / "a.bin").write_bytes(bytes(100))
        self.check_key("a.bin: no GRIB message in 100 bytes$", input="a.bin")

    def test_what_is_needed_is_named(self):
        self.check("MET2NET: names no file", "MET2NET:")
        self.check("analysis.grib2: not a forecast file, so a model is needed", "MET2NET:analysis.grib2")
        self.check("at 2024-01-01T00:00Z, one of the 3 times up to 2024-01-01T02:00Z; found", "forecast.json",
                   "INIT_TIME=2024-01-01T02:00:00Z")

    def test_truncated_model(self):
        whole = (self.folder / "model.safetensors").read_bytes()
        for cut in (0, 7, 8, 100, 5000, len(whole) - 1):
            (self.folder / "model.safetensors").write_bytes(whole[:cut])
            self.check("model.safetensors: ")

    def test_model_without_metadata(self):
        model = self.folder / "model.safetensors"
        fixture.write_model(model, variables="[]")
        self.check("model.safetensors: .*variables")
        fixture.write_model(model, grid="{}")
        self.check("model.safetensors: .*(grid|crs|width)")
        fixture.write_model(model, time_step="0")
        self.check("model.safetensors: .*time_step")

    def test_wrong_shape(self):
        fixture.write_model(self.folder / "model.safetensors", config=json.dumps(
            {"steps": 3, "height": 16, "width": 32, "hid_S": 8, "hid_T": 24, "N_S": 2, "N_T": 1}))
        self.check(r"model.safetensors: .*hid_q\S+.*\[?24.*16")
        told = self.run_tool("gdalinfo", "forecast.json", status=1)  # at open, not at the first pixel
        self.assertRegex(told, r"hid_q\S+: expected shape \(24, 24, 1, 1\)|expected shape \(24, \d+, 1, 1\), found")
        fixture.write_model(self.folder / "model.safetensors", config=json.dumps(
            {"steps": 3, "height": 8, "width": 32, "hid_S": 8, "hid_T": 16, "N_S": 2, "N_T": 1}))
        self.check("model.safetensors: .*32x8.*32x16")

    def test_truncated_grib(self):
        whole = (self.folder / "analysis.grib2").read_bytes()
        for cut in (0, 3, 15, 16, 200, 5000, len(whole) - 1):
            (self.folder / "analysis.grib2").write_bytes(whole[:cut])
            self.check("analysis.grib2: ")

    def test_missing_variable_and_time(self):
        fixture.write_analysis(self.folder / "analysis.grib2", names=["t2m", "u10", "v10", "tcc"])
        self.check(r"analysis.grib2: needs r1000 \(paramId 157, isobaricInhPa 1000\)")
        fixture.write_analysis(self.folder / "analysis.grib2", hours=[1, 2, 4])
        self.check("analysis.grib2: needs .* at 3 times 3600 s apart; lacks 2024-01-01T0[03]:00Z")
        fixture.write_analysis(self.folder / "analysis.grib2")
        self.check("analysis.grib2: needs .* at 2024-05-31T22:00Z", "forecast.json", "INIT_TIME=2024-06-01")

    def test_no_overlap_of_input_and_model(self):
        fixture.write_model(self.folder / "model.safetensors", grid=json.dumps(
            {"crs": "EPSG:32633", "width": 32, "height": 16, "geotransform": [3e5, 1e3, 0, 6e6, 0, -1e3]}))
        self.run_tool("gdal_translate", "-q", self.forecast, "fine.tif")  # a UTM zone lies on the globe
        self.run_tool("cdo", "-s", "sellonlatbox,100,140,-30,30", "analysis.grib2", "part.grib2")
        os.rename(self.folder / "part.grib2", self.folder / "analysis.grib2")
        self.check(r"analysis.grib2: message \d+: no overlap of the grids .*7x10.*EPSG:32633 32x16")

    def test_degrees_labelled_kelvin(self):
        """Not an error, for it is read as it says; a warning for the variable, also when the result was on disk."""
        fixture.write_analysis(self.folder / "analysis.grib2", celsius=True)
        want = (r"t2m of \S*analysis.grib2: mean \S+ K is 1\d standard deviations from what the model was trained on "
                r"\(280 K \+- 20\): wrong units\?")
        code = "import sys\nfor i in range(3): gdal.Open(sys.argv[1]).ReadRaster()"
        for run in ("computed", "from disk"):
            said = self.run_python(code, self.forecast)
            self.assertRegex(said, "Warning 1: " + want, run)
            self.assertEqual(said.count("wrong units"), 1, said)
        fixture.write_analysis(self.folder / "analysis.grib2")
        self.assertNotIn("wrong units", self.run_python(code, self.forecast))

    # ---- options

    def test_options(self):
        for option, pattern in (("LEAD_TIME=24", 'option LEAD_TIME: "24" is not a length of time'),
                                ("LEAD_TIME=90m", "lead time 90 min: expected 1 to 1000 times .* 1 h"),
                                ("LEAD_TIME=50000h", "expected 1 to 1000 times"),
                                ("INIT_TIME=2024-13-01", 'option INIT_TIME: "2024-13-01" is neither "latest" nor a time'),
                                ("INIT_TIME=2024-01-01T00:00:00+01:00", "is neither \"latest\" nor a time in UTC"),
                                ("VARIABLE=t2n", 'no variable "t2n"; did you mean "t2m"'),
                                ("VARIABLE=", "option VARIABLE"),
                                ("T_SRS=EPSG:99999", 'CRS "EPSG:99999"'),
                                ("T_SRS=EPSG:3857x", 'CRS "EPSG:3857x": expected a code such as EPSG:3857'),
                                ("T_SRS=3857", 'CRS "3857": expected a code such as EPSG:3857'),
                                ("T_SRS=/etc/passwd", 'CRS "/etc/passwd"'),
                                ("T_SRS=+proj=merc +nadgrids=/etc/passwd", "CRS "),
                                ("T_SRS=+proj=tinshift +file=/etc/passwd +type=crs", "PROJ string without files$"),
                                ("T_SRS=+proj=defmodel +model=/etc/passwd +type=crs", "PROJ string without files$"),
                                ("T_SRS=+proj=utm +zone=33 init=/etc/passwd:x", "PROJ string without files$"),
                                ("RESAMPLING=cubicc", "no way of resampling"),
                                ("THREADS=0", 'option THREADS: "0"'),
                                ("THREADS=many", 'option THREADS: "many"'),
                                ("PRECISION=flot32",
                                 r'option PRECISION: "flot32": expected float32, bf16 or int8; did you mean "float32"\?'),
                                ("PRECISION=double", 'option PRECISION: "double": expected float32, bf16 or int8$'),
                                ("PRECISION=", 'option PRECISION: "": expected float32, bf16 or int8'),
                                ("MAX_MEMORY=lots", 'option MAX_MEMORY: "lots" is not a size'),
                                ("CACHE=maybe", 'option CACHE: "maybe": expected YES or NO'),
                                ("MODEL=none.safetensors", "none.safetensors: No such file")):
            with self.subTest(option):
                self.check("forecast.json: |safetensors: ", "forecast.json", option)
                self.check(pattern, "forecast.json", option)

    def test_too_little_memory_is_an_error(self):
        self.check(r"model.safetensors: the forecast alone takes 40 kB, MAX_MEMORY allows 10 kB", "forecast.json",
                   "MAX_MEMORY=10kB")
        self.check(r"MAX_MEMORY|memory|MiB|MB", "forecast.json", "MAX_MEMORY=200kB")

    def test_small_file_that_claims_a_large_field(self):
        """200 million points in some hundred octets: a constant needs no data."""
        columns, rows, step = 20000, 10000, 18000  # millionths of a degree
        out = bytearray()
        for message in fixture.messages(self.folder / "analysis.grib2"):
            sections = dict(fixture.sections(message))
            grid, packing = bytearray(sections[3]), bytearray(sections[5])
            struct.pack_into(">I", grid, 6, columns * rows)
            struct.pack_into(">II", grid, 30, columns, rows)
            struct.pack_into(">Ii", grid, 46, 89991000 | 1 << 31, 9000)
            struct.pack_into(">iiii", grid, 55, 89991000, 359991000, step, step)
            struct.pack_into(">I", packing, 5, columns * rows)
            packing[19] = 0  # bits per value
            body = b"".join([sections[1], grid, sections[4], packing, sections[6], b"\0\0\0\5\7", b"7777"])
            out += message[:8] + struct.pack(">Q", 16 + len(body)) + body
        (self.folder / "analysis.grib2").write_bytes(out)
        self.check(r"analysis.grib2: message \d+: 200000000 points take 6104 MiB, .* allowed", "forecast.json",
                   "MAX_MEMORY=256MB")

    def test_unknown_option_is_named(self):
        out = self.run_tool("gdalinfo", "-oo", "VARIABEL=t2m", self.forecast)
        self.assertIn("does not support open option VARIABEL", out)

    # ---- values

    def test_nan_weights_give_no_data(self):
        path = self.folder / "model.safetensors"
        data = path.read_bytes()
        path.write_bytes(data[:-4] + b"\x00\x00\xc0\x7f")  # the last bias of the translator
        self.run_tool("gdal_translate", "-q", self.forecast, "nan.tif")
        self.assertIn("nan", self.run_tool("gdallocationinfo", "-valonly", "nan.tif", 3, 3))


if __name__ == "__main__":
    tap.main()
