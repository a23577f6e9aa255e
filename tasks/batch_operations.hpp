#pragma once

#include "codelets/fourier_projection.hpp"
#include "codelets/gradient.hpp"
#include "codelets/line_search.hpp"
#include "tasks/handles.hpp"

namespace tessera {

// What an operation on the frames of one batch works on, beside what all batches share.
struct BatchData {
    const Data& patterns;
    const Data& frames;
    const Data& object;
    const Data& out;             // overwritten
    const Data* kept = nullptr;  // waves or residual, where the operation keeps any
};

// The operations that take the frames of a batch to the detector and back. Each is submitted as one task, or,
// where handles have waves for that, as one task for every step on the way: exit waves, propagation, what
// happens at the detector, propagation back, sums. The answer is the same to the last bit on CPUs; the tasks
// are smaller, and waves travel through memory instead of staying with a worker. A batch's stages follow one
// another, those of other batches may run between them: as many batches are under way as the ring of waves is
// long.
class BatchOperations {
  public:
    explicit BatchOperations(const Handles& handles) : handles_(handles) {}

    void gradient(const GradientArgs& args, const BatchData& batch, int priority);
    void line_search(const LineSearchArgs& args, const BatchData& batch, int priority);
    void fourier_projection(const FourierProjectionArgs& args, const BatchData& batch, int priority);

  private:
    bool are_staged() const { return !handles_.stage_waves.empty(); }
    const StageWaves& next_waves();

    void gradient_in_stages(const GradientArgs& args, const BatchData& batch, int priority);
    void line_search_in_stages(const LineSearchArgs& args, const BatchData& batch, int priority);
    void projection_in_stages(const FourierProjectionArgs& args, const BatchData& batch, int priority);

    const Handles& handles_;
    std::size_t next_ = 0;
};

}  // namespace tessera
