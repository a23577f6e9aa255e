#pragma once

#include "codelets/gradient.hpp"
#include "codelets/layout.hpp"
#include "codelets/runtime/codelet.hpp"

namespace tessera {

// How the last direction enters the next: d = -z + beta d_previous, z = M g.
enum class DirectionRule : std::int32_t {
    polak_ribiere,    // max(0, Re<z, g - g_previous> / <g_previous, z_previous>)
    dai_yuan,         // <g, z> / Re<d, g - g_previous>
    fletcher_reeves,  // <g, z> / <g_previous, z_previous>
    heavy_ball,       // the momentum, and a fixed step
};

struct ConjugateArgs {
    DirectionRule rule = DirectionRule::polak_ribiere;
    std::int32_t iteration = 0;
    std::int32_t restart = 0;  // 1: beta = 0 whatever the rule (first iteration, the probe joins)
    ProbeMotion probe = ProbeMotion::moving;
    std::int32_t num_modes = 1;
    Shape2 probe_shape;
    double alpha = 0.1;
    double tolerance = 0;
    double momentum = 0, step = 0;  // heavy ball
    BufferBytes buffer_bytes() const;
};

// From everything that has been summed to the iteration's beta: adds the probe's share of the dot products,
// keeps the probe's gradient for the next iteration, notices what ends a run (not finite, converged), and
// writes the state. beta = 0 also when the cost rose, after a failed line search, and when d would not
// descend (-S1 + beta S3 >= 0). Buffers: sums R (total), previous probe gradient R, probe R (direction),
// coverage R, probe gradient W, state RW.
extern const Codelet<ConjugateArgs> conjugate;

// The scalars alone: what the rule makes of the dot products. Exposed for tests.
struct DotProducts {
    double s1 = 0, s2 = 0, s3 = 0;               // of this iteration
    double s1_previous = 0, slope_previous = 0;  // slope = Re<g, d>
};
double conjugate_beta(DirectionRule rule, const DotProducts& dots, double momentum);

// On a device: conjugate.cu.
void conjugate_device(const ConjugateArgs&, const Buffers&, Device&);

}  // namespace tessera
