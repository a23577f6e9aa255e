#pragma once

// A formula is compiled for the host and, in .cu files, for the device.
#ifdef __CUDACC__
#define TESSERA_HD __host__ __device__ __forceinline__
#else
#define TESSERA_HD inline
#endif
