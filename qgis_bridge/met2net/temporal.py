"""The time slider: which lead time a layer shows."""
from qgis.core import QgsRasterLayer
from qgis.PyQt.QtCore import QObject

from .layers import fit_to_frames, follows_by_itself, times_of


def band_at(times, seconds):
    """Band of the last field valid at or before `seconds`, of the first one before that.

    The same rule as a mesh layer's, so that arrows and colours show the same hour.
    """
    chosen = times[0]
    for entry in times:
        if entry[0] <= seconds:
            chosen = entry
    return chosen[1]


def shown_band(layer):
    """Band that the layer's renderer draws, or None."""
    renderer = layer.renderer() if isinstance(layer, QgsRasterLayer) else None
    bands = renderer.usesBands() if renderer is not None else []
    return bands[0] if bands else None


def show_band(layer, band):
    """True when the picture changes. The user may have chosen another single-band renderer."""
    renderer = layer.renderer()
    if renderer is None or shown_band(layer) == band:
        return False
    for setter in ("setInputBand", "setBand", "setGrayBand"):
        if hasattr(renderer, setter):
            getattr(renderer, setter)(band)
            return True
    return False


def valid_time(layer, when):
    """(valid, init) in Unix seconds of what the layer shows in the range `when`, or None."""
    found = times_of(layer)
    if found is None:
        return None
    init, times = found
    if when is not None and not when.isInfinite():
        band = band_at(times, when.begin().toSecsSinceEpoch())
    else:
        band = shown_band(layer)
    valid = {number: seconds for seconds, number in times}.get(band)
    return None if valid is None else (valid, init)


class LeadTimeFollower(QObject):
    """Moves the band of each layer with the canvas, and the legend, which names the band.

    Only the band of the renderer changes; colours and range stay, and nothing is computed. QGIS 3.38 and later draw by
    ranges of time, which are fitted to the frames; there the band moves for the legend alone.
    """

    def __init__(self, project, canvas, parent=None):
        super().__init__(parent)
        self.project, self.canvas = project, canvas
        canvas.temporalRangeChanged.connect(self.follow)
        project.layersAdded.connect(self.follow)

    def stop(self):
        self.canvas.temporalRangeChanged.disconnect(self.follow)
        self.project.layersAdded.disconnect(self.follow)

    def follow(self, *_):
        when = self.canvas.temporalRange()
        if when.isInfinite():
            return
        seconds = when.begin().toSecsSinceEpoch()
        for layer in self.project.mapLayers().values():
            found = times_of(layer) if isinstance(layer, QgsRasterLayer) else None
            if found and follows_by_itself(layer):
                fit_to_frames(layer, found[1], when)
            if found and show_band(layer, band_at(found[1], seconds)):
                if not follows_by_itself(layer):
                    layer.triggerRepaint()
                layer.legendChanged.emit()  # the legend names the band, and with it the valid time
