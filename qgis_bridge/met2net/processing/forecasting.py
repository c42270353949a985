"""Algorithms that make forecasts."""
import contextlib
import glob
import os
import re

from osgeo import gdal
from qgis.core import (QgsProcessingException, QgsProcessingOutputNumber,
                       QgsProcessingParameterBoolean, QgsProcessingParameterEnum, QgsProcessingParameterFile,
                       QgsProcessingParameterFileDestination, QgsProcessingParameterFolderDestination,
                       QgsProcessingParameterRasterDestination)

from .. import driver
from ..forecast import is_forecast_file, open_dataset
from . import tools
from .algorithm import INPUT_FILTER, Met2NetAlgorithm, load_variables

INPUT_HELP = "A forecast file (forecast.json), or GRIB or NetCDF with the weather up to now, which needs a model."
COUNTS = re.compile(r"(\d+) forecasts? made .*?, (\d+) already complete, (\d+) failed")
FORMATS = ("GRIB2", "GTiff", "COG", "netCDF", "Zarr")


class ForecastToRaster(Met2NetAlgorithm):
    NAME, TITLE, GROUP = "forecasttoraster", "Forecast to raster", "Forecast"
    HELP = """Computes a forecast and writes it as a raster with one band per variable and lead time.

Takes a forecast file, or weather (GRIB or NetCDF) and a model. Each band tells variable, level, unit, initial and \
valid time. When loaded, every variable becomes a styled layer that follows the temporal controller."""

    def initAlgorithm(self, _configuration=None):
        self.add_file("INPUT", "Forecast file or weather", INPUT_HELP, INPUT_FILTER)
        self.add_model()
        self.add_times()
        self.add_variables()
        self.add_grid()
        self.add_member()
        self.add_precision()
        self.add(QgsProcessingParameterRasterDestination("OUTPUT", "Forecast"),
                 "GeoTIFF (.tif), NetCDF (.nc) or what else GDAL writes; the suffix decides.")

    def processAlgorithm(self, parameters, context, feedback):
        trouble = driver.problem()
        if trouble:
            raise QgsProcessingException(trouble)
        path = self.parameterAsFile(parameters, "INPUT", context)
        output = self.parameterAsOutputLayer(parameters, "OUTPUT", context)
        name = path if is_forecast_file(path) else f"MET2NET:{path}"
        try:
            dataset = open_dataset(name, self.open_options(parameters, context), output_format(output) == "netCDF")
            self.write(dataset, output, feedback)
            if context.willLoadLayerOnCompletion(output):
                load_variables(output, context)
        except driver.DriverError as error:
            if not feedback.isCanceled():
                raise QgsProcessingException(str(error)) from error
        return {"OUTPUT": output}

    def open_options(self, parameters, context):
        options = {"MODEL": self.parameterAsFile(parameters, "MODEL", context),
                   "INIT_TIME": self.text(parameters, "INIT_TIME", context),
                   "LEAD_TIME": self.text(parameters, "LEAD_TIME", context),
                   "MEMBER": self.text(parameters, "MEMBER", context),
                   "VARIABLE": self.text(parameters, "VARIABLES", context).replace(" ", ""),
                   "T_SRS": self.crs_text(parameters, context),
                   "PRECISION": self.parameterAsEnumString(parameters, "PRECISION", context)}
        if options["T_SRS"] or not is_forecast_file(self.parameterAsFile(parameters, "INPUT", context)):
            options["RESAMPLING"] = self.resampling(parameters, context)
        return [f"{key}={value}" for key, value in options.items() if value]

    @staticmethod
    def write(dataset, output, feedback):
        """First the computation, which has nearly all of the bar, then the writing."""

        def share(begin, end):
            def reached(done, _message, _data):
                feedback.setProgress(100 * (begin + (end - begin) * done))
                return 0 if feedback.isCanceled() else 1
            return reached

        driver.call(dataset.GetRasterBand(1).ReadRaster, buf_xsize=1, buf_ysize=1, callback=share(0, 0.9))
        before = stamp(output)
        try:
            written = driver.call(gdal.Translate, output, dataset,
                                  options=gdal.TranslateOptions(callback=share(0.9, 1),
                                                                format=output_format(output)))
            with driver.listening() as said, contextlib.suppress(RuntimeError):
                written.FlushCache()
                del written  # a full disk may show as late as here
            if said:
                raise driver.DriverError(f"{output}: {said[-1]}")
        except driver.DriverError:
            if os.path.isfile(output) and stamp(output) != before:  # half a file; what was there is gone
                os.remove(output)
            raise


