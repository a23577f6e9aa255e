#!/usr/bin/python3
"""Engines with mini-batches in double precision: the methods that Tessera's ePIE, rPIE and mPIE implement.

    pie.py SCAN.cxi [--engine rPIE] [--num-iter 20] [--minibatch-size 64] [--output result.npz] [...]

One JSON line per iteration on stdout, then one with the final cost. Start as in cg.py. The method:

Mini-batches. The frames are dealt once into ceil(N / minibatch size) mini-batches (here: a random order, dealt
in turn); every iteration takes them in a random order of its own.

Each mini-batch:
1. One gradient pass over its frames at the current point: cost, g = (g_O, g_P). The iteration's cost is the
   sum over its mini-batches.
2. A = sum_jk |P_k|^2 and C = sum_j |O(r_j)|^2 over its frames, at whole pixels.
3. O -= step_O g_O / ((1-alpha_O) A + alpha_O max A), P the same with C; the probe from probe_update_start on.
   ePIE: alpha 1, steps `alpha_object`, `alpha_probe` (1). rPIE, mPIE: steps `step_size` (rPIE 1 for up to 12
   mini-batches, 12 over their number beyond, 0.4 at least; mPIE 0.2), alpha `alpha_object`, `alpha_probe` (0.1).
   With the norm of the whole object, max C is the number of frames times max |O|^2.
4. mPIE, after every `feedback_interval` mini-batches and at the end of the iteration, for object and probe:
   v = friction v + (O - O_before), O = O_before + v, O_before = O; O_before is O where an iteration begins,
   and v is 0 where the run does.
"""

import argparse
import copy
import json
import sys
import time

import numpy as np

import cg
import model as m


def of_frames(model, frames):
    """The model of some of the frames."""
    some = copy.copy(model)
    some.scan = copy.copy(model.scan)
    some.scan.patterns = model.scan.patterns[frames]
    some.base, some.frac = model.base[frames], model.frac[frames]
    size = len(model.batches[0])
    some.batches = [np.arange(i, min(i + size, len(frames))) for i in range(0, len(frames), size)]
    some.used_counts = sum((some.weight(b) * some.counts(b)).sum() for b in some.batches)
    return some


def deal(model, size, random):
    """One model per mini-batch."""
    order = random.permutation(len(model.base))
    count = -(-len(order) // size)
    return [of_frames(model, np.sort(order[i::count])) for i in range(count)]


def weighted(gradient, weight, alpha, largest=None):
    return gradient / ((1 - alpha) * weight + alpha * (weight.max() if largest is None else largest))


class Momentum:
    def __init__(self, start):
        self.velocity, self.before = np.zeros_like(start), start

    def feed_back(self, value, friction):
        self.velocity = friction * self.velocity + (value - self.before)
        self.before = self.before + self.velocity
        return self.before


def pie(model, obj, probe, args, report):
    random = np.random.default_rng(args.seed)
    minibatches = deal(model, args.minibatch_size, random)
    default = 1.0 if args.engine == "ePIE" else 0.1
    alpha_o, alpha_p = (default if a is None else a for a in (args.alpha_object, args.alpha_probe))
    step = args.step_size or (0.2 if args.engine == "mPIE" else min(max(12 / len(minibatches), 0.4), 1.0))
    step_o, step_p = (alpha_o, alpha_p) if args.engine == "ePIE" else (step, step)
    if args.engine == "ePIE":
        alpha_o = alpha_p = 1.0
    momenta = [Momentum(obj), Momentum(probe)]
    for n in range(args.num_iter):
        total, moves = 0.0, n >= args.probe_update_start
        momenta[0].before, momenta[1].before = obj, probe
        for i, which in enumerate(random.permutation(len(minibatches))):
            some = minibatches[which]
            cost, _, (g_obj, g_probe) = some.gradient(obj, probe)
            coverage, largest = some.coverage(obj), None
            if args.object_norm_is_global:
                largest = len(some.base) * (np.abs(obj) ** 2).max()
            obj = obj - step_o * weighted(g_obj, some.illumination(probe), alpha_o)
            if moves:
                probe = probe - step_p * weighted(g_probe, coverage, alpha_p, largest)
            total += cost
            if args.engine == "mPIE" and ((i + 1) % args.feedback_interval == 0 or i + 1 == len(minibatches)):
                obj = momenta[0].feed_back(obj, args.friction)
                probe = momenta[1].feed_back(probe, args.friction) if moves else probe
        report(iteration=n, cost=total)
    return obj, probe


def parser(engines, default, description):
    p = argparse.ArgumentParser(
        description=description, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    p.add_argument("scan")
    p.add_argument("--engine", choices=engines, default=default)
    p.add_argument("--num-iter", type=int, default=20)
    p.add_argument("--minibatch-size", type=int, default=64)
    p.add_argument("--noise-model", choices=m.NOISE_MODELS, default="amplitude")
    p.add_argument("--interpolation", choices=m.INTERPOLATIONS, default="fourier")
    p.add_argument("--probe-update-start", type=int, default=2)
    p.add_argument("--modes", type=int, default=1)
    p.add_argument("--mode-power", type=float, default=0.05)
    p.add_argument("--margin", type=int, default=8)
    p.add_argument("--frames", type=int, nargs=3, metavar=("START", "STOP", "STEP"), default=(0, None, 1))
    p.add_argument("--seed", type=int, default=0)
    p.add_argument("--output", help="write object, probe, positions and history to this .npz")
    return p


def parse_arguments(arguments=None):
    p = parser(("ePIE", "rPIE", "mPIE"), "rPIE", __doc__.splitlines()[0])
    p.add_argument("--alpha-object", type=float)
    p.add_argument("--alpha-probe", type=float)
    p.add_argument("--step-size", type=float, help="rPIE, mPIE")
    p.add_argument("--object-norm-is-global", action="store_true")
    p.add_argument("--friction", type=float, default=0.8, help="mPIE")
    p.add_argument("--feedback-interval", type=int, default=10, help="mPIE, mini-batches")
    return p.parse_args(arguments)


def run(engine, args, report_line=print):
    """One JSON line per iteration goes to `report_line`; returns the final data error."""
    scan = m.read_scan(args.scan, frames=slice(*args.frames))
    shape = scan.patterns.shape[1:] if scan.probe is None else scan.probe.shape[1:]
    probe = cg.initial_probe(scan, shape, args.modes, args.mode_power)
    base, frac, object_shape = m.place_windows(scan.positions_px, shape, args.margin, args.interpolation)
    model = m.Model(scan, base, frac, shape, object_shape, args.interpolation, args.noise_model)
    history, started = [], time.perf_counter()

    def report(**record):
        record["time_s"] = round(time.perf_counter() - started, 3)
        history.append(record)
        report_line(json.dumps(record))

    obj, probe = engine(model, np.ones(object_shape, complex), probe, args, report)
    final_cost, final_data_error, _, _ = model.cost(obj, probe)
    report_line(json.dumps({"final_cost": final_cost, "final_data_error": final_data_error}))
    if args.output:
        np.savez(
            args.output,
            object=obj,
            probe=probe,
            positions_px=base + frac,
            cost=[r["cost"] for r in history],
            final_cost=final_cost,
            final_data_error=final_data_error,
        )
    return final_data_error


if __name__ == "__main__":
    run(pie, parse_arguments(), lambda line: print(line, flush=True))
    sys.exit(0)
