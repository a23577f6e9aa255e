#!/usr/bin/python3
"""Tests of the double-precision model, the reference engines and the alignment, on a few small frames."""

import argparse
import itertools
import unittest

import numpy as np

import cg
import dm
import evaluate
import lsqml
import model as m
import pie


def agreed_problem(interpolation, field):
    """The problem of oracle_test.cpp's AgreedValues: every number by a formula, so that both can make it."""
    index = lambda *shape: np.arange(np.prod(shape)).reshape(shape)
    i = index(2, 5, 6)
    probe = 3 * np.cos(0.7 * i) + 2j * np.sin(1.3 * i)
    i = index(12, 13)
    obj = 1 + 0.2 * np.cos(1.1 * i) + 0.3j * np.sin(0.6 * i)
    patterns = index(3, 8, 7) * 7 % 23 - 1.0
    mask = (index(8, 7) % 5 != 0).astype(float)
    background = 0.25 * (index(8, 7) % 3)
    transfer = m.fresnel_transfer_function((8, 7), (1e-6, 1.5e-6), 1e-10, 4e-3) if field == "near" else None
    positions_px = np.array([[0.25, 1.5], [3.75, 2.125], [5.5, 6.875]])
    placed_px = np.floor(positions_px) if interpolation == "nearest" else positions_px
    base, frac = m.split_positions(placed_px, interpolation)
    scan = m.Scan(patterns, mask, background, positions_px, np.ones(2), transfer, None, {})
    return scan, base, frac, obj, probe


def model_of(problem, interpolation, noise_model="amplitude"):
    scan, base, frac, obj, probe = problem
    return m.Model(scan, base, frac, probe.shape[1:], obj.shape, interpolation, noise_model, batch_size=2)


class ModelTest(unittest.TestCase):
    def test_gradient_is_the_derivative(self):
        rng = np.random.default_rng(1)
        for interpolation, field, noise_model in itertools.product(
            m.INTERPOLATIONS, ("far", "near"), m.NOISE_MODELS
        ):
            with self.subTest(interpolation=interpolation, field=field, noise_model=noise_model):
                problem = agreed_problem(interpolation, field)
                model, (obj, probe) = model_of(problem, interpolation, noise_model), problem[3:]
                direction = [rng.normal(size=x.shape) + 1j * rng.normal(size=x.shape) for x in (obj, probe)]
                h = 1e-4
                f = [
                    model.cost(obj + s * direction[0], probe + s * direction[1])[0]
                    for s in (-2 * h, -h, h, 2 * h)
                ]
                measured = (8 * (f[2] - f[1]) - (f[3] - f[0])) / (12 * h)
                cost, data_error, g = model.gradient(obj, probe)
                self.assertAlmostEqual(2 * m.dot(g, direction) / measured, 1, delta=1e-5)
                np.testing.assert_allclose([cost, data_error], model.cost(obj, probe)[:2], rtol=1e-12)

    def test_line_costs_are_the_costs_along_the_line(self):
        rng = np.random.default_rng(2)
        for interpolation, noise_model in itertools.product(m.INTERPOLATIONS, m.NOISE_MODELS):
            problem = agreed_problem(interpolation, "far")
            model, (obj, probe) = model_of(problem, interpolation, noise_model), problem[3:]
            d = [rng.normal(size=x.shape) + 1j * rng.normal(size=x.shape) for x in (obj, probe)]
            steps = [0.0, 0.1, 1.7]
            expected = [model.cost(obj + s * d[0], probe + s * d[1])[0] for s in steps]
            np.testing.assert_allclose(model.line_costs(obj, probe, *d, steps), expected, rtol=1e-11)

    def test_agreed_values(self):
        expected = {
            ("nearest", "far", "amplitude"): 699.5131126945178,
            ("bilinear", "far", "amplitude"): 727.9018411771043,
            ("fourier", "far", "amplitude"): 626.2064819092025,
            ("nearest", "near", "amplitude"): 656.9759727395534,
            ("bilinear", "near", "amplitude"): 619.0617643132841,
            ("fourier", "near", "amplitude"): 464.0614792505528,
            ("fourier", "near", "poisson"): 1434.5761021985493,
            ("bilinear", "far", "gaussian"): 3476.9595647502056,
        }
        for (interpolation, field, noise_model), value in expected.items():
            problem = agreed_problem(interpolation, field)
            model = model_of(problem, interpolation, noise_model)
            self.assertAlmostEqual(model.cost(*problem[3:])[0], value, delta=1e-9)

    def test_positions_split_as_the_interpolation_says(self):
        positions_px = np.array([[2.5, 2.25], [2.75, -0.5]])
        for interpolation, base, frac in (
            ("nearest", [[3, 2], [3, 0]], [[0, 0], [0, 0]]),
            ("bilinear", [[2, 2], [2, -1]], [[0.5, 0.25], [0.75, 0.5]]),
            ("fourier", [[3, 2], [3, 0]], [[-0.5, 0.25], [-0.25, -0.5]]),
        ):
            found = m.split_positions(positions_px, interpolation)
            np.testing.assert_array_equal(found[0], base)
            np.testing.assert_array_equal(found[1], frac)

    def test_near_field_of_a_uniform_object_does_not_depend_on_the_sub_pixel_position(self):
        for interpolation in m.INTERPOLATIONS:
            scan, base, frac, obj, _ = agreed_problem(interpolation, "near")
            probe = np.random.default_rng(4).normal(size=(2, 8, 7)) + 0j
            base = np.array([[0, 1], [1, 2], [3, 4]])
            model = m.Model(scan, base, frac, (8, 7), obj.shape, interpolation)
            intensity = model.intensity(np.ones_like(obj), probe, np.arange(3))
            np.testing.assert_allclose(intensity[1:], intensity[:1].repeat(2, axis=0), atol=1e-11)

    def test_illumination_and_coverage_hold_the_power_of_the_exit_waves(self):
        problem = agreed_problem("nearest", "far")
        model, (obj, probe) = model_of(problem, "nearest"), problem[3:]
        batch = np.arange(3)
        power = (np.abs(model.probes(probe, batch) * model.windows(obj, batch)) ** 2).sum()
        self.assertAlmostEqual((model.illumination(probe) * np.abs(obj) ** 2).sum() / power, 1, delta=1e-12)
        self.assertAlmostEqual((model.coverage(obj) * np.abs(probe) ** 2).sum() / power, 1, delta=1e-12)


