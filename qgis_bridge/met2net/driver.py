"""The GDAL driver as the plugin meets it: what it says when a call fails, and why it is missing."""
import contextlib
import ctypes
import glob
import os

from osgeo import gdal

DRIVER = "MET2NET"
LIBRARY = "gdal_MET2NET.so"
INSTALL = "build met2net with this GDAL's headers (libgdal-dev) and run: meson install -C build"


class DriverError(Exception):
    """str() is one line, in the driver's own words where the driver spoke."""


@contextlib.contextmanager
def listening():
    """List that fills with the error messages of GDAL calls inside; nothing is printed."""
    said = []

    def hear(severity, _number, text):
        if severity >= gdal.CE_Failure:
            said.append(text)

    gdal.PushErrorHandler(hear)
    if hasattr(gdal, "SetCurrentErrorHandlerCatchDebug"):
        gdal.SetCurrentErrorHandlerCatchDebug(False)  # what CPL_DEBUG asks for goes where it always goes
    try:
        yield said
    finally:
        gdal.PopErrorHandler()


def call(function, *args, **kwargs):
    """function(*args, **kwargs) of GDAL; DriverError when it gives None or a failure code.

    Works whether or not some other plugin switched gdal.UseExceptions() on.
    """
    with listening() as said:
        try:
            result = function(*args, **kwargs)
        except RuntimeError as error:
            raise DriverError(said[-1] if said else str(error)) from error
    if result is None or (isinstance(result, int) and result >= gdal.CE_Failure):
        raise DriverError(said[-1] if said else "GDAL gave no reason")
    return result


def search_folders():
    """Where this GDAL looks for drivers: GDAL_DRIVER_PATH, or gdalplugins beside the loaded library."""
    configured = gdal.GetConfigOption("GDAL_DRIVER_PATH")
    if configured:
        return configured.split(os.pathsep)
    folders = []
    for library in loaded_gdal():
        base = os.path.join(os.path.dirname(library), "gdalplugins")
        versioned = os.path.join(base, ".".join(gdal.__version__.split(".")[:2]))
        folders.append(versioned if os.path.isdir(versioned) else base)
    return folders


def loaded_gdal():
    """Files of libgdal in this process; empty where the system does not tell."""
    try:
        with open("/proc/self/maps", encoding="utf-8", errors="replace") as maps:
            names = {line.split(None, 5)[5].strip() for line in maps if "/libgdal.so" in line}
    except OSError:
        return []
    return sorted(names)


def installed_elsewhere(searched):
    """Copies of the driver that GDAL does not look at."""
    patterns = ("/usr/lib/*/gdalplugins", "/usr/lib/gdalplugins", "/usr/lib64/gdalplugins",
                "/usr/local/lib/gdalplugins", "/usr/local/lib/*/gdalplugins")
    found = [f for p in patterns for f in glob.glob(os.path.join(p, LIBRARY))]
    return [f for f in found if os.path.dirname(f) not in searched]


def load_failure(path):
    """Why the library at `path` does not become a driver of this GDAL, or None when it would."""
    try:
        ctypes.CDLL(path)
    except OSError as error:
        return str(error)
    with listening() as said:
        gdal.AllRegister()
    if gdal.GetDriverByName(DRIVER):
        return None
    return said[-1] if said else "it registers no driver"


def problem():
    """None when the driver is at hand; else one line: what is wrong and how to mend it."""
    if gdal.GetDriverByName(DRIVER) is not None:
        return None
    here = f"GDAL {gdal.__version__.split('-')[0]}"
    if DRIVER in (gdal.GetConfigOption("GDAL_SKIP") or ""):
        return f"The {DRIVER} driver is switched off: remove it from GDAL_SKIP (Settings > Options > GDAL)."
    folders = search_folders()
    for folder in folders:
        path = os.path.join(folder, LIBRARY)
        if os.path.exists(path):
            reason = load_failure(path)
            if reason is None:
                return None
            return (f"{path} does not load into {here}, which this QGIS uses ({reason}). "
                    f"It was built for another GDAL: {INSTALL}")
    elsewhere = installed_elsewhere(folders)
    if elsewhere:
        return (f"{elsewhere[0]} is not where {here} looks ({', '.join(folders)}): copy it there, "
                f"or set GDAL_DRIVER_PATH={os.path.dirname(elsewhere[0])} and start QGIS again.")
    return (f"The GDAL driver of met2net is not installed for {here} "
            f"({LIBRARY} in {', '.join(folders) or 'no folder'}): {INSTALL}")
