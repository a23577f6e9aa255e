#include "tasks/snapshots.hpp"

#include <algorithm>
#include <cstring>
#include <span>

#include "codelets/accumulate.hpp"

namespace tessera {

Snapshot::Snapshot(const Problem& problem, const Handles& handles)
    : problem_(problem),
      handles_(handles),
      // Eigen-probes lie behind the direction.
      probe_(handles.num_opr_modes > 0 ? handles.probe.bytes()
                                       : field_bytes(handles.probe_shape, handles.num_modes)),
      background_(handles.background.empty() ? Data() : Data(handles.background.bytes())),
      turn_(handles),
      ramp_(problem, handles) {
    for (const TileHandles& tile : handles.tiles) {
        interiors_.push_back(
            tile.object.empty() ? Data() : Data(field_bytes(tile.interior.shape, handles.num_planes)));
        places_.push_back(tile.places.empty() ? Data() : Data(tile.places.bytes()));
        lights_.push_back(tile.lights.empty() ? Data() : Data(tile.lights.bytes()));
    }
    const Ranks& ranks = *handles.owners.ranks;
    if (!ranks.is_first()) return;
    const PieceMemory pixels = piece_memory(problem.tiling, handles.num_planes, ranks.are_several());
    memory_->piece = Array<cfloat, 1>({pixels.piece});
    memory_->tile = Array<cfloat, 1>({pixels.tile});
}

void Snapshot::submit_copies() {
    for (const std::size_t t : handles_.own) {
        const TileHandles& tile = handles_.tiles[t];
        cut_strip.submit({tile.shape, tile.interior, handles_.num_planes}, {&tile.object, &interiors_[t]});
        if (!tile.places.empty()) copy.submit({tile.places.bytes()}, {&tile.places, &places_[t]});
        if (!tile.lights.empty()) copy.submit({tile.lights.bytes()}, {&tile.lights, &lights_[t]});
    }
    copy.submit({probe_.bytes()}, {&handles_.probe, &probe_});
    turn_.submit(interiors_);
    if (!background_.empty()) copy.submit({background_.bytes()}, {&handles_.background, &background_});
    ramp_.submit(interiors_, probe_);
}

std::shared_ptr<ObjectOnItsWay> Snapshot::object() const {
    auto object =
        std::make_shared<ObjectOnItsWay>(problem_.tiling, handles_.owners, handles_.num_planes, memory_);
    for (const std::size_t t : handles_.own) object->add(t, interiors_[t]);
    return object;
}

Array<cfloat, 3> Snapshot::probe() const {
    Array<cfloat, 3> probe({handles_.num_modes, handles_.probe_shape.y, handles_.probe_shape.x});
    const HostAccess access(probe_, Access::read);
    std::memcpy(static_cast<void*>(probe.data()), access.as<const cfloat>(), probe.bytes());
    return probe;
}

void Snapshot::get_shifts(std::vector<double>& shifts) const {
    for (const std::size_t t : handles_.own) {
        const HostAccess access(places_[t], Access::read);
        const auto* place = access.as<const FramePlace>();
        for (const Batch& batch : problem_.tiling.tiles[t].batches) {
            for (const std::ptrdiff_t frame : batch.frames) {
                std::copy_n(place->shift, 2, shifts.begin() + 2 * frame);
                ++place;
            }
        }
    }
}

Array<cfloat, 3> Snapshot::opr_modes() const {
    Array<cfloat, 3> modes({handles_.num_opr_modes, handles_.probe_shape.y, handles_.probe_shape.x});
    const HostAccess access(probe_, Access::read);
    std::memcpy(static_cast<void*>(modes.data()),
                access.as<const std::byte>() + moving_field_bytes(handles_.probe_size), modes.bytes());
    return modes;
}

void Snapshot::get_lights(std::vector<double>& lights) const {
    const std::ptrdiff_t size = light_size(handles_.num_opr_modes);
    for (const std::size_t t : handles_.own) {
        const HostAccess access(lights_[t], Access::read);
        const auto* light = access.as<const float>();
        for (const Batch& batch : problem_.tiling.tiles[t].batches) {
            for (const std::ptrdiff_t frame : batch.frames) {
                std::copy_n(light, size, lights.begin() + size * frame);
                light += size;
            }
        }
    }
}

// In the far field the program has the direct beam at pixel (0, 0).
Array<float, 2> Snapshot::background() const {
    if (background_.empty()) return {};
    const std::ptrdiff_t height = problem_.scan.frame_shape[0], width = problem_.scan.frame_shape[1];
    const std::ptrdiff_t middle_y = problem_.near_field() ? 0 : height / 2,
                         middle_x = problem_.near_field() ? 0 : width / 2;
    Array<float, 2> background({height, width});
    const HostAccess access(background_, Access::read);
    const auto* counts = access.as<const float>();
    for (std::ptrdiff_t y = 0; y < height; ++y)
        for (std::ptrdiff_t x = 0; x < width; ++x)
            background((y + middle_y) % height, (x + middle_x) % width) = counts[y * width + x];
    return background;
}

void ObjectOnItsWay::hand_over(const Visit& visit) {
    const Ranks& ranks = *owners_.ranks;
    if (!ranks.is_first()) {
        for (auto own = own_.begin(); own != own_.end(); own = own_.erase(own)) {
            const Extents<3> shape = extents(tiling_.tiles[own->first].interior);
            const View pixels(own->second.as<const cfloat>(), shape);
            ranks.send_to_first(std::as_bytes(std::span(pixels.begin(), pixels.end())));
        }
        return;
    }
    std::exception_ptr failure;
    for (const ObjectPiece& piece : object_pieces(tiling_, num_planes_)) {
        const View<const cfloat, 3> pixels = take(piece);
        try {
            if (!failure) visit(piece.rect, pixels);
        } catch (...) {
            failure = std::current_exception();
        }
        for (std::size_t t = piece.first_tile; t < piece.first_tile + piece.num_tiles; ++t) own_.erase(t);
    }
    if (failure) std::rethrow_exception(failure);
}

// Its own, or what its owner sends.
View<const cfloat, 3> ObjectOnItsWay::take_tile(std::size_t tile, Array<cfloat, 1>& memory) {
    const Extents<3> shape = extents(tiling_.tiles[tile].interior);
    if (owners_.is_mine(tile)) return {own_.at(tile).as<const cfloat>(), shape};
    const auto received = std::span(memory.data(), static_cast<std::size_t>(num_elements(shape)));
    owners_.ranks->receive_from(owners_.of_tile[tile], std::as_writable_bytes(received));
    return {memory.data(), shape};
}

View<const cfloat, 3> ObjectOnItsWay::take(const ObjectPiece& piece) {
    if (piece.num_tiles == 1) return take_tile(piece.first_tile, memory_->piece);
    const View whole(memory_->piece.data(), extents(piece.rect));
    for (std::size_t t = piece.first_tile; t < piece.first_tile + piece.num_tiles; ++t) {
        const View<const cfloat, 3> tile = take_tile(t, memory_->tile);
        const std::ptrdiff_t left = tiling_.tiles[t].interior.x0 - piece.rect.x0;
        for (std::ptrdiff_t plane = 0; plane < tile.extent(0); ++plane)
            for (std::ptrdiff_t y = 0; y < tile.extent(1); ++y)
                std::copy_n(&tile(plane, y, 0), tile.extent(2), &whole(plane, y, left));
    }
    return whole;
}

OutputThread::OutputThread() : thread_([this] { run(); }) {}

OutputThread::~OutputThread() {
    {
        const std::lock_guard guard(lock_);
        closing_ = true;
    }
    changed_.notify_all();
    if (thread_.joinable()) thread_.join();
}

void OutputThread::post(std::function<void()> job) {
    {
        const std::lock_guard guard(lock_);
        jobs_.push_back(std::move(job));
    }
    changed_.notify_all();
}

void OutputThread::finish() {
    {
        const std::lock_guard guard(lock_);
        closing_ = true;
    }
    changed_.notify_all();
    if (thread_.joinable()) thread_.join();
    if (failure_) std::rethrow_exception(std::exchange(failure_, nullptr));
}

void OutputThread::run() {
    while (true) {
        std::function<void()> job;
        {
            std::unique_lock guard(lock_);
            changed_.wait(guard, [this] { return closing_ || !jobs_.empty(); });
            if (jobs_.empty()) return;
            job = std::move(jobs_.front());
            jobs_.pop_front();
        }
        try {
            job();
        } catch (...) {
            if (!failure_) failure_ = std::current_exception();  // only this thread writes it before finish()
        }
    }
}

}  // namespace tessera
