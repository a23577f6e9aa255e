"""What a driver of a peer shares with the harness: the job, and how its result and times are handed back.

A job is a JSON file; the scan it names is the HDF5 file that scan.py prepares. Everything a driver returns is
in one convention: object (y, x), probe (mode, y, x) for a unitary transform, windows_px (frame, 2) = (y, x)
of the window's first pixel in the object.
"""

import json
import sys
import time

import h5py


class Stopwatch:
    """Seconds per phase, and per block of iterations within the phase of the run."""

    def __init__(self, imported):
        self.imported = imported  # time.monotonic(), which all processes of a machine share
        self.phases = {}
        self.blocks = []
        self._phase = self._block = time.monotonic()

    def lap(self, phase):
        now = time.monotonic()
        self.phases[phase] = now - self._phase
        self._phase = self._block = now

    def block(self):
        now = time.monotonic()
        self.blocks.append(now - self._block)
        self._block = now

    def resume(self):
        """What happened since the last block does not count."""
        self._block = time.monotonic()


class Job:
    def __init__(self, settings):
        self.engine = settings["engine"]
        self.blocks = settings["blocks"]  # iterations, in blocks that are timed apart
        self.snapshots = settings["snapshots"]  # hand back the fields after every block
        self.nearest = settings["nearest"]
        self.probe_start = settings["probe_start"]
        self.device = settings["device"]  # cpu, gpu
        self.threads = settings["threads"]
        self.batch_size = settings.get("batch_size")  # frames per update, where an engine has that
        self.step_size = settings.get("step_size")
        self.result = settings["result"]
        self.scan = settings["scan"]
        self._kept = []
        with h5py.File(self.scan) as file:
            group = file["nearest" if self.nearest else "subpixel"]
            self.windows_px = group["windows_px"][()]
            self.object_shape = tuple(int(size) for size in group["object_shape"][()])
            self.probe = group["probe"][()]
            self.mask = file["mask"][()]
            self.wavelength_m = float(file["wavelength_m"][()])
            self.pixel_size_m = float(file["pixel_size_m"][()])

    @classmethod
    def from_command_line(cls):
        with open(sys.argv[1]) as file:
            return cls(json.load(file))

    def read_patterns(self, dtype, frames=slice(None)):
        with h5py.File(self.scan) as file:
            return file["patterns"][frames].astype(dtype)

    def keep(self, object_field, probe):
        self._kept.append((object_field.copy(), probe.copy()))

    def write(self, object_field, probe, windows_px):
        with h5py.File(self.result, "w") as file:
            file["object"], file["probe"], file["windows_px"] = object_field, probe, windows_px
            for index, (kept_object, kept_probe) in enumerate(self._kept):
                file[f"snapshots/{index}/object"], file[f"snapshots/{index}/probe"] = kept_object, kept_probe

    def report(self, watch, versions, own_data_error=None):
        """The last line on stdout, which the harness reads."""
        print(
            json.dumps(
                {
                    "imported": watch.imported,
                    "blocks_s": watch.blocks,
                    "versions": versions,
                    "own_data_error": own_data_error,
                    **watch.phases,
                }
            )
        )
