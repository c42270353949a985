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
    """Two days of a small weather, its last hours, the two days prepared for training, and a model of them."""
    weather = [BUILD / "samples/weather/weather", "-q", "--hours", "48", "--grid", "16x8", "--spin-up", "2",
               "--truncation", "10", "-o"]
    prepare = [CLI / "met2net-prepare", "-q", "-v", "t2m,u10", "weather.grib2", "-o", "data.safetensors"]
    last = [*weather, "analysis.grib2", "--start", "2020-01-02T18:00Z", "--hours", "6"]
    for command in ([*weather, "weather.grib2"], last, prepare, TRAIN):
        subprocess.run([str(x) for x in command], check=True, capture_output=True, cwd=top,
                       env=dict(os.environ, HOME=str(top), XDG_CACHE_HOME=str(top / "cache")))
    (top / "new.safetensors").rename(top / "model.safetensors")
    return {n: (top / n).read_bytes() for n in ("weather.grib2", "analysis.grib2", "data.safetensors", "model.safetensors")}


def all_scenarios(top):
    made = make_data(top)
    forecast = {"met2net": 1, "model": "model.safetensors", "input": ["analysis.grib2"], "lead_time": "1h"}
    mercator = {**forecast, "output": {"crs": "EPSG:3857"}}
    files = {**{n: made[n] for n in ("model.safetensors", "analysis.grib2")},
             **{n: json.dumps(content).encode() for n, content in {
                 "forecast.json": forecast, "longer.json": {**forecast, "lead_time": "2h"},
                 "mercator.json": mercator}.items()}}
    read = [HOST, "MET2NET:forecast.json"]

    yield Scenario("driver", files, [*read, "forecast.json"])
    yield Scenario("cached", files, read, before=(read,))
    # room for one result on disk: the other one has to go
    yield Scenario("evicting", files, read, before=([HOST, "longer.json"],), env={"MET2NET_CACHE_SIZE": "4KB"})
    yield Scenario("mercator", files, [HOST, "mercator.json"])
    yield Scenario("forecast", files, [CLI / "met2net-forecast", "-q", "-m", "model.safetensors", "-l", "1h", "-o", "out.grib2",
                                       "analysis.grib2"], ["out.grib2"])
    yield Scenario("prepare", {"weather.grib2": made["weather.grib2"]},
                   [CLI / "met2net-prepare", "-q", "-v", "t2m,u10", "--size", "8x4", "weather.grib2", "-o",
                    "out.safetensors"], ["out.safetensors"])
    yield Scenario("verify", {n: made[n] for n in ("model.safetensors", "weather.grib2")},
                   [CLI / "met2net-verify", "-q", "-j", "1", "-m", "model.safetensors", "-e", "12h", "-l", "2h",
                    "--csv", "out.csv", "--json", "out.json", "--chart", "out.svg", "weather.grib2"],
                   ["out.csv", "out.json", "out.svg"])
    yield Scenario("train", {"data.safetensors": made["data.safetensors"]}, TRAIN,
                   ["new.safetensors", "new.last.safetensors"],
                   changing=("new.safetensors", "new.last.safetensors"),
                   beside=("new.checkpoint.safetensors", "new.log.jsonl", "new.svg"), again=go_on_training)


def scenarios(top, name=None):
    return [s for s in all_scenarios(top) if name in (None, s.name)]
