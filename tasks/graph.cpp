#include "tasks/graph.hpp"

#include <utility>

#include "codelets/choose_step.hpp"
#include "codelets/couple_slices.hpp"
#include "codelets/direction.hpp"
#include "codelets/dots.hpp"
#include "codelets/evaluate.hpp"
#include "codelets/illumination.hpp"
#include "codelets/least_squares.hpp"
#include "codelets/orthogonalize.hpp"
#include "codelets/overlap.hpp"
#include "codelets/projection_record.hpp"
#include "codelets/record.hpp"
#include "codelets/refine_background.hpp"
#include "codelets/search_positions.hpp"
#include "codelets/variable_probe.hpp"
#include "codelets/weigh.hpp"

namespace tessera {
namespace {

int priority_of(const BatchHandles& batch) {
    return batch.reaches_neighbour ? border_batch : interior_batch;
}

}  // namespace

BatchShape Graph::shape_of(const BatchHandles& batch) const {
    BatchShape shape = batch.shape;
    shape.noise_model = noise_model_;
    return shape;
}

// Where the patterns of a batch are: in memory, or read from the scan by a task that is submitted here.
const Data& Graph::patterns_of(const BatchHandles& batch) const {
    if (!batch.patterns.empty()) return batch.patterns;
    return handles_.stream.read(batch.shape, batch.frames_in_scan, reading);
}

BatchData Graph::data_of(std::size_t t, const BatchHandles& batch, const Data& out, const Data* kept) const {
    return {patterns_of(batch), batch.frames, handles_.tiles[t].object, out, kept};
}

void Graph::clear(const Data& data) const {
    tessera::clear.submit({data.bytes()}, {&data}, summing);
}

void Graph::add_batch(std::size_t t, const BatchHandles& batch, const Data& out) const {
    const TileHandles& tile = handles_.tiles[t];
    AddBatchArgs args;
    args.window_y = batch.shape.window_y;
    args.window_x = batch.shape.window_x;
    args.window = batch.shape.window;
    args.tile = tile.shape;
    args.probe_size = handles_.probe_size;
    args.num_planes = handles_.num_planes;
    if (batch.is_own) {
        args.parts = BatchParts::scalars_and_window;
        tessera::add_batch.submit(args, {&out, &tile.batch_sum(), &handles_.sums.of(t)}, summing);
    } else {
        args.parts = BatchParts::window;
        tessera::add_batch_window.submit(args, {&out, &tile.batch_sum()}, summing);
    }
}

// Each batch of this rank that `wanted` says, with the slot for what it adds up to, and what happens to it.
template <class Submit>
void Graph::for_each_batch(Batches wanted, const Submit& submit, Minibatch minibatch) {
    for (const std::size_t t : handles_.own) {
        TileHandles& tile = handles_.tiles[t];
        for (std::size_t b = 0; b < tile.batches.size(); ++b) {
            const BatchHandles& batch = tile.batches[b];
            if (minibatch && batch.minibatch != *minibatch) continue;
            const bool is_wanted = wanted == Batches::own
                                       ? batch.is_own
                                       : batch.reaches_neighbour == (wanted == Batches::border);
            if (is_wanted) submit(t, tile.batches[b], tile.out[b % tile.out.size()]);
        }
    }
}

// Sums what `submit` makes of each batch over the tiles into gradient: batches that reach
// other tiles first, so that the strips travel while the others compute. Behind the gate, if there is one.
template <class Submit>
void Graph::sum_over_tiles(const HaloExchange& halos, const Data* gate, const Submit& submit,
                           Minibatch minibatch) {
    HaloExchange::Fields own(handles_.tiles.size()), total(handles_.tiles.size());
    for (const std::size_t t : handles_.own) {
        own[t] = &handles_.tiles[t].batch_sum();
        total[t] = &handles_.tiles[t].gradient;
        tessera::clear.submit({own[t]->bytes()}, {own[t]}, summing, gate);
    }
    for_each_batch(Batches::border, submit, minibatch);
    halos.begin(handles_.owners, own, total, summing, gate);
    for_each_batch(Batches::interior, submit, minibatch);
    halos.finish(handles_.owners, own, total, summing, gate);
}

void Graph::add_scalars(std::size_t t, const Data& out) const {
    AddBatchArgs args;
    args.parts = BatchParts::scalars;
    add_batch_scalars.submit(args, {&out, &handles_.trial_sums.of(t)}, summing);
}

void Graph::weigh() {
    handles_.sums.clear(summing);
    // The gradient of the last iteration stays where it is: it is still needed as the previous one.
    for (const std::size_t t : handles_.own)
        handles_.tiles[t].gradient.swap(handles_.tiles[t].gradient_previous);
    sum_over_tiles(handles_.halos, nullptr, [&](std::size_t t, const BatchHandles& batch, const Data& out) {
        illumination.submit({shape_of(batch)},
                            {&batch.frames, &handles_.detector, &handles_.probe, &handles_.tiles[t].object,
                             &handles_.state, &out},
                            priority_of(batch));
        add_batch(t, batch, out);
    });
    for (const std::size_t t : handles_.own) {
        TileHandles& tile = handles_.tiles[t];
        weigh_object.submit({tile.shape, handles_.num_planes},
                            {&tile.gradient, &tile.illumination, &handles_.sums.of(t)}, summing);
        tile.gradient.swap(tile.gradient_previous);
    }
    add_up();
    weigh_probe.submit({handles_.probe_shape, handles_.probe_size},
                       {&handles_.sums.total(), &handles_.coverage, &handles_.state}, scalar);
}

void Graph::gradient(KeptWaves waves, ProbeMotion probe) {
    handles_.sums.clear(summing);
    for (const std::size_t t : handles_.own)
        handles_.tiles[t].gradient_previous.swap(handles_.tiles[t].gradient);
    sum_over_tiles(handles_.halos, nullptr, [&](std::size_t t, BatchHandles& batch, const Data& out) {
        // Without a home they have no value yet.
        const Data* kept = waves == KeptWaves::none ? nullptr : &batch.waves;
        const BatchData data = data_of(t, batch, out, kept);
        if (kept != nullptr && !std::exchange(batch.waves_are_written, true)) clear(batch.waves);
        batches_.gradient({shape_of(batch), waves, probe}, data, priority_of(batch));
        add_batch(t, batch, out);
    });
}

void Graph::dots(double alpha) {
    for (const std::size_t t : handles_.own) {
        const TileHandles& tile = handles_.tiles[t];
        const DotsArgs args = {tile.shape,          tile.interior.y, tile.interior.x,
                               tile.interior.shape, alpha,           handles_.num_planes};
        tessera::dots.submit(args,
                             {&tile.gradient, &tile.gradient_previous, &tile.object, &tile.illumination,
                              &handles_.state, &handles_.sums.of(t)},
                             summing);
    }
}

void Graph::add_up(Votes votes) {
    if (votes == Votes::counted)
        vote_to_stop.submit(stop_condition_, {&handles_.sums.of(handles_.own.front())}, scalar);
    handles_.sums.add_up(handles_.owners, scalar);
}

void Graph::conjugate(const ConjugateArgs& args) {
    ConjugateArgs full = args;
    full.num_modes = handles_.num_modes;
    full.probe_shape = handles_.probe_shape;
    full.step = args.step / handles_.num_slices;  // all slices move the exit wave: their steps add up
    handles_.probe_gradient_previous.swap(handles_.probe_gradient);
    support_probe_gradient(args.probe);
    tessera::conjugate.submit(full,
                              {&handles_.sums.total(), &handles_.probe_gradient_previous, &handles_.probe,
                               &handles_.coverage, &handles_.probe_gradient, &handles_.state},
                              scalar);
}

void Graph::directions(ProbeMotion probe, double object_alpha, double probe_alpha) {
    for (const std::size_t t : handles_.own) {
        const TileHandles& tile = handles_.tiles[t];
        direction.submit({MovingPart::object, handles_.num_planes, tile.shape, object_alpha},
                         {&tile.object, &tile.gradient, &tile.illumination, &handles_.state}, summing);
    }
    if (probe == ProbeMotion::fixed) return;
    direction.submit({MovingPart::probe, handles_.num_modes, handles_.probe_shape, probe_alpha},
                     {&handles_.probe, &handles_.probe_gradient, &handles_.coverage, &handles_.state},
                     scalar);
    if (probe_support_) support_probe(SupportedPart::direction);
}

void Graph::line_search(KeptWaves waves, ProbeMotion probe) {
    handles_.trial_sums.clear(summing);
    for_each_batch(Batches::own, [&](std::size_t t, const BatchHandles& batch, const Data& out) {
        const Data* kept = waves == KeptWaves::none ? nullptr : &batch.waves;
        batches_.line_search({shape_of(batch), waves, probe}, data_of(t, batch, out, kept),
                             priority_of(batch));
        add_scalars(t, out);
    });
    handles_.trial_sums.add_up(handles_.owners, scalar);
}

void Graph::choose_step() {
    tessera::choose_step.submit({handles_.num_slices}, {&handles_.trial_sums.total(), &handles_.state},
                                scalar);
}

void Graph::step(ProbeMotion probe, Steps steps) {
    HaloExchange::Fields objects(handles_.tiles.size());
    for (const std::size_t t : handles_.own) {
        const TileHandles& tile = handles_.tiles[t];
        tessera::step.submit({volume(tile.shape, handles_.num_planes), MovingPart::object},
                             {&tile.object, &handles_.state}, summing);
        objects[t] = &tile.object;
    }
    handles_.halos.copy_voxels(handles_.owners, objects, summing);
    if (probe == ProbeMotion::moving) {
        const MovingPart whose = steps == Steps::shared ? MovingPart::object : MovingPart::probe;
        tessera::step.submit({handles_.probe_size, whose}, {&handles_.probe, &handles_.state}, scalar);
    }
}

void Graph::couple_slices(float strength) {
    HaloExchange::Fields objects(handles_.tiles.size());
    for (const std::size_t t : handles_.own) {
        const TileHandles& tile = handles_.tiles[t];
        tessera::couple_slices.submit({tile.shape, tile.interior, handles_.num_slices, strength},
                                      {&tile.object, &handles_.state}, summing);
        objects[t] = &tile.object;
    }
    handles_.couplings.copy_voxels(handles_.owners, objects, summing);
}

void Graph::orthogonalize() {
    tessera::orthogonalize.submit({handles_.num_modes, handles_.probe_shape},
                                  {&handles_.probe, &handles_.probe_gradient, &handles_.state}, scalar);
}

void Graph::search_positions(const PositionSearch& search) {
    SearchPositionsArgs args;
    spread_tries(search.num_tries, search.radius_px, search.round, args);
    args.max_shift_px = handles_.max_shift_px;
    args.suspicious_error = search.suspicious_error;
    args.num_frames_in_scan = handles_.scan_moments.num_frames;
    for_each_batch(Batches::own, [&](std::size_t t, const BatchHandles& batch, const Data& out) {
        const TileHandles& tile = handles_.tiles[t];
        const Data& patterns = patterns_of(batch);
        args.shape = shape_of(batch);
        args.first = batch.first_place;
        tessera::search_positions.submit(args,
                                         {&patterns, &batch.frames, &handles_.detector, &handles_.probe,
                                          &tile.object, &handles_.state, &tile.places, &out},
                                         priority_of(batch));
        put_frames.submit({batch.shape.num_frames, batch.first_place, batch.shape.interpolation},
                          {&out, &tile.places, &batch.frames}, summing);
    });
}

void Graph::vary_probe(const VariableProbeConfig& config) {
    const std::int32_t has_intensity = config.variable_intensity ? 1 : 0;
    const std::size_t sums_size = opr_sums_size(handles_.num_opr_modes, handles_.probe_shape);
    handles_.sums.clear(summing);
    for_each_batch(Batches::own, [&](std::size_t t, const BatchHandles& batch, const Data& out) {
        const Data& patterns = patterns_of(batch);
        fit_lights.submit({shape_of(batch), has_intensity, config.step_size},
                          {&patterns, &batch.frames, &handles_.detector, &handles_.probe,
                           &handles_.tiles[t].object, &handles_.state, &out},
                          priority_of(batch));
        add_sums.submit({sums_size}, {&handles_.sums.of(t), &out}, summing);
    });
    handles_.sums.add_up(handles_.owners, scalar);
    update_opr_modes.submit({handles_.num_modes, handles_.num_opr_modes, handles_.probe_shape, has_intensity,
                             static_cast<double>(handles_.num_frames), config.opr_step_size},
                            {&handles_.sums.total(), &handles_.probe, &handles_.state, &handles_.light_turn},
                            scalar);
    for_each_batch(Batches::own, [&](std::size_t t, const BatchHandles& batch, const Data&) {
        turn_lights.submit({batch.shape.num_frames, batch.first_place, handles_.num_opr_modes},
                           {&handles_.light_turn, &handles_.state, &batch.frames, &handles_.tiles[t].lights},
                           summing);
    });
}

void Graph::refine_background(const RefineBackgroundConfig& config) {
    const Shape2 detector = handles_.detector_shape;
    handles_.sums.clear(summing);
    for_each_batch(Batches::own, [&](std::size_t t, const BatchHandles& batch, const Data& out) {
        const Data& patterns = patterns_of(batch);
        find_background_derivatives.submit({shape_of(batch)},
                                           {&patterns, &batch.frames, &handles_.detector, &handles_.probe,
                                            &handles_.tiles[t].object, &handles_.state, &out},
                                           priority_of(batch));
        add_sums.submit({detector.area()}, {&handles_.sums.of(t), &out}, summing);
    });
    handles_.sums.add_up(handles_.owners, scalar);
    update_background.submit(
        {detector, static_cast<float>(config.step_size), static_cast<float>(handles_.num_frames)},
        {&handles_.sums.total(), &handles_.detector, &handles_.state, &handles_.background}, scalar);
}

void Graph::refine_positions(const RefinePositionsConfig& config, int iteration) {
    handles_.trial_sums.clear(summing);
    for_each_batch(Batches::own, [&](std::size_t t, const BatchHandles& batch, const Data& out) {
        const TileHandles& tile = handles_.tiles[t];
        const Data& patterns = patterns_of(batch);
        find_position_derivatives.submit({shape_of(batch)},
                                         {&patterns, &batch.frames, &handles_.detector, &handles_.probe,
                                          &tile.object, &handles_.state, &out},
                                         priority_of(batch));
        const double momentum = iteration == config.start ? 0 : config.momentum;
        plan_moves.submit({batch.shape.num_frames, batch.first_place, batch.shape.interpolation,
                           config.step_size, momentum, config.max_step_px, config.model_weight},
                          {&out, &tile.places, &handles_.trial_sums.of(t), &handles_.state}, summing);
    });
    handles_.trial_sums.add_up(handles_.owners, scalar);
    note_position_curvature.submit({handles_.scan_moments.num_frames},
                                   {&handles_.trial_sums.total(), &handles_.state}, scalar);
    MoveFramesArgs args;
    args.scan = handles_.scan_moments;
    args.has_scale = config.model.scale ? 1 : 0;
    args.has_asymmetry = config.model.asymmetry ? 1 : 0;
    args.has_rotation = config.model.rotation ? 1 : 0;
    args.has_shear = config.model.shear ? 1 : 0;
    args.keep_jitter = config.keep_jitter;
    args.max_shift_px = handles_.max_shift_px;
    for_each_batch(Batches::own, [&](std::size_t t, const BatchHandles& batch, const Data&) {
        args.num_frames = batch.shape.num_frames;
        args.first = batch.first_place;
        args.interpolation = batch.shape.interpolation;
        move_frames.submit(
            args, {&handles_.trial_sums.total(), &handles_.state, &handles_.tiles[t].places, &batch.frames},
            summing);
    });
}

void Graph::evaluate() {
    handles_.trial_sums.clear(summing);
    for_each_batch(Batches::own, [&](std::size_t t, const BatchHandles& batch, const Data& out) {
        const Data& patterns = patterns_of(batch);
        tessera::evaluate.submit({shape_of(batch)},
                                 {&patterns, &batch.frames, &handles_.detector, &handles_.probe,
                                  &handles_.tiles[t].object, &out, &batch.frame_errors},
                                 priority_of(batch));
        add_scalars(t, out);
    });
    handles_.trial_sums.add_up(handles_.owners, scalar);
}

void Graph::record(int iteration) {
    tessera::record.submit({}, {&handles_.state, &record_of(iteration)}, scalar);
}

// ---- Engines that project exit waves

void Graph::begin_projection(int iteration, Averaging averaging) {
    handles_.trial_sums.clear(summing);
    vote_to_stop.submit(stop_condition_, {&handles_.trial_sums.of(handles_.own.front())}, scalar);
    handles_.trial_sums.add_up(handles_.owners, scalar);
    tessera::begin_projection.submit({iteration, averaging}, {&handles_.trial_sums.total(), &handles_.state},
                                     scalar);
}

void Graph::add_object_sums(std::size_t t, const BatchHandles& batch, const Data& out,
                            const Data* gate) const {
    const TileHandles& tile = handles_.tiles[t];
    AddBatchArgs args;
    args.window_y = batch.shape.window_y;
    args.window_x = batch.shape.window_x;
    args.window = batch.shape.window;
    args.tile = tile.shape;
    args.probe_size = overlap_probe_size(batch.shape);
    args.parts = BatchParts::window;
    args.num_planes = num_overlap_planes(handles_.num_object_modes);
    tessera::add_batch_window.submit(args, {&out, &tile.batch_sum()}, summing, gate);
}

void Graph::project_waves(FourierProjectionArgs args) {
    const bool has_cost = args.cost == OverlapCost::compute;
    if (has_cost) handles_.trial_sums.clear(summing);
    const auto project = [&](std::size_t t, BatchHandles& batch, const Data& out) {
        args.shape = shape_of(batch);
        const BatchData data = data_of(t, batch, out, &batch.waves);
        if (!std::exchange(batch.waves_are_written, true)) clear(batch.waves);  // no value yet
        batches_.fourier_projection(args, data, priority_of(batch));
        if (has_cost) add_scalars(t, out);
        if (args.object == ObjectPartial::compute) add_object_sums(t, batch, out, nullptr);
    };
    if (args.object == ObjectPartial::compute) {
        sum_over_tiles(handles_.overlap_halos, nullptr, project);
    } else {
        for_each_batch(Batches::own, project);
    }
    if (!has_cost) return;
    handles_.trial_sums.add_up(handles_.owners, scalar);
    note_cost.submit({}, {&handles_.trial_sums.total(), &handles_.state}, scalar);
}

void Graph::sum_overlaps(const Data* gate) {
    sum_over_tiles(handles_.overlap_halos, gate, [&](std::size_t t, BatchHandles& batch, const Data& out) {
        overlap_object.submit(
            {shape_of(batch), OverlapPart::object},
            {&batch.frames, &handles_.probe, &handles_.tiles[t].object, &handles_.state, &out, &batch.waves},
            priority_of(batch), gate);
        add_object_sums(t, batch, out, gate);
    });
}

void Graph::update_object(DivideObjectArgs args, ObjectSums sums) {
    if (sums == ObjectSums::make) sum_overlaps(&handles_.state);
    args.inertia *= mean_powers_.under_probe;
    for (const std::size_t t : handles_.own) {
        const TileHandles& tile = handles_.tiles[t];
        args.tile = tile.shape;
        args.num_modes = handles_.num_object_modes;
        divide_object.submit(args, {&tile.object, &tile.gradient, &handles_.state}, summing);
    }
}

void Graph::update_probe(DivideProbeArgs args) {
    const Data* gate = &handles_.state;
    args.probe = handles_.probe_shape;
    args.num_modes = handles_.num_modes;
    args.inertia *= static_cast<double>(handles_.num_frames);
    if (probe_support_ && probe_support_->window.are_set()) args.support = probe_support_->window;
    handles_.sums.clear(summing, gate);
    for_each_batch(Batches::own, [&](std::size_t t, const BatchHandles& batch, const Data& out) {
        overlap_probe.submit(
            {shape_of(batch), OverlapPart::probe},
            {&batch.frames, &handles_.probe, &handles_.tiles[t].object, &handles_.state, &out, &batch.waves},
            priority_of(batch), gate);
        add_sums.submit({args.sums_size()}, {&handles_.sums.of(t), &out}, summing, gate);
    });
    handles_.sums.add_up(handles_.owners, scalar, gate);
    divide_probe.submit(args, {&handles_.probe, &handles_.sums.total(), &handles_.state}, scalar);
    if (probe_support_ && probe_support_->spectrum.are_set()) support_probe(SupportedPart::all);
}

void Graph::average(Averaging averaging) {
    for (const std::size_t t : handles_.own) {
        const TileHandles& tile = handles_.tiles[t];
        tessera::average.submit({volume(tile.shape, handles_.num_planes), averaging},
                                {&tile.object, &handles_.state}, summing);
    }
    tessera::average.submit({handles_.probe_size, averaging}, {&handles_.probe, &handles_.state}, scalar);
}

// ---- Engines with mini-batches

void Graph::minibatch_gradient(int minibatch, KeptWaves waves, ProbeMotion probe) {
    handles_.sums.clear(summing);
    sum_over_tiles(
        handles_.halos, nullptr,
        [&](std::size_t t, const BatchHandles& batch, const Data& out) {
            const Data* kept = waves == KeptWaves::none ? nullptr : &handles_.tiles[t].residuals[batch.place];
            batches_.gradient({shape_of(batch), waves, probe}, data_of(t, batch, out, kept),
                              priority_of(batch));
            add_batch(t, batch, out);
        },
        minibatch);
}

void Graph::minibatch_weights(int minibatch, ObjectNorm norm) {
    for (const std::size_t t : handles_.own) {
        const TileHandles& tile = handles_.tiles[t];
        const MinibatchHandles& lit_by = tile.minibatches[static_cast<std::size_t>(minibatch)];
        const MinibatchWeightsArgs args = {
            lit_by.num_frames, handles_.num_modes, handles_.probe_shape, tile.shape,
            tile.interior.y,   tile.interior.x,    tile.interior.shape,  norm};
        tessera::minibatch_weights.submit(args,
                                          {&lit_by.frames, &handles_.probe, &tile.object, &handles_.state,
                                           &tile.illumination, &handles_.sums.of(t)},
                                          summing);
    }
}

void Graph::begin_minibatch(int minibatch, const BeginMinibatchArgs& args) {
    BeginMinibatchArgs full = args;
    full.num_modes = handles_.num_modes;
    full.probe_shape = handles_.probe_shape;
    full.num_frames = handles_.frames_in_minibatch[static_cast<std::size_t>(minibatch)];
    support_probe_gradient(args.probe);
    tessera::begin_minibatch.submit(
        full, {&handles_.sums.total(), &handles_.probe_gradient, &handles_.coverage, &handles_.state},
        scalar);
}

void Graph::least_squares_steps(int minibatch, ProbeMotion probe, double beta) {
    handles_.trial_sums.clear(summing);
    for_each_batch(
        Batches::own,
        [&](std::size_t t, const BatchHandles& batch, const Data& out) {
            const TileHandles& tile = handles_.tiles[t];
            least_squares.submit({shape_of(batch)},
                                 {&tile.residuals[batch.place], &batch.frames, &handles_.probe, &tile.object,
                                  &handles_.state, &out},
                                 priority_of(batch));
            add_scalars(t, out);
        },
        minibatch);
    handles_.trial_sums.add_up(handles_.owners, scalar);
    choose_least_squares_step.submit({beta, probe}, {&handles_.trial_sums.total(), &handles_.state}, scalar);
}

void Graph::begin_momentum(Velocity velocity) {
    for (const std::size_t t : handles_.own) {
        TileHandles& tile = handles_.tiles[t];
        tile.gradient.swap(tile.gradient_previous);
        if (velocity == Velocity::none) clear(tile.gradient_previous);
        copy.submit({tile.anchor.bytes()}, {&tile.object, &tile.anchor}, summing);
    }
    handles_.probe_gradient.swap(handles_.probe_gradient_previous);
    if (velocity == Velocity::none) clear(handles_.probe_gradient_previous);
    copy.submit({handles_.probe_anchor.bytes()}, {&handles_.probe, &handles_.probe_anchor}, summing);
}

void Graph::momentum(const MomentumArgs& args, ProbeMotion probe) {
    MomentumArgs full = args;
    for (const std::size_t t : handles_.own) {
        const TileHandles& tile = handles_.tiles[t];
        full.size = volume(tile.shape, handles_.num_planes);
        apply_momentum.submit(full, {&tile.object, &tile.anchor, &tile.gradient_previous, &handles_.state},
                              summing);
    }
    if (probe == ProbeMotion::fixed) return;
    full.size = handles_.probe_size;
    apply_momentum.submit(
        full, {&handles_.probe, &handles_.probe_anchor, &handles_.probe_gradient_previous, &handles_.state},
        scalar);
}

// Checkpoints hold the gradient: where the velocity is between two iterations.
void Graph::end_momentum() {
    for (const std::size_t t : handles_.own)
        handles_.tiles[t].gradient.swap(handles_.tiles[t].gradient_previous);
    handles_.probe_gradient.swap(handles_.probe_gradient_previous);
}

}  // namespace tessera
