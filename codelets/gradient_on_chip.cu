#include "codelets/gradient_on_chip.hpp"

#include "codelets/device/frame_costs.hpp"
#include "codelets/device/on_chip_batch.hpp"
#include "codelets/device/on_chip_gradient.hpp"

namespace tessera {
namespace {

template <std::int32_t Size>
class OnChipGradient : public OnChipBatch<GradientOfFrames<Size>> {
    using Base = OnChipBatch<GradientOfFrames<Size>>;
    using Base::Base, Base::s_, Base::buffers_, Base::device_, Base::program_;
    using typename Base::Layout;

  public:
    void run() {
        out_ = buffers_.template get<std::byte>(6);
        device_.clear(out_, out_bytes(s_));
        this->set_up();
        take_scratch();
        for (std::int32_t first = 0; first < s_.num_frames; first += this->turn_) {
            program_.is_first_turn = first == 0;
            this->run_turn(first);
            device_.for_each({s_.window.x, s_.window.y},
                             GatherProducts{s_, program_.frames, program_.num_frames, program_.products,
                                            program_.state, window_part(out_, s_.probe_size())});
        }
        device_.once(FrameCostsFinishSums{this->sums_, s_.num_frames, program_.state, batch_sums(out_)});
        if (this->is_moving()) finish_probe();
    }

  private:
    void take_scratch() {
        const std::size_t of_teams = this->team_size();
        program_.products = device_.template scratch<cfloat>(
            Scratch::product, static_cast<std::size_t>(this->turn_) * s_.probe.area());
        if (this->is_shifted()) program_.shifted = device_.template scratch<cfloat>(Scratch::probe, of_teams);
        if (s_.num_modes > 1) program_.held = device_.template scratch<cfloat>(Scratch::waves, of_teams);
        if (this->is_moving()) {
            program_.probe_sums = device_.template scratch<cfloat>(Scratch::team_sums, of_teams);
        }
    }

    // As the staged kernels do it: groups in their order, and a transform of the sum of spectra.
    void finish_probe() {
        const auto size = static_cast<std::ptrdiff_t>(s_.probe_size());
        cfloat* groups = device_.template scratch<cfloat>(Scratch::groups, num_sum_groups * s_.probe_size());
        cfloat* part = probe_part(out_);
        device_.for_each({Size, Size, num_sum_groups * s_.num_modes},
                         GatherTeams<Layout>{program_.probe_sums, this->num_teams_, s_.num_modes,
                                             this->is_shifted(), groups});
        device_.for_each({static_cast<std::int32_t>(size)}, AddGroups{size, groups, program_.state, part});
        if (this->is_shifted()) device_.backward(part, s_.probe, s_.num_modes);
    }

    std::byte* out_ = nullptr;
};

}  // namespace

bool gradient_on_chip(const GradientArgs& args, const Buffers& buffers, Device& device) {
    return run_on_chip<OnChipGradient>(args, buffers, device);
}

}  // namespace tessera
