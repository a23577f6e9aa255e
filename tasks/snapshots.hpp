#pragma once

#include <condition_variable>
#include <deque>
#include <exception>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "base/array.hpp"
#include "tasks/handles.hpp"
#include "tasks/mode_turn.hpp"
#include "tasks/ramp_removal.hpp"
#include "tiling/object_pieces.hpp"

namespace tessera {

// The object at a moment of the run, on its way into a file: each rank has the interiors of its own tiles,
// and the first gets all of them in pieces (tiling/object_pieces.hpp), so that nothing of the object's size
// is anywhere.
class ObjectOnItsWay {
  public:
    // Where the first rank puts pieces together: one for all snapshots of a run.
    struct Memory {
        Array<cfloat, 1> piece, tile;
    };
    ObjectOnItsWay(const Tiling& tiling, const Owners& owners, int num_planes, std::shared_ptr<Memory> memory)
        : tiling_(tiling), owners_(owners), num_planes_(num_planes), memory_(std::move(memory)) {}

    void add(std::size_t tile, const Data& interior) { own_.try_emplace(tile, interior, Access::read); }

    Extents<3> shape() const { return {num_planes_, tiling_.object_shape[0], tiling_.object_shape[1]}; }
    // On the output threads of all ranks, one snapshot after the other: on the first, `visit` is called with
    // pieces that cover the object. What it throws comes out at the end; the others' tiles are taken all the
    // same, because they wait for that.
    using Visit = std::function<void(const Rect& rect, const View<const cfloat, 3>& pixels)>;
    void hand_over(const Visit& visit);

  private:
    Extents<3> extents(const Rect& rect) const { return {num_planes_, rect.height(), rect.width()}; }
    View<const cfloat, 3> take(const ObjectPiece& piece);
    View<const cfloat, 3> take_tile(std::size_t tile, Array<cfloat, 1>& memory);

    const Tiling& tiling_;
    const Owners& owners_;
    int num_planes_;
    std::shared_ptr<Memory> memory_;
    std::map<std::size_t, HostAccess> own_;
};

// Copies of object and probe at a moment of the run, made by tasks, so that the graph goes on while they are
// written; the modes of an object turned, and less what the two can trade, if that is wanted. The next copies
// wait until the last ones are.
class Snapshot {
  public:
    Snapshot(const Problem& problem, const Handles& handles);

    void submit_copies();
    // All wait for the copies.
    std::shared_ptr<ObjectOnItsWay> object() const;
    Array<cfloat, 3> probe() const;  // modes as they are
    // What both are without; null: nothing was taken off.
    std::optional<PhaseRamp> removed_ramp() const { return ramp_.removed(); }
    // Of the object's modes; empty without.
    std::vector<double> object_mode_powers() const { return turn_.powers(); }
    // Of this rank's frames, where positions are refined: (frame of the scan, 2).
    void get_shifts(std::vector<double>& shifts) const;
    // Where the probe varies: the eigen-probes, and the lights of this rank's frames, (frame of the scan,
    // number).
    Array<cfloat, 3> opr_modes() const;
    void get_lights(std::vector<double>& lights) const;
    // Where it is refined: the background, as the detector sees it; else empty.
    Array<float, 2> background() const;

  private:
    const Problem& problem_;
    const Handles& handles_;
    std::vector<Data> interiors_, places_, lights_;  // by tile; empty where there are none
    Data probe_, background_;
    ModeTurn turn_;
    RampRemoval ramp_;
    std::shared_ptr<ObjectOnItsWay::Memory> memory_ = std::make_shared<ObjectOnItsWay::Memory>();
};

// The one thread of the process that makes HDF5 calls and writes pictures once tasks run. Jobs run in order,
// all of them; the first exception comes out of finish().
class OutputThread {
  public:
    OutputThread();
    ~OutputThread();
    void post(std::function<void()> job);
    void finish();  // waits for all jobs; throws what the first failing one threw

  private:
    void run();

    std::mutex lock_;
    std::condition_variable changed_;
    std::deque<std::function<void()>> jobs_;
    bool closing_ = false;
    std::exception_ptr failure_;
    std::thread thread_;
};

}  // namespace tessera