def stamp(path):
    """Tells a file from what is written over it; nothing where there is none."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns


def output_format(path):
    suffix = os.path.splitext(path)[1].lower().lstrip(".")
    return {"tif": "GTiff", "tiff": "GTiff", "nc": "netCDF"}.get(suffix)


class ForecastToGrib2(Met2NetAlgorithm):
    NAME, TITLE, GROUP = "forecasttogrib2", "Forecast to GRIB2", "Forecast"
    HELP = """Computes a forecast and writes it as GRIB2, as weather services exchange it.

Takes a forecast file, or weather (GRIB or NetCDF) and a model. Simple packing, one message per variable and lead \
time, so that every GRIB reader takes it."""

    def initAlgorithm(self, _configuration=None):
        self.add_file("INPUT", "Forecast file or weather", INPUT_HELP, INPUT_FILTER)
        self.add_model()
        self.add_times()
        self.add_variables()
        self.add_grid()
        self.add_member()
        self.add_precision()
        self.add(QgsProcessingParameterBoolean("LOAD", "Add the layers to the map", True),
                 "Each variable becomes a styled layer that follows the temporal controller.")
        self.add(QgsProcessingParameterFileDestination("OUTPUT", "Forecast (GRIB2)", "GRIB2 (*.grib2)"),
                 "The GRIB2 file to write.")

    def processAlgorithm(self, parameters, context, feedback):
        output = self.parameterAsFileOutput(parameters, "OUTPUT", context)
        folder, name = os.path.split(os.path.abspath(output))
        options = [*self.common_options(parameters, context), "--format=GRIB2", f"--directory={folder}",
                   f"--output={name}", "--overwrite", self.parameterAsFile(parameters, "INPUT", context)]
        done = tools.run("met2net-forecast", options, feedback) is not None
        if done and context.project() is not None and self.parameterAsBool(parameters, "LOAD", context):
            try:
                load_variables(output, context)
            except driver.DriverError as error:
                raise QgsProcessingException(str(error)) from error
        return {"OUTPUT": output}


class BatchForecast(Met2NetAlgorithm):
    NAME, TITLE, GROUP = "batchforecast", "Forecasts for a folder", "Forecast"
    HELP = """Makes a forecast from every GRIB or NetCDF file of a folder, with one model.

What is already there and complete is not made again, so an interrupted run goes on where it stopped. A bad input is \
reported and the others go on."""

    def initAlgorithm(self, _configuration=None):
        self.add(QgsProcessingParameterFile("INPUT", "Folder with GRIB or NetCDF files",
                                            behavior=QgsProcessingParameterFile.Folder),
                 "Every file in it that matches the pattern is an input.")
        self.add_text("PATTERN", "File names", "Pattern of the names, as *.grib2 or *.nc.", default="*.grib*")
        self.add_model(optional=False)
        self.add_times()
        self.add_variables()
        self.add_grid()
        self.add_member("its number, or several, as 0-49")
        self.add_precision("Empty: float32.")
        self.add(QgsProcessingParameterEnum("FORMAT", "Format", FORMATS, defaultValue=0),
                 "Format of the forecasts.")
        self.add_number("JOBS", "Forecasts at once", "More than one needs more memory.", 1, 1)
        self.add(QgsProcessingParameterFolderDestination("OUTPUT", "Folder for the forecasts"),
                 "Names are made of the input's name and the initial time.")
        self.addOutput(QgsProcessingOutputNumber("FORECASTS", "Number of forecasts"))
        self.addOutput(QgsProcessingOutputNumber("FAILED", "Number of inputs without a forecast"))

    def processAlgorithm(self, parameters, context, feedback):
        folder = self.parameterAsString(parameters, "OUTPUT", context)
        pattern = self.text(parameters, "PATTERN", context) or "*"
        inputs = sorted(glob.glob(os.path.join(glob.escape(self.parameterAsFile(parameters, "INPUT", context)),
                                               pattern)))
        if not inputs:
            raise QgsProcessingException(f"{self.parameterAsFile(parameters, 'INPUT', context)}: no file "
                                         f"matches {pattern}")
        os.makedirs(folder, exist_ok=True)
        options = [*self.common_options(parameters, context),
                   f"--format={FORMATS[self.parameterAsEnum(parameters, 'FORMAT', context)]}",
                   f"--jobs={self.parameterAsInt(parameters, 'JOBS', context)}", f"--directory={folder}", *inputs]
        outcome = tools.run("met2net-forecast", options, feedback, (tools.DONE, tools.FAILED))
        if outcome is None:
            return {"OUTPUT": folder}
        counts = COUNTS.search("\n".join(outcome.words))
        made, before, failed = (int(n) for n in counts.groups()) if counts else (0, 0, len(inputs))
        if made + before == 0:
            raise QgsProcessingException("\n".join(outcome.words))
        if outcome.status != tools.DONE:
            feedback.reportError(f"{failed} of {len(inputs)} inputs failed, the others are done; see above")
        return {"OUTPUT": folder, "FORECASTS": made + before, "FAILED": failed}
