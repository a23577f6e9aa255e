"""Runs PtyPy as one job of the comparison, alone or under mpiexec: drive_ptypy.py JOB.json (see job.py)."""

import tempfile
import time

from job import Job, Stopwatch

import numpy as np  # noqa: E402  (the libraries below are what `imports_s` measures)
import ptypy
from ptypy import utils as u
from ptypy.core import Ptycho
from ptypy.core.data import PtyScan
from ptypy.experiment import register
from ptypy.utils import parallel

JOB = Job.from_command_line()
if JOB.device == "gpu":
    ptypy.load_gpu_engines("cupy")
IMPORTED = time.monotonic()


@register()
class PreparedScan(PtyScan):
    """
    Defaults:

    [name]
    default = PreparedScan
    type = str
    help =
    """

    def __init__(self, pars=None, **kwargs):
        parameters = self.DEFAULT.copy(depth=99)
        parameters.update(pars)
        super().__init__(parameters, **kwargs)

    def load_positions(self):
        return JOB.windows_px * JOB.pixel_size_m

    def load_weight(self):
        return JOB.mask.astype(np.float32)

    def load(self, indices):
        patterns = JOB.read_patterns(np.float32, sorted(indices))
        return dict(zip(sorted(indices), patterns)), {}, {}


def make_parameters(scratch):
    size = JOB.probe.shape[-1]
    detector_pixel_m = 75e-6  # any: distance and pixel only have to give the object pixel
    p = u.Param()
    p.verbose_level = "ERROR"
    p.io = u.Param(
        home=scratch,
        rfile=None,
        autosave=u.Param(active=False),
        autoplot=u.Param(active=False),
        interaction=u.Param(active=False),
    )
    scan = u.Param(name="BlockFull" if JOB.device == "gpu" else "Full")  # as its GPU engines want it
    scan.data = u.Param(
        name="PreparedScan",
        shape=size,
        energy=1.23984198e-9 / JOB.wavelength_m,
        distance=JOB.pixel_size_m * size * detector_pixel_m / JOB.wavelength_m,
        psize=detector_pixel_m,
        num_frames=len(JOB.windows_px),
        auto_center=False,
        center="fftshift",
        save=None,
    )
    scan.illumination = u.Param(model=JOB.probe[0].astype(np.complex64), aperture=None, propagation=None)
    p.scans = u.Param(scan=scan)
    engine = u.Param(
        name=JOB.engine,
        numiter=sum(JOB.blocks),
        numiter_contiguous=JOB.blocks[0],
        probe_update_start=JOB.probe_start,
    )
    if JOB.engine.startswith("ML"):
        engine.update(ML_type="gaussian", floating_intensities=False, scale_precond=True)
    if JOB.engine.startswith("DM"):
        engine.probe_support = None
    p.engines = u.Param(engine=engine)
    return p


def transform_gain(ptycho):
    """Power behind PtyPy's transform over the power before it: its probe is handed on for a unitary one."""
    pod = next(pod for pod in ptycho.pods.values() if pod.active)
    wave = np.asarray(pod.probe)
    return float((np.abs(pod.fw(wave)) ** 2).sum() / (np.abs(wave) ** 2).sum())


def own_data_error(ptycho):
    """The data error by PtyPy's own views and propagators: guards what is handed on."""
    sums = np.zeros(2)
    for pod in ptycho.pods.values():
        if pod.active:
            amplitude = np.abs(pod.fw(pod.probe * pod.object))
            counts = np.maximum(pod.di_view.data, 0)
            good = pod.ma_view.data
            sums += [(good * (amplitude - np.sqrt(counts)) ** 2).sum(), (good * counts).sum()]
    parallel.allreduce(sums)
    return float(sums[0] / sums[1])


def fields(ptycho):
    object_field = next(iter(ptycho.obj.storages.values())).data[0]
    probe = next(iter(ptycho.probe.storages.values())).data * np.sqrt(transform_gain(ptycho))
    return object_field.copy(), probe


def windows(ptycho):
    """Where the views lie in PtyPy's object, by frame; complete on the first process only."""
    mine = {
        int(pod.di_view.layer): np.array(pod.ob_view.dlow, dtype=np.int64)
        for pod in ptycho.pods.values()
        if pod.active
    }
    every = parallel.gather_dict(mine)
    return np.array([every[frame] for frame in sorted(every)])


def time_blocks(engine, ptycho, watch):
    """Lets the engine's loop go on by blocks, with a time, and fields when asked, after each of them."""
    blocks = iter(JOB.blocks)
    iterate = engine.iterate

    def iterate_block():
        block = next(blocks)
        watch.resume()
        iterate(block)
        watch.block()
        if JOB.snapshots:
            JOB.keep(*fields(ptycho))

    engine.iterate = iterate_block


def main():
    watch = Stopwatch(IMPORTED)
    with tempfile.TemporaryDirectory() as scratch:
        ptycho = Ptycho(make_parameters(scratch), level=4)
        watch.lap("load_s")
        engine = next(iter(ptycho.engines.values()))
        time_blocks(engine, ptycho, watch)
        ptycho.run(engine=engine)
        watch.lap("run_s")
        result = (*fields(ptycho), windows(ptycho))
        if parallel.master:
            JOB.write(*result)
        watch.lap("save_s")
        error = own_data_error(ptycho)
        if parallel.master:
            JOB.report(
                watch,
                {"PtyPy": ptypy.__version__, "numpy": np.__version__, "processes": str(parallel.size)},
                error,
            )


main()
