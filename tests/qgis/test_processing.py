"""Every algorithm of the provider, through the real qgis_process; then loading, styling, models and cancel."""
import bridge
import csv
import json
import pathlib
import shutil
import subprocess
import sys
import tempfile
import threading
import unittest

import numpy
from osgeo import gdal
from qgis.core import (QgsApplication, QgsProcessingContext, QgsProcessingException, QgsProcessingFeedback,
                       QgsProcessingModelAlgorithm, QgsProcessingModelChildAlgorithm,
                       QgsProcessingModelChildParameterSource, QgsProcessingModelOutput,
                       QgsProcessingModelParameter, QgsProcessingOutputLayerDefinition, QgsProcessingParameterFile,
                       QgsProject)
from qgis.PyQt.QtGui import QImage

bridge.need("qgis_process.bin")
bridge.start_qgis()
sys.path.insert(0, "/usr/share/qgis/python/plugins")
from met2net.processing import tools  # noqa: E402
from met2net.processing.provider import ALGORITHMS, Met2NetProvider  # noqa: E402
from met2net.layers import times_of  # noqa: E402
from met2net.temporal import shown_band  # noqa: E402

TINY = "--hid-S=8 --hid-T=16 --N-S=2 --N-T=1 --steps=3 --threads=1"


def qgis_process(*arguments, good=True):
    run = subprocess.run(["qgis_process.bin", "--json", *arguments], capture_output=True, text=True, timeout=2 * bridge.PATIENCE)
    if good and run.returncode:
        raise AssertionError(run.stdout + run.stderr)
    return run


def results(algorithm, **parameters):
    """Results of an algorithm run by qgis_process."""
    given = [f"--{name}={item}" for name, value in parameters.items()
             for item in (value if isinstance(value, list) else [value])]
    run = qgis_process("run", f"met2net:{algorithm}", *given)
    return json.loads(run.stdout[run.stdout.index("{"):])["results"]


def weather(path, hours, seed=5):
    subprocess.run([bridge.BUILD / "samples/weather/weather", "-q", "-o", path, f"--hours={hours}", f"--seed={seed}",
                    "--spin-up=2", "--start=2021-06-01T00:00Z"], check=True)
    return str(path)


def folder():
    return pathlib.Path(tempfile.mkdtemp(dir=bridge.HOME))


def setUpModule():
    qgis_process("plugins", "enable", "met2net")


class Provider(unittest.TestCase):
    def test_qgis_process_lists_all(self):
        listed = json.loads(qgis_process("list").stdout)["providers"]["met2net"]["algorithms"]
        self.assertEqual(sorted(listed), sorted(f"met2net:{a.NAME}" for a in ALGORITHMS))
        self.assertEqual(len(listed), 7)

    def test_every_algorithm_and_parameter_has_help(self):
        for algorithm in ALGORITHMS:
            told = json.loads(qgis_process("help", f"met2net:{algorithm.NAME}").stdout)
            self.assertIn(algorithm.HELP[:40], json.dumps(told, ensure_ascii=False))
            made = algorithm()
            made.initAlgorithm()
            self.assertEqual(set(told["parameters"]), {p.name() for p in made.parameterDefinitions()})
            for parameter in made.parameterDefinitions():
                self.assertGreater(len(parameter.help()), 10, f"{algorithm.NAME} {parameter.name()}")


