#pragma once

#include <optional>
#include <vector>

#include "codelets/average.hpp"
#include "codelets/conjugate.hpp"
#include "codelets/divide.hpp"
#include "codelets/minibatch.hpp"
#include "codelets/momentum.hpp"
#include "codelets/refine_positions.hpp"
#include "codelets/support_probe.hpp"
#include "codelets/vote_to_stop.hpp"
#include "tasks/batch_operations.hpp"
#include "tasks/handles.hpp"

namespace tessera {

// Do the ranks vote with this sum (to stop, for a checkpoint)?
enum class Votes { counted, none };
// Object and probe take the same step, or each its own.
enum class Steps { shared, separate };

// Mean counts of a pixel: of the frame with most of them, on the pixels in use; of all frames, on as many
// pixels as the probe has.
struct MeanPowers {
    double on_detector_largest = 0, under_probe = 0;
};

// What an object is updated with: sums over batches and tiles.
enum class ObjectSums { make, are_made };

// Where frames that fit badly are tried: `num_tries` places on a disc around where the model of all frames
// has them. Each round turns them.
struct PositionSearch {
    int num_tries = 0, round = 0;
    double radius_px = 0;
    double suspicious_error = 0;
};

// The phases that engines are made of. Each call submits this rank's tasks and messages and returns; StarPU
// orders them by the data they use. Every sum has a declared order, which is the order of submission here:
// batches within a tile, tiles in a halo (tasks/halo_exchange.hpp), a binary tree over tiles
// (tasks/tile_sums.hpp).
class Graph {
  public:
    explicit Graph(Handles& handles) : handles_(handles), batches_(handles) {}

    // Which noise model the frames are compared with from now on.
    void set_noise_model(NoiseModel model) { noise_model_ = model; }
    // What the bounds of the engines that project waves are fractions of.
    void set_mean_powers(const MeanPowers& powers) { mean_powers_ = powers; }
    const MeanPowers& mean_powers() const { return mean_powers_; }
    // When this rank asks all of them to stop.
    void set_stop_condition(const VoteToStopArgs& condition) { stop_condition_ = condition; }
    // From now on the probe moves within it: gradients and directions of the probe lose what is outside, as
    // do the updates of engines that project waves. Null: anywhere.
    void set_probe_support(const std::optional<ProbeSupport>& support) { probe_support_ = support; }

    // Preconditioner: illumination of every tile, coverage of the probe, and their maxima in the state.
    void weigh();
    // Gradient of every tile on its whole extended rectangle (with Exchange::voxels complete in its interior
    // only), cost and probe gradient per tile. What was the gradient becomes the previous one.
    void gradient(KeptWaves waves, ProbeMotion probe);
    // S1, S2, S3 of every tile.
    void dots(double alpha);
    // Adds up over the tiles of all ranks; every rank gets the total.
    void add_up(Votes votes = Votes::counted);
    void conjugate(const ConjugateArgs& args);
    void directions(ProbeMotion probe, double alpha) { directions(probe, alpha, alpha); }
    void directions(ProbeMotion probe, double object_alpha, double probe_alpha);
    // Trial costs along the directions, added up.
    void line_search(KeptWaves waves, ProbeMotion probe);
    void choose_step();
    // Objects agree wherever tiles overlap, before and after.
    void step(ProbeMotion probe, Steps steps = Steps::shared);
    // Pulls the slices of the object together, each tile's interior by itself, and tells it to the halos of
    // others.
    void couple_slices(float strength);
    // What an object is known to be. Neighbours count in each tile's interior, which is then told to the
    // halos of others; limits are every pixel's own.
    void constrain_object(const ObjectConstraintsConfig& constraints);
    // The probe itself into its support, with its direction and its gradient or velocity.
    void keep_probe_in_support();
    // The modes of the probe, its direction and its gradient, on every rank.
    void orthogonalize();
    // Frames that fit badly go where they fit better.
    void search_positions(const PositionSearch& search);
    // Each frame fits its light, and all of them the eigen-probes (codelets/variable_probe.hpp).
    void vary_probe(const VariableProbeConfig& config);
    // The detector's background follows the frames (codelets/refine_background.hpp).
    void refine_background(const RefineBackgroundConfig& config);
    // Frames move along the gradient of the cost, each for itself, and less what all have in common.
    void refine_positions(const RefinePositionsConfig& config, int iteration);
    // Cost and squared error of the current object and probe in evaluation(), and of each frame.
    void evaluate();
    // The state as the record of iteration `iteration`.
    void record(int iteration);

