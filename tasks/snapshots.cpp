#include "tasks/snapshots.hpp"

#include <cstring>

#include "codelets/accumulate.hpp"

namespace tessera {

Snapshot::Snapshot(const Problem& problem, const Handles& handles)
    : problem_(problem), handles_(handles), probe_(handles.probe_size * sizeof(cfloat)) {
    for (const TileHandles& tile : handles.tiles)
        objects_.emplace_back(field_bytes(tile.shape, handles.num_slices));
}

void Snapshot::submit_copies() {
    for (std::size_t t = 0; t < objects_.size(); ++t) {
        copy.submit({volume(handles_.tiles[t].shape, handles_.num_slices) * sizeof(cfloat)},
                    {&handles_.tiles[t].object, &objects_[t]});
    }
    copy.submit({handles_.probe_size * sizeof(cfloat)}, {&handles_.probe, &probe_});
}

void Snapshot::collect(Array<cfloat, 3>& object, Array<cfloat, 3>& probe) const {
    const auto& shape = problem_.placement.object_shape;
    object = Array<cfloat, 3>({handles_.num_slices, shape[0], shape[1]});
    for (std::size_t t = 0; t < objects_.size(); ++t) {
        const HostAccess access(objects_[t], Access::read);
        const auto* tile = access.as<const cfloat>();
        const Rect& interior = problem_.tiling.tiles[t].interior;
        const Strip& inside = handles_.tiles[t].interior;
        const Shape2 shape_of_tile = handles_.tiles[t].shape;
        for (int slice = 0; slice < handles_.num_slices; ++slice) {
            const auto* corner = tile + volume(shape_of_tile, slice) +
                                 static_cast<std::ptrdiff_t>(inside.y) * shape_of_tile.x + inside.x;
            for (int y = 0; y < interior.height(); ++y) {
                std::memcpy(static_cast<void*>(&object(slice, interior.y0 + y, interior.x0)),
                            corner + static_cast<std::ptrdiff_t>(y) * shape_of_tile.x,
                            static_cast<std::size_t>(interior.width()) * sizeof(cfloat));
            }
        }
    }
    probe = Array<cfloat, 3>({handles_.num_modes, handles_.probe_shape.y, handles_.probe_shape.x});
    const HostAccess access(probe_, Access::read);
    std::memcpy(static_cast<void*>(probe.data()), access.as<const cfloat>(), probe.bytes());
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
