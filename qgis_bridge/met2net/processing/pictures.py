"""The algorithm that draws the map of the project at every lead time."""
import os

from qgis.core import (QgsDateTimeRange, QgsMapRendererSequentialJob, QgsMapSettings, QgsProcessingAlgorithm,
                       QgsProcessingException, QgsProcessingOutputNumber, QgsProcessingParameterBoolean,
                       QgsProcessingParameterExtent, QgsProcessingParameterFolderDestination,
                       QgsProcessingParameterRasterLayer, QgsRectangle)
from qgis.PyQt.QtCore import QSize
from qgis.PyQt.QtGui import QPainter

from ..caption import caption_lines, draw
from ..forecast import utc
from ..layers import moment, times_of
from ..temporal import band_at, show_band, shown_band
from .algorithm import Met2NetAlgorithm


class Pictures(Met2NetAlgorithm):
    NAME, TITLE, GROUP = "pictures", "Pictures of all lead times", "Forecast"
    HELP = """Draws the visible layers of the project at every lead time of a forecast, one PNG file each.

For films and reports. Unlike the animation export of QGIS before 3.38 it moves the bands of all forecast layers."""

    def flags(self):
        """Layers of the project are drawn, so this runs where they live."""
        return super().flags() | QgsProcessingAlgorithm.FlagNoThreading | QgsProcessingAlgorithm.FlagRequiresProject

    def initAlgorithm(self, _configuration=None):
        self.add(QgsProcessingParameterRasterLayer("INPUT", "Forecast layer"), "Its lead times are drawn.")
        self.add(QgsProcessingParameterExtent("EXTENT", "Area", optional=True), "Empty: that of the layer.")
        self.add_number("WIDTH", "Width in pixels", "The height follows from the area.", 1280, 16, advanced=False)
        self.add(QgsProcessingParameterBoolean("CAPTION", "Write the time into the corner", True, optional=True),
                 "Valid time, initial time and lead time.")
        self.add(QgsProcessingParameterFolderDestination("OUTPUT", "Folder for the pictures"),
                 "Names are the valid times, so they sort.")
        self.addOutput(QgsProcessingOutputNumber("PICTURES", "Number of pictures"))

    def processAlgorithm(self, parameters, context, feedback):
        layer = self.parameterAsRasterLayer(parameters, "INPUT", context)
        found = times_of(layer) if layer is not None else None
        if found is None:
            raise QgsProcessingException("INPUT: not a forecast layer: it has no lead times")
        folder = self.parameterAsString(parameters, "OUTPUT", context)
        os.makedirs(folder, exist_ok=True)
        settings = self.settings(parameters, context, layer)
        init, times = found
        followers = [(other, times_of(other)[1]) for other in settings.layers() if hasattr(other, "renderer")
                     and times_of(other) and shown_band(other)]
        before = [(other, shown_band(other)) for other, _ in followers]
        ends = [valid for valid, _ in times[1:]] + [2 * times[-1][0] - times[-2][0] if len(times) > 1
                                                    else times[-1][0] + 3600]
        count = 0
        try:
            for (valid, _), end in zip(times, ends):
                if feedback.isCanceled():
                    break
                for other, its_times in followers:
                    show_band(other, band_at(its_times, valid))
                settings.setTemporalRange(QgsDateTimeRange(moment(valid), moment(end), True, False))
                lines = caption_lines(valid, init) if self.parameterAsBool(parameters, "CAPTION", context) else None
                self.picture(settings, lines, os.path.join(folder, utc(valid).strftime("%Y%m%dT%H%MZ.png")))
                count += 1
                feedback.setProgress(100 * count / len(times))
        finally:
            for other, band in before:
                show_band(other, band)
        return {"OUTPUT": folder, "PICTURES": count}

    def settings(self, parameters, context, layer):
        crs = context.project().crs() if context.project().crs().isValid() else layer.crs()
        area = self.parameterAsExtent(parameters, "EXTENT", context, crs)
        if area.isEmpty():
            area = self.parameterAsExtent({"EXTENT": layer}, "EXTENT", context, crs)
        width = self.parameterAsInt(parameters, "WIDTH", context)
        settings = QgsMapSettings()
        settings.setDestinationCrs(crs)
        settings.setTransformContext(context.transformContext())
        settings.setLayers(context.project().layerTreeRoot().checkedLayers() or [layer])
        settings.setExtent(QgsRectangle(area))
        settings.setOutputSize(QSize(width, max(1, round(width * area.height() / area.width()))))
        settings.setBackgroundColor(context.project().backgroundColor())
        settings.setIsTemporal(True)
        return settings

    @staticmethod
    def picture(settings, lines, path):
        job = QgsMapRendererSequentialJob(settings)
        job.start()
        job.waitForFinished()
        image = job.renderedImage()
        if lines:
            painter = QPainter(image)
            draw(painter, lines)
            painter.end()
        if not image.save(path):
            raise QgsProcessingException(f"{path}: cannot be written")
