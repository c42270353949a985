#!/usr/bin/env python3
"""Writes the seeds, one folder per target, and `base`, whose three files make a whole forecast.

    make_seeds.py STAMP FOLDER [FOLDER OF REAL FILES]

Without numpy and eccodes the base is the sample of the repository, and there are fewer seeds."""
import json
import pathlib
import shutil
import struct
import sys
import zlib

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests/plugin"), str(ROOT / "tests/lib")]
TYPES = {"BOOL": 1, "U8": 1, "I8": 1, "F8_E5M2": 1, "F8_E4M3": 1, "I16": 2, "U16": 2, "F16": 2, "BF16": 2,
         "I32": 4, "U32": 4, "F32": 4, "I64": 8, "U64": 8, "F64": 8}
FORECAST = {"met2net": 1, "model": "model.safetensors", "input": ["analysis.grib2"], "init_time": "latest",
            "lead_time": "3h", "variables": ["t2m", "v10"], "initial_state": True, "precision": "int8",
            "output": {"crs": "EPSG:3857", "resampling": "nearest"}}
OPTIONS = [
    "VARIABLE=t2m,u10\nINIT_TIME=2024-01-01T06:00:00Z\nLEAD_TIME=2h\nINITIAL_STATE=YES",
    "T_SRS=EPSG:3857\nRESAMPLING=nearest\nTHREADS=1\nMAX_MEMORY=64MB\nCACHE=NO",
    "T_SRS=+proj=laea +lat_0=52 +lon_0=10 +ellps=GRS80\nLEAD_TIME=PT6H\nINIT_TIME=latest",
    "PRECISION=int8\nLEAD_TIME=2h",
    "PRECISION=BF16\nPRECISION=float32\nVARIABLE=t2m",
    "LEAD_TIME=1d12h\nRESAMPLING=conservative\nTHREADS=ALL_CPUS\nMAX_MEMORY=1.5G",
    'T_SRS=GEOGCS["WGS 84",DATUM["WGS_1984",SPHEROID["WGS 84",6378137,298.257223563]],'
    'PRIMEM["Greenwich",0],UNIT["degree",0.0174532925199433]]',
]
MOST = 200_000  # bytes of a real file: larger ones mutate too thinly


def safetensors(tensors, metadata):
    """tensors: name -> (dtype, shape)"""
    header, offset = {"__metadata__": metadata}, 0
    for name, (dtype, shape) in tensors.items():
        size = TYPES[dtype]
        for n in shape:
            size *= n
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [offset, offset + size]}
        offset += size
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + bytes(i * 37 % 251 for i in range(offset))


def make_base(folder):
    folder.mkdir(parents=True, exist_ok=True)
    try:
        import fixture
        fixture.write_model(folder / "model.safetensors")
        fixture.write_analysis(folder / "analysis.grib2", hours=range(4, 7))
    except Exception:  # Debian's eccodes raises nothing finer when a package it needs is missing
        shutil.copy(ROOT / "samples/model.safetensors", folder)
        shutil.copy(ROOT / "samples/analysis.grib2", folder)
    (folder / "forecast.json").write_text(json.dumps({k: FORECAST[k] for k in ("met2net", "model", "input")}))


def dataset():
    """A prepared dataset: fields, times, and the metadata of the models."""
    grid = {"crs": "EPSG:4326", "width": 8, "height": 4, "geotransform": [-180, 45, 0, 90, 0, -45]}
    variables = [{"name": "t2m", "paramId": 167, "typeOfLevel": "heightAboveGround", "level": 2, "units": "K",
                  "mean": 280.0, "std": 20.0}]
    return safetensors({"fields": ("F32", [6, 1, 4, 8]), "times": ("I64", [6])},
                       {"format": "met2net-dataset", "format_version": "1", "time_step": "3600",
                        "normalisation": "zscore", "variables": json.dumps(variables), "grid": json.dumps(grid),
                        "config": json.dumps({"steps": 2, "height": 4, "width": 8, "hid_S": 8, "hid_T": 16, "N_S": 2,
                                              "N_T": 1})})


