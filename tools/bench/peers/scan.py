"""The scan as every tool of the comparison sees it, and the one data error by which all are judged."""

import h5py
import numpy as np

DETECTOR = "entry_1/instrument_1/detector_1"
BAD_PIXEL_BITS = 0xFFFFFFFF & ~(
    0x1000 | 0x10000
)  # CXI: "has signal" and "inside the support" are good pixels


class Fields:
    """What a tool ends with: object (y, x), probe (mode, y, x), windows_px (frame, 2)."""

    def __init__(self, object_field, probe, windows_px):
        self.object, self.probe, self.windows_px = object_field, probe, windows_px


def read_tessera_result(path):
    with h5py.File(path) as file:
        entry = file["entry_1"]
        object_field = entry["image_1/data"][()]
        fields = Fields(
            object_field.reshape(object_field.shape[-2:]),
            entry["image_2/data"][()],
            entry["process_1/positions_px"][()],
        )
        frames = entry["process_1/frames"][()]
        pixel_size_m = [float(np.diff(entry[f"image_1/{axis}"][:2])[0]) for axis in "yx"]
    return fields, frames, pixel_size_m


class Scan:
    """Patterns and mask of a far-field CXI file, in the frames that Tessera reads from it."""

    def __init__(self, path, frames):
        with h5py.File(path) as file:
            detector = file[DETECTOR]
            self.patterns = detector["data"][()][frames]
            bits = (
                detector["mask"][()] if "mask" in detector else np.zeros(self.patterns.shape[-2:], np.uint32)
            )
            wavelength = file.get("entry_1/instrument_1/source_1/wavelength")
            self.wavelength_m = float(wavelength[()]) if wavelength is not None else 1e-10  # nominal
        if bits.ndim != 2 or self.patterns.shape[-1] != self.patterns.shape[-2]:
            raise SystemExit(
                f"{path}: the comparison needs square frames and one mask for all of them "
                f"(here {self.patterns.shape[-2:]}, mask {bits.shape})"
            )
        self.mask = (bits.astype(np.uint32) & BAD_PIXEL_BITS) == 0
        self.counts = float((self.patterns * self.mask).sum(dtype=np.float64))

    def data_error(self, fields):
        """sum m (sqrt(I) - sqrt(d))^2 / sum m d in double precision, I from a unitary transform. Windows
        between pixels move the probe, by a phase ramp in Fourier space, over the nearest whole pixels."""
        probe = fields.probe.astype(np.complex128)
        object_field = fields.object.astype(np.complex128)
        height, width = probe.shape[-2:]
        probe_spectrum = np.fft.fft2(probe)
        row_frequency, column_frequency = np.fft.fftfreq(height)[:, None], np.fft.fftfreq(width)
        total = 0.0
        for pattern, window in zip(self.patterns, fields.windows_px):
            base = np.floor(window + 0.5).astype(int)
            fraction = window - base
            moved = probe
            if np.abs(fraction).max() > 1e-6:
                ramp = np.exp(-2j * np.pi * (row_frequency * fraction[0] + column_frequency * fraction[1]))
                moved = np.fft.ifft2(probe_spectrum * ramp)
            patch = object_field[base[0] : base[0] + height, base[1] : base[1] + width]
            far_field = np.fft.fftshift(np.fft.fft2(moved * patch, norm="ortho"), axes=(-2, -1))
            amplitude = np.sqrt((np.abs(far_field) ** 2).sum(axis=0))
            total += ((amplitude - np.sqrt(pattern.astype(np.float64))) ** 2)[self.mask].sum()
        return total / self.counts

    def write_for_peers(self, path, starts, pixel_size_m):
        """One plain file for all peers: patterns as counted, DC in the centre, and per interpolation the
        windows, the object's shape and the starting probe. `starts`: the fields that Tessera starts from."""
        if abs(pixel_size_m[0] / pixel_size_m[1] - 1) > 1e-6:
            raise SystemExit(f"the comparison needs square object pixels (here {pixel_size_m} m)")
        with h5py.File(path, "w") as file:
            file["patterns"], file["mask"] = self.patterns, self.mask
            file["wavelength_m"], file["pixel_size_m"] = self.wavelength_m, pixel_size_m[0]
            for name, start in starts.items():
                file[f"{name}/windows_px"], file[f"{name}/probe"] = start.windows_px, start.probe
                file[f"{name}/object_shape"] = start.object.shape
