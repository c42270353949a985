"""The long part, off the main thread: has the driver compute, and writes what needs a file."""
import os

from qgis.core import QgsTask

from . import driver, wind
from .forecast import compute, describe_dataset, value_range

COMPUTING, RANGES = 0.9, 0.95  # how far the progress bar is after each part


class ComputeTask(QgsTask):
    """Computes one forecast; afterwards every layer on it reads from the driver's cache.

    done(task) is called on the main thread at the end. Then either `error` is a line in the driver's words, or
    isCanceled(), or `forecast`, `ranges` ({name: (low, high)}) and `winds` ([(level, file)]) are there; `warning` says
    why arrows are missing (a folder that cannot be written, a projection that GRIB does not know).
    """

    def __init__(self, path, done, with_wind=False):
        super().__init__(f"Forecast {os.path.basename(path)}", QgsTask.CanCancel)
        self.path, self.done, self.with_wind = path, done, with_wind
        self.error = self.warning = self.forecast = None
        self.ranges, self.winds = {}, []

    def run(self):
        try:
            dataset = compute(self.path, progress=lambda part: self.reached(COMPUTING * part))
            forecast = describe_dataset(dataset, self.path)
            for variable in forecast.variables:
                self.ranges[variable.name] = value_range(dataset, variable)
            self.reached(RANGES)
            if self.with_wind:
                self.write_winds(dataset, forecast)
            self.forecast = forecast
        except driver.DriverError as error:
            self.error = str(error)
        return self.error is None and not self.isCanceled()

    def write_winds(self, dataset, forecast):
        for pair in wind.pairs(forecast):
            path = wind.file_name(forecast, pair[0].level)
            try:
                wind.write(wind.writable(dataset, self.path), pair, path,
                           lambda part: self.reached(RANGES + (1 - RANGES) * part))
                self.winds.append((pair[0].level, path))
            except driver.DriverError as error:
                self.warning = f"no wind arrows: {error}"

    def reached(self, part):
        """Shows progress; False when the user wants to stop."""
        self.setProgress(100 * part)
        return not self.isCanceled()

    def finished(self, _ok):
        self.done(self)