def smooth_scan(probe_shape, frame_shape):
    """Exact patterns of a smooth random object on a jittered grid, as read_scan() would give them."""
    rng = np.random.default_rng(3)
    positions = np.stack(np.meshgrid(np.arange(7), np.arange(7), indexing="ij"), -1).reshape(-1, 2) * 3.0
    positions += rng.uniform(0, 1, positions.shape)
    base, frac, object_shape = m.place_windows(positions, probe_shape, 8, "fourier")
    smooth = (
        lambda: m.idft(
            m.dft(rng.normal(size=object_shape))
            * np.exp(-40 * sum(q**2 for q in np.meshgrid(*map(np.fft.fftfreq, object_shape), indexing="ij")))
        ).real
        * 3
    )
    true_object = (0.9 + 0.1 * np.tanh(smooth())) * np.exp(0.6j * smooth())
    y, x = (np.arange(n) - n // 2 for n in probe_shape)
    r2 = y[:, None] ** 2 + x[None] ** 2
    true_probe = (100 * np.exp(-r2 / 18 + 0.08j * r2))[None]
    scan = m.Scan(
        np.ones((len(positions),) + frame_shape),
        np.ones(frame_shape),
        np.zeros(frame_shape),
        positions,
        np.ones(2),
        None,
        None,
        {"object": true_object, "probe": true_probe, "positions_px": base + frac},
    )
    make_model = lambda: m.Model(scan, base, frac, probe_shape, object_shape)
    scan.patterns = make_model().intensity(true_object, true_probe, np.arange(len(positions)))
    return scan, make_model()


class EngineTest(unittest.TestCase):
    def run_engine(self, method, num_iter, **options):
        scan, model = smooth_scan((20, 18), (24, 24))
        args = argparse.Namespace(
            num_iter=num_iter, alpha=0.1, beta="PR", probe_update_start=2, step=0.5, momentum=0.8
        )
        vars(args).update(options)
        start = scan.truth["probe"]
        if args.probe_update_start < num_iter:  # a wrong curvature
            start = start * np.exp(0.02j * np.abs(np.log(np.abs(start))))
        history = []
        obj, probe = method(
            model, np.ones(model.object_shape, complex), start, args, lambda **r: history.append(r)
        )
        result = {
            "object": obj,
            "probe": probe,
            "positions_px": scan.truth["positions_px"],
            "frames": np.arange(len(scan.positions_px)),
        }
        comparison = evaluate.compare_with_truth(result, scan.truth, model, 0.1)
        return history, comparison, model.cost(obj, probe)[1]

    def test_every_rule_finds_the_truth_from_the_known_probe(self):
        for rule in ("PR", "DY", "FR"):
            history, comparison, data_error = self.run_engine(
                cg.conjugate_gradient, 60, beta=rule, probe_update_start=60
            )
            self.assertLess(data_error, 1e-5)
            self.assertLess(comparison["object_error"], 0.02)

    def test_probe_and_object_together(self):
        history, comparison, data_error = self.run_engine(cg.conjugate_gradient, 60)
        self.assertLess(data_error, 1e-5)

    def test_gradient_descent(self):
        history, comparison, data_error = self.run_engine(cg.gradient_descent, 60)
        self.assertLess(data_error, history[0]["data_error"] / 100)

    MINIBATCHES = dict(minibatch_size=20, seed=0, alpha_object=None, alpha_probe=None, step_size=None,
                       object_norm_is_global=False, friction=0.9, feedback_interval=2)

    def test_pie_engines(self):
        for name in ("ePIE", "rPIE", "mPIE"):
            history, comparison, data_error = self.run_engine(
                pie.pie, 40, engine=name, **self.MINIBATCHES
            )
            self.assertLess(history[-1]["cost"], history[0]["cost"] / 100, name)

    def test_least_squares(self):
        for gain in (0.0, 0.5):
            history, comparison, data_error = self.run_engine(
                lsqml.lsqml, 40, beta=0.9, damping=0.02, momentum_gain=gain, momentum_friction=0.5,
                momentum_mixing=1.0, minibatch_size=20, seed=0
            )
            self.assertLess(history[-1]["cost"], history[0]["cost"] / 100, gain)

    def test_optimal_steps_are_the_minimum(self):
        rng = np.random.default_rng(4)
        by_object, by_probe = (rng.normal(size=(50, 2)) @ (1, 1j) for _ in range(2))
        wanted = 0.7 * by_object + 0.4 * by_probe
        dot = lambda a, b: np.vdot(a, b).real
        products = np.array([[dot(by_object, by_object) / 1.1], [dot(by_object, by_probe)],
                             [dot(by_probe, by_probe) / 1.1], [dot(by_object, wanted)], [dot(by_probe, wanted)]])
        np.testing.assert_allclose(lsqml.optimal_steps(products, True), (0.7, 0.4), rtol=1e-12)
        # A second frame that the directions hardly touch, whose own steps would be huge, changes nothing.
        hardly = np.array([[1e-12], [0], [1e-12], [1e-6], [1e-6]])
        both = np.concatenate([products, hardly], axis=1)
        np.testing.assert_allclose(lsqml.optimal_steps(both, True), (0.7, 0.4), rtol=1e-5)
        alone = products[3, 0] / (1.1 * products[0, 0])
        np.testing.assert_allclose(lsqml.optimal_steps(products, False), (alone, 0), rtol=1e-12)

    def test_step_choice(self):
        steps = cg.LADDER
        log2 = np.log2(steps)
        parabola = (log2 - 0.3) ** 2 + 1
        self.assertAlmostEqual(cg.choose_step(steps, parabola, 30.0, -1e-3, True), 2**0.3)
        self.assertEqual(cg.choose_step(steps, parabola, 30.0, -1e-3, False), 1)
        self.assertEqual(cg.choose_step(steps, parabola, 1.0, -1e-3, True), 0)  # no trial is below the start
        self.assertEqual(cg.choose_step(steps, -steps, 30.0, -1e-3, True), steps[-1])  # the ladder's end
        self.assertEqual(cg.choose_step(steps, np.full(8, np.nan), 1.0, -1.0, True), 0)


class AlignmentTest(unittest.TestCase):
    def test_recovers_shift_ramp_and_factor(self):
        scan, model = smooth_scan((20, 18), (24, 24))
        truth = scan.truth["object"]
        region = model.illumination(scan.truth["probe"])
        region = region > 0.1 * region.max()
        obj = 1.2 * evaluate.shifted(evaluate.fade_outside(truth, region), (0.37, -1.21))
        obj = obj * evaluate.phase_ramp(truth.shape, (0.05, -0.11)) * np.exp(0.8j)
        found = evaluate.compare_objects(obj, truth, region)
        np.testing.assert_allclose(found["shift_px"], (0.37, -1.21), atol=1e-6)
        np.testing.assert_allclose(found["ramp_rad_px"], (0.05, -0.11), atol=1e-7)
        self.assertAlmostEqual(found["scale"], 1.2, delta=1e-6)
        self.assertLess(found["object_error_free_scale"], 1e-6)


class ProjectionsTest(unittest.TestCase):
    """Of dm.py, for every interpolation and field."""

    def waves(self, interpolation, field, engine="DM", exact=False):
        scan, base, frac, obj, probe = agreed_problem(interpolation, field)
        model = model_of((scan, base, frac, obj, probe), interpolation)
        if exact:
            batch = np.arange(len(scan.patterns))
            scan.patterns = model.intensity(obj, probe, batch)
        arguments = ["scan.cxi", "--engine", engine, "--fourier-power-bound", "0", "--object-inertia", "1e-12",
                     "--probe-inertia", "1e-12"]
        return dm.Waves(model, dm.parse_arguments(arguments)), obj, probe

    def for_all(self, check):
        for interpolation, field in itertools.product(m.INTERPOLATIONS, ("far", "near")):
            with self.subTest(interpolation=interpolation, field=field):
                check(interpolation, field)

    def test_fourier_projection_is_one(self):
        def check(interpolation, field):
            waves, obj, probe = self.waves(interpolation, field)
            once = waves.fourier_projection(1.5 * waves.products(obj, probe))
            twice = waves.fourier_projection(once)
            np.testing.assert_allclose(twice, once, rtol=1e-4, atol=1e-4)  # next to nothing has no phase
            intensity = (np.abs(waves.to_detector(once)) ** 2).sum(axis=1)
            np.testing.assert_allclose(waves.mask * intensity, waves.mask * waves.amplitude**2, rtol=1e-4, atol=1e-6)

        self.for_all(check)

    def test_overlap_projection_comes_closer(self):
        def check(interpolation, field):
            waves, obj, probe = self.waves(interpolation, field)
            waves.psi = waves.fourier_projection(waves.products(obj, probe))
            distance = lambda: np.linalg.norm(waves.psi - waves.products(obj, probe))
            before = distance()
            obj = waves.update_object(obj, probe)
            between = distance()
            self.assertLess(between, before)
            if interpolation != "bilinear":  # the least squares are found at once
                np.testing.assert_allclose(waves.update_object(obj, probe), obj, atol=1e-9)
            probe = waves.update_probe(obj, probe)
            self.assertLess(distance(), between)

        self.for_all(check)

    def test_what_explains_the_frames_stays(self):
        def check(interpolation, field):
            for engine in ("DM", "RAAR", "AP"):
                waves, obj, probe = self.waves(interpolation, field, engine, exact=True)
                for _ in range(5):
                    waves.iterate(obj, probe)
                np.testing.assert_allclose(waves.psi, waves.products(obj, probe), atol=1e-6)
                np.testing.assert_allclose(waves.update_object(obj, probe), obj, atol=1e-6)
                np.testing.assert_allclose(waves.update_probe(obj, probe), probe, atol=1e-6)

        self.for_all(check)


if __name__ == "__main__":
    unittest.main()
