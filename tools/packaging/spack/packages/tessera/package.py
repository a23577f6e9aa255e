# Builds Tessera from the checkout that this recipe lies in:
#   spack repo add tools/packaging/spack
#   spack install tessera ^starpu+mpi
# `spack dev-build tessera@main` builds the working tree as it is, committed or not.
from pathlib import Path

from spack.package import *


class Tessera(CMakePackage, CudaPackage):
    """Ptychography as one task graph: reconstructs object and probe from scans of diffraction patterns."""

    git = Path(__file__).resolve().parents[5].as_uri()
    license("BSD-3-Clause")

    version("main", branch="main")

    depends_on("c", type="build")
    depends_on("cxx", type="build")
    depends_on("cmake@3.25:", type="build")
    depends_on("ninja", type="build")
    depends_on("pkgconfig", type="build")
    depends_on("cli11", type="build")

    depends_on("starpu@1.3.9:+mpi")
    depends_on("mpi")
    depends_on("highway")
    depends_on("spdlog+shared")
    depends_on("fmt")
    depends_on("yaml-cpp")
    depends_on("hdf5+hl~mpi")
    depends_on("fftw@3:precision=float,double")
    depends_on("libpng")
    depends_on("zlib-api")

    depends_on("starpu+cuda", when="+cuda")
    requires("%gcc@12:", "%clang@15:", policy="one_of", msg="C++20")

    generator("ninja")

    def cmake_args(self):
        args = [
            self.define("TESSERA_BUILD_TESTS", False),
            self.define_from_variant("TESSERA_WITH_CUDA", "cuda"),
        ]
        if self.spec.satisfies("+cuda"):
            architectures = self.spec.variants["cuda_arch"].value
            if architectures != ("none",):
                args.append(self.define("CMAKE_CUDA_ARCHITECTURES", architectures))
        return args

    @run_after("install")
    @on_package_attributes(run_tests=True)
    def reconstructs(self):
        tessera = Executable(self.prefix.bin.tessera)
        inputs = self.prefix.share.tessera.inputs
        tessera("simulate", join_path(inputs, "validation_simulation.yaml"), "--output", "scan.cxi")
        tessera("reconstruct", join_path(inputs, "validation.yaml"), "--set", "scan.file=" + str(Path("scan.cxi").resolve()),
                "--set", "engines[0].num_iter=3", "--output", "result.h5")
