#!/usr/bin/env python3
"""The ZIP file that QGIS installs a plugin from: the folder, the licence; the same bytes for the same files.

usage: make_zip.py FOLDER LICENSE OUTPUT"""
import pathlib
import sys
import zipfile

EPOCH = (1980, 1, 1, 0, 0, 0)


def main():
    folder, licence, output = map(pathlib.Path, sys.argv[1:])
    files = [(f.relative_to(folder.parent), f) for f in sorted(folder.rglob("*"))
             if f.is_file() and "__pycache__" not in f.parts]
    files.append((pathlib.Path(folder.name, "LICENSE"), licence))
    with zipfile.ZipFile(output, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, file in files:
            entry = zipfile.ZipInfo(name.as_posix(), EPOCH)
            entry.external_attr = 0o644 << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, file.read_bytes())


if __name__ == "__main__":
    main()
