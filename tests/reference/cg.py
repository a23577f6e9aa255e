#!/usr/bin/python3
"""Conjugate gradient and gradient descent in double precision: the method that Tessera's engines implement.

    cg.py SCAN.cxi [--num-iter 40] [--engine CG|GD] [--noise-model ...] [--output result.npz] [...]

One JSON line per iteration on stdout, then one with the final cost. The method, word for word:

Start. Object: ones. Probe: the scan's own (else from the mean pattern), scaled so that a frame of empty beam
has the mean counts (less the background) on the used pixels. `centre` = 1.

Iteration n (from 0):
1. One gradient pass at the current point: cost f_n, gradients g = (g_O, g_P). While n < probe_update_start
   the probe stays: z_P and d_P are 0.
2. Preconditioner, remade at iteration 0, when the probe joins (n = probe_update_start) and when n is a
   multiple of 5:
   z_O   = g_O / ((1-alpha) A + alpha max A) with A = sum_jk |P_k|^2 on the object's grid, all modes;
   z_P,k = g_P,k / ((1-alpha) C + alpha max C) with C = sum_j |O(r_j)|^2 on the probe's grid;
   windows of A and C at their whole pixels, the probe not shifted, the object not interpolated.
3. S1 = <g, z>, S2 = Re <z, g_prev>, S3 = Re <d_prev, g>.
   beta = PR+: max(0, (S1 - S2) / S1_prev);  DY: S1 / (S3 - slope_prev);  FR: S1 / S1_prev.
   beta = 0 at iteration 0, when the probe joins, after a failed step, after a cost rise (f_n > f_{n-1}), when
   the denominator is not positive, and when -S1 + beta S3 >= 0.
4. d = -z + beta d_prev; slope = Re <g, d> = -S1 + beta S3.
5. Line search in one pass: cost at s = 0 and at the ladder s_i = centre 2^(i-4), i = 0..7, the field along d
   being A + s B + s^2 C. i* = where the cost is least among the eight (the first of equals).
   Accepted if f(s_i*) <= f(0) + 1e-4 s_i* 2 slope, with the f(0) of this pass.
   If 0 < i* < 7 and the cost did not rise in this iteration: the vertex of the parabola through i*-1, i*,
   i*+1 in log2 s where its curvature is positive, clamped between those neighbours; else s_i*.
   The accepted step is the next centre.
   Not accepted: step 0, beta = 0 next, centre /= 16; twice running stops.
6. O += step d_O, P += step d_P.
A last cost-only pass gives the cost of what is returned.

GD: v = momentum v - z (momentum 0 in an iteration whose cost rose); O += step v_O, P += step v_P; no line
search.
"""

import argparse
import json
import sys
import time

import numpy as np

import model as m

LADDER = 2.0 ** np.arange(-4, 4)
ARMIJO = 1e-4
PRECONDITIONER_INTERVAL = 5


def pad_or_crop(image, shape):
    """Last two axes brought to `shape` about floor(M/2)."""
    out = np.zeros(image.shape[:-2] + tuple(shape), complex)
    source, target = [Ellipsis], [Ellipsis]
    for old, new in zip(image.shape[-2:], shape):
        start = old // 2 - new // 2  # where index 0 of the new array lies in the old one
        source.append(slice(max(start, 0), min(start + new, old)))
        target.append(slice(max(-start, 0), max(-start, 0) + min(start + new, old) - max(start, 0)))
    out[tuple(target)] = image[tuple(source)]
    return out


def with_modes(probe, num_modes, mode_power):
    """Appends modes u^a v^b exp(-(u^2 + v^2)/8) times the first, orthogonal, each of `mode_power` its power.

    u, v: y, x from the centre of the first mode's intensity in standard deviations of it (at least a pixel).
    """
    modes = list(probe[:num_modes])
    first, intensity = probe[0], np.abs(probe[0]) ** 2

    def coordinate(axis):
        r, weight = np.arange(first.shape[axis]), intensity.sum(axis=1 - axis) / intensity.sum()
        centre = (weight * r).sum()
        return (r - centre) / np.sqrt(max((weight * r**2).sum() - centre**2, 1.0))

    u, v = coordinate(0)[:, None], coordinate(1)[None]
    orders = [(degree - b, b) for degree in range(1, num_modes + 1) for b in range(degree + 1)]
    for a, b in orders[: max(0, num_modes - len(modes))]:
        mode = first * u**a * v**b * np.exp(-(u**2 + v**2) / 8)
        for other in modes + modes:  # twice, against rounding
            mode = mode - other * np.vdot(other, mode) / np.vdot(other, other)
        modes.append(mode * np.sqrt(mode_power * np.vdot(first, first) / np.vdot(mode, mode)))
    return np.stack(modes)


