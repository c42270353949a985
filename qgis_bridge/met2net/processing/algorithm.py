"""What all algorithms share: names, groups, help, the parameters that several have, and loading of results."""
import os

from qgis.core import (QgsProcessingAlgorithm, QgsProcessingContext, QgsProcessingLayerPostProcessorInterface,
                       QgsProcessingParameterCrs, QgsProcessingParameterDefinition, QgsProcessingParameterEnum,
                       QgsProcessingParameterFile, QgsProcessingParameterNumber, QgsProcessingParameterString,
                       QgsRasterLayer)
from qgis.PyQt.QtGui import QIcon

from ..forecast import describe_dataset, open_dataset, value_range
from ..layers import dress

ICON = os.path.join(os.path.dirname(os.path.dirname(__file__)), "icon.svg")
RESAMPLING = ("bilinear", "nearest", "conservative")
PRECISIONS = ("float32", "bf16", "int8")
MODEL_FILTER = "Models (*.safetensors);;All files (*)"
INPUT_FILTER = "Forecasts, GRIB and NetCDF (*.json *.grib *.grib2 *.grb *.grb2 *.nc *.nc4);;All files (*)"


class Met2NetAlgorithm(QgsProcessingAlgorithm):
    """Subclasses set NAME, TITLE, GROUP, HELP and define initAlgorithm and processAlgorithm."""
    NAME = TITLE = GROUP = HELP = ""

    def createInstance(self):
        return type(self)()

    def name(self):
        return self.NAME

    def displayName(self):
        return self.TITLE

    def group(self):
        return self.GROUP

    def groupId(self):
        return self.GROUP.lower()

    def shortHelpString(self):
        return self.HELP

    def shortDescription(self):
        return self.HELP.split("\n")[0]

    def icon(self):
        return QIcon(ICON)

    # ---- parameters

    def add(self, parameter, text, advanced=False):
        """Adds a parameter with its help."""
        parameter.setHelp(text)
        if advanced:
            parameter.setFlags(parameter.flags() | QgsProcessingParameterDefinition.FlagAdvanced)
        self.addParameter(parameter)

    def add_model(self, optional=True):
        self.add(QgsProcessingParameterFile("MODEL", "Model", fileFilter=MODEL_FILTER, optional=optional),
                 "Model file (safetensors)." + (" Not needed with a forecast file." if optional else ""))

    def add_file(self, name, title, text, file_filter="All files (*)", optional=False):
        self.add(QgsProcessingParameterFile(name, title, fileFilter=file_filter, optional=optional), text)

    def add_text(self, name, title, text, default=None, advanced=False):
        self.add(QgsProcessingParameterString(name, title, default, optional=True), text, advanced)

    def add_number(self, name, title, text, default=None, low=None, real=False, advanced=True):
        kind = QgsProcessingParameterNumber.Double if real else QgsProcessingParameterNumber.Integer
        number = QgsProcessingParameterNumber(name, title, kind, default, optional=True)
        if low is not None:
            number.setMinimum(low)
        self.add(number, text, advanced)

    def add_times(self):
        self.add_text("INIT_TIME", "Initial time",
                      "UTC time of the last input field: latest, or 2024-01-28T00:00:00Z.")
        self.add_text("LEAD_TIME", "Lead time", "How far: 90m, 24h, 5d. Empty: the model's own window. "
                      "Beyond that the forecast feeds itself.")

    def add_member(self, text="its number"):
        self.add_text("MEMBER", "Ensemble member", f"Of an ensemble: {text}. Empty: the lowest.", advanced=True)

    def add_variables(self):
        self.add_text("VARIABLES", "Variables", "Names with commas between, as t2m,u10. Empty: all.")

    def add_grid(self):
        self.add(QgsProcessingParameterCrs("CRS", "Map projection of the result", optional=True),
                 "Empty: the model's grid.", advanced=True)
        self.add(QgsProcessingParameterEnum("RESAMPLING", "Resampling", RESAMPLING, defaultValue=0, optional=True),
                 "How values get onto the model's grid and onto that of the result.", advanced=True)

    def add_precision(self, text="Empty: what the forecast file says, else float32."):
        self.add(QgsProcessingParameterEnum("PRECISION", "Precision", PRECISIONS, optional=True,
                                            usesStaticStrings=True),
                 "Of the large matrix products. int8 about halves the time on processors with VNNI and costs a little "
                 f"skill; bf16 halves the memory of the weights. {text}", advanced=True)

    # ---- values

    def text(self, parameters, name, context):
        return self.parameterAsString(parameters, name, context).strip()

    def crs_text(self, parameters, context):
        crs = self.parameterAsCrs(parameters, "CRS", context)
        return (crs.authid() or crs.toWkt()) if crs.isValid() else ""

    def resampling(self, parameters, context):
        return RESAMPLING[self.parameterAsEnum(parameters, "RESAMPLING", context)]

    def common_options(self, parameters, context):
        """Command-line options of met2net-forecast for the parameters above that were given."""
        options = []
        for flag, value in (("--model", self.parameterAsFile(parameters, "MODEL", context)),
                            ("--init-time", self.text(parameters, "INIT_TIME", context)),
                            ("--lead-time", self.text(parameters, "LEAD_TIME", context)),
                            ("--member", self.text(parameters, "MEMBER", context)),
                            ("--variables", self.text(parameters, "VARIABLES", context).replace(" ", "")),
                            ("--crs", self.crs_text(parameters, context)),
                            ("--precision", self.parameterAsEnumString(parameters, "PRECISION", context))):
            if value:
                options.append(f"{flag}={value}")
        return [*options, f"--resampling={self.resampling(parameters, context)}"]


class Dresser(QgsProcessingLayerPostProcessorInterface):
    """Styles and times a raster layer as it is added to the project; also its name."""
    kept = []  # QGIS does not own post-processors made in Python

    def __init__(self, forecast, variable, found):
        super().__init__()
        self.forecast, self.variable, self.found = forecast, variable, found
        Dresser.kept.append(self)

    def postProcessLayer(self, layer, _context, _feedback):
        if isinstance(layer, QgsRasterLayer) and layer.isValid():
            dress(layer, self.forecast, self.variable, self.found, self.variable.bands)
            layer.setName(self.variable.title)
            layer.triggerRepaint()


def load_variables(path, context):
    """Has every variable of the raster file `path` loaded as its own styled layer when the algorithm ends.

    They take the place of the file's own entry, if it has one: QGIS would take it for one of them.
    """
    waiting = context.layersToLoadOnCompletion()
    waiting.pop(path, None)
    context.setLayersToLoadOnCompletion(waiting)
    dataset = open_dataset(path)
    forecast = describe_dataset(dataset, path)
    for variable in sorted(forecast.variables, key=lambda v: v.element != "TMP"):
        layer = QgsRasterLayer(path, variable.title, "gdal", QgsRasterLayer.LayerOptions(False))
        context.temporaryLayerStore().addMapLayer(layer)
        details = QgsProcessingContext.LayerDetails(variable.title, context.project(), variable.title)
        details.setPostProcessor(Dresser(forecast, variable, value_range(dataset, variable)))
        context.addLayerToLoadOnCompletion(layer.id(), details)
