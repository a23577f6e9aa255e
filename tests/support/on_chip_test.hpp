#pragma once

#include <gtest/gtest.h>

#include "support/test_device.hpp"

namespace tessera::test {

// A test of on-chip kernels: they run where device bodies do, walked or on a GPU.
template <class Test>
class OnChipTest : public Test {
  protected:
    void SetUp() override {
        if (!device_bodies_are_walked && !tests_run_on_gpu())
            GTEST_SKIP() << "needs a GPU (TESSERA_TEST_DEVICE=cuda)";
    }

    // That a result comes from other kernels at all shows in its last bits. A GPU with little memory on its
    // chip takes the staged ones for larger frames.
    static void expect_other_kernels(bool is_same_as_staged) {
        if (!is_same_as_staged) return;
        if (!device_bodies_are_walked) GTEST_SKIP() << "too little memory on this GPU's chip";
        ADD_FAILURE() << "the staged kernels ran instead";
    }
};

}  // namespace tessera::test
