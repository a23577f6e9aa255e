// The far fields of one frame, and what it costs, without a gradient. Compiled once per instruction set.
#if defined(TESSERA_CODELETS_FRAME_EVALUATION_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef TESSERA_CODELETS_FRAME_EVALUATION_INL_HPP
#undef TESSERA_CODELETS_FRAME_EVALUATION_INL_HPP
#else
#define TESSERA_CODELETS_FRAME_EVALUATION_INL_HPP
#endif

#include "codelets/frame_model-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace tessera {
namespace HWY_NAMESPACE {

class FrameEvaluation {
  public:
    // `frames`, whose lights count, `probe` and `object` as in codelets/layout.hpp.
    FrameEvaluation(const BatchShape& s, const std::byte* frames, const std::byte* detector,
                    const std::byte* probe, const std::byte* object)
        : s_(s),
          lights_(frames, s),
          detector_(detector_view(detector, s)),
          workspace_(Workspace::of_this_worker()),
          propagator_(s, detector_.transfer, workspace_),
          model_(s, probe, object, detector_.slice_transfers, workspace_),
          waves_(workspace_.get<cfloat>(Workspace::Slot::waves, s.waves_size())) {
        model_.prepare(Moving::nothing);
    }

    // Of frame j of the batch, if it were there: (mode, y, x), until the next.
    cfloat* far_fields(const FramePosition& where, std::int32_t j) {
        model_.place(where, lights_.of(j));
        propagator_.place(where);
        for (int i = 0; i < s_.num_waves(); ++i) {
            cfloat* wave = waves_ + static_cast<std::size_t>(i) * s_.frame.area();
            model_.exit_wave(i, wave);
            propagator_.forward(wave);
        }
        return waves_;
    }
    // |far field|^2 * scale = intensity.
    float scale(std::int32_t j) const { return propagator_.scale() * lights_.intensity(j); }

    template <class Count>
    FrameCost at(const FramePosition& where, std::int32_t j, const Count* counts) {
        cfloat* waves = far_fields(where, j);
        FrameCost cost;
        with_noise_model(s_.noise_model, [&](auto noise) HWY_ATTR {
            cost = compare<Factor::skip, noise()>(waves, counts, detector_, scale(j), s_);
        });
        return cost;
    }

  private:
    const BatchShape& s_;
    Lights lights_;
    DetectorView detector_;
    Workspace& workspace_;
    Propagator propagator_;
    FrameModel model_;
    cfloat* waves_;
};

}  // namespace HWY_NAMESPACE
}  // namespace tessera
HWY_AFTER_NAMESPACE();

#endif
