// Stretches of a file through the system's cache and past it.
#include "io/stretch_reader.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <fstream>
#include <vector>

#include "unit/io_test_files.hpp"

namespace tessera::test {
namespace {

constexpr std::int64_t file_size = (std::int64_t{3} << 20) + 1234;  // no whole number of blocks

std::byte byte_at(std::int64_t i) {
    return static_cast<std::byte>((i * 7 + i / 251) % 256);
}

class Stretches : public testing::TestWithParam<StretchReader::Way> {
  protected:
    Stretches() {
        std::vector<std::byte> bytes(file_size);
        for (std::int64_t i = 0; i < file_size; ++i) bytes[static_cast<std::size_t>(i)] = byte_at(i);
        std::ofstream(path(), std::ios::binary)
            .write(reinterpret_cast<const char*>(bytes.data()), std::ssize(bytes));
        descriptor_ = open(path().c_str(), O_RDONLY | O_CLOEXEC);
        fsync(descriptor_);
        forget();
    }
    ~Stretches() override { close(descriptor_); }

    std::filesystem::path path() const { return folder_ / "file"; }
    void forget() const { posix_fadvise(descriptor_, 0, 0, POSIX_FADV_DONTNEED); }

    std::size_t num_pages_in_memory() const {
        void* const mapped = mmap(nullptr, file_size, PROT_READ, MAP_SHARED, descriptor_, 0);
        std::vector<unsigned char> pages(file_size / 4096 + 1);
        EXPECT_EQ(mincore(mapped, file_size, pages.data()), 0);
        munmap(mapped, file_size);
        return static_cast<std::size_t>(
            std::ranges::count_if(pages, [](unsigned char page) { return (page & 1) != 0; }));
    }

    static void expect_bytes(const StretchReader::Stretch& stretch, std::int64_t begin, std::size_t bytes) {
        const std::byte* const at = stretch.at(begin, bytes);
        ASSERT_NE(at, nullptr) << begin << " " << bytes;
        for (std::size_t i = 0; i < bytes; ++i)
            ASSERT_EQ(at[i], byte_at(begin + static_cast<std::int64_t>(i))) << begin << " + " << i;
    }

    TemporaryFolder folder_;
    int descriptor_ = -1;
};

TEST_P(Stretches, HaveTheBytesOfTheFile) {
    const StretchReader reader(descriptor_, GetParam());
    StretchReader::Stretch stretch;
    const std::int64_t mebibyte = std::int64_t{1} << 20;
    for (const auto& [begin, bytes] : std::vector<std::pair<std::int64_t, std::size_t>>{
             {0, 1}, {1, 4095}, {4095, 2}, {4096, 4096}, {mebibyte - 3, 70000}, {5, 1 << 20}, {17, 0}}) {
        ASSERT_EQ(reader.read(begin, bytes, stretch), 0);
        expect_bytes(stretch, begin, bytes);
    }
}

TEST_P(Stretches, AreKeptUntilOthersAreAskedFor) {
    const StretchReader reader(descriptor_, GetParam());
    StretchReader::Stretch stretch;
    ASSERT_EQ(reader.read(1000, 9000, stretch), 0);
    const std::byte* const there = stretch.at(2000, 100);
    ASSERT_EQ(reader.read(2000, 100, stretch), 0);
    EXPECT_EQ(stretch.at(2000, 100), there);
    stretch.forget();
    EXPECT_EQ(stretch.at(2000, 100), nullptr);
}

TEST_P(Stretches, EndWhereTheFileEnds) {
    const StretchReader reader(descriptor_, GetParam());
    StretchReader::Stretch stretch;
    ASSERT_EQ(reader.read(file_size - 100, 100, stretch), 0);
    expect_bytes(stretch, file_size - 100, 100);
    ASSERT_EQ(reader.read(file_size - 100, 200, stretch), 0);
    EXPECT_EQ(stretch.at(file_size - 100, 200), nullptr);
    EXPECT_EQ(stretch.end(), file_size);
    expect_bytes(stretch, file_size - 100, 100);
    ASSERT_EQ(reader.read(file_size + 10000, 10, stretch), 0);
    EXPECT_EQ(stretch.at(file_size + 10000, 10), nullptr);
}

TEST_P(Stretches, OfNoFileAreAnError) {
    const StretchReader reader(-1, GetParam());
    StretchReader::Stretch stretch;
    EXPECT_FALSE(reader.is_direct());
    EXPECT_EQ(reader.read(0, 10, stretch), EBADF);
    EXPECT_EQ(stretch.at(0, 10), nullptr);
}

INSTANTIATE_TEST_SUITE_P(Ways, Stretches,
                         testing::Values(StretchReader::Way::cached, StretchReader::Way::direct));

using StretchesPastTheCache = Stretches;

TEST_P(StretchesPastTheCache, LeaveNothingInIt) {
    const StretchReader reader(descriptor_, GetParam());
    if (!reader.is_direct()) GTEST_SKIP() << "no local disk";
    if (num_pages_in_memory() != 0) GTEST_SKIP() << "this file system does not forget";
    StretchReader::Stretch stretch;
    ASSERT_EQ(reader.read(0, 1 << 20, stretch), 0);
    expect_bytes(stretch, 0, 1 << 20);
    EXPECT_EQ(num_pages_in_memory(), 0U);
}

// Written through the cache after it was read past it: what is there counts.
TEST_P(StretchesPastTheCache, HaveWhatWasWrittenLast) {
    const StretchReader reader(descriptor_, GetParam());
    StretchReader::Stretch stretch;
    ASSERT_EQ(reader.read(0, 100, stretch), 0);
    std::fstream(path(), std::ios::binary | std::ios::in | std::ios::out).write("new", 3);
    stretch.forget();
    ASSERT_EQ(reader.read(0, 100, stretch), 0);
    EXPECT_EQ(static_cast<char>(stretch.at(0, 3)[0]), 'n');
}

INSTANTIATE_TEST_SUITE_P(Ways, StretchesPastTheCache, testing::Values(StretchReader::Way::direct));

}  // namespace
}  // namespace tessera::test
