#!/usr/bin/python3
"""Evaluates a result of Tessera in double precision, by formulas of its own.

    evaluate.py SCAN.cxi RESULT.h5 [--noise-model ...] [--interpolation ...]

Prints one JSON object: cost and data error of the result's object and probe at its positions, what the
file reports and how far apart they are; and, for a scan with known truth, the error of the object and the
cost and data error of the truth itself, which is what photon noise leaves. Settings
come from the run file kept in the result where the command line does not give them. RESULT may also be an
.npz of cg.py.
"""

import argparse
import json
import sys

import h5py
import numpy as np
import scipy.ndimage
import scipy.optimize
import yaml

import model as m

# --- Reading results ---


def _settings(run):
    """What a run file says about the model. Refuses what read_scan() does not do."""
    scan, geometry = run.get("scan") or {}, (run.get("scan") or {}).get("geometry") or {}
    unsupported = [
        ("crop.size", (scan.get("crop") or {}).get("size")),
        ("mask.file", (scan.get("mask") or {}).get("file")),
    ]
    unsupported += [(f"orientation.{key}", value) for key, value in (scan.get("orientation") or {}).items()]
    for key, value in unsupported:
        if value:
            sys.exit(f"evaluate.py: scan.{key}: {value} in the result's run file is not supported here")
    propagation = {"far_field": "far", "near_field": "near"}.get(geometry.get("propagation"))
    return {
        "propagation": propagation,
        "focus_to_sample_m": geometry.get("focus_to_sample_m"),
        "wavelength_m": geometry.get("wavelength_m"),
        "interpolation": (run.get("positions") or {}).get("interpolation"),
        "noise_model": (run.get("engines") or [{}])[-1].get("noise_model"),
    }


def _scalar(group, *names):
    value = next((group[name][()] for name in names if name in group), None)
    return None if value is None else float(np.ravel(value)[-1])


def read_result(file):
    """Object (y, x), probe (mode, y, x), positions, frames, what was reported, and settings."""
    if str(file).endswith(".npz"):
        f = np.load(file)
        return {
            "object": f["object"],
            "probe": f["probe"],
            "positions_px": f["positions_px"],
            "frames": np.arange(len(f["positions_px"])),
            "per_frame": f["data_error_per_frame"],
            "reported": {key: float(f["final_" + key]) for key in ("cost", "data_error")},
            "settings": {},
        }
    with h5py.File(file) as f:
        entry = f["entry_1"]
        process = entry["process_1"]
        obj = entry["image_1/data"][()]
        if obj.ndim != 3 or len(obj) != 1:
            sys.exit(f"evaluate.py: {file}: object of shape {obj.shape} (one slice is supported)")
        run = process["run"][()] if "run" in process else b""
        run = yaml.safe_load(run.decode() if isinstance(run, bytes) else str(run)) or {}
        return {
            "object": obj[0].astype(complex),
            "probe": entry["image_2/data"][()].astype(complex),
            "positions_px": process["positions_px"][()],
            "frames": process["frames"][()],
            "per_frame": process["data_error_per_frame"][()] if "data_error_per_frame" in process else None,
            "reported": {
                "cost": _scalar(process, "final_cost", "cost"),
                "data_error": _scalar(process, "final_data_error", "data_error"),
            },
            "settings": _settings(run),
        }


# --- Alignment ---


def shifted(image, shift_px):
    """image(r - shift), periodic."""
    qy, qx = (np.fft.fftfreq(n) for n in image.shape)
    ramp = np.exp(-2j * np.pi * (qy[:, None] * shift_px[0] + qx[None] * shift_px[1]))
    return np.fft.ifft2(np.fft.fft2(image) * ramp)


