"""Algorithms that train a model and judge it."""
import shlex

from qgis.core import (QgsProcessing, QgsProcessingException, QgsProcessingParameterBoolean,
                       QgsProcessingParameterEnum, QgsProcessingParameterFile,
                       QgsProcessingParameterFileDestination, QgsProcessingParameterMultipleLayers,
                       QgsProcessingContext)

from . import tools
from .algorithm import MODEL_FILTER, Met2NetAlgorithm

PRESETS = ("none", "weatherbench", "weatherbench4", "weatherbench-hires", "era5", "gulf")
TARGETS = ("field", "change")


class DataAlgorithm(Met2NetAlgorithm):
    """Takes archives: files, or a folder, or both."""

    def add_data(self, text):
        self.add(QgsProcessingParameterMultipleLayers("INPUT", "Data files", QgsProcessing.TypeFile, optional=True),
                 text)
        self.add(QgsProcessingParameterFile("FOLDER", "Data folder", optional=True,
                                            behavior=QgsProcessingParameterFile.Folder),
                 "Instead of files, or beside them: a folder, as WeatherBench comes.")

    def data(self, parameters, context):
        files = list(self.parameterAsFileList(parameters, "INPUT", context))
        folder = self.parameterAsFile(parameters, "FOLDER", context)
        names = [f for f in [*files, folder] if f]
        if not names:
            raise QgsProcessingException("No data: give files or a folder")
        return names

    def options(self, parameters, context, flags):
        """--flag=value for each {parameter: flag} that was given."""
        given = [(flag, self.text(parameters, name, context)) for name, flag in flags.items()]
        return [f"--{flag}={value}" for flag, value in given if value]


class Train(DataAlgorithm):
    NAME, TITLE, GROUP = "train", "Train a model", "Model"
    HELP = """Trains a model on an archive of weather fields.

Takes GRIB, NetCDF or Zarr archives, or a data set of met2net-prepare. Beside the model come its last state, a \
checkpoint to go on from, a log and a picture of the losses. Training takes minutes for a small region and hours or \
days for the published sizes; a cancelled run goes on with "Go on from the checkpoint"."""

    NUMBERS = (("EPOCHS", "Passes over the data", "epochs", None, 1, False),
               ("BATCH", "Windows per step", "batch", None, 1, False),
               ("LEARNING_RATE", "Peak learning rate", "learning-rate", None, 0, True),
               ("SEED", "Random seed", "seed", None, 0, False),
               ("AVERAGE_WEIGHTS", "Moving average of the weights: decay per step, 0.99", "average-weights", None, 0,
                True),
               ("PATIENCE", "Epochs without a better validation before it stops", "patience", None, 0, False))
    TEXTS = (("VARIABLES", "Variables", "variables", "As u10,v10,t2m. Empty: those of the preset or the data."),
             ("TRAIN", "Training span", "train", "As 2010/2015. Empty: all but the last fifth."),
             ("VALIDATION", "Validation span", "validation", "Empty: the last but one tenth."),
             ("TEST", "Test span", "test", "Empty: the last tenth."),
             ("REGION", "Region", "region", "Outer edges west,south,east,north. Empty: all of the data."),
             ("SIZE", "Grid", "size", "Columns x rows, as 64x32. Empty: that of the data."),
             ("MAX_MEMORY", "Memory to stay within", "max-memory", "As 6G. Empty: three quarters of the machine's."))

    def initAlgorithm(self, _configuration=None):
        self.add_data("GRIB, NetCDF or Zarr archives, or one prepared data set (safetensors).")
        self.add(QgsProcessingParameterEnum("PRESET", "Published settings", PRESETS, defaultValue=0),
                 "Settings to start from; what is given below wins.")
        for name, title, flag, default, low, real in self.NUMBERS:
            self.add_number(name, title, f"Empty: as published (met2net-train --{flag}).", default, low, real,
                            advanced=name != "EPOCHS")
        self.add(QgsProcessingParameterEnum("TARGET", "What to predict", TARGETS, optional=True),
                 "The field, as published, or its change from the last input field: better where data are few.",
                 advanced=True)
        for name, title, _flag, text in self.TEXTS:
            self.add_text(name, title, text, advanced=name != "VARIABLES")
        self.add_text("EXTRA", "More options", "Options of met2net-train as on a command line, as --hid-S=16.",
                      advanced=True)
        self.add(QgsProcessingParameterBoolean("RESUME", "Go on from the checkpoint", False, optional=True),
                 "Continues the run that was stopped, with the same settings.")
        self.add(QgsProcessingParameterFileDestination("OUTPUT", "Model", "Models (*.safetensors)"),
                 "The model file to write.")

    def processAlgorithm(self, parameters, context, feedback):
        output = self.parameterAsFileOutput(parameters, "OUTPUT", context)
        flags = {name: flag for name, _title, flag, _text in self.TEXTS}
        flags.update({number[0]: number[2] for number in self.NUMBERS})
        options = [f"--output={output}", *self.options(parameters, context, flags)]
        preset = PRESETS[self.parameterAsEnum(parameters, "PRESET", context)]
        if preset != "none":
            options.append(f"--preset={preset}")
        if parameters.get("TARGET") is not None:
            options.append(f"--target={TARGETS[self.parameterAsEnum(parameters, 'TARGET', context)]}")
        resume = self.parameterAsBool(parameters, "RESUME", context)
        options.append("--resume" if resume else "--overwrite")
        options += shlex.split(self.text(parameters, "EXTRA", context))
        tools.run("met2net-train", [*options, *self.data(parameters, context)], feedback)
        return {"OUTPUT": output}