    // Engines that project exit waves (tasks/dm.cpp). An iteration begins, unless a rank asks to stop.
    void begin_projection(int iteration, Averaging averaging);
    // The waves move; sums for the object and the cost of what was before, when asked for. The shape is the
    // batches'.
    void project_waves(FourierProjectionArgs args);
    // The overlap projection, the object's turn: the closest to the waves with this probe. Tiles agree
    // wherever they overlap. The tile is each tile's, the inertia in mean powers under the probe.
    void update_object(DivideObjectArgs args, ObjectSums sums);
    // The probe's turn. The shape is the probe's, the inertia that of a frame.
    void update_probe(DivideProbeArgs args);
    // Object and probe into their mean.
    void average(Averaging averaging);

    // Engines with mini-batches (tasks/pie.cpp, tasks/lsqml.cpp). The gradient of every tile, cost and probe
    // gradient, of the frames of one. The last gradient is not kept. `waves`: none or residual.
    void minibatch_gradient(int minibatch, KeptWaves waves, ProbeMotion probe);
    // Illumination and coverage by the mini-batch's frames.
    void minibatch_weights(int minibatch, ObjectNorm norm);
    void begin_minibatch(int minibatch, const BeginMinibatchArgs& args);
    // The optimal steps along the directions, by the residuals of the mini-batch, added up and chosen.
    void least_squares_steps(int minibatch, ProbeMotion probe, double beta);
    // An iteration with momentum: the velocity is what was the gradient; from here on object and probe are
    // compared with what they are now.
    enum class Velocity { kept, none };
    void begin_momentum(Velocity velocity);
    void momentum(const MomentumArgs& args, ProbeMotion probe);
    void end_momentum();

    const Data& evaluation() const { return handles_.trial_sums.total(); }
    const Data& record_of(int iteration) const {
        return handles_.records[static_cast<std::size_t>(iteration) % handles_.records.size()];
    }

  private:
    BatchShape shape_of(const BatchHandles& batch) const;
    const Data& patterns_of(const BatchHandles& batch) const;
    // Submits reading its patterns, where they do not stay.
    BatchData data_of(std::size_t t, const BatchHandles& batch, const Data& out, const Data* kept) const;
    void clear(const Data& data) const;
    enum class Batches { own, border, interior };
    using Minibatch = std::optional<int>;  // null: the batches of all of them
    template <class Submit>
    void for_each_batch(Batches wanted, const Submit& submit, Minibatch minibatch = {});
    template <class Submit>
    void sum_over_tiles(const HaloExchange& halos, const Data* gate, const Submit& submit,
                        Minibatch minibatch = {});
    void add_batch(std::size_t t, const BatchHandles& batch, const Data& out) const;
    void add_scalars(std::size_t t, const Data& out) const;
    void add_object_sums(std::size_t t, const BatchHandles& batch, const Data& out, const Data* gate) const;
    void sum_overlaps(const Data* gate);
    void support_probe(SupportedPart part) const;
    void support_probe_gradient(ProbeMotion probe) const;

    Handles& handles_;
    BatchOperations batches_;
    VoteToStopArgs stop_condition_;
    NoiseModel noise_model_ = NoiseModel::amplitude;
    MeanPowers mean_powers_;
    std::optional<ProbeSupport> probe_support_;
};

// Larger runs first: what others wait for. Reading comes before the batches, since it is a buffer's turn when
// earlier batches are done, and those still to come have been read.
enum Priority : int { interior_batch = 0, border_batch = 1, reading = 2, summing = 3, scalar = 4 };

}  // namespace tessera
