"""The model of ptychography in double precision with numpy: scans, forward model, cost and gradient.

Written from the formulas, vectorised over frames, and shared by cg.py and evaluate.py. Axis order
(frame, mode, y, x); <a, b> = sum conj(a) b; g is the Wirtinger gradient: the cost changes by 2 Re <g, delta>;
transforms are unitary.
"""

import dataclasses
from concurrent.futures import ThreadPoolExecutor

import h5py
import numpy as np
import scipy.fft
from scipy.special import xlogy

NOISE_MODELS = ("amplitude", "poisson", "gaussian")
INTERPOLATIONS = ("nearest", "bilinear", "fourier")
# Counts; gaussian needs none. Larger for poisson, whose factor 1 - d / (I + e) has no bound as I falls to 0.
DEFAULT_EPSILON = {"amplitude": 1e-9, "poisson": 1e-2, "gaussian": 0.0}
HAS_SIGNAL = 0x1000  # the only bit of a CXI mask that a good pixel may carry
ELEMENTARY_CHARGE_C = 1.602176634e-19


def dft(x):
    return scipy.fft.fft2(x, norm="ortho")


def idft(x):
    return scipy.fft.ifft2(x, norm="ortho")


def dot(a, b):
    """Re <a, b> of two lists of arrays."""
    return sum(np.vdot(x, y).real for x, y in zip(a, b))


# --- Scans ---


@dataclasses.dataclass
class Scan:
    patterns: np.ndarray  # (frame, y, x) counts as stored, transform order; negative: pixel ignored here
    mask: np.ndarray  # (y, x) 1 use, 0 ignore, transform order
    background: np.ndarray  # (y, x) counts, transform order
    positions_px: np.ndarray  # (frame, 2) (y, x), any origin
    pixel_size_m: np.ndarray  # (2,) (y, x) of the object
    transfer_function: object  # (y, x) of the near field, or None
    probe: object  # (mode, y, x) from the file, or None
    truth: dict  # object (y, x), probe (mode, y, x), positions_px (frame, 2); may be empty


def fresnel_transfer_function(shape, pixel_size_m, wavelength_m, distance_m):
    """H = exp(-i pi lambda z |q|^2) on the transform's own frequencies."""
    qy, qx = (np.fft.fftfreq(n, d) for n, d in zip(shape, pixel_size_m))
    return np.exp(-1j * np.pi * wavelength_m * distance_m * (qy[:, None] ** 2 + qx[None] ** 2))


def _wavelength_m(source):
    if "wavelength" in source:
        return float(source["wavelength"][()])
    return 1.23984198e-6 / (float(source["energy"][()]) / ELEMENTARY_CHARGE_C)


def _first(group, *names):
    return next((group[name][()] for name in names if name in group), None)


def _words(group, name):
    if name not in group:
        return None
    value = group[name][()]
    return value.decode() if isinstance(value, bytes) else str(value)


