#include "codelets/line_search_on_chip.hpp"

#include "codelets/device/on_chip_batch.hpp"
#include "codelets/device/on_chip_line_search.hpp"

namespace tessera {
namespace {

template <std::int32_t Size>
class OnChipLineSearch : public OnChipBatch<LineSearchOfFrames<Size>> {
    using Base = OnChipBatch<LineSearchOfFrames<Size>>;
    using Base::Base, Base::s_, Base::buffers_, Base::device_, Base::program_;

  public:
    void run() {
        BatchSums* sums = batch_sums(buffers_.template get<std::byte>(6));
        device_.clear(sums, sizeof(BatchSums));
        this->set_up();
        set_up_directions();
        take_scratch();
        for (std::int32_t first = 0; first < s_.num_frames; first += this->turn_) this->run_turn(first);
        device_.for_each({num_costs}, TrialCostsFinishSums{this->sums_, s_.num_frames, program_.state, sums});
    }

  private:
    void set_up_directions() {
        const auto* probe = buffers_.template get<const std::byte>(3);
        const auto* object = buffers_.template get<const std::byte>(4);
        program_.object_direction = moving_field(object, s_.tile.area()).direction;
        if (!this->is_moving()) return;
        program_.probe_direction = moving_field(probe, s_.probe_size()).direction;
        if (!this->is_shifted()) return;
        program_.direction_spectrum =
            this->ordered_spectrum(program_.probe_direction, Scratch::direction_spectrum);
    }

    void take_scratch() {
        const std::size_t of_teams = this->team_size(), mode_of_teams = of_teams / s_.num_modes;
        program_.held.a = device_.template scratch<cfloat>(Scratch::waves, of_teams);
        if (s_.num_modes > 1) {
            program_.held.b = device_.template scratch<cfloat>(Scratch::waves_along, of_teams);
        }
        if (this->is_moving()) {
            program_.held.c = device_.template scratch<cfloat>(Scratch::waves_along_twice, of_teams);
        }
        if (!this->is_shifted()) return;
        program_.shifted = device_.template scratch<cfloat>(Scratch::probe, mode_of_teams);
        if (!this->is_moving()) return;
        program_.shifted_direction =
            device_.template scratch<cfloat>(Scratch::probe_direction, mode_of_teams);
    }
};

}  // namespace

bool line_search_on_chip(const LineSearchArgs& args, const Buffers& buffers, Device& device) {
    return run_on_chip<OnChipLineSearch>(args, buffers, device);
}

}  // namespace tessera
