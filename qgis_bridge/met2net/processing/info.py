"""The algorithm that tells what is in a file."""
from qgis.core import QgsProcessingException, QgsProcessingOutputString, QgsProcessingParameterFileDestination

from ..forecast import write_whole
from . import tools
from .algorithm import Met2NetAlgorithm

FILE_FILTER = ("Models, data sets, forecasts, weather (*.safetensors *.json *.grib *.grib2 *.grb *.grb2 *.nc *.nc4);;"
               "All files (*)")


class ModelInfo(Met2NetAlgorithm):
    NAME, TITLE, GROUP = "modelinfo", "Model info", "Model"
    HELP = """What is in a model: its variables, levels, grid, time step, window and settings.

Takes a prepared data set, a forecast file, GRIB or NetCDF as well. The log shows it for people, the result is JSON."""

    def initAlgorithm(self, _configuration=None):
        self.add_file("INPUT", "Model or other file", "The file to describe.", FILE_FILTER)
        self.add(QgsProcessingParameterFileDestination("OUTPUT", "Description", "JSON (*.json)", optional=True),
                 "What the file holds, as JSON.")
        self.addOutput(QgsProcessingOutputString("TEXT", "Description for people"))

    def processAlgorithm(self, parameters, context, feedback):
        path = self.parameterAsFile(parameters, "INPUT", context)
        output = self.parameterAsFileOutput(parameters, "OUTPUT", context)
        told = tools.run("met2net-info", [path], feedback)
        if told is None:
            return {}
        feedback.pushConsoleInfo(told.output)
        if output:
            described = tools.run("met2net-info", ["--json", path], feedback)
            if described is None:
                return {}
            try:
                write_whole(output, described.output)
            except OSError as error:
                raise QgsProcessingException(f"{output}: {error.strerror}") from error
        return {"OUTPUT": output, "TEXT": told.output}
