"""What users install: the metadata, the ZIP file, and what `meson install` puts where."""
import bridge
import ast
import configparser
import json
import os
import pathlib
import subprocess
import tempfile
import unittest
import zipfile

PLUGIN = bridge.PLUGINS / "met2net"
ARCHIVE = bridge.BUILD / "qgis_bridge" / "met2net.zip"
WANTED = ("name", "qgisMinimumVersion", "description", "about", "version", "author")


def metadata(text):
    parser = configparser.ConfigParser(interpolation=None)
    parser.read_string(text)
    return parser["general"]


class Metadata(unittest.TestCase):
    def setUp(self):
        self.general = metadata((PLUGIN / "metadata.txt").read_text())

    def test_says_what_qgis_wants_to_know(self):
        self.assertEqual([key for key in WANTED if not self.general.get(key)], [])
        self.assertNotIn("example", " ".join(self.general.values()))  # no address is better than one that leads nowhere
        self.assertEqual(self.general["qgisMinimumVersion"], "3.22")
        self.assertEqual(self.general["hasProcessingProvider"], "yes")

    def test_version_is_that_of_the_project(self):
        told = subprocess.run(["meson", "introspect", "--projectinfo", bridge.BUILD], capture_output=True, text=True,
                              check=True)
        self.assertEqual(self.general["version"], json.loads(told.stdout)["version"])

    def test_icon_is_there(self):
        self.assertIn("<svg", (PLUGIN / self.general["icon"]).read_text())


class Style(unittest.TestCase):
    def test_functions_fit_a_screen_and_files_their_limit(self):
        for file in PLUGIN.rglob("*.py"):
            text = file.read_text()
            self.assertLessEqual(len(text.splitlines()), 400, file)
            self.assertLessEqual(max(map(len, text.splitlines())), 120, file)
            for node in ast.walk(ast.parse(text)):
                if isinstance(node, ast.FunctionDef):
                    self.assertLessEqual(node.end_lineno - node.lineno + 1, 60, f"{file}: {node.name}")

    def test_nothing_is_computed_in_python(self):
        """No numeric library: values stay in the driver and in QGIS."""
        for file in PLUGIN.rglob("*.py"):
            for node in ast.walk(ast.parse(file.read_text())):
                names = ([a.name for a in node.names] if isinstance(node, ast.Import)
                         else [node.module or ""] if isinstance(node, ast.ImportFrom) else [])
                for name in names:
                    self.assertNotIn(name.split(".")[0], ("numpy", "scipy", "torch", "xarray"), file)


class Archive(unittest.TestCase):
    def test_one_folder_with_all_files_and_the_licence(self):
        names = set(zipfile.ZipFile(ARCHIVE).namelist())
        wanted = {f"met2net/{f.relative_to(PLUGIN).as_posix()}" for f in PLUGIN.rglob("*")
                  if f.is_file() and "__pycache__" not in f.parts}
        self.assertEqual(names, wanted | {"met2net/LICENSE"})

    def test_qgis_loads_the_plugin_from_it(self):
        """As "Install from ZIP" does: unpacked into the profile's plugin folder, then switched on."""
        plugins = pathlib.Path(tempfile.mkdtemp(dir=bridge.HOME))
        zipfile.ZipFile(ARCHIVE).extractall(plugins)
        run = subprocess.run(["qgis_process.bin", "plugins", "enable", "met2net"], capture_output=True, text=True,
                             env=os.environ | {"QGIS_PLUGINPATH": str(plugins)})
        self.assertEqual(run.returncode, 0, run.stdout + run.stderr)
        run = subprocess.run(["qgis_process.bin", "list"], capture_output=True, text=True,
                             env=os.environ | {"QGIS_PLUGINPATH": str(plugins)})
        self.assertIn("met2net:forecasttoraster", run.stdout)


class Installed(unittest.TestCase):
    def test_meson_install_puts_it_where_qgis_looks(self):
        root = pathlib.Path(tempfile.mkdtemp(dir=bridge.HOME))
        told = subprocess.run(["meson", "introspect", "--installed", bridge.BUILD], capture_output=True, text=True,
                              check=True)
        places = json.loads(told.stdout)
        place = next(to for source, to in places.items() if pathlib.Path(source) == PLUGIN)
        prefix = json.loads(subprocess.run(["meson", "introspect", "--buildoptions", bridge.BUILD], check=True,
                                           capture_output=True, text=True).stdout)
        options = {o["name"]: o["value"] for o in prefix}
        if options["prefix"] in ("/usr", "/usr/local") and not options["qgis_plugins"]:
            self.assertEqual(place, "/usr/share/qgis/python/plugins/met2net")
        subprocess.run(["meson", "install", "-C", bridge.BUILD, "--no-rebuild", "--quiet"], check=True,
                       capture_output=True, env=os.environ | {"DESTDIR": str(root)})
        self.assertTrue((root / place.lstrip("/") / "metadata.txt").exists())
        self.assertTrue((root / place.lstrip("/") / "processing" / "provider.py").exists())
        self.assertEqual(list(root.rglob("__pycache__")), [])


if __name__ == "__main__":
    bridge.main()