def read_scan(file, propagation=None, focus_to_sample_m=None, wavelength_m=None, frames=slice(None)):
    """A CXI scan with (N, 3) sample translations: row = +T_y / dx, column = +T_x / dx.

    `propagation` "far" or "near", `focus_to_sample_m` (0: parallel beam): None means what the file says, else
    "far" and 0. `frames`: a slice or indices. The far field's detector index floor(M/2) is moved to 0.
    """
    with h5py.File(file) as f:
        entry = f["entry_1"]
        detector, source = entry["instrument_1/detector_1"], entry["instrument_1/source_1"]
        patterns = detector["data"][frames] if isinstance(frames, slice) else detector["data"][()][frames]
        shape = patterns.shape[1:]
        mask = _first(detector, "mask")
        mask = np.ones(shape) if mask is None else ((mask.astype("i8") & ~HAS_SIGNAL) == 0).astype(float)
        background = _first(detector, "background", "data_dark")
        background = np.zeros(shape) if background is None else background.reshape(shape).astype(float)
        translation = _first(
            entry,
            "sample_1/geometry_1/translation",
            "data_1/translation",
            "instrument_1/detector_1/translation",
        )
        wavelength_m = wavelength_m or _wavelength_m(source)
        distance_m = float(detector["distance"][()])
        detector_pixel_m = np.array([float(detector[name][()]) for name in ("y_pixel_size", "x_pixel_size")])
        if propagation is None:
            propagation = "near" if _words(detector, "propagation") == "near_field" else "far"
        if focus_to_sample_m is None:
            focus_to_sample_m = float(_first(entry, "sample_1/geometry_1/focus_to_sample_m") or 0)
        probe = _first(source, "illumination", "probe")
        truth = {name: data[()] for name, data in entry["truth_1"].items()} if "truth_1" in entry else {}
    transfer_function = None
    if propagation == "far":
        pixel_size_m = wavelength_m * distance_m / (np.array(shape) * detector_pixel_m)
        patterns = scipy.fft.ifftshift(patterns, axes=(1, 2))
        mask, background = scipy.fft.ifftshift(mask), scipy.fft.ifftshift(background)
    else:
        magnification = (focus_to_sample_m + distance_m) / focus_to_sample_m if focus_to_sample_m else 1.0
        pixel_size_m = detector_pixel_m / magnification
        transfer_function = fresnel_transfer_function(
            shape, pixel_size_m, wavelength_m, distance_m / magnification
        )
    positions_px = translation[frames, 1::-1].astype(float) / pixel_size_m
    if probe is not None:
        probe = probe.reshape((-1,) + probe.shape[-2:]).astype(complex)
    return Scan(patterns, mask, background, positions_px, pixel_size_m, transfer_function, probe, truth)


def split_positions(positions_px, interpolation):
    """Window corners as whole pixels (frame, 2) and fractions.

    bilinear: floor(r) and [0, 1); fourier: floor(r + 1/2) and [-1/2, 1/2); nearest: floor(r + 1/2) and 0.
    """
    base = np.floor(positions_px + (0.0 if interpolation == "bilinear" else 0.5)).astype(int)
    return base, (positions_px - base) * (interpolation != "nearest")


def place_windows(positions_px, probe_shape, margin_px, interpolation):
    """Moves positions by whole pixels to fit an object array; returns base, frac and the object's shape."""
    base, frac = split_positions(positions_px, interpolation)
    base = base - base.min(axis=0) + margin_px
    window = np.array(probe_shape) + (interpolation == "bilinear")
    return base, frac, tuple(int(n) for n in base.max(axis=0) + window + margin_px)


# --- Forward model ---


