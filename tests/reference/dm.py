#!/usr/bin/python3
"""Difference map, RAAR and alternating projections in double precision: the methods of Tessera's engines.

    dm.py SCAN.cxi [--engine DM|RAAR|AP] [--num-iter 40] [--modes 3] [--output result.npz] [...]

One JSON line per iteration on stdout, then one with the final cost. The method, word for word:

Start. Object, probe as in cg.py; exit waves psi_jk = P_k O(r_j) on the whole frame, P O being zero around a probe
that is smaller.

Iteration n (from 0), with a_j = sqrt(max(d_j - b, 0)) and U from the sample to the detector:
1. w_jk = c P_k O + (1 - c) psi_jk; c = 1 + alpha (DM), 2 (RAAR), 1 (AP).
2. I = sum_k |U w_jk|^2 and e_j = sum m (sqrt(I) - a_j)^2 / sum m. With the power bound p (default: 1/4
   relax^2 max_j (sum d_j / sum m)):  F(w) = w where e_j <= p, else U^-1 of U w (a + (sqrt(I) - a) sqrt(p / e)) /
   sqrt(I) on pixels with m = 1, of U w on the others; a / sqrt(I) is a / sqrt(I + 1e-9).
3. DM:   psi <- psi + beta [F(w) - alpha P O - (1 - alpha) psi]
   RAAR: psi <- beta [psi + F(w)] + (1 - 2 beta) P O
   AP:   psi <- F(w)
4. O <- (sum_jk conj(P_k) psi_jk + i_O O) / (sum_jk |P_k|^2 + i_O), amplitudes clipped; i_O = object_inertia times
   the mean counts of a frame / pixels of the probe.
   While n < probe_update_start that is all. Else, with i_P = probe_inertia times the number of frames,
   P_k <- (sum_j conj(O) psi_jk + i_P P_k) / (sum_j |O|^2 + i_P), zero outside the support, and again 4., until
   ||P - P_before|| < overlap_converge_factor ||P|| or overlap_max_iterations turns are done. With
   update_probe_first each turn is the probe's and then the object's, and a change of the probe is not enough in
   the first.
Between whole pixels the probe is shifted in Fourier space. The object's quotient stays exact, the probe's becomes
   P_k += sum_j shift_j^H [conj(O) (psi_jk - O shift_j P_k)] / (sum_j |O|^2 + i_P), with |O|^2 at whole pixels.
Or the object is interpolated by B_j: then it is the probe's that stays exact, and
   O += sum_j B_j^T [sum_k conj(P_k) (psi_jk - P_k B_j O)] / (sum_jk B_j^T |P_k|^2 + i_O).
The result is the mean of O and P over the last average_last num_iter iterations, or the last.
"""

import argparse
import json
import sys

import numpy as np

import cg
import model as m


EPSILON = m.DEFAULT_EPSILON["amplitude"]


