#include "tasks/snapshots.hpp"

#include <algorithm>
#include <cstring>

#include "codelets/accumulate.hpp"

namespace tessera {

Snapshot::Snapshot(const Problem& problem, const Handles& handles)
    : problem_(problem), handles_(handles), probe_(handles.probe_size * sizeof(cfloat)) {
    for (std::size_t t = 0; t < handles.tiles.size(); ++t) {
        objects_.push_back(handles.owners.is_mine(t)
                               ? Data(field_bytes(handles.tiles[t].shape, handles.num_slices))
                               : Data());
    }
}

void Snapshot::submit_copies() {
    for (const std::size_t t : handles_.own) {
        copy.submit({volume(handles_.tiles[t].shape, handles_.num_slices) * sizeof(cfloat)},
                    {&handles_.tiles[t].object, &objects_[t]});
    }
    copy.submit({handles_.probe_size * sizeof(cfloat)}, {&handles_.probe, &probe_});
}

void Snapshot::collect(Array<cfloat, 3>& object, Array<cfloat, 3>& probe) const {
    const Ranks& ranks = *handles_.owners.ranks;
    if (!ranks.is_first()) {
        for (const std::size_t t : handles_.own) ranks.send(objects_[t], 0, tag_of(Message::object, t));
        return;
    }
    const auto& shape = problem_.placement.object_shape;
    object = Array<cfloat, 3>({handles_.num_slices, shape[0], shape[1]});
    for (std::size_t t = 0; t < objects_.size(); ++t) {
        if (!objects_[t].empty()) {
            collect_tile(t, objects_[t], object);
            continue;
        }
        const Rect& rect = problem_.tiling.tiles[t].extended;
        const Data received(field_bytes({rect.height(), rect.width()}, handles_.num_slices));
        ranks.receive(received, handles_.owners.of_tile[t], tag_of(Message::object, t));
        collect_tile(t, received, object);
    }
    probe = Array<cfloat, 3>({handles_.num_modes, handles_.probe_shape.y, handles_.probe_shape.x});
    const HostAccess access(probe_, Access::read);
    std::memcpy(static_cast<void*>(probe.data()), access.as<const cfloat>(), probe.bytes());
}

void Snapshot::collect_tile(std::size_t t, const Data& from, Array<cfloat, 3>& object) const {
    const HostAccess access(from, Access::read);
    const auto* pixels = access.as<const cfloat>();
    const Rect &interior = problem_.tiling.tiles[t].interior, &extended = problem_.tiling.tiles[t].extended;
    for (std::ptrdiff_t slice = 0; slice < handles_.num_slices; ++slice) {
        const auto* plane = pixels + slice * extended.area();
        for (int y = interior.y0; y < interior.y1; ++y) {
            const auto* row = plane + static_cast<std::ptrdiff_t>(y - extended.y0) * extended.width() +
                              (interior.x0 - extended.x0);
            std::copy_n(row, interior.width(), &object(slice, y, interior.x0));
        }
    }
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
