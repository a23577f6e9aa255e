// Checkpoints on disk: what is written comes back, and what is torn, damaged or foreign is told.
#include "io/checkpoint_file.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <functional>
#include <set>

#include "base/error.hpp"
#include "io/inspect.hpp"
#include "unit/io_test_files.hpp"

namespace tessera::test {
namespace {

namespace fs = std::filesystem;

class CheckpointFileTest : public testing::Test {
  protected:
    fs::path folder() const { return folder_.path() / "result.checkpoint"; }
    CheckpointFile write(std::int64_t num_iterations, int rank = 0) const {
        CheckpointPart part;
        part.blocks = {{"/tiles/000003/object", values_.data(), values_.size()},
                       {"/tiles/000003/gradient", values_.data() + 1, 2}};
        part.numbers = {{"/history/cost", {0.1, 1e300, -0.0}}, {"/history/step", {}}};
        return write_checkpoint_part(folder(), num_iterations, rank, part);
    }
    CheckpointManifest make(std::int64_t num_iterations) const {
        CheckpointManifest manifest;
        manifest.num_iterations = num_iterations;
        manifest.engine = 1;
        manifest.iteration = 7;
        manifest.num_ranks = 2;
        manifest.tiles = {4, 3};
        manifest.scan = "0123456789abcdef";
        manifest.frames = "1234567890123456";
        manifest.files = {write(num_iterations, 0), write(num_iterations, 1)};
        manifest.files[0].tiles = {0, 1, 2, 3, 7, 9, 10};
        manifest.files[1].tiles = {4, 5, 6, 8, 11};
        manifest.run = "scan:\n  file: scan.cxi\nengines:\n  - name: CG\n";
        return manifest;
    }
    std::set<std::string> names() const {
        std::set<std::string> found;
        for (const auto& entry : fs::directory_iterator(folder()))
            found.insert(entry.path().filename().string());
        return found;
    }
    static void expect_data_error(const std::function<void()>& what, const std::string& words) {
        try {
            what();
            ADD_FAILURE() << "no error with " << words;
        } catch (const Error& error) {
            EXPECT_EQ(error.code(), ExitCode::data);
            EXPECT_NE(std::string(error.what()).find(words), std::string::npos) << error.what();
        }
    }

