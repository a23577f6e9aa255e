#pragma once

#include <gtest/gtest.h>
#include <hwy/highway.h>

namespace tessera::test {

// Calls check() with every instruction set that is compiled and that this machine has, one after the
// other, where otherwise the best one is chosen. No task may run meanwhile.
template <class Check>
void for_each_instruction_set(const Check& check) {
    const auto choose = [](std::int64_t targets) {
        hwy::SetSupportedTargetsForTest(targets);  // 0: as the machine is
        hwy::GetChosenTarget().Update(hwy::SupportedTargets());
    };
    const auto all = hwy::SupportedAndGeneratedTargets();
    for (const std::int64_t target : all) {
        SCOPED_TRACE(hwy::TargetName(target));
        choose(target);
        check();
    }
    choose(0);
}

}  // namespace tessera::test
