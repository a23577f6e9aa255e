#pragma once

#include <vector>

#include "codelets/conjugate.hpp"
#include "codelets/gradient.hpp"
#include "codelets/vote_to_stop.hpp"
#include "tasks/handles.hpp"

namespace tessera {

// The phases that engines are made of. Each call submits this rank's tasks and messages and returns; StarPU
// orders them by the data they use. Every sum has a declared order, which is the order of submission here:
// batches within a tile, tiles in a halo (tasks/halo_exchange.hpp), a binary tree over tiles
// (tasks/tile_sums.hpp).
class Graph {
  public:
    explicit Graph(Handles& handles) : handles_(handles) {}

    // Which noise model the frames are compared with from now on.
    void set_noise_model(NoiseModel model) { noise_model_ = model; }
    // When this rank asks all of them to stop.
    void set_stop_condition(const VoteToStopArgs& condition) { stop_condition_ = condition; }

    // Preconditioner: illumination of every tile, coverage of the probe, and their maxima in the state.
    void weigh();
    // Gradient of every tile on its whole extended rectangle (with Exchange::voxels complete in its interior
    // only), cost and probe gradient per tile. What was the gradient becomes the previous one.
    void gradient(KeptWaves waves, ProbeMotion probe);
    // S1, S2, S3 of every tile.
    void dots(double alpha);
    // Adds up over the tiles of all ranks; every rank gets the total.
    void add_up();
    void conjugate(const ConjugateArgs& args);
    void directions(ProbeMotion probe, double alpha);
    // Trial costs along the directions, added up.
    void line_search(KeptWaves waves, ProbeMotion probe);
    void choose_step();
    // Objects agree wherever tiles overlap, before and after.
    void step(ProbeMotion probe);
    // Pulls the slices of the object together, each tile's interior by itself, and tells it to the halos of
    // others.
    void couple_slices(float strength);
    // Cost and squared error of the current object and probe in evaluation(), and of each frame.
    void evaluate();
    // The state as the record of iteration `iteration`.
    void record(int iteration);

    const Data& evaluation() const { return handles_.trial_sums.total(); }
    const Data& record_of(int iteration) const {
        return handles_.records[static_cast<std::size_t>(iteration) % handles_.records.size()];
    }

  private:
    BatchShape shape_of(const BatchHandles& batch) const;
    const Data& patterns_of(const BatchHandles& batch) const;
    void clear(const Data& data) const;
    enum class Batches { own, border, interior };
    template <class Submit>
    void for_each_batch(Batches wanted, const Submit& submit);
    template <class Submit>
    void sum_over_tiles(const Submit& submit);
    void add_batch(std::size_t t, const BatchHandles& batch, const Data& out) const;
    void add_scalars(std::size_t t, const Data& out) const;

    Handles& handles_;
    VoteToStopArgs stop_condition_;
    NoiseModel noise_model_ = NoiseModel::amplitude;
};

// Larger runs first: what others wait for. Reading comes before the batches, since it is a buffer's turn when
// earlier batches are done, and those still to come have been read.
enum Priority : int { interior_batch = 0, border_batch = 1, reading = 2, summing = 3, scalar = 4 };

}  // namespace tessera