def packings():
    """name -> a message of 16 x 31 points, one for each packing that eccodes encodes, with and without missing points"""
    try:
        import eccodes
    except Exception:
        return {}
    messages = {}
    for edition in (1, 2):
        for packing in ("simple", "second_order", "second_order_no_SPD", "second_order_SPD1", "second_order_SPD3", "complex",
                        "complex_spatial_differencing", "jpeg", "png", "ccsds", "ieee", "simple_log_preprocessing"):
            for holes in (0, 1):
                h = eccodes.codes_grib_new_from_samples(f"regular_ll_sfc_grib{edition}")
                try:
                    eccodes.codes_set(h, "missingValue", 9999)
                    eccodes.codes_set(h, "bitmapPresent", holes)
                    eccodes.codes_set_values(h, [9999.0 if holes and i % 7 == 3 else 250.0 + i % 16 + i // 90 for i in range(496)])
                    eccodes.codes_set(h, "packingType", f"grid_{packing}")
                    messages[f"{edition}-{packing}-{holes}"] = eccodes.codes_get_message(h)
                except Exception:  # a packing of the other edition
                    pass
                eccodes.codes_release(h)
    for sample in ("sh_pl_grib1", "sh_pl_grib2", "reduced_gg_pl_32_grib1"):
        messages[sample] = eccodes.codes_get_message(eccodes.codes_grib_new_from_samples(sample))
    return messages


def in_16_bits(model):
    """F16 and BF16: the model with its matrices stored so, as met2net-convert does"""
    import numpy as np
    size = int.from_bytes(model[:8], "little")
    header, at = json.loads(model[8:8 + size]), 8 + size
    for kind in ("F16", "BF16"):
        data, new = b"", {"__metadata__": header["__metadata__"]}
        for name, t in header.items():
            if name != "__metadata__":
                x = np.frombuffer(model[at + t["data_offsets"][0]:at + t["data_offsets"][1]], "<f4")
                small = x.astype("<f2") if kind == "F16" else (x.view("<u4") >> 16).astype("<u2")
                x, stored = (small, kind) if len(t["shape"]) > 1 else (x, "F32")
                new[name] = {"dtype": stored, "shape": t["shape"], "data_offsets": [len(data), len(data) + x.nbytes]}
                data += x.tobytes()
        text = json.dumps(new).encode()
        text += b" " * (-len(text) % 8)
        yield kind, struct.pack("<Q", len(text)) + text + data


def arrays(folder):
    """name -> a NetCDF file: the fields of `base` in classic form, and HDF5's kinds of groups"""
    try:
        import netCDF4
        import numpy as np
    except ImportError:
        return {}
    out = {}
    for name, kind, extra in (("classic", "NETCDF3_CLASSIC", 0), ("hdf5", "NETCDF4", 0), ("hdf5-many", "NETCDF4", 60)):
        path = folder / "array.nc"
        with netCDF4.Dataset(path, "w", format=kind) as f:
            for axis, values, units in (("time", np.arange(4, 7), "hours since 2024-01-01"),
                                        ("latitude", 90 - 11.25 * (np.arange(16) + 0.5), "degrees_north"),
                                        ("longitude", -180 + 11.25 * (np.arange(32) + 0.5), "degrees_east")):
                f.createDimension(axis, len(values))
                v = f.createVariable(axis, "f8", (axis,))
                v.units, v[...] = units, values
            names = [("t2m", "K", 280), ("u10", "m s-1", 3), ("v10", "m s-1", 4), ("tcc", "1", 0.5), ("r1000", "%", 60)]
            for n, units, value in names + [(f"extra{i}", "K", i) for i in range(extra)]:
                v = f.createVariable(n, "f4", ("time", "latitude", "longitude") if n[0] != "e" else ())
                v.units, v[...] = units, value
            if extra:
                f.createGroup("below/further").createVariable("x", "f4", ())
        out[name] = path.read_bytes()
        path.unlink()
    return out


def zarr(compressor):
    """The fields of `base` as Zarr, in one file as fuzz_driver.c takes it"""
    axes = {"time": ([4, 5, 6], "hours since 2024-01-01"),
            "latitude": ([90 - 11.25 * (i + 0.5) for i in range(16)], "degrees_north"),
            "longitude": ([-180 + 11.25 * (i + 0.5) for i in range(32)], "degrees_east")}
    files = {".zgroup": b'{"zarr_format": 2}'}

    def add(name, dims, values, units, chunk):
        files[f"{name}/.zarray"] = json.dumps(
            {"zarr_format": 2, "shape": [len(axes[d][0]) for d in dims], "chunks": chunk, "dtype": "<f4",
             "compressor": compressor, "fill_value": "NaN", "order": "C", "filters": None}).encode()
        files[f"{name}/.zattrs"] = json.dumps({"_ARRAY_DIMENSIONS": dims, "units": units}).encode()
        n = chunk[0] * (512 if len(dims) > 1 else 1)
        for i in range(len(values) // n):
            data = struct.pack(f"<{n}f", *values[i * n:(i + 1) * n])
            files[f"{name}/{i}" + ".0.0" * (len(dims) > 1)] = zlib.compress(data) if compressor else data

    for name, (values, units) in axes.items():
        add(name, [name], values, units, [len(values)])
    for name, units, value in (("t2m", "K", 280), ("u10", "m s-1", 3), ("v10", "m s-1", 4), ("tcc", "1", 0.5),
                               ("r1000", "%", 60)):
        add(name, list(axes), [value] * 1536, units, [1 if name == "u10" else 3, 16, 32])
    return b"\n@@ ".join(name.encode() + b"\n" + data for name, data in files.items())


def make_all(folder, real):
    base = folder / "base"
    make_base(base)
    model, grib = (base / "model.safetensors").read_bytes(), (base / "analysis.grib2").read_bytes()
    forecast = json.dumps(FORECAST).encode()
    good = {f"safetensors/{n}": d for n, d in {
        "all-types": safetensors({**{t: (t, [2, 3]) for t in TYPES}, "empty": ("F32", [0, 7]), "scalar": ("F32", [])},
                                 {"format": "met2net", 'quoted "key"': "tab\tand \u00e9"}),
        "none": safetensors({}, {}), "dataset": dataset()}.items()}
    good.update({"model/base": model, "model/dataset": dataset(), "dataset/full": dataset(), "grib/base": grib,
                 "grib/one": grib[:len(grib) // 15], "forecast_file/full": forecast,
                 "forecast_file/least": (base / "forecast.json").read_bytes(),
                 "driver/model": b"M" + model, "driver/grib": b"G" + grib, "driver/forecast": b"F" + forecast})
    try:
        for kind, data in in_16_bits(model):
            good.update({f"model/{kind}": data, f"driver/model-{kind}": b"M" + data})
    except ImportError:
        pass
    for name, data in arrays(folder).items():
        if name == "classic":  # what HDF5's library makes of damage is not ours
            good["driver/netcdf"] = b"G" + data
        else:
            good[f"hdf5/{name}"] = data
    good["driver/zarr"] = b"Z" + zarr(None)
    good["driver/zarr-zlib"] = b"Z" + zarr({"id": "zlib", "level": 1})
    for i, text in enumerate(OPTIONS):
        good[f"options/{i}"] = text.encode()
        good[f"driver/options{i}"] = b"O" + text.encode()
    for path in sorted(real.rglob("*")) if real else []:
        if path.is_file() and path.stat().st_size <= MOST and path.read_bytes()[:4] == b"GRIB":
            good[f"grib/{path.parent.name}-{path.name}"] = path.read_bytes()
    for name, data in packings().items():
        good[f"grib/{name}"] = data
    good.update({f"grib_unpack/{n[5:]}": d for n, d in good.items() if n.startswith("grib/")})
    for name, data in good.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)


if __name__ == "__main__":
    make_all(pathlib.Path(sys.argv[2]), pathlib.Path(sys.argv[3]) if len(sys.argv) > 3 else None)
    pathlib.Path(sys.argv[1]).touch()
