#!/usr/bin/python3
"""Least-squares maximum likelihood in double precision: the method that Tessera's LSQML implements.

    lsqml.py SCAN.cxi [--num-iter 20] [--minibatch-size 64] [--output result.npz] [...]

Mini-batches, their order and gradients g as in pie.py; weights A, C likewise, but of all frames, as object and
probe are where an iteration begins. Each mini-batch:
1. Directions: dO = -g_O / ((1-d) A + d max A), dP = -g_P / ((1-d) C + d max C), d the damping factor.
2. Optimal steps: with chi what comes back from a frame's far fields (their gradient), s how far along it they
   should go, least sum_jk |s_j chi_jk + a P_k dO + b dP_k O|^2 over its frames, also while the probe waits (where
   it never moves for a alone); the diagonal of the 2 x 2 system is raised by a tenth, and steps below 0 are 0. s = 1 for the amplitude model;
   poisson: Newton's step from 1/2, with f = 1 - counts / I, h = 1 - f / 2:
   1/2 + sum f (h I - counts / h) / sum f^2 (I + counts / h^2), in [0, 1].
3. O += beta a dO, P += beta b dP, but while the probe stays.
At the end of an iteration, with a gain, for object and probe: where the cost is above that of the last
iteration v is halved; else with u what the iteration added, v = (1 - friction) v + mixing u, O += gain v.
"""

import sys

import numpy as np

import pie


def frame_products(model, obj, probe, d_obj, d_probe):
    """Of every frame: |P dO|^2, Re <P dO, dP O>, |dP O|^2, -s Re <P dO, chi>, -s Re <dP O, chi>."""
    parts = []
    for batch in model.batches:
        probes, windows, fields, intensity = model._forward(obj, probe, batch)
        counts, weight = model.counts(batch), model.weight(batch)
        slope = model.slope_of(intensity, counts, weight)
        chi = model.propagate_back(slope[:, None] * fields, batch)
        by_object = probes * model.windows(d_obj, batch)
        by_probe = model.probes(d_probe, batch) * windows
        s = 1.0
        if model.noise_model == "poisson":
            over_pixels = lambda x: (slope**2 * x).sum(axis=(1, 2))
            half = 1 - slope / 2
            s = 0.5 + over_pixels((half * intensity - counts / half) / np.where(slope == 0, 1, slope)) / (
                over_pixels(intensity + counts / half**2)
            )
            s = np.clip(s, 0, 1)
        dot = lambda a, b: (a.conj() * b).real.sum(axis=(1, 2, 3))
        by_object, by_probe = (np.broadcast_to(w, chi.shape) for w in (by_object, by_probe))
        parts.append(
            np.stack(
                [
                    dot(by_object, by_object),
                    dot(by_object, by_probe),
                    dot(by_probe, by_probe),
                    -s * dot(by_object, chi),
                    -s * dot(by_probe, chi),
                ]
            )
        )
    return np.concatenate(parts, axis=1)


def optimal_steps(products, both):
    a11, a12, a22, b1, b2 = products.sum(axis=1)
    a11, a22 = 1.1 * a11, 1.1 * a22
    if not both or a22 == 0:
        return max(b1 / a11, 0.0) if a11 > 0 else 0.0, 0.0
    if a11 == 0:
        return 0.0, max(b2 / a22, 0.0)
    determinant = a11 * a22 - a12**2
    steps = (a22 * b1 - a12 * b2) / determinant, (a11 * b2 - a12 * b1) / determinant
    return [max(step, 0.0) for step in steps]


def accelerate(value, before, velocity, args, rose):
    """The value and the velocity after an iteration."""
    if rose:
        return value, velocity / 2
    velocity = (1 - args.momentum_friction) * velocity + args.momentum_mixing * (value - before)
    return value + args.momentum_gain * velocity, velocity


def lsqml(model, obj, probe, args, report):
    random = np.random.default_rng(args.seed)
    minibatches = pie.deal(model, args.minibatch_size, random)
    both = args.probe_update_start < args.num_iter
    velocities, last = [np.zeros_like(obj), np.zeros_like(probe)], np.inf
    for n in range(args.num_iter):
        total, moves, before = 0.0, n >= args.probe_update_start, (obj, probe)
        illumination, coverage = model.illumination(probe), model.coverage(obj)
        for which in random.permutation(len(minibatches)):
            some = minibatches[which]
            cost, _, (g_obj, g_probe) = some.gradient(obj, probe)
            d_obj = -pie.weighted(g_obj, illumination, args.damping)
            d_probe = -pie.weighted(g_probe, coverage, args.damping)
            a, b = optimal_steps(frame_products(some, obj, probe, d_obj, d_probe), both)
            obj, probe = obj + args.beta * a * d_obj, probe + args.beta * b * d_probe * moves
            total += cost
        if args.momentum_gain > 0:
            rose = total > last
            obj, velocities[0] = accelerate(obj, before[0], velocities[0], args, rose)
            if moves:
                probe, velocities[1] = accelerate(probe, before[1], velocities[1], args, rose)
        last = total
        report(iteration=n, cost=total)
    return obj, probe


def parse_arguments(arguments=None):
    p = pie.parser(("LSQML",), "LSQML", __doc__.splitlines()[0])
    p.add_argument("--beta", type=float, default=0.9)
    p.add_argument("--damping", type=float, default=0.02)
    p.add_argument("--momentum-gain", type=float, default=0.0)
    p.add_argument("--momentum-friction", type=float, default=0.5)
    p.add_argument("--momentum-mixing", type=float, default=1.0)
    return p.parse_args(arguments)


if __name__ == "__main__":
    pie.run(lsqml, parse_arguments(), lambda line: print(line, flush=True))
    sys.exit(0)