class Waves:
    """Exit waves of all frames on the whole frame, and the two projections."""

    def __init__(self, model, args):
        self.model, self.args, scan = model, args, model.scan
        self.batch = np.arange(len(scan.patterns))
        self.mask = model.weight(self.batch)
        counts = model.counts(self.batch)
        self.amplitude = np.sqrt(np.maximum(counts - scan.background, 0))
        frame_power = (self.mask * counts).sum(axis=(1, 2))
        self.bound = args.fourier_power_bound
        if self.bound is None:
            self.bound = 0.25 * args.fourier_relax_factor**2 * frame_power.max() / scan.mask.sum()
        self.object_inertia = args.object_inertia * frame_power.mean() / np.prod(model.probe_shape)
        self.probe_inertia = args.probe_inertia * len(self.batch)
        self.psi = None

    def products(self, obj, probe):
        """P O, (frame, mode, y, x) of the frame's shape"""
        model = self.model
        (y, x), (p_y, p_x) = model.pad, model.probe_shape
        out = np.zeros((len(self.batch), len(probe)) + model.frame_shape, complex)
        out[..., y : y + p_y, x : x + p_x] = model.probes(probe, self.batch) * model.windows(obj, self.batch)
        return out

    def under_probe(self, waves):
        (y, x), (p_y, p_x) = self.model.pad, self.model.probe_shape
        return waves[..., y : y + p_y, x : x + p_x]

    def to_detector(self, waves):
        if self.model.scan.transfer_function is None:
            return m.dft(waves)
        return m.idft(self.model._transfer(self.batch) * m.dft(waves))

    def from_detector(self, fields):
        if self.model.scan.transfer_function is None:
            return m.idft(fields)
        return m.idft(self.model._transfer(self.batch).conj() * m.dft(fields))

    def fourier_projection(self, waves):
        fields = self.to_detector(waves)
        modulus = np.sqrt((np.abs(fields) ** 2).sum(axis=1))
        deviation = modulus - self.amplitude
        e = (self.mask * deviation**2).sum(axis=(1, 2)) / self.mask.sum(axis=(1, 2))
        share = np.sqrt(self.bound / np.maximum(e, 1e-300))[:, None, None]
        quotient = self.amplitude / np.sqrt(modulus**2 + EPSILON)
        factor = np.where(self.mask > 0, share + (1 - share) * quotient, 1)
        return np.where((e > self.bound)[:, None, None, None], self.from_detector(factor[:, None] * fields), waves)

    def iterate(self, obj, probe):
        args = self.args
        overlap = self.products(obj, probe)
        if self.psi is None:
            self.psi = overlap
        c = {"DM": 1 + args.dm_alpha, "RAAR": 2, "AP": 1}[args.engine]
        projected = self.fourier_projection(c * overlap + (1 - c) * self.psi)
        if args.engine == "DM":
            alpha, beta = args.dm_alpha, args.dm_beta
            self.psi = self.psi + beta * (projected - alpha * overlap - (1 - alpha) * self.psi)
        elif args.engine == "RAAR":
            self.psi = args.raar_beta * (self.psi + projected) + (1 - 2 * args.raar_beta) * overlap
        else:
            self.psi = projected

    def update_object(self, obj, probe):
        model, psi = self.model, self.under_probe(self.psi)
        probes = np.broadcast_to(model.probes(probe, self.batch), psi.shape)
        weight = np.full(obj.shape, self.object_inertia, complex)
        model.add_windows((np.abs(probes) ** 2).sum(axis=1), self.batch, weight)
        if model.interpolation == "bilinear":
            numerator = weight * obj
            psi = psi - probes * model.windows(obj, self.batch)
        else:
            numerator = self.object_inertia * obj
        model.add_windows((probes.conj() * psi).sum(axis=1), self.batch, numerator)
        obj = numerator / weight
        if self.args.clip_object:
            modulus = np.maximum(np.abs(obj), 1e-30)
            obj = obj * np.clip(modulus, *self.args.clip_object) / modulus
        return obj

    def update_probe(self, obj, probe):
        model, psi = self.model, self.under_probe(self.psi)
        windows = model.windows(obj, self.batch)
        if model.interpolation == "fourier":
            residual = windows.conj() * (psi - windows * model.probes(probe, self.batch))
            probe = probe + model.add_probes(residual, self.batch) / (model.coverage(obj) + self.probe_inertia)
        else:
            numerator = (windows.conj() * psi).sum(axis=0) + self.probe_inertia * probe
            probe = numerator / ((np.abs(windows) ** 2).sum(axis=0) + self.probe_inertia)
        if self.args.probe_support_radius:
            v, u = np.indices(model.probe_shape) - (np.array(model.probe_shape) // 2)[:, None, None]
            half = np.array(model.probe_shape) / 2
            probe = probe * ((v / half[0]) ** 2 + (u / half[1]) ** 2 <= self.args.probe_support_radius**2)
        return probe


def projections(model, obj, probe, args, report):
    waves = Waves(model, args)
    first_averaged = args.num_iter - round(args.average_last * args.num_iter)
    averaged = []
    for n in range(args.num_iter):
        cost, data_error, _, _ = model.cost(obj, probe)
        waves.iterate(obj, probe)
        if n < args.probe_update_start:
            obj, turns = waves.update_object(obj, probe), 0
        for turn in range(args.overlap_max_iterations if n >= args.probe_update_start else 0):
            if not args.update_probe_first:
                obj = waves.update_object(obj, probe)
            before, probe, turns = probe, waves.update_probe(obj, probe), turn + 1
            change = np.linalg.norm(probe - before) / np.linalg.norm(probe)
            if change < args.overlap_converge_factor and not (args.update_probe_first and turn == 0):
                break
            if args.update_probe_first:
                obj = waves.update_object(obj, probe)
        report(iteration=n, cost=cost, data_error=data_error, step=0.0, turns=turns)
        if n >= first_averaged:
            averaged.append((obj, probe))
    return tuple(np.mean(values, axis=0) for values in zip(*averaged)) if averaged else (obj, probe)


def parse_arguments(arguments=None):
    p = argparse.ArgumentParser(
        description=__doc__.splitlines()[0], formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    p.add_argument("--dm-alpha", type=float, default=1.0)
    p.add_argument("--dm-beta", type=float, default=1.0)
    p.add_argument("--raar-beta", type=float, default=0.75)
    p.add_argument("--fourier-relax-factor", type=float, default=0.05)
    p.add_argument("--fourier-power-bound", type=float)
    p.add_argument("--overlap-max-iterations", type=int, default=3)
    p.add_argument("--overlap-converge-factor", type=float, default=0.05)
    p.add_argument("--update-probe-first", action="store_true")
    p.add_argument("--probe-inertia", type=float, default=1e-9)
    p.add_argument("--object-inertia", type=float, default=1e-4)
    p.add_argument("--clip-object", type=float, nargs=2)
    p.add_argument("--probe-support-radius", type=float)
    p.add_argument("--average-last", type=float, default=0.0)
    own, rest = p.parse_known_args(arguments)
    engine = rest[rest.index("--engine") + 1] if "--engine" in rest else "DM"
    if "--engine" in rest:
        del rest[rest.index("--engine") : rest.index("--engine") + 2]
    args = cg.parse_arguments(rest)
    vars(args).update(vars(own))
    args.engine = engine
    return args


def run(args, report_line=print):
    cg.run(args, report_line, {engine: projections for engine in ("DM", "RAAR", "AP")})


def main():
    run(parse_arguments(), lambda line: print(line, flush=True))


if __name__ == "__main__":
    sys.exit(main())
