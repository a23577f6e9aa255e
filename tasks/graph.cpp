#include "tasks/graph.hpp"

#include <utility>

#include "codelets/choose_step.hpp"
#include "codelets/direction.hpp"
#include "codelets/dots.hpp"
#include "codelets/evaluate.hpp"
#include "codelets/illumination.hpp"
#include "codelets/line_search.hpp"
#include "codelets/record.hpp"
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

void Graph::clear(const Data& data) const {
    tessera::clear.submit({data.bytes()}, {&data}, summing);
}

void Graph::clear_sums() const {
    for (const TileHandles& tile : handles_.tiles) clear(tile.sums);
}

void Graph::add_batch(const TileHandles& tile, const BatchHandles& batch, const Data& out) const {
    AddBatchArgs args;
    args.window_y = batch.shape.window_y;
    args.window_x = batch.shape.window_x;
    args.window = batch.shape.window;
    args.tile = tile.shape;
    args.probe_size = handles_.probe_size;
    args.num_slices = handles_.num_slices;
    tessera::add_batch.submit(args, {&out, &tile.gradient_own, &tile.sums}, summing);
}

// gradient[u] = every overlapping tile's share in ascending order, its own in its place: all tiles that hold
// a pixel add the same numbers in the same order, so they agree bitwise.
void Graph::add_halos(bool keep_previous) {
    for (const TileHandles& tile : handles_.tiles) {
        for (const StripHandles& strip : tile.strips) {
            cut_strip.submit({tile.shape, strip.cut, handles_.num_slices}, {&tile.gradient_own, &strip.strip},
                             summing);
        }
    }
    for (std::size_t u = 0; u < handles_.tiles.size(); ++u) {
        TileHandles& tile = handles_.tiles[u];
        if (keep_previous) tile.gradient_previous.swap(tile.gradient);
        if (tile.strips.empty()) {
            tile.gradient.swap(tile.gradient_own);
            continue;
        }
        clear(tile.gradient);
        const auto add_own = [&] {
            add_strip.submit({tile.shape, {0, 0, tile.shape}, handles_.num_slices},
                             {&tile.gradient_own, &tile.gradient}, summing);
        };
        bool own_added = false;
        for (const StripHandles& towards : tile.strips) {
            const auto t = static_cast<std::size_t>(towards.to_tile);
            if (t > u && !std::exchange(own_added, true)) add_own();
            for (const StripHandles& strip : handles_.tiles[t].strips) {
                if (static_cast<std::size_t>(strip.to_tile) != u) continue;
                add_strip.submit({tile.shape, strip.land, handles_.num_slices},
                                 {&strip.strip, &tile.gradient}, summing);
            }
        }
        if (!own_added) add_own();
    }
}

void Graph::weigh() {
    clear_sums();
    for (TileHandles& tile : handles_.tiles) {
        clear(tile.gradient_own);
        for (std::size_t b = 0; b < tile.batches.size(); ++b) {
            const BatchHandles& batch = tile.batches[b];
            const Data& out = tile.out[b % tile.out.size()];
            illumination.submit(
                {shape_of(batch)},
                {&batch.frames, &handles_.detector, &handles_.probe, &tile.object, &handles_.state, &out},
                priority_of(batch));
            add_batch(tile, batch, out);
        }
    }
    // The gradient of the last iteration stays where it is: it is still needed as the previous one.
    for (TileHandles& tile : handles_.tiles) tile.gradient.swap(tile.gradient_previous);
    add_halos(false);
    for (TileHandles& tile : handles_.tiles) {
        weigh_object.submit({tile.shape, handles_.num_slices},
                            {&tile.gradient, &tile.illumination, &tile.sums}, summing);
        tile.gradient.swap(tile.gradient_previous);
    }
    add_up();
    weigh_probe.submit({handles_.probe_shape, handles_.probe_size},
                       {&total(), &handles_.coverage, &handles_.state}, scalar);
}

void Graph::gradient(KeptWaves waves, ProbeMotion probe) {
    clear_sums();
    for (TileHandles& tile : handles_.tiles) {
        clear(tile.gradient_own);
        for (std::size_t b = 0; b < tile.batches.size(); ++b) {
            const BatchHandles& batch = tile.batches[b];
            const Data& out = tile.out[b % tile.out.size()];
            const GradientArgs args = {shape_of(batch), waves, probe};
            if (waves == KeptWaves::none) {
                tessera::gradient.submit(args,
                                         {&batch.patterns, &batch.frames, &handles_.detector, &handles_.probe,
                                          &tile.object, &handles_.state, &out},
                                         priority_of(batch));
            } else {
                gradient_keeping_waves.submit(
                    args,
                    {&batch.patterns, &batch.frames, &handles_.detector, &handles_.probe, &tile.object,
                     &handles_.state, &out, &batch.waves},
                    priority_of(batch));
            }
            add_batch(tile, batch, out);
        }
    }
    add_halos(true);
}

