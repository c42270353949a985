"""What run_faults.py does to programs: each scenario is a folder of files and one command in it."""
import dataclasses
import json
import os
import pathlib
import shutil
import subprocess
import typing

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("M2N_BUILD", ROOT / "build")).resolve()
HOST, CLI = BUILD / "tests/fault/fault_scenario", BUILD / "plugin/cli"
TRAIN = [CLI / "met2net-train", "data.safetensors", "-o", "new.safetensors", "-q", "--threads", "1", "--epochs", "2",
         "--batch", "8", "--steps", "2", "--hid-S", "4", "--hid-T", "8", "--N-T", "1"]
TRAIN_GRIB = [x if x != "data.safetensors" else "weather.grib2" for x in [*TRAIN, "-v", "t2m,u10"]]
PREPARE = [CLI / "met2net-prepare", "-q", "-v", "t2m,u10", "--size", "8x4", "-o", "out.safetensors"]


def mpirun(n):
    """The words that start n processes; none where the tools know no MPI."""
    program = shutil.which("mpirun")
    linked = subprocess.run(["ldd", CLI / "met2net-train"], capture_output=True, text=True).stdout
    if not program or "libmpi" not in linked:
        return []
    said = subprocess.run([program, "--version"], capture_output=True, text=True).stdout
    return [program, "-n", str(n), *(["--oversubscribe"] if "Open MPI" in said else [])]


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
    launcher: int = 0  # how many words of the command start it: mpirun -n 2
    again: typing.Callable = None  # folder -> the command that has to succeed afterwards

    def __post_init__(self):
        self.again = self.again or (lambda folder: self.command)


def go_on_training(command):
    def again(folder):
        return [*command, "--resume" if (folder / "data/new.checkpoint.safetensors").exists() else "--overwrite"]
    return again


def run_here(folder, *commands):
    for command in commands:
        subprocess.run([str(x) for x in command], check=True, capture_output=True, cwd=folder,
                       env=dict(os.environ, HOME=str(folder), XDG_CACHE_HOME=str(folder / "cache")))


def make_data(top):
    """Two days of a small weather, its last hours, the two days prepared for training, a model of them, and a forecast
    in other formats, to be read; in half/ a run whose disk failed in its second epoch: {name: content}."""
    weather = [BUILD / "samples/weather/weather", "-q", "--hours", "48", "--grid", "16x8", "--spin-up", "2",
               "--truncation", "10", "-o"]
    forecast = [CLI / "met2net-forecast", "-q", "-m", "model.safetensors", "analysis.grib2", "-l"]
    run_here(top, [*weather, "weather.grib2"],
             [*weather, "analysis.grib2", "--start", "2020-01-02T18:00Z", "--hours", "6"],
             [CLI / "met2net-prepare", "-q", "-v", "t2m,u10", "weather.grib2", "-o", "data.safetensors"], TRAIN)
    (top / "new.safetensors").rename(top / "model.safetensors")
    (top / "half").mkdir()
    (top / "half/data.safetensors").write_bytes((top / "data.safetensors").read_bytes())
    subprocess.run(["env", f"LD_PRELOAD={BUILD}/tests/fault/libm2nfault.so", "M2N_FAULT=rename:7+", f"M2N_FAULT_ROOT={top}/half", *TRAIN],
                   cwd=top / "half", stderr=subprocess.DEVNULL)
    run_here(top, *[[*forecast, "12h", "-o", f"fields.{suffix}"] for suffix in ("nc", "zarr")],
             [*forecast, "6h", "--ccsds", "-o", "ccsds.grib2"],
             ["mkdir", "hours", "parts"], ["grib_copy", "analysis.grib2", "hours/[dataDate][dataTime].grib2"],
             [*forecast, "4h", "-o", "parts/{step}.nc"],
             *[["grib_set", "-r", "-s", f"packingType=grid_{packing}", "ccsds.grib2", f"{packing}.grib2"]
               for packing in ("jpeg", "second_order")])
    return {str(p.relative_to(top)): p.read_bytes() for p in top.rglob("*") if p.is_file() and "cache" not in p.parts}


