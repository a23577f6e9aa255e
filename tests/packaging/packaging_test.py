#!/usr/bin/python3
"""What is installed and packed works elsewhere: a program that uses the libraries, the tarball in an empty environment, the
recipes.  packaging_test.py CMAKE BUILD_FOLDER [TEST]"""

import os
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

CMAKE, BUILD = "", Path()
ROOT = Path(__file__).resolve().parents[2]

SIMULATION = """
object: {pattern: random_features}
probe: {shape: gaussian, diameter_px: 8, photons_per_frame: 1.0e+5}
scan: {pattern: raster, grid: [4, 4], step_px: 4}
detector: {shape: [32, 32], distance_m: 1.0}
file: scan.cxi
"""


class Packaging(unittest.TestCase):
    def setUp(self):
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.folder = Path(holder.name)

    def run_here(self, *command, **options):
        done = subprocess.run([str(word) for word in command], cwd=self.folder, capture_output=True, text=True, timeout=240,
                              **options)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done.stdout

    def install(self, component):
        self.run_here(CMAKE, "--install", BUILD, "--component", component, "--prefix", self.folder / "first")
        (self.folder / "first").rename(self.folder / "moved")
        return self.folder / "moved"

    def test_a_program_that_uses_the_libraries(self):
        installed = self.install("development")
        source, build = ROOT / "tests/packaging/consumer", self.folder / "build"
        self.run_here(CMAKE, "-S", source, "-B", build, f"-DCMAKE_PREFIX_PATH={installed}", "-DCMAKE_BUILD_TYPE=Debug",
                      "-G", "Ninja" if shutil.which("ninja") else "Unix Makefiles")
        self.run_here(CMAKE, "--build", build)
        (self.folder / "simulation.yaml").write_text(SIMULATION)
        (self.folder / "run.yaml").write_text("{scan: {file: scan.cxi}, runtime: {cpus: 1}}")
        self.run_here(BUILD / "bin/tessera", "--quiet", "simulate", "simulation.yaml")
        self.assertRegex(self.run_here(build / "consumer", "run.yaml"), r"16 frames, object \d+ x \d+, 1 workers")

    def test_installed_files_name_no_folder_of_the_build(self):
        installed = self.install("development")
        for file in [*installed.rglob("*.cmake"), *installed.rglob("*.hpp")]:
            text = file.read_text()
            for folder in (BUILD, ROOT):
                self.assertNotIn(f"{folder}/", text, file)

    def test_a_project_without_c_is_told(self):
        installed = self.install("development")
        (self.folder / "CMakeLists.txt").write_text(
            "cmake_minimum_required(VERSION 3.25)\nproject(other LANGUAGES CXX)\nfind_package(Tessera REQUIRED)\n")
        done = subprocess.run([CMAKE, "-S", self.folder, "-B", self.folder / "build", f"-DCMAKE_PREFIX_PATH={installed}"],
                              capture_output=True, text=True, timeout=120)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("languages C and CXX", " ".join(done.stderr.split()))

    @unittest.skipUnless(shutil.which("patchelf") and shutil.which("xz"), "needs patchelf and xz")
    def test_tarball(self):
        """The script itself moves it elsewhere, and simulates and reconstructs there in an empty environment."""
        archive = self.run_here(ROOT / "tools/packaging/build_tarball", BUILD, env={**os.environ, "XZ_OPT": "-0"}).strip()
        self.addCleanup(os.unlink, archive)
        self.run_here("tar", "-xf", archive)
        (tree,) = self.folder.glob("tessera-*")
        search_path = self.run_here("patchelf", "--print-rpath", tree / "bin/tessera").strip()
        self.assertEqual(search_path, "$ORIGIN/../lib")
        self.assertTrue(list((tree / "lib").glob("libstarpu-*.so.*")))
        self.assertTrue((tree / "share/tessera/inputs/validation.yaml").is_file())

    def test_recipes(self):
        self.run_here(ROOT / "tools/packaging/check")


if __name__ == "__main__":
    CMAKE, BUILD = sys.argv[1], Path(sys.argv[2]).resolve()
    unittest.main(argv=sys.argv[:1] + sys.argv[3:], verbosity=2)