void Graph::dots(double alpha) {
    for (const TileHandles& tile : handles_.tiles) {
        const DotsArgs args = {tile.shape,          tile.interior.y, tile.interior.x,
                               tile.interior.shape, alpha,           handles_.num_slices};
        tessera::dots.submit(args,
                             {&tile.gradient, &tile.gradient_previous, &tile.object, &tile.illumination,
                              &handles_.state, &tile.sums},
                             summing);
    }
}

void Graph::add_up() {
    for (std::size_t stride = 1; stride < handles_.tiles.size(); stride *= 2) {
        for (std::size_t t = 0; t + stride < handles_.tiles.size(); t += 2 * stride) {
            add_sums.submit({handles_.probe_size},
                            {&handles_.tiles[t].sums, &handles_.tiles[t + stride].sums}, scalar);
        }
    }
}

void Graph::conjugate(const ConjugateArgs& args) {
    ConjugateArgs full = args;
    full.num_modes = handles_.num_modes;
    full.probe_shape = handles_.probe_shape;
    full.step = args.step / handles_.num_slices;  // all slices move the exit wave: their steps add up
    handles_.probe_gradient_previous.swap(handles_.probe_gradient);
    tessera::conjugate.submit(full,
                              {&total(), &handles_.probe_gradient_previous, &handles_.probe,
                               &handles_.coverage, &handles_.probe_gradient, &handles_.state},
                              scalar);
}

void Graph::directions(ProbeMotion probe, double alpha) {
    for (const TileHandles& tile : handles_.tiles) {
        direction.submit({MovingPart::object, handles_.num_slices, tile.shape, alpha},
                         {&tile.object, &tile.gradient, &tile.illumination, &handles_.state}, summing);
    }
    if (probe == ProbeMotion::fixed) return;
    direction.submit({MovingPart::probe, handles_.num_modes, handles_.probe_shape, alpha},
                     {&handles_.probe, &handles_.probe_gradient, &handles_.coverage, &handles_.state},
                     scalar);
}

void Graph::line_search(KeptWaves waves, ProbeMotion probe) {
    clear_sums();
    for (TileHandles& tile : handles_.tiles) {
        for (std::size_t b = 0; b < tile.batches.size(); ++b) {
            const BatchHandles& batch = tile.batches[b];
            const Data& out = tile.out[b % tile.out.size()];
            const LineSearchArgs args = {shape_of(batch), waves, probe};
            if (waves == KeptWaves::none) {
                tessera::line_search.submit(args,
                                            {&batch.patterns, &batch.frames, &handles_.detector,
                                             &handles_.probe, &tile.object, &handles_.state, &out},
                                            priority_of(batch));
            } else {
                line_search_keeping_waves.submit(
                    args,
                    {&batch.patterns, &batch.frames, &handles_.detector, &handles_.probe, &tile.object,
                     &handles_.state, &out, &batch.waves},
                    priority_of(batch));
            }
            AddBatchArgs scalars;
            scalars.parts = BatchParts::scalars;
            add_batch_scalars.submit(scalars, {&out, &tile.sums}, summing);
        }
    }
    add_up();
}

void Graph::choose_step() {
    tessera::choose_step.submit({handles_.num_slices}, {&total(), &handles_.state}, scalar);
}

void Graph::step(ProbeMotion probe) {
    for (const TileHandles& tile : handles_.tiles) {
        tessera::step.submit({volume(tile.shape, handles_.num_slices)}, {&tile.object, &handles_.state},
                             summing);
    }
    if (probe == ProbeMotion::moving) {
        tessera::step.submit({handles_.probe_size}, {&handles_.probe, &handles_.state}, scalar);
    }
}

void Graph::evaluate() {
    clear_sums();
    for (TileHandles& tile : handles_.tiles) {
        for (std::size_t b = 0; b < tile.batches.size(); ++b) {
            const BatchHandles& batch = tile.batches[b];
            const Data& out = tile.out[b % tile.out.size()];
            tessera::evaluate.submit({shape_of(batch)},
                                     {&batch.patterns, &batch.frames, &handles_.detector, &handles_.probe,
                                      &tile.object, &out, &batch.frame_errors},
                                     priority_of(batch));
            AddBatchArgs scalars;
            scalars.parts = BatchParts::scalars;
            add_batch_scalars.submit(scalars, {&out, &tile.sums}, summing);
        }
    }
    add_up();
}

void Graph::record(int iteration) {
    tessera::record.submit({}, {&handles_.state, &record_of(iteration)}, scalar);
}

}  // namespace tessera