def phase_ramp(shape, ramp_rad_px):
    y, x = (np.arange(n) - n // 2 for n in shape)
    return np.exp(1j * (y[:, None] * ramp_rad_px[0] + x[None] * ramp_rad_px[1]))


def fade_outside(image, region, width_px=8):
    """Leaves the region and some pixels around it as they are and fades to its mean further out, so that a
    Fourier shift does not ring from the borders."""
    distance = scipy.ndimage.distance_transform_edt(~region)
    fade = 0.5 + 0.5 * np.cos(np.pi * np.clip((distance - width_px) / width_px, 0, 1))
    mean = image[region].mean()
    return mean + fade * (image - mean)


def upsampled_shift(a, b, reach_px=4.0, upsampling=100):
    """Shift s with b(r) ~ a(r - s): the peak of the cross-correlation, refined by matrix transforms."""
    spectrum = np.fft.fft2(b) * np.fft.fft2(a).conj()
    qy, qx = (np.fft.fftfreq(n) for n in a.shape)
    centre, step = np.zeros(2), 1.0
    while step > 0.5 / upsampling:
        offsets = np.arange(-np.ceil(reach_px / step), np.ceil(reach_px / step) + 1) * step
        rows = np.exp(2j * np.pi * (centre[0] + offsets)[:, None] * qy[None])
        columns = np.exp(2j * np.pi * qx[:, None] * (centre[1] + offsets)[None])
        peak = np.unravel_index(np.argmax(np.abs(rows @ spectrum @ columns)), (len(offsets),) * 2)
        centre = centre + offsets[list(peak)]
        reach_px, step = 2 * step, step / 10
    return centre


def coarse_ramp(a, b, padding=4):
    """Phase ramp of b relative to a in rad/px: the peak of the transform of conj(a) b."""
    shape = [padding * n for n in a.shape]
    peak = np.unravel_index(np.argmax(np.abs(np.fft.fft2(a.conj() * b, shape))), shape)
    return np.array([2 * np.pi * np.fft.fftfreq(n)[i] for n, i in zip(shape, peak)])


def compare_objects(obj, truth, region):
    """Removes global phase, phase ramp and sub-pixel shift; the remaining error inside the region (boolean).

    All are fitted by least squares with a free complex factor. object_error: ||O - T|| / ||T|| after removing
    the factor's phase; object_error_free_scale: after removing its modulus as well.
    """
    faded = fade_outside(truth, region)
    window = scipy.ndimage.gaussian_filter(region.astype(float), 2)
    ramp = coarse_ramp(window * faded, window * obj)
    flat = obj * phase_ramp(obj.shape, -ramp)
    flat_mean, truth_mean = flat[region].mean(), truth[region].mean()
    shift = upsampled_shift(window * (faded - truth_mean), window * (flat - flat_mean))
    norm = np.linalg.norm(truth[region])

    def target_of(parameters):
        return (shifted(faded, parameters[2:]) * phase_ramp(obj.shape, parameters[:2]))[region]

    def factor_of(target):
        return np.vdot(target, obj[region]) / np.vdot(target, target)

    def residual(parameters):
        target = target_of(parameters)
        difference = (obj[region] - factor_of(target) * target) / norm
        return np.concatenate([difference.real, difference.imag])

    size = np.array(obj.shape)
    fit = scipy.optimize.least_squares(
        residual,
        np.concatenate([ramp, shift]),
        xtol=1e-12,
        ftol=1e-12,
        gtol=1e-14,
        x_scale=np.concatenate([1 / size, [1, 1]]),
    )
    target = target_of(fit.x)
    factor = factor_of(target)
    scale = abs(factor)
    return {
        "object_error": np.linalg.norm(obj[region] - factor / scale * target) / norm,
        "object_error_free_scale": np.linalg.norm(obj[region] / factor - target) / norm,
        "scale": scale,
        "phase_rad": float(np.angle(factor)),
        "ramp_rad_px": list(fit.x[:2]),
        "shift_px": list(fit.x[2:]),
    }


def compare_with_truth(result, truth, model, threshold):
    """The positions say which pixels correspond; region: lit at least `threshold` times the maximum."""
    offset = result["positions_px"] - truth["positions_px"][result["frames"]]
    whole = np.rint(np.median(offset, axis=0)).astype(int)  # result index = truth index + whole
    region = model.illumination(result["probe"])
    region = region >= threshold * region.max()
    true_object = truth["object"].reshape(truth["object"].shape[-2:]).astype(complex)
    start = np.maximum(whole, 0)
    stop = np.minimum(np.array(region.shape), np.array(true_object.shape) + whole)
    own = tuple(slice(a, b) for a, b in zip(start, stop))
    other = tuple(slice(a, b) for a, b in zip(start - whole, stop - whole))
    comparison = compare_objects(result["object"][own], true_object[other], region[own])
    comparison["region_px"] = int(region[own].sum())
    comparison["region_outside_truth_px"] = int(region.sum() - region[own].sum())
    return comparison


def misfit_of_truth(scan, truth, frames, noise_model, epsilon):
    """Cost and data error of the truth itself on the same frames: what photon noise leaves."""
    true_object = truth["object"].reshape(truth["object"].shape[-2:]).astype(complex)
    probe = truth["probe"].astype(complex)
    base, frac = m.split_positions(truth["positions_px"][frames], "fourier")  # as simulated
    model = m.Model(
        scan, base, frac, probe.shape[1:], true_object.shape, "fourier", noise_model, epsilon
    )
    return dict(zip(("cost", "data_error"), model.cost(true_object, probe)))


def parse_arguments(arguments=None):
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("scan")
    p.add_argument("result")
    p.add_argument("--noise-model", choices=m.NOISE_MODELS)
    p.add_argument("--interpolation", choices=m.INTERPOLATIONS)
    p.add_argument("--propagation", choices=("far", "near"))
    p.add_argument("--focus-to-sample-m", type=float)
    p.add_argument("--wavelength-m", type=float)
    p.add_argument("--epsilon", type=float, help="default: 1e-9, for poisson 1e-2")
    p.add_argument("--region-threshold", type=float, default=0.1, help="of the scanned area")
    p.add_argument("--per-frame", action="store_true", help="also print the data error of every frame")
    return p.parse_args(arguments)


def evaluate(args):
    """What main() prints. `args`: of parse_arguments()."""
    result = read_result(args.result)

    def setting(name, default=None):
        given = getattr(args, name)
        found = result["settings"].get(name) if given is None else given
        return default if found is None else found

    scan = m.read_scan(
        args.scan,
        setting("propagation"),
        setting("focus_to_sample_m"),
        setting("wavelength_m"),
        frames=result["frames"],
    )
    interpolation, noise_model = setting("interpolation", "fourier"), setting("noise_model", "amplitude")
    base, frac = m.split_positions(result["positions_px"], interpolation)
    model = m.Model(
        scan,
        base,
        frac,
        result["probe"].shape[1:],
        result["object"].shape,
        interpolation,
        noise_model,
        args.epsilon,
    )
    cost, data_error, _, per_frame = model.cost(result["object"], result["probe"])
    out = {
        "noise_model": noise_model,
        "interpolation": interpolation,
        "num_frames": len(base),
        "cost": cost,
        "data_error": data_error,
    }
    for key, value in result["reported"].items():
        if value is not None:
            out["reported_" + key], out["relative_difference_" + key] = value, abs(value - out[key]) / abs(
                out[key]
            )
    if result["per_frame"] is not None and len(result["per_frame"]) == len(per_frame):
        out["largest_relative_difference_per_frame"] = np.max(
            np.abs(result["per_frame"] - per_frame) / per_frame
        )
    if args.per_frame:
        out["data_error_per_frame"] = list(per_frame)
    if scan.truth:
        out["truth"] = compare_with_truth(result, scan.truth, model, args.region_threshold)
        out["truth"] |= misfit_of_truth(scan, scan.truth, result["frames"], noise_model, args.epsilon)
    return out


def main():
    print(json.dumps(evaluate(parse_arguments()), indent=2))


if __name__ == "__main__":
    sys.exit(main())