def masked_pixels_filled(pattern, mask):
    """Each masked pixel gets the mean of the used ones in the smallest square around it that has any."""
    filled = pattern.copy()
    for y, x in np.argwhere(mask == 0):
        for reach in range(1, max(pattern.shape)):
            square = (slice(max(y - reach, 0), y + reach + 1), slice(max(x - reach, 0), x + reach + 1))
            if mask[square].any():
                filled[y, x] = pattern[square][mask[square] != 0].mean()
                break
    return filled


def probe_from_data(scan, beam):
    """The mean pattern's amplitude without a phase, brought back to the sample."""
    if scan.transfer_function is None:
        return np.fft.fftshift(m.idft(np.sqrt(beam)))[None]
    amplitude = np.sqrt(masked_pixels_filled(beam, scan.mask))
    return m.idft(scan.transfer_function.conj() * m.dft(amplitude))[None]


def initial_probe(scan, probe_shape, num_modes, mode_power):
    mean_pattern = np.maximum(scan.patterns, 0).mean(axis=0, dtype=float)
    beam = np.maximum(mean_pattern - scan.background, 0) * scan.mask
    probe = probe_from_data(scan, beam) if scan.probe is None else scan.probe
    probe = with_modes(pad_or_crop(probe, probe_shape), num_modes, mode_power)
    at_origin = m.Model(scan, np.zeros((1, 2), int), np.zeros((1, 2)), probe_shape, probe_shape)
    empty = at_origin.propagate(probe[None], np.arange(1))[0]
    return probe * np.sqrt(beam.sum() / ((np.abs(empty) ** 2).sum(axis=0) * scan.mask).sum())


class Preconditioner:
    def __init__(self, model, alpha):
        self.model, self.alpha = model, alpha

    def update(self, obj, probe):
        self.of_object, self.of_probe = (
            1 / ((1 - self.alpha) * w + self.alpha * w.max())
            for w in (self.model.illumination(probe), self.model.coverage(obj))
        )

    def __call__(self, g, probe_moves):
        return [g[0] * self.of_object, g[1] * self.of_probe * probe_moves]


def conjugate(rule, s1, s2, s3, s1_prev, slope_prev):
    """beta, 0 where it is not safe"""
    numerator, denominator = {
        "PR": (max(0.0, s1 - s2), s1_prev),
        "DY": (s1, s3 - slope_prev),
        "FR": (s1, s1_prev),
    }[rule]
    beta = numerator / denominator if denominator > 0 else 0.0
    return beta if -s1 + beta * s3 < 0 else 0.0


def choose_step(steps, values, value_at_zero, slope, with_parabola):
    """The accepted step, 0 for none."""
    best = int(np.argmin(values))
    step = steps[best]
    if not values[best] <= value_at_zero + ARMIJO * step * 2 * slope:
        return 0.0
    if with_parabola and 0 < best < len(steps) - 1:
        left, middle, right = values[best - 1 : best + 2]
        curvature = left - 2 * middle + right
        if curvature > 0:
            step *= 2.0 ** np.clip(0.5 * (left - right) / curvature, -1, 1)
    return float(step)


def conjugate_gradient(model, obj, probe, args, report):
    precondition = Preconditioner(model, args.alpha)
    centre, f_prev, failed, num_failed = 1.0, np.inf, False, 0
    d, g_prev, s1_prev, slope_prev = [np.zeros_like(obj), np.zeros_like(probe)], None, 0.0, 0.0
    for n in range(args.num_iter):
        f, data_error, g = model.gradient(obj, probe)
        joins, rose = n == args.probe_update_start, f > f_prev
        if n % PRECONDITIONER_INTERVAL == 0 or joins:
            precondition.update(obj, probe)
        z = precondition(g, n >= args.probe_update_start)
        s1, s3 = m.dot(g, z), m.dot(d, g)
        restart = n == 0 or joins or rose or failed
        beta = 0.0 if restart else conjugate(args.beta, s1, m.dot(z, g_prev), s3, s1_prev, slope_prev)
        d = [-z_block + beta * d_block for z_block, d_block in zip(z, d)]
        slope = -s1 + beta * s3
        steps = centre * LADDER
        values = model.line_costs(obj, probe, *d, [0.0, *steps])
        step = choose_step(steps, values[1:], values[0], slope, with_parabola=not rose)
        report(
            iteration=n,
            cost=f,
            data_error=data_error,
            beta=beta,
            step=step,
            slope=slope,
            restart=bool(restart),
        )
        failed = step == 0
        num_failed = num_failed + 1 if failed else 0
        if num_failed == 2:
            break
        centre = centre / 16 if failed else step
        obj, probe = obj + step * d[0], probe + step * d[1]
        f_prev, g_prev, s1_prev, slope_prev = f, g, s1, slope
    return obj, probe