class Verify(DataAlgorithm):
    NAME, TITLE, GROUP = "verify", "Verify a model", "Model"
    HELP = """Scores of a model over a span of data: RMSE, MAE, bias and anomaly correlation.

By variable and lead time, weighted by area, beside persistence, the same hour yesterday and climatology. Forecast \
files already written can be judged instead of a model. The log shows the table."""

    FLAGS = {"SPAN": "span", "EVERY": "every", "LEAD_TIME": "lead-time", "VARIABLES": "variables",
             "CLIMATOLOGY": "climatology"}

    def initAlgorithm(self, _configuration=None):
        self.add_data("What happened: GRIB, NetCDF or Zarr with the analyses.")
        self.add_file("MODEL", "Model", "Model to run over the data.", MODEL_FILTER, optional=True)
        self.add(QgsProcessingParameterMultipleLayers("FORECASTS", "Forecast files", QgsProcessing.TypeFile,
                                                      optional=True), "Files to judge instead of a model.")
        self.add_text("SPAN", "Span", "FIRST/LAST: only forecasts whose input and truth lie in it.")
        self.add_text("EVERY", "Time between forecasts", "As 6h. Empty: the model's time step.")
        self.add_text("LEAD_TIME", "Lead time", "As 24h, 5d. Empty: the model's own window.")
        self.add_variables()
        self.add_text("CLIMATOLOGY", "Climatology", "FIRST/LAST: span of the data to make it from.", advanced=True)
        self.add_precision("Empty: float32.")
        self.add(QgsProcessingParameterBoolean("LOAD", "Add the table to the project", False, optional=True),
                 "The scores as an attribute table.")
        for name, title, kind, optional in (("OUTPUT", "Scores (CSV)", "CSV (*.csv)", False),
                                            ("JSON", "Scores (JSON)", "JSON (*.json)", True),
                                            ("CHART", "Chart of RMSE by lead time", "SVG (*.svg)", True)):
            self.add(QgsProcessingParameterFileDestination(name, title, kind, optional=optional,
                                                           createByDefault=not optional), f"{title}.")

    def processAlgorithm(self, parameters, context, feedback):
        options, results = self.options(parameters, context, self.FLAGS), {}
        model = self.parameterAsFile(parameters, "MODEL", context)
        if model:
            options.append(f"--model={model}")
        precision = self.parameterAsEnumString(parameters, "PRECISION", context)
        if precision:
            options.append(f"--precision={precision}")
        options += [f"--forecast={f}" for f in self.parameterAsFileList(parameters, "FORECASTS", context) if f]
        for name, flag in (("OUTPUT", "csv"), ("JSON", "json"), ("CHART", "chart")):
            path = self.parameterAsFileOutput(parameters, name, context)
            if path:
                options.append(f"--{flag}={path}")
                results[name] = path
        outcome = tools.run("met2net-verify", [*options, *self.data(parameters, context)], feedback)
        if outcome is not None:
            feedback.pushConsoleInfo(outcome.output)
            if context.project() is not None and self.parameterAsBool(parameters, "LOAD", context):
                details = QgsProcessingContext.LayerDetails("Scores", context.project(), "Scores")
                context.addLayerToLoadOnCompletion(results["OUTPUT"], details)
        return results
