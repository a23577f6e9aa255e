"""Runs pty-chi as one job of the comparison: drive_ptychi.py JOB.json (see job.py)."""

import time

from job import Job, Stopwatch

import numpy as np  # noqa: E402  (the libraries below are what `imports_s` measures)
import ptychi.api as api
import torch
from importlib.metadata import version
from ptychi.api.task import PtychographyTask

FAMILIES = {"LSQML": api.LSQMLOptions, "rPIE": api.RPIEOptions, "DM": api.DMOptions}


def make_options(job, num_epochs):
    options = FAMILIES[job.engine]()
    options.data_options.wavelength_m = job.wavelength_m
    options.object_options.pixel_size_m = job.pixel_size_m
    # Positions say where the window's first pixel falls in the object, as everywhere in this comparison.
    options.object_options.determine_position_origin_coords_by = api.ObjectPosOriginCoordsMethods.SPECIFIED
    options.object_options.position_origin_coords = [(size - 1) / 2 for size in job.probe.shape[-2:]]
    # At whole pixels pty-chi's bilinear shift does nothing; its Fourier shift transforms all the same.
    options.object_options.patch_interpolation_method = (
        api.PatchInterpolationMethods.BILINEAR if job.nearest else api.PatchInterpolationMethods.FOURIER
    )
    options.probe_options.optimization_plan.start = job.probe_start
    options.object_options.step_size = options.probe_options.step_size = job.step_size
    options.probe_position_options.optimizable = False
    options.reconstructor_options.num_epochs = num_epochs
    options.reconstructor_options.batch_size = job.batch_size
    on_gpu = job.device == "gpu"
    options.reconstructor_options.default_device = api.Devices.GPU if on_gpu else api.Devices.CPU
    options.data_options.save_data_on_device = on_gpu  # otherwise every batch comes from the host
    options.reconstructor_options.random_seed = 0
    return options


def fields(task, transform_gain):
    probe = task.get_data_to_cpu("probe", as_numpy=True)[0]
    return task.get_data_to_cpu("object", as_numpy=True)[0].copy(), probe * np.float32(transform_gain)


def wait_for_gpu(job):
    if job.device == "gpu":
        torch.cuda.synchronize()


def main():
    imported = time.monotonic()
    job = Job.from_command_line()
    if job.device == "gpu" and not torch.cuda.is_available():
        raise SystemExit("PyTorch finds no GPU")  # pty-chi would take the CPU
    torch.set_num_threads(job.threads)
    watch = Stopwatch(imported)
    transform_gain = float(np.sqrt(job.probe.shape[-2] * job.probe.shape[-1]))  # its transform is not unitary
    options = make_options(job, sum(job.blocks))
    task = PtychographyTask(
        options,
        diffraction_data=job.read_patterns(np.float32),
        object_data=np.ones((1, *job.object_shape), np.complex64),
        probe_data=(job.probe / transform_gain)[None].astype(np.complex64),
        probe_position_y_px=job.windows_px[:, 0].astype(np.float32),
        probe_position_x_px=job.windows_px[:, 1].astype(np.float32),
        valid_pixel_mask=job.mask,
    )
    wait_for_gpu(job)
    watch.lap("load_s")
    for block in job.blocks:
        task.run(block)
        wait_for_gpu(job)
        watch.block()
        if job.snapshots:
            job.keep(*fields(task, transform_gain))
    watch.lap("run_s")
    job.write(*fields(task, transform_gain), job.windows_px)
    watch.lap("save_s")
    job.report(watch, {"pty-chi": version("ptychi"), "torch": torch.__version__, "numpy": np.__version__})


main()
