"""Colours, range and legend of each kind of variable. One table, keyed by GRIB_ELEMENT."""
import math
from dataclasses import dataclass

from qgis.core import (QgsBasicNumericFormat, QgsColorRampLegendNodeSettings, QgsColorRampShader,
                       QgsGradientColorRamp, QgsGradientStop, QgsRasterShader, QgsSingleBandPseudoColorRenderer)
from qgis.PyQt.QtCore import Qt
from qgis.PyQt.QtGui import QColor

FREEZING = 273.15


@dataclass(frozen=True)
class Style:
    """How values of one kind look.

    step    the range found in the data is widened to multiples of this
    middle  diverging colours: the value in the middle, or None for the middle of the range
    fixed   the range, whatever the data
    """
    colours: tuple
    step: float = 0.0
    middle: float = None
    fixed: tuple = None


# Diverging ramps after ColorBrewer (RdYlBu, PuOr, BrBG); the others are sequential, light to dark.
TEMPERATURE = ("#313695", "#4575b4", "#74add1", "#abd9e9", "#e0f3f8", "#ffffbf", "#fee090", "#fdae61",
               "#f46d43", "#d73027", "#a50026")
COMPONENT = ("#7f3b08", "#b35806", "#e08214", "#fdb863", "#fee0b6", "#f7f7f7", "#d8daeb", "#b2abd2",
             "#8073ac", "#542788", "#2d004b")
HUMIDITY = ("#543005", "#8c510a", "#bf812d", "#dfc27d", "#f6e8c3", "#f5f5f5", "#c7eae5", "#80cdc1",
            "#35978f", "#01665e", "#003c30")
PRESSURE = tuple(reversed(COMPONENT))
SPEED = ("#f7fbff", "#c6e7e0", "#7fcdbb", "#41b6c4", "#1d91c0", "#225ea8", "#253494", "#54278f", "#7a0177")
CLOUD = ("#2b7bba", "#6ba3d0", "#a6c4dc", "#cfd8de", "#e9ecee", "#ffffff")
RAIN = ("#ffffff", "#d0e7f5", "#9ecae1", "#4292c6", "#2171b5", "#08519c", "#54278f")
PLAIN = ("#440154", "#46327e", "#365c8d", "#277f8e", "#1fa187", "#4ac16d", "#a0da39", "#fde725")

PERCENT = {"%": (0.0, 100.0), "": (0.0, 1.0)}

STYLES = {
    "TMP": Style(TEMPERATURE, step=2.0, middle=FREEZING),
    "DPT": Style(TEMPERATURE, step=2.0, middle=FREEZING),
    "UGRD": Style(COMPONENT, step=2.0, middle=0.0),
    "VGRD": Style(COMPONENT, step=2.0, middle=0.0),
    "WIND": Style(SPEED, step=2.0),
    "PRMSL": Style(PRESSURE, step=500.0),
    "MSLET": Style(PRESSURE, step=500.0),
    "PRES": Style(PRESSURE, step=500.0),
    "HGT": Style(TEMPERATURE, step=50.0),
    "GP": Style(TEMPERATURE, step=500.0),
    "RH": Style(HUMIDITY, step=5.0),
    "SPFH": Style(HUMIDITY, step=0.001),
    "TCDC": Style(CLOUD, step=5.0),
    "APCP": Style(RAIN, step=1.0),
    "PRATE": Style(RAIN),
}


def style_of(element, unit):
    """Style of a variable; cloud and humidity have the whole range of their unit."""
    style = STYLES.get(element, Style(PLAIN))
    if unit in ("C", "°C") and style.middle == FREEZING:  # GDAL's GRIB driver converts
        return Style(style.colours, style.step, 0.0)
    if element in ("TCDC", "RH") and unit in PERCENT:
        return Style(style.colours, fixed=PERCENT[unit])
    return style


def display_range(style, found):
    """(low, high) to colour, from the (low, high) found in the data or None."""
    if style.fixed:
        return style.fixed
    low, high = found or (0.0, 1.0)
    if style.step:
        low, high = math.floor(low / style.step) * style.step, math.ceil(high / style.step) * style.step
    elif low < high:
        style = Style(style.colours, step=10.0 ** (math.floor(math.log10(high - low)) - 1), middle=style.middle)
        return display_range(style, found)
    if style.middle is not None and low < style.middle < high and balanced(low, style.middle, high):
        reach = math.ceil(max(style.middle - low, high - style.middle) / style.step) * style.step
        low, high = style.middle - reach, style.middle + reach
    return (low, high) if high > low else (low, low + (style.step or 1.0))


def balanced(low, middle, high):
    """True when neither side of the middle is so small that a symmetric range would waste the colours."""
    return min(middle - low, high - middle) >= 0.2 * (high - low)


def colour_ramp(colours):
    last = len(colours) - 1
    stops = [QgsGradientStop(i / last, QColor(colours[i])) for i in range(1, last)]
    return QgsGradientColorRamp(QColor(colours[0]), QColor(colours[-1]), False, stops)


def ramp_shader(colours, low, high, unit):
    """Continuous shader with one item per colour and a legend bar in `unit`."""
    shader = QgsColorRampShader(low, high, colour_ramp(colours), QgsColorRampShader.Interpolated)
    last = len(colours) - 1
    values = [low + (high - low) * i / last for i in range(last + 1)]
    shader.setColorRampItemList([QgsColorRampShader.ColorRampItem(v, QColor(c), value_text(v, unit))
                                 for v, c in zip(values, colours)])
    shader.setLegendSettings(legend_settings(low, high, unit))
    return shader


def legend_settings(low, high, unit):
    settings = QgsColorRampLegendNodeSettings()
    settings.setOrientation(Qt.Vertical)
    settings.setMinimumLabel(value_text(low, unit))
    settings.setMaximumLabel(value_text(high, unit))
    number = QgsBasicNumericFormat()
    number.setNumberDecimalPlaces(6)
    number.setShowTrailingZeros(False)
    settings.setNumericFormat(number)
    return settings


def value_text(value, unit):
    """"290 K (17 °C)", "12 m/s", "0.5"."""
    if unit == "K":
        return f"{value:.0f} K ({value - FREEZING:.0f} °C)"
    return f"{value:.6g} {unit}".rstrip()


def renderer(provider, band, element, unit, found):
    """Single-band pseudocolour renderer of `provider` (transfer full)."""
    style = style_of(element, unit)
    low, high = display_range(style, found)
    raster_shader = QgsRasterShader(low, high)
    raster_shader.setRasterShaderFunction(ramp_shader(style.colours, low, high, unit))
    result = QgsSingleBandPseudoColorRenderer(provider, band, raster_shader)
    result.setClassificationMin(low)
    result.setClassificationMax(high)
    return result