class Model:
    """Cost, gradient and line-search costs of object (y, x) and probe (mode, y, x) over all frames of a scan.

    Frames go through in batches on a few threads; the sums are taken in batch order, so runs repeat exactly.
    """

    def __init__(
        self,
        scan,
        base,
        frac,
        probe_shape,
        object_shape,
        interpolation="fourier",
        noise_model="amplitude",
        epsilon=None,
        batch_size=16,
        num_threads=2,
    ):
        assert interpolation in INTERPOLATIONS and noise_model in NOISE_MODELS
        self.scan, self.base, self.frac = scan, base, frac
        self.interpolation, self.noise_model = interpolation, noise_model
        self.epsilon = DEFAULT_EPSILON[noise_model] if epsilon is None else epsilon
        self.object_shape, self.probe_shape = tuple(object_shape), tuple(probe_shape)
        self.frame_shape = scan.patterns.shape[1:]
        self.pad = tuple((m - p) // 2 for m, p in zip(self.frame_shape, self.probe_shape))
        num_frames = len(scan.patterns)
        self.batches = [
            np.arange(i, min(i + batch_size, num_frames)) for i in range(0, num_frames, batch_size)
        ]
        self.pool = ThreadPoolExecutor(num_threads)
        self.used_counts = sum((self.weight(b) * self.counts(b)).sum() for b in self.batches)

    # Data of a batch: (frame, y, x)
    def counts(self, batch):
        return np.maximum(self.scan.patterns[batch].astype(float), 0)

    def weight(self, batch):
        return self.scan.mask * (self.scan.patterns[batch] >= 0)

    # From the sample to the detector and its adjoint.
    def _transfer(self, batch):
        """The near field's (frame or 1, 1, y, x). With fourier interpolation the wave moves back by what moved
        the probe: the beam stands still on the detector."""
        h = self.scan.transfer_function[None, None]
        return h * self._ramp(batch, self.frame_shape).conj() if self.interpolation == "fourier" else h

    def propagate(self, wave, batch):
        """(frame, mode, probe y, probe x) -> (frame, mode, y, x)"""
        (y, x), (p_y, p_x) = self.pad, self.probe_shape
        padded = np.zeros(wave.shape[:-2] + self.frame_shape, complex)
        padded[..., y : y + p_y, x : x + p_x] = wave
        if self.scan.transfer_function is None:
            return dft(padded)
        return idft(self._transfer(batch) * dft(padded))

    def propagate_back(self, field, batch):
        (y, x), (p_y, p_x) = self.pad, self.probe_shape
        if self.scan.transfer_function is None:
            wave = idft(field)
        else:
            wave = idft(self._transfer(batch).conj() * dft(field))
        return wave[..., y : y + p_y, x : x + p_x]

    # The probe as each frame sees it and its adjoint.
    def _ramp(self, batch, shape):
        """(frame, 1, y, x): exp(-2 pi i (q_y f_y + q_x f_x)) on the frequencies of `shape`"""
        qy, qx = (np.fft.fftfreq(n) for n in shape)
        fy, fx = self.frac[batch].T
        return (
            np.exp(-2j * np.pi * qy * fy[:, None])[:, None, :, None]
            * np.exp(-2j * np.pi * qx * fx[:, None])[:, None, None, :]
        )

    def probes(self, probe, batch):
        """(mode, y, x) -> (frame or 1, mode, y, x)"""
        if self.interpolation != "fourier":
            return probe[None]
        return idft(dft(probe) * self._ramp(batch, self.probe_shape))

    def add_probes(self, waves, batch):
        """(frame, mode, y, x) -> (mode, y, x), the adjoint of probes()"""
        if self.interpolation != "fourier":
            return waves.sum(axis=0)
        return idft((dft(waves) * self._ramp(batch, self.probe_shape).conj()).sum(axis=0))

    # The object under each frame's probe and its adjoint.
    def _corners(self, i_frame):
        """Window corners and weights: (y, x, weight or None for 1)"""
        y, x = self.base[i_frame]
        if self.interpolation != "bilinear":
            return [(y, x, None)]
        fy, fx = self.frac[i_frame]
        return [
            (y + dy, x + dx, (fy if dy else 1 - fy) * (fx if dx else 1 - fx))
            for dy in (0, 1)
            for dx in (0, 1)
        ]

    def windows(self, obj, batch):
        """(y, x) -> (frame, 1, y, x)"""
        p_y, p_x = self.probe_shape
        out = np.zeros((len(batch), 1) + self.probe_shape, complex)
        for i, i_frame in enumerate(batch):
            for y, x, w in self._corners(i_frame):
                window = obj[y : y + p_y, x : x + p_x]
                out[i, 0] += window if w is None else w * window
        return out

    def add_windows(self, waves, batch, obj):
        """Adds (frame, y, x) to obj (y, x), the adjoint of windows()."""
        p_y, p_x = self.probe_shape
        for wave, i_frame in zip(waves, batch):
            for y, x, w in self._corners(i_frame):
                obj[y : y + p_y, x : x + p_x] += wave if w is None else w * wave

    # Cost and its derivative with respect to the intensity.
    def cost_of(self, intensity, counts, weight):
        """(frame,) cost of intensities (frame, y, x)"""
        if self.noise_model == "amplitude":
            terms = (np.sqrt(intensity + self.epsilon) - np.sqrt(counts)) ** 2
        elif self.noise_model == "poisson":
            terms = intensity - counts + xlogy(counts, counts / (intensity + self.epsilon))
        else:
            terms = (intensity - counts) ** 2 / (2 * (counts + 1))
        return (weight * terms).sum(axis=(-2, -1))

    def slope_of(self, intensity, counts, weight):
        if self.noise_model == "amplitude":
            return weight * (1 - np.sqrt(counts) / np.sqrt(intensity + self.epsilon))
        if self.noise_model == "poisson":
            return weight * (1 - counts / (intensity + self.epsilon))
        return weight * (intensity - counts) / (counts + 1)

    def _forward(self, obj, probe, batch):
        probes, windows = self.probes(probe, batch), self.windows(obj, batch)
        fields = self.propagate(probes * windows, batch)
        return probes, windows, fields, (np.abs(fields) ** 2).sum(axis=1) + self.scan.background

    def _errors(self, intensity, counts, weight):
        """(frame,) numerator and denominator of the data error"""
        return (
            (weight * (np.sqrt(intensity) - np.sqrt(counts)) ** 2).sum(axis=(1, 2)),
            (weight * counts).sum(axis=(1, 2)),
        )

    def intensity(self, obj, probe, batch):
        """(frame, y, x) of the frames in `batch`"""
        return self._forward(obj, probe, batch)[3]

    def cost(self, obj, probe):
        """Total cost, data error, and both per frame."""

        def one(batch):
            intensity = self.intensity(obj, probe, batch)
            counts, weight = self.counts(batch), self.weight(batch)
            return self.cost_of(intensity, counts, weight), *self._errors(intensity, counts, weight)

        costs, errors, used = (np.concatenate(parts) for parts in zip(*self.pool.map(one, self.batches)))
        return costs.sum(), errors.sum() / used.sum(), costs, errors / used

    def gradient(self, obj, probe):
        """Total cost, data error, [g_O (y, x), g_P (mode, y, x)]"""

        def one(batch):
            probes, windows, fields, intensity = self._forward(obj, probe, batch)
            counts, weight = self.counts(batch), self.weight(batch)
            cost, error = self.cost_of(intensity, counts, weight), self._errors(intensity, counts, weight)[0]
            slope = self.slope_of(intensity, counts, weight)[:, None]
            chi = self.propagate_back(slope * fields, batch)
            return (
                cost.sum(),
                error.sum(),
                (probes.conj() * chi).sum(axis=1),
                self.add_probes(windows.conj() * chi, batch),
            )

        total, error = 0.0, 0.0
        g_obj, g_probe = np.zeros(self.object_shape, complex), np.zeros(probe.shape, complex)
        for batch, (batch_cost, batch_error, waves, probe_part) in zip(
            self.batches, self.pool.map(one, self.batches)
        ):
            total, error = total + batch_cost, error + batch_error
            self.add_windows(waves, batch, g_obj)
            g_probe += probe_part
        return total, error / self.used_counts, [g_obj, g_probe]

    def line_costs(self, obj, probe, d_obj, d_probe, steps):
        """Costs at obj + s d_obj, probe + s d_probe: the far field there is A + s B + s^2 C."""

        def one(batch):
            probes, windows, a, _ = self._forward(obj, probe, batch)
            d_probes, d_windows = self.probes(d_probe, batch), self.windows(d_obj, batch)
            b = self.propagate(probes * d_windows + d_probes * windows, batch)
            c = self.propagate(d_probes * d_windows, batch)
            over_modes = lambda x: x.sum(axis=1)
            coefficients = [
                over_modes(np.abs(a) ** 2),
                over_modes(2 * (a.conj() * b).real),
                over_modes(np.abs(b) ** 2 + 2 * (a.conj() * c).real),
                over_modes(2 * (b.conj() * c).real),
                over_modes(np.abs(c) ** 2),
            ]
            counts, weight = self.counts(batch), self.weight(batch)
            costs = []
            for s in steps:
                c0, c1, c2, c3, c4 = coefficients
                intensity = np.maximum(c0 + s * (c1 + s * (c2 + s * (c3 + s * c4))), 0) + self.scan.background
                costs.append(self.cost_of(intensity, counts, weight).sum())
            return np.array(costs)

        return sum(self.pool.map(one, self.batches))

    # Weights of the preconditioner: windows at their whole pixels, nothing shifted or interpolated.
    def _whole_windows(self):
        for y, x in self.base:
            yield (slice(y, y + self.probe_shape[0]), slice(x, x + self.probe_shape[1]))

    def illumination(self, probe):
        """A = sum_jk |P_k|^2 on the object's grid."""
        power, out = (np.abs(probe) ** 2).sum(axis=0), np.zeros(self.object_shape)
        for window in self._whole_windows():
            out[window] += power
        return out

    def coverage(self, obj):
        """C = sum_j |O(r_j)|^2 on the probe's grid."""
        power = np.abs(obj) ** 2
        return sum(power[window] for window in self._whole_windows())
