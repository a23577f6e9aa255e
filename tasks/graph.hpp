#pragma once

#include <vector>

#include "codelets/conjugate.hpp"
#include "codelets/gradient.hpp"
#include "tasks/handles.hpp"

namespace tessera {

// The phases that engines are made of. Each call submits tasks and returns; StarPU orders them by the data
// they use. Every sum has a declared order, which is the order of submission here: batches within a tile,
// ascending tiles in a halo, a binary tree over tiles whose shape depends on their number only.
class Graph {
  public:
    explicit Graph(Handles& handles) : handles_(handles) {}

    // Which noise model the frames are compared with from now on.
    void set_noise_model(NoiseModel model) { noise_model_ = model; }

    // Preconditioner: illumination of every tile, coverage of the probe, and their maxima in the state.
    void weigh();
    // Gradient of every tile on its whole extended rectangle, cost and probe gradient per tile. What was the
    // gradient becomes the previous one.
    void gradient(KeptWaves waves, ProbeMotion probe);
    // S1, S2, S3 of every tile.
    void dots(double alpha);
    // Adds up over tiles into the first tile's sums: the total.
    void add_up();
    void conjugate(const ConjugateArgs& args);
    void directions(ProbeMotion probe, double alpha);
    // Trial costs along the directions, added up.
    void line_search(KeptWaves waves, ProbeMotion probe);
    void choose_step();
    void step(ProbeMotion probe);
    // Cost and squared error of the current object and probe in the total, and of each frame.
    void evaluate();
    // The state as the record of iteration `iteration`.
    void record(int iteration);

    const Data& total() const { return handles_.tiles.front().sums; }
    const Data& record_of(int iteration) const {
        return handles_.records[static_cast<std::size_t>(iteration) % handles_.records.size()];
    }

  private:
    BatchShape shape_of(const BatchHandles& batch) const;
    void clear(const Data& data) const;
    void clear_sums() const;
    void add_batch(const TileHandles& tile, const BatchHandles& batch, const Data& out) const;
    void add_halos(bool keep_previous);

    Handles& handles_;
    NoiseModel noise_model_ = NoiseModel::amplitude;
};

// Larger runs first: what others wait for.
enum Priority : int { interior_batch = 0, border_batch = 1, summing = 2, scalar = 3 };

}  // namespace tessera