class Forecasts(unittest.TestCase):
    def test_forecast_to_raster(self):
        path, output = bridge.sample(), str(folder() / "f.tif")
        self.assertEqual(results("forecasttoraster", INPUT=path, OUTPUT=output)["OUTPUT"], output)
        made, driver = gdal.Open(output), gdal.Open(path)
        self.assertEqual((made.RasterCount, made.GetDriver().ShortName), (120, "GTiff"))
        numpy.testing.assert_array_equal(made.ReadAsArray(), driver.ReadAsArray())
        for number in (1, 53, 120):
            a, b = made.GetRasterBand(number), driver.GetRasterBand(number)
            self.assertEqual((a.GetDescription(), a.GetUnitType()), (b.GetDescription(), b.GetUnitType()))
            self.assertEqual(a.GetMetadataItem("GRIB_VALID_TIME"), b.GetMetadataItem("GRIB_VALID_TIME"))

    def test_from_grib_and_model_with_options(self):
        output = str(folder() / "f.nc")
        results("forecasttoraster", INPUT=bridge.SAMPLES / "analysis.grib2", MODEL=bridge.SAMPLES / "model.safetensors",
                INIT_TIME="2021-03-20T20:00:00Z", LEAD_TIME="3h", VARIABLES="t2m, tcc", OUTPUT=output)
        for name in ("t2m", "tcc"):
            self.assertEqual(gdal.Open(f"NETCDF:{output}:{name}").RasterCount, 3)
        self.assertEqual(len(gdal.Open(output).GetSubDatasets()), 2)

    def test_precision(self):
        """Of the algorithm, else of the forecast file, else float32."""
        whole, said = bridge.sample(lead_time="2h"), bridge.sample(lead_time="2h", precision="bf16")
        for path, given, want in ((whole, {}, "float32"), (whole, {"PRECISION": "int8"}, "int8"), (said, {}, "bf16"),
                                  (said, {"PRECISION": "float32"}, "float32")):
            output = str(folder() / "f.tif")
            results("forecasttoraster", INPUT=path, VARIABLES="t2m", OUTPUT=output, **given)
            self.assertEqual(gdal.Open(output).GetMetadataItem("MET2NET_PRECISION"), want)
        exact, rounded = folder() / "f.grib2", folder() / "f.grib2"
        results("forecasttogrib2", INPUT=whole, VARIABLES="t2m", OUTPUT=exact)
        results("forecasttogrib2", INPUT=whole, VARIABLES="t2m", PRECISION="int8", OUTPUT=rounded)
        exact, rounded = (gdal.Open(str(p)).ReadAsArray() for p in (exact, rounded))
        self.assertFalse(numpy.array_equal(exact, rounded))
        numpy.testing.assert_allclose(rounded, exact, atol=2)

    def test_member(self):
        inputs, output = folder(), folder()
        (inputs / "e.grib2").write_bytes(b"".join(subprocess.run(
            ["grib_set", "-s", f"productDefinitionTemplateNumber=1,perturbationNumber={n},numberOfForecastsInEnsemble=2",
             bridge.SAMPLES / "analysis.grib2", "/dev/stdout"], check=True, capture_output=True).stdout for n in (3, 4)))
        common = {"MODEL": bridge.SAMPLES / "model.safetensors", "LEAD_TIME": "2h", "VARIABLES": "t2m"}
        for given, want in (({}, "3"), ({"MEMBER": "4"}, "4")):
            made = str(output / f"{want}.tif")
            results("forecasttoraster", INPUT=inputs / "e.grib2", OUTPUT=made, **common, **given)
            self.assertEqual(gdal.Open(made).GetMetadataItem("MET2NET_MEMBER"), want)
        told = results("batchforecast", INPUT=inputs, OUTPUT=output, MEMBER="3-4", **common)
        self.assertEqual((told["FORECASTS"], len(list(output.glob("*.grib2")))), (2, 2))

    def test_projection(self):
        output = str(folder() / "f.tif")
        results("forecasttoraster", INPUT=bridge.sample(), CRS="ESRI:54030", VARIABLES="t2m", LEAD_TIME="2h",
                OUTPUT=output)
        self.assertIn("Robinson", gdal.Open(output).GetProjection())

    def test_forecast_to_grib2(self):
        output = folder() / "f.grib2"
        results("forecasttogrib2", INPUT=bridge.sample(), OUTPUT=output)
        made, driver = gdal.Open(str(output)), gdal.Open(bridge.sample())
        self.assertEqual((made.RasterCount, made.GetDriver().ShortName), (120, "GRIB"))
        self.assertEqual([p.name for p in output.parent.iterdir() if "aux" not in p.name], ["f.grib2"])
        u, wanted = made.GetRasterBand(1), driver.GetRasterBand(1)
        self.assertEqual(u.GetMetadataItem("GRIB_ELEMENT"), "UGRD")
        numpy.testing.assert_allclose(u.ReadAsArray(), wanted.ReadAsArray(), atol=2e-3)

    def test_batch_over_a_folder_goes_on_after_a_bad_input(self):
        inputs, output = folder(), folder()
        for name in ("a", "b"):
            shutil.copy(bridge.SAMPLES / "analysis.grib2", inputs / f"{name}.grib2")
        (inputs / "bad.grib2").write_bytes((bridge.SAMPLES / "analysis.grib2").read_bytes()[:3000])
        (inputs / "other.txt").write_text("not weather")
        told = results("batchforecast", INPUT=inputs, MODEL=bridge.SAMPLES / "model.safetensors", LEAD_TIME="2h",
                       PRECISION="bf16", OUTPUT=output)
        self.assertEqual((told["FORECASTS"], told["FAILED"]), (2, 1))
        self.assertEqual([gdal.Open(str(p)).RasterCount for p in sorted(output.glob("*.grib2"))], [10, 10])

    def test_failure_tells_the_reason(self):
        path = bridge.sample(model="other.safetensors")
        for algorithm, output in (("forecasttoraster", "f.tif"), ("forecasttogrib2", "f.grib2")):
            output = folder() / output
            run = qgis_process("run", f"met2net:{algorithm}", f"--INPUT={path}", f"--OUTPUT={output}", good=False)
            self.assertNotEqual(run.returncode, 0)
            self.assertIn("other.safetensors", run.stdout + run.stderr)
            self.assertFalse(output.exists())


