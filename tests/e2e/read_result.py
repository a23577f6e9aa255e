#!/usr/bin/env python3
"""Opens a result of tessera with h5py and silx and asserts what other programs rely on.

usage: read_result.py RESULT.h5 [SCAN.cxi]
"""

import sys

import h5py
import numpy as np
import silx.io
from silx.io import nxdata


def check_structure(path):
    with h5py.File(path, "r") as file:
        assert file["cxi_version"][()] == 160
        assert file.attrs["default"] == "entry_1"
        entry = file["entry_1"]
        assert entry.attrs["NX_class"] == "NXentry" and entry.attrs["default"] == "image_1"

        image, probe = entry["image_1/data"], entry["image_2/data"]
        assert image.dtype == np.complex64 and image.ndim == 3, (image.dtype, image.shape)
        assert probe.dtype == np.complex64 and probe.ndim == 3, (probe.dtype, probe.shape)
        assert np.isfinite(image[()]).all() and np.isfinite(probe[()]).all()
        for data in (image, probe):
            assert data.attrs["interpretation"] == "image"
            assert data.attrs["pixel_size_m"].shape == (2,) and (data.attrs["pixel_size_m"] > 0).all()
            assert data.attrs["origin_m"].shape == (2,)
            for axis, extent in (("y", data.shape[1]), ("x", data.shape[2])):
                centres = data.parent[axis]
                assert centres.shape == (extent,) and centres.attrs["units"] == "m"
        powers = (np.abs(probe[()]) ** 2).sum(axis=(1, 2))
        assert (np.diff(powers) <= 1e-6 * powers[0]).all(), f"modes by falling power: {powers}"

        process = entry["process_1"]
        assert process.attrs["NX_class"] == "NXprocess"
        positions = process["positions_px"]
        assert positions.dtype == np.float64 and positions.shape[1] == 2
        num_frames = positions.shape[0]
        assert process["frames"].shape == (num_frames,) and process["frames"].dtype == np.int64
        assert process["data_error_per_frame"].shape == (num_frames,)
        iterations = process["cost"].shape
        for curve in ("data_error", "step", "time_s"):
            assert process[curve].shape == iterations and process[curve].dtype == np.float64
        corners = positions[()]
        assert (corners > -1).all()
        ends = corners + probe.shape[1:]
        assert (ends <= np.array(image.shape[1:]) + 1).all(), "windows lie inside the object"
        assert isinstance(process["run"].asstr()[()], str)
        for key in process["about"]:
            assert isinstance(process["about"][key].asstr()[()], str), key


def check_plots(path):
    with silx.io.open(path) as file:
        default = nxdata.get_default(file)
        assert default is not None and default.is_valid, "silx finds no default plot"
        assert default.group.name.endswith("image_1")
        assert default.interpretation == "image"
        for group in ("entry_1/image_1", "entry_1/image_2", "entry_1/process_1/convergence",
                      "entry_1/process_1/data_error_map"):
            plot = nxdata.NXdata(file[group])
            assert plot.is_valid, (group, plot.issues)
        assert nxdata.NXdata(file["entry_1/process_1/convergence"]).is_curve
        assert nxdata.NXdata(file["entry_1/process_1/data_error_map"]).is_scatter


def check_scan(path):
    with silx.io.open(path) as file:
        plot = nxdata.get_default(file)
        assert plot is not None and plot.is_valid and plot.interpretation == "image"
    with h5py.File(path, "r") as file:
        frames = file["entry_1/data_1/data"]
        for place in ("data_1", "sample_1/geometry_1", "instrument_1/detector_1"):
            assert file[f"entry_1/{place}/translation"].shape == (frames.shape[0], 3), place
        assert file["entry_1/instrument_1/source_1/illumination"].dtype == np.complex64
        assert file["entry_1/instrument_1/detector_1/mask"].dtype == np.uint32
        assert 1e-18 < file["entry_1/instrument_1/source_1/energy"][()] < 1e-13


def main():
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    check_structure(sys.argv[1])
    check_plots(sys.argv[1])
    if len(sys.argv) == 3:
        check_scan(sys.argv[2])
    print("ok")


if __name__ == "__main__":
    main()