def gradient_descent(model, obj, probe, args, report):
    precondition = Preconditioner(model, args.alpha)
    f_prev, v = np.inf, [np.zeros_like(obj), np.zeros_like(probe)]
    for n in range(args.num_iter):
        f, data_error, g = model.gradient(obj, probe)
        if n % PRECONDITIONER_INTERVAL == 0 or n == args.probe_update_start:
            precondition.update(obj, probe)
        z = precondition(g, n >= args.probe_update_start)
        momentum = 0.0 if f > f_prev else args.momentum
        v = [momentum * v_block - z_block for v_block, z_block in zip(v, z)]
        report(iteration=n, cost=f, data_error=data_error, step=args.step)
        obj, probe = obj + args.step * v[0], probe + args.step * v[1]
        f_prev = f
    return obj, probe


def parse_arguments(arguments=None):
    p = argparse.ArgumentParser(
        description=__doc__.splitlines()[0], formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    p.add_argument("scan")
    p.add_argument("--propagation", choices=("far", "near"), help="what the file says, else far")
    p.add_argument("--focus-to-sample-m", type=float, help="near field; default: the file's, else 0")
    p.add_argument("--engine", choices=("CG", "GD"), default="CG")
    p.add_argument("--num-iter", type=int, default=40)
    p.add_argument("--noise-model", choices=m.NOISE_MODELS, default="amplitude")
    p.add_argument("--epsilon", type=float, help="default: 1e-9, for poisson 1e-2")
    p.add_argument("--beta", choices=("PR", "DY", "FR"), default="PR")
    p.add_argument("--interpolation", choices=m.INTERPOLATIONS, default="fourier")
    p.add_argument("--probe-update-start", type=int, default=2)
    p.add_argument("--known-probe", action="store_true", help="start from the scan's true probe and keep it")
    p.add_argument("--modes", type=int, default=1)
    p.add_argument("--mode-power", type=float, default=0.05)
    p.add_argument("--probe-size", type=int, nargs=2, metavar=("Y", "X"), help="default: the scan's")
    p.add_argument("--margin", type=int, default=8)
    p.add_argument("--alpha", type=float, default=0.1)
    p.add_argument("--step", type=float, default=0.5, help="GD")
    p.add_argument("--momentum", type=float, default=0.8, help="GD")
    p.add_argument("--frames", type=int, nargs=3, metavar=("START", "STOP", "STEP"), default=(0, None, 1))
    p.add_argument("--output", help="write object, probe, positions and history to this .npz")
    p.add_argument("--batch-size", type=int, default=16)
    p.add_argument("--threads", type=int, default=2)
    return p.parse_args(arguments)


def run(args, report_line=print, engines=None):
    """What main() does; one JSON line per iteration goes to `report_line`. `args`: of parse_arguments(). `engines`:
    others than this file's, by name."""
    scan = m.read_scan(args.scan, args.propagation, args.focus_to_sample_m, frames=slice(*args.frames))
    if args.known_probe:
        probe = scan.truth["probe"].astype(complex)
        args.probe_update_start = args.num_iter
    else:
        shape = args.probe_size or (scan.patterns.shape[1:] if scan.probe is None else scan.probe.shape[1:])
        probe = initial_probe(scan, shape, args.modes, args.mode_power)
    base, frac, object_shape = m.place_windows(
        scan.positions_px, probe.shape[1:], args.margin, args.interpolation
    )
    model = m.Model(
        scan,
        base,
        frac,
        probe.shape[1:],
        object_shape,
        args.interpolation,
        args.noise_model,
        args.epsilon,
        args.batch_size,
        args.threads,
    )
    history, started = [], time.perf_counter()

    def report(**record):
        record["time_s"] = round(time.perf_counter() - started, 3)
        history.append(record)
        report_line(json.dumps(record))

    engine = (engines or {"CG": conjugate_gradient, "GD": gradient_descent})[args.engine]
    obj, probe = engine(model, np.ones(object_shape, complex), probe, args, report)
    final_cost, final_data_error, _, data_error_per_frame = model.cost(obj, probe)
    report_line(json.dumps({"final_cost": final_cost, "final_data_error": final_data_error}))
    if args.output:
        np.savez(
            args.output,
            object=obj,
            probe=probe,
            positions_px=base + frac,
            cost=[r["cost"] for r in history],
            data_error=[r["data_error"] for r in history],
            step=[r["step"] for r in history],
            final_cost=final_cost,
            final_data_error=final_data_error,
            data_error_per_frame=data_error_per_frame,
        )


def main():
    run(parse_arguments(), lambda line: print(line, flush=True))


if __name__ == "__main__":
    sys.exit(main())