    TemporaryFolder folder_;
    std::vector<float> values_ = {1.5f, -0.0f, 3e-39f, 7e30f};
};

TEST_F(CheckpointFileTest, OfARankComesBack) {
    const CheckpointFile file = write(40);
    EXPECT_EQ(file.name, "000040.rank-0000.h5");
    EXPECT_EQ(file.bytes, fs::file_size(folder() / file.name));
    EXPECT_NO_THROW(verify(folder(), file));
    const CheckpointPartReader reader(folder() / file.name);
    std::vector<float> values(4);
    reader.read("/tiles/000003/object", values.data(), 4);
    EXPECT_EQ(values, values_);
    EXPECT_TRUE(std::signbit(values[1]));
    EXPECT_EQ(reader.numbers("/history/cost"), (std::vector<double>{0.1, 1e300, -0.0}));
    EXPECT_TRUE(reader.numbers("/history/step").empty());
    expect_data_error([&] { reader.read("/tiles/000003/object", values.data(), 3); }, "4 values, 3 expected");
    expect_data_error([&] { reader.read("/tiles/000004/object", values.data(), 4); }, "/tiles/000004/object");
}

TEST_F(CheckpointFileTest, ThatIsTornDamagedOrMissingIsTold) {
    const CheckpointFile file = write(40);
    const fs::path path = folder() / file.name;
    fs::copy(path, folder() / "copy");
    fs::resize_file(path, file.bytes - 1);
    expect_data_error([&] { verify(folder(), file); }, "were written");
    fs::copy_file(folder() / "copy", path, fs::copy_options::overwrite_existing);
    for (const std::uint64_t at : {std::uint64_t{0}, file.bytes / 2, file.bytes - 1}) {
        std::fstream stream(path, std::ios::in | std::ios::out | std::ios::binary);
        stream.seekg(static_cast<std::streamoff>(at));
        const auto byte = static_cast<char>(stream.get());
        stream.seekp(static_cast<std::streamoff>(at)).put(static_cast<char>(byte ^ 0x40)).flush();
        expect_data_error([&] { verify(folder(), file); }, "damaged");
        stream.seekp(static_cast<std::streamoff>(at)).put(byte).flush();
        EXPECT_NO_THROW(verify(folder(), file));
    }
    fs::remove(path);
    expect_data_error([&] { verify(folder(), file); }, "missing");
}

TEST_F(CheckpointFileTest, ManifestComesBack) {
    const CheckpointManifest manifest = make(40);
    const CheckpointManifest read = parse_manifest(to_text(manifest), "m.yaml");
    EXPECT_EQ(read.num_iterations, 40);
    EXPECT_EQ(read.engine, 1U);
    EXPECT_EQ(read.iteration, 7);
    EXPECT_EQ(read.num_ranks, 2);
    EXPECT_EQ(read.tiles, (std::array<int, 2>{4, 3}));
    EXPECT_EQ(read.scan, manifest.scan);
    EXPECT_EQ(read.frames, manifest.frames);
    EXPECT_EQ(read.run, manifest.run);
    ASSERT_EQ(read.files.size(), 2U);
    for (std::size_t i = 0; i < 2; ++i) {
        EXPECT_EQ(read.files[i].name, manifest.files[i].name);
        EXPECT_EQ(read.files[i].bytes, manifest.files[i].bytes);
        EXPECT_EQ(read.files[i].checksum, manifest.files[i].checksum);
        EXPECT_EQ(read.files[i].tiles, manifest.files[i].tiles);
    }
}

// Wherever it ends, whichever letter changes.
TEST_F(CheckpointFileTest, ManifestThatIsNotWholeIsRefused) {
    const std::string text = to_text(make(40));
    for (std::size_t length = 0; length < text.size(); length += 7) {
        expect_data_error([&] { parse_manifest(text.substr(0, length), "m.yaml"); }, "m.yaml: is torn");
        std::string changed = text;
        changed[length] = changed[length] == 'x' ? 'y' : 'x';
        expect_data_error([&] { parse_manifest(changed, "m.yaml"); }, "m.yaml: is torn");
    }
}

TEST_F(CheckpointFileTest, ManifestsAreFoundNewestFirst) {
    EXPECT_TRUE(find_manifests(folder()).empty());
    for (const std::int64_t n : {40, 9, 1000000, 999999}) write_manifest(folder_.path(), make(n));
    std::ofstream(folder_.path() / "notes.yaml") << "somebody's";
    std::vector<std::string> found;
    for (const auto& path : find_manifests(folder_.path())) found.push_back(path.filename().string());
    EXPECT_EQ(found, (std::vector<std::string>{"1000000.yaml", "999999.yaml", "000040.yaml", "000009.yaml"}));
}

TEST_F(CheckpointFileTest, OthersAreRemovedAndWhatIsNotOursStays) {
    std::vector<CheckpointManifest> manifests;
    for (const std::int64_t n : {10, 20, 30}) {
        manifests.push_back(make(n));
        write_manifest(folder(), manifests.back());
    }
    write(40, 1);  // of a run that was killed before its manifest, and what it was writing
    for (const char* name : {".000040.rank-0000.h5.4711.part", ".000040.yaml.4711.part",
                             "000030.rank-0002.h5", "notes.txt", "result.h5"}) {
        std::ofstream(folder() / name) << "x";
    }
    keep_only(folder(), {manifests[1], manifests[2]});
    EXPECT_EQ(names(), (std::set<std::string>{"000020.rank-0000.h5", "000020.rank-0001.h5", "000020.yaml",
                                              "000030.rank-0000.h5", "000030.rank-0001.h5", "000030.yaml",
                                              "notes.txt", "result.h5"}));
}

TEST_F(CheckpointFileTest, AreInspected) {
    EXPECT_THROW(inspect_file(folder_.path()), Error);
    EXPECT_THROW(inspect_file(folder_.path() / "absent.yaml"), Error);
    for (const int number : {5, 12}) write_manifest(folder(), make(number));
    const std::string good = inspect_file(folder());
    for (const char* part :
         {"000012.yaml\n", "after 5 iterations of the run, 7 of them of engines[1]; 4 x 3 tiles",
          "2 files of 2 ranks", "as they were written", "goes on from 000012.yaml"}) {
        EXPECT_NE(good.find(part), std::string::npos) << part << " is not in\n" << good;
    }
    std::ofstream(folder() / checkpoint_part_name(12, 1), std::ios::app) << "more";
    const std::string damaged = inspect_file(folder());
    for (const char* part : {"rank-0001.h5: has", "goes on from 000005.yaml"}) {
        EXPECT_NE(damaged.find(part), std::string::npos) << part << " is not in\n" << damaged;
    }
    EXPECT_NE(inspect_file(manifest_path(folder(), 12)).find("none is good"), std::string::npos);
}

TEST_F(CheckpointFileTest, FolderIsBesideTheResult) {
    EXPECT_EQ(checkpoint_folder("out/result.h5"), fs::path("out/result.checkpoint"));
    EXPECT_EQ(checkpoint_folder("result"), fs::path("result.checkpoint"));
}

TEST_F(CheckpointFileTest, OfExitWavesIsReadPieceByPiece) {
    const std::vector<float> waves(6000, 0.75f);
    CheckpointWavesWriter writer(folder(), 40, 1);
    writer.write(waves.data(), 4096 * sizeof(float));
    writer.write(waves.data() + 4096, (waves.size() - 4096) * sizeof(float));
    const CheckpointFile file = writer.finish();
    EXPECT_EQ(file.name, "000040.waves-0001.bin");
    EXPECT_TRUE(is_waves_name(file.name));
    EXPECT_FALSE(is_waves_name(checkpoint_part_name(40, 1)));
    EXPECT_EQ(file.bytes, waves.size() * sizeof(float));
    EXPECT_NO_THROW(verify(folder(), file));
    CheckpointWavesReader reader(folder() / file.name);
    std::vector<float> read(1000);
    reader.skip(5000 * sizeof(float));
    reader.read(read.data(), read.size() * sizeof(float));
    EXPECT_EQ(read, std::vector<float>(1000, 0.75f));
    EXPECT_THROW(reader.read(read.data(), sizeof(float)), Error);
    fs::resize_file(folder() / file.name, 100);
    EXPECT_THROW(verify(folder(), file), Error);
    keep_only(folder(), {});
    EXPECT_FALSE(fs::exists(folder() / file.name));
}

}  // namespace
}  // namespace tessera::test
