"""What run_faults.py does to programs: each scenario is a folder of files and one command in it."""
import dataclasses
import json
import os
import pathlib
import subprocess
import typing

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("M2N_BUILD", ROOT / "build"))
HOST, CLI = BUILD / "tests/fault/fault_scenario", BUILD / "plugin/cli"
TRAIN = [CLI / "met2net-train", "data.safetensors", "-o", "new.safetensors", "-q", "--threads", "1", "--epochs", "2",
         "--batch", "8", "--steps", "2", "--hid-S", "4", "--hid-T", "8", "--N-T", "1"]


@dataclasses.dataclass
class Scenario:
    name: str
    files: dict  # in data/: name -> bytes
    command: list
    outputs: list = dataclasses.field(default_factory=list)  # whole or absent; none: what is printed is the result
    changing: tuple = ()  # of the outputs: a whole file of an earlier state may be there
    beside: tuple = ()  # other files that belong there
    before: tuple = ()  # commands that prepare the folder
    env: dict = dataclasses.field(default_factory=dict)
    again: typing.Callable = None  # folder -> the command that has to succeed afterwards

    def __post_init__(self):
        self.again = self.again or (lambda folder: self.command)


def go_on_training(folder):
    return [*TRAIN, "--resume"] if (folder / "data/new.checkpoint.safetensors").exists() else [*TRAIN, "--overwrite"]


def make_data(top):
    """Two days of a small weather, prepared for training: made once."""
    weather = [BUILD / "samples/weather/weather", "-q", "--hours", "48", "--grid", "16x8", "--spin-up", "2",
               "--truncation", "10", "-o", top / "weather.grib2"]
    prepare = [CLI / "met2net-prepare", "-q", "-v", "t2m,u10", top / "weather.grib2", "-o", top / "data.safetensors"]
    for command in (weather, prepare):
        subprocess.run([str(x) for x in command], check=True, capture_output=True, env=dict(os.environ, HOME=str(top)))
    return (top / "weather.grib2").read_bytes(), (top / "data.safetensors").read_bytes()


def all_scenarios(top):
    sample = {n: (ROOT / "samples" / n).read_bytes() for n in ("model.safetensors", "analysis.grib2")}
    forecast = {"met2net": 1, "model": "model.safetensors", "input": ["analysis.grib2"], "lead_time": "1h"}
    files = {**sample, "forecast.json": json.dumps(forecast).encode(),
             "longer.json": json.dumps({**forecast, "lead_time": "2h"}).encode()}
    weather, data = make_data(top)
    read = [HOST, "MET2NET:forecast.json"]

    yield Scenario("driver", files, [*read, "forecast.json"])
    yield Scenario("cached", files, read, before=(read,))
    # room for one result on disk: the other one has to go
    yield Scenario("evicting", files, read, before=([HOST, "longer.json"],), env={"MET2NET_CACHE_SIZE": "150KB"})
    yield Scenario("warped", files, [CLI / "met2net-forecast", "-q", "-m", "model.safetensors", "-l", "1h", "-t", "EPSG:3857",
                                     "-o", "out.tif", "analysis.grib2"], ["out.tif"])
    yield Scenario("forecast", files, [CLI / "met2net-forecast", "-q", "-m", "model.safetensors", "-l", "1h", "-o", "out.grib2",
                                       "analysis.grib2"], ["out.grib2"])
    yield Scenario("prepare", {"weather.grib2": weather}, [CLI / "met2net-prepare", "-q", "-v", "t2m,u10", "--size", "8x4",
                                                           "weather.grib2", "-o", "out.safetensors"], ["out.safetensors"])
    yield Scenario("verify", {**sample, "weather.grib2": weather},
                   [CLI / "met2net-verify", "-q", "-j", "1", "-m", "model.safetensors", "-e", "12h", "-l", "2h",
                    "--csv", "out.csv", "--json", "out.json", "--chart", "out.svg", "weather.grib2"],
                   ["out.csv", "out.json", "out.svg"])
    yield Scenario("train", {"data.safetensors": data}, TRAIN, ["new.safetensors", "new.last.safetensors"],
                   changing=("new.safetensors", "new.last.safetensors"),
                   beside=("new.checkpoint.safetensors", "new.log.jsonl", "new.svg"), again=go_on_training)


def scenarios(top, name=None):
    return [s for s in all_scenarios(top) if name in (None, s.name)]