def of_driver(made):
    """The host of the driver, on GRIB."""
    forecast = {"met2net": 1, "model": "model.safetensors", "input": ["analysis.grib2"], "lead_time": "1h"}
    mercator = {**forecast, "output": {"crs": "EPSG:3857"}}
    files = {**{n: made[n] for n in ("model.safetensors", "analysis.grib2")},
             **{n: json.dumps(content).encode() for n, content in {
                 "forecast.json": forecast, "longer.json": {**forecast, "lead_time": "2h"}, "mercator.json": mercator,
                 "int8.json": {**forecast, "precision": "int8"}, "bf16.json": {**forecast, "precision": "bf16"}}.items()}}
    read = [HOST, "MET2NET:forecast.json"]

    yield Scenario("driver", files, [*read, "forecast.json"])
    yield Scenario("cached", files, read, before=(read,))
    # room for one result on disk: the other one has to go
    yield Scenario("evicting", files, read, before=([HOST, "longer.json"],), env={"MET2NET_CACHE_SIZE": "4KB"})
    yield Scenario("mercator", files, [HOST, "mercator.json"])
    hours = {n: content for n, content in made.items() if n.startswith("hours/")}
    pattern = json.dumps({**forecast, "input": ["hours/*.grib2"]}).encode()
    yield Scenario("pattern", {"model.safetensors": made["model.safetensors"], **hours, "pattern.json": pattern},
                   [HOST, "pattern.json"])
    yield Scenario("int8", files, [HOST, "int8.json"])
    yield Scenario("bf16", files, [HOST, "bf16.json"])
    for packing in ("ccsds", "jpeg", "second_order"):
        yield Scenario(packing, {**files, "analysis.grib2": made[f"{packing}.grib2"]}, read)


def of_forecast(made):
    """Into each format, and from each."""
    model = {"model.safetensors": made["model.safetensors"]}
    files = {**model, **{n: made[n] for n in ("analysis.grib2", "data.safetensors", "fields.nc")}}
    forecast = [CLI / "met2net-forecast", "-q", "-m", "model.safetensors", "-l", "1h", "-o"]

    yield Scenario("forecast", files, [*forecast, "out.grib2", "analysis.grib2"], ["out.grib2"])
    for name, suffix in {"GTiff": "tif", "COG": "tif", "netCDF": "nc", "Zarr": "zarr"}.items():
        yield Scenario(name, files, [*forecast, f"out.{suffix}", "-f", name, "analysis.grib2"], [f"out.{suffix}"])
    zarr = [*forecast, "out.zarr", "-f", "Zarr", "analysis.grib2"]
    yield Scenario("Zarr-again", files, [*zarr, "--overwrite"], ["out.zarr"], before=(zarr,))
    hours = {n: content for n, content in made.items() if n.startswith("hours/")}
    yield Scenario("hours", {**model, **hours}, [*forecast, "out.grib2", "--together", "hours/**/*.grib2"], ["out.grib2"])
    yield Scenario("from-dataset", files, [*forecast, "out.grib2", "data.safetensors"], ["out.grib2"])
    yield Scenario("from-netcdf", files, [*forecast, "out.grib2", "fields.nc"], ["out.grib2"])


def of_training(made):
    beside = ("new.checkpoint.safetensors", "new.log.jsonl", "new.svg", "new.data.safetensors")
    outputs = ["new.safetensors", "new.last.safetensors"]
    files = {"data.safetensors": made["data.safetensors"], "weather.grib2": made["weather.grib2"]}
    average = [*TRAIN, "--average-weights", "0.5"]

    for name, command in {"train": TRAIN, "average": average, "train-grib": TRAIN_GRIB}.items():
        yield Scenario(name, files, command, outputs, changing=tuple(outputs), beside=beside, again=go_on_training(command))
    half = {pathlib.Path(n).name: content for n, content in made.items() if n.startswith("half/")}
    yield Scenario("resume", half, [*TRAIN, "--resume"], outputs, changing=tuple(outputs), beside=beside)


