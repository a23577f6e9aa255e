// StarPU for a whole test program: add this file to its sources. One worker, bound to no core, so that test
// programs that run side by side do not wait for each other.
#include <gtest/gtest.h>

#include <cstdlib>
#include <memory>

#include "codelets/runtime/runtime.hpp"
#include "support/test_device.hpp"

namespace tessera::test {
namespace {

class StarpuEnvironment : public testing::Environment {
  public:
    void SetUp() override {
        setenv("STARPU_WORKERS_NOBIND", "1", 0);
        RuntimeConfig config;
        run_on_test_device(config);
        runtime_ = std::make_unique<Runtime>(config, Ranks());
    }
    void TearDown() override { runtime_.reset(); }

  private:
    std::unique_ptr<Runtime> runtime_;
};

[[maybe_unused]] const testing::Environment* const environment =
    testing::AddGlobalTestEnvironment(new StarpuEnvironment);  // the library owns it

}  // namespace
}  // namespace tessera::test