class Models(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.data = weather(folder() / "weather.grib2", 60)

    def test_train_then_forecast_with_it(self):
        output = folder() / "model.safetensors"
        told = results("train", INPUT=self.data, VARIABLES="u10,v10,t2m", EPOCHS=1, BATCH=4, EXTRA=TINY,
                       OUTPUT=output)
        self.assertEqual(told["OUTPUT"], str(output))
        forecast = str(folder() / "f.tif")
        results("forecasttoraster", INPUT=self.data, MODEL=output, OUTPUT=forecast)
        self.assertEqual(gdal.Open(forecast).RasterCount, 9)

    def test_verify(self):
        out = folder()
        results("verify", INPUT=self.data, MODEL=bridge.SAMPLES / "model.safetensors", EVERY="12h",
                PRECISION="int8", OUTPUT=out / "scores.csv", JSON=out / "scores.json", CHART=out / "rmse.svg")
        rows = list(csv.DictReader((out / "scores.csv").read_text().splitlines()))
        self.assertTrue({"t2m", "u10"} <= {cell for row in rows for cell in row.values()})
        json.loads((out / "scores.json").read_text())
        self.assertIn("<svg", (out / "rmse.svg").read_text())

    @unittest.skipUnless(shutil.which("met2net-info"), "met2net-info is not built")
    def test_model_info(self):
        output = folder() / "info.json"
        told = results("modelinfo", INPUT=bridge.SAMPLES / "model.safetensors", OUTPUT=output)
        self.assertIn("t2m", told["TEXT"])
        self.assertIn("t2m", json.dumps(json.loads(output.read_text())))


class Inside(unittest.TestCase):
    """As the toolbox runs them: results are loaded, models chain them, a click stops them."""

    @classmethod
    def setUpClass(cls):
        cls.provider = Met2NetProvider()
        QgsApplication.processingRegistry().addProvider(cls.provider)

    def setUp(self):
        self.project = QgsProject.instance()
        self.project.clear()
        self.context, self.feedback = QgsProcessingContext(), QgsProcessingFeedback()
        self.context.setProject(self.project)
        self.context.setFeedback(self.feedback)

    def run_and_load(self, name, **parameters):
        from processing.gui.Postprocessing import handleAlgorithmResults
        algorithm = QgsApplication.processingRegistry().createAlgorithmById(f"met2net:{name}")
        told, good = algorithm.run(parameters, self.context, self.feedback)
        self.assertTrue(good, self.feedback.textLog())
        handleAlgorithmResults(algorithm, self.context, self.feedback, parameters=parameters)
        return told

    def check_loaded(self, count):
        layers = {layer.name(): layer for layer in self.project.mapLayers().values()}
        self.assertEqual(sorted(layers), sorted(["Temperature 2 m", "U-component of wind 10 m",
                                                 "V-component of wind 10 m", "Total cloud cover",
                                                 "Relative humidity 1000 hPa"]))
        bands = set()
        for layer in layers.values():
            self.assertEqual(layer.renderer().type(), "singlebandpseudocolor")
            self.assertTrue(layer.temporalProperties().isActive())
            _, times = times_of(layer)
            self.assertEqual(len(times), count)
            bands |= {band for _, band in times}
        self.assertEqual(bands, set(range(1, 5 * count + 1)))

    def test_raster_is_loaded_and_styled(self):
        output = QgsProcessingOutputLayerDefinition(str(folder() / "f.tif"), self.project)
        self.run_and_load("forecasttoraster", INPUT=bridge.sample(), LEAD_TIME="4h", OUTPUT=output)
        self.check_loaded(4)

    def test_grib2_is_loaded_and_styled(self):
        self.run_and_load("forecasttogrib2", INPUT=bridge.sample(), LEAD_TIME="3h", OUTPUT=str(folder() / "f.grib2"),
                          LOAD=True)
        self.check_loaded(3)

    def test_in_a_model(self):
        """Model designer: a forecast, then GDAL's warp of it by QGIS's own algorithm."""
        import processing
        from processing.core.Processing import Processing
        Processing.initialize()
        model = QgsProcessingModelAlgorithm("chain", "tests")
        model.addModelParameter(QgsProcessingParameterFile("FORECAST", "Forecast"),
                                QgsProcessingModelParameter("FORECAST"))
        first = QgsProcessingModelChildAlgorithm("met2net:forecasttoraster")
        first.setChildId("first")
        source = QgsProcessingModelChildParameterSource
        first.addParameterSources("INPUT", [source.fromModelParameter("FORECAST")])
        first.addParameterSources("VARIABLES", [source.fromStaticValue("t2m")])
        first.addParameterSources("LEAD_TIME", [source.fromStaticValue("2h")])
        model.addChildAlgorithm(first)
        second = QgsProcessingModelChildAlgorithm("gdal:warpreproject")
        second.setChildId("second")
        second.addParameterSources("INPUT", [source.fromChildOutput("first", "OUTPUT")])
        second.addParameterSources("TARGET_CRS", [source.fromStaticValue("ESRI:54030")])
        final = QgsProcessingModelOutput("MAP")
        final.setChildId("second")
        final.setChildOutputName("OUTPUT")
        second.setModelOutputs({"MAP": final})
        model.addChildAlgorithm(second)
        model.initAlgorithm()
        output = str(folder() / "map.tif")
        told = processing.run(model, {"FORECAST": bridge.sample(), "second:MAP": output}, context=self.context,
                              feedback=self.feedback)
        self.assertEqual(gdal.Open(told["second:MAP"]).RasterCount, 2)

    def test_pictures_of_all_lead_times(self):
        desk = bridge.Desk()
        self.addCleanup(desk.close)
        desk.open(bridge.sample(lead_time="3h"))
        layer, output = desk.layers()["Temperature 2 m"], folder()
        told = self.run_and_load("pictures", INPUT=layer, WIDTH=320, CAPTION=False, OUTPUT=str(output))
        self.assertEqual(told["PICTURES"], 3)
        self.assertEqual(sorted(p.name for p in output.iterdir()),
                         ["20210321T0100Z.png", "20210321T0200Z.png", "20210321T0300Z.png"])
        images = [QImage(str(p)) for p in sorted(output.iterdir())]
        self.assertEqual((images[0].width(), images[0].height()), (320, 160))
        for a, b in ((0, 1), (1, 2), (0, 2)):
            self.assertNotEqual(images[a], images[b])
        self.assertEqual(shown_band(layer), 1)

    def test_pictures_through_qgis_process(self):
        desk, output = bridge.Desk(), folder()
        path = pathlib.Path(bridge.sample(lead_time="2h"))
        desk.open(str(path))
        project = path.parent / "weather.qgz"
        self.assertTrue(desk.project.write(str(project)))
        desk.close()
        self.assertEqual(results("pictures", PROJECT_PATH=project, INPUT="Temperature 2 m", OUTPUT=output)["PICTURES"], 2)
        self.assertEqual(len(list(output.glob("*.png"))), 2)

    def cancel_soon(self):
        threading.Timer(0.3, self.feedback.cancel).start()

    def test_cancel_of_the_driver(self):
        output = folder() / "f.tif"
        self.cancel_soon()
        algorithm = QgsApplication.processingRegistry().createAlgorithmById("met2net:forecasttoraster")
        algorithm.run({"INPUT": bridge.sample(lead_time="60d"), "OUTPUT": str(output)}, self.context, self.feedback)
        self.assertLess(self.feedback.progress(), 100)
        self.assertFalse(output.exists())

    def test_cancel_of_a_tool(self):
        output = folder() / "f.grib2"
        self.cancel_soon()
        algorithm = QgsApplication.processingRegistry().createAlgorithmById("met2net:forecasttogrib2")
        algorithm.run({"INPUT": bridge.sample(lead_time="60d"), "OUTPUT": str(output)}, self.context, self.feedback)
        self.assertFalse(output.exists())
        self.assertEqual(self.project.mapLayers(), {})

    def test_a_missing_tool_is_explained(self):
        with self.assertRaisesRegex(QgsProcessingException, "met2net-nothing is not on the PATH: install met2net"):
            tools.run("met2net-nothing", [], self.feedback)

    def test_progress_of_the_tools(self):
        self.assertEqual([tools.progress_of(line) for line in (
            " 42%  forecast 3 of 7, 5 s left", "preparing [###...]  10% reading", "epoch 3/4 [##..] 1/2  rec 0.1",
            "epoch  4/4  reconstruction 0.1", "100 forecasts made")], [42, 10, 62.5, 100, None])


if __name__ == "__main__":
    bridge.main()