def of_tools(made):
    zarr = {n: content for n, content in made.items() if n.startswith("fields.zarr/")}
    model = {"model.safetensors": made["model.safetensors"]}

    yield Scenario("prepare", {"weather.grib2": made["weather.grib2"]}, [*PREPARE, "weather.grib2"], ["out.safetensors"])
    yield Scenario("prepare-netcdf", {"fields.nc": made["fields.nc"]}, [*PREPARE, "fields.nc"], ["out.safetensors"])
    yield Scenario("prepare-zarr", zarr, [*PREPARE, "fields.zarr"], ["out.safetensors"])
    parts = {n: content for n, content in made.items() if n.startswith("parts/")}
    yield Scenario("prepare-folder", parts, [*PREPARE, "parts"], ["out.safetensors"])
    yield Scenario("verify", {**model, "weather.grib2": made["weather.grib2"]},
                   [CLI / "met2net-verify", "-q", "-j", "1", "-m", "model.safetensors", "-e", "12h", "-l", "2h",
                    "--csv", "out.csv", "--json", "out.json", "--chart", "out.svg", "weather.grib2"],
                   ["out.csv", "out.json", "out.svg"])
    yield Scenario("convert", model, [CLI / "met2net-convert", "-q", "-w", "bf16", "-o", "small.safetensors", "model.safetensors"],
                   ["small.safetensors"])
    yield Scenario("convert-verify", {**model, "weather.grib2": made["weather.grib2"]},
                   [CLI / "met2net-convert", "-q", "-j", "1", "-p", "int8", "--verify", "weather.grib2", "model.safetensors"])
    described = ["model.safetensors", "data.safetensors", "weather.grib2", "fields.nc"]
    yield Scenario("info", {**zarr, **{n: made[n] for n in described}}, [CLI / "met2net-info", *described, "fields.zarr"])
    yield Scenario("set", model, [CLI / "met2net-info", "--set", "colour=blue", "model.safetensors"], ["model.safetensors"])


def of_several(made):
    """Two processes under mpirun, with the fault in one of them.  met2net-prepare knows nothing of MPI: there are two of it
    at work on one file."""
    launcher = mpirun(2)
    train, train_grib, prepare = [*launcher, *TRAIN], [*launcher, *TRAIN_GRIB], [*launcher, *PREPARE, "weather.grib2"]
    outputs = ["new.safetensors", "new.last.safetensors"]
    beside = ("new.checkpoint.safetensors", "new.log.jsonl", "new.svg", "new.data.safetensors")
    weather = {"weather.grib2": made["weather.grib2"]}
    forecast = [*launcher, CLI / "met2net-forecast", "-q", "-m", "model.safetensors", "-l", "1h", "-o", "{input}.out",
                "-f", "GRIB2", "one.grib2", "two.grib2", "three.grib2"]
    inputs = {f"{n}.grib2": made["analysis.grib2"] for n in ("one", "two", "three")}

    for rank in "01" if launcher else "":
        env = {"M2N_FAULT_RANK": rank, "OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
        more = {"env": env, "launcher": len(launcher)}
        yield Scenario(f"mpi-train-{rank}", {"data.safetensors": made["data.safetensors"]}, train, outputs,
                       changing=tuple(outputs), beside=beside, again=go_on_training(train), **more)
        yield Scenario(f"mpi-train-grib-{rank}", weather, train_grib, outputs, changing=tuple(outputs), beside=beside,
                       again=go_on_training(train_grib), **more)
        yield Scenario(f"mpi-prepare-{rank}", weather, prepare, ["out.safetensors"], **more)
        yield Scenario(f"mpi-forecast-{rank}", {"model.safetensors": made["model.safetensors"], **inputs}, forecast,
                       ["one.out", "two.out", "three.out"], **more)


def all_scenarios(top):
    made = make_data(top)
    for some in (of_driver, of_forecast, of_tools, of_training, of_several):
        yield from some(made)


def scenarios(top, name=None):
    return [s for s in all_scenarios(top) if name is None or s.name in name.split(",")]
