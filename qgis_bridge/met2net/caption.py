"""Valid time, initial time and lead time, drawn into the corner of the map."""
from qgis.PyQt.QtCore import QObject, QRectF, Qt
from qgis.PyQt.QtGui import QColor, QFont, QFontMetricsF, QPainter

from .forecast import lead_text, utc
from .temporal import valid_time

PAPER, EDGE, INK, FAINT = QColor(255, 255, 255, 225), QColor(0, 0, 0, 60), QColor("#1b1b1b"), QColor("#555555")
MILLIMETRE = 1 / 25.4


def caption_lines(valid, init):
    """("Sun 28 Jan 2024  03:00 UTC", "+3 h from 2024-01-28 00:00 UTC")."""
    return (utc(valid).strftime("%a %-d %b %Y  %H:%M UTC"),
            f"{lead_text(valid - init)} from {utc(init).strftime('%Y-%m-%d %H:%M UTC')}")


def draw(painter, lines):
    """Two lines in a box at the top left of the painter's device, sized in millimetres."""
    device = painter.device()
    dots = device.logicalDpiX()
    scale = dots * MILLIMETRE / device.devicePixelRatioF()
    bold, plain = QFont("DejaVu Sans"), QFont("DejaVu Sans")
    bold.setPixelSize(max(8, round(4.2 * scale)))
    bold.setBold(True)
    plain.setPixelSize(max(7, round(3.2 * scale)))
    widths = [QFontMetricsF(f).horizontalAdvance(t) for f, t in zip((bold, plain), lines)]
    pad, gap = 2.2 * scale, 3 * scale
    heights = [QFontMetricsF(bold).height(), QFontMetricsF(plain).height()]
    box = QRectF(gap, gap, max(widths) + 2 * pad, sum(heights) + 2 * pad * 0.8)
    painter.save()
    painter.setRenderHint(QPainter.Antialiasing)
    painter.setPen(EDGE)
    painter.setBrush(PAPER)
    painter.drawRoundedRect(box, 1.2 * scale, 1.2 * scale)
    top = box.top() + pad * 0.8
    for font, ink, height, text in zip((bold, plain), (INK, FAINT), heights, lines):
        painter.setFont(font)
        painter.setPen(ink)
        painter.drawText(QRectF(box.left() + pad, top, box.width(), height), Qt.AlignLeft | Qt.AlignVCenter, text)
        top += height
    painter.restore()


class Caption(QObject):
    """Draws after each rendering of the canvas, from the topmost visible layer that has times."""

    def __init__(self, canvas, parent=None):
        super().__init__(parent)
        self.canvas = canvas
        canvas.renderComplete.connect(self.paint)

    def stop(self):
        self.canvas.renderComplete.disconnect(self.paint)
        self.canvas.refresh()

    def lines(self):
        for layer in self.canvas.layers():
            times = valid_time(layer, self.canvas.temporalRange())
            if times is not None:
                return caption_lines(*times)
        return None

    def paint(self, painter):
        lines = self.lines()
        if lines:
            draw(painter, lines)
