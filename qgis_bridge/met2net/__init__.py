"""Met2Net forecasts in QGIS: the driver computes, this shows."""


def classFactory(iface):
    """Called by QGIS when the plugin is switched on; iface is None in qgis_process."""
    from .plugin import Met2NetPlugin
    return Met2NetPlugin(iface)


def serverClassFactory(server_interface):
    """Called by QGIS Server."""
    from . import server
    return server.start(server_interface)
