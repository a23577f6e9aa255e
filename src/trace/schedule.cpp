#include "trace/schedule.hpp"

#include <algorithm>
#include <cstring>
#include <deque>
#include <map>
#include <tuple>
#include <unordered_map>

#include "base/error.hpp"

namespace tessera {
namespace {

template <class T>
void put(std::vector<std::byte>& out, std::span<const T> values) {
    static_assert(std::is_trivially_copyable_v<T>);
    const std::uint64_t count = values.size();
    const std::size_t at = out.size(), bytes = values.size_bytes();
    out.resize(at + sizeof count + bytes);
    std::memcpy(out.data() + at, &count, sizeof count);
    if (bytes > 0) std::memcpy(out.data() + at + sizeof count, values.data(), bytes);
}

template <class T>
std::vector<T> take(std::span<const std::byte>& in) {
    std::uint64_t count = 0;
    TESSERA_EXPECT(in.size() >= sizeof count);
    std::memcpy(&count, in.data(), sizeof count);
    in = in.subspan(sizeof count);
    TESSERA_EXPECT(in.size() / sizeof(T) >= count);
    std::vector<T> values(count);
    if (count > 0) std::memcpy(values.data(), in.data(), count * sizeof(T));
    in = in.subspan(count * sizeof(T));
    return values;
}

void put_texts(std::vector<std::byte>& out, const std::vector<std::string>& texts) {
    std::string joined;
    for (const std::string& text : texts) joined += text + '\n';
    put(out, std::span<const char>(joined));
}

std::vector<std::string> take_texts(std::span<const std::byte>& in) {
    std::vector<std::string> texts(1);
    for (const char c : take<char>(in)) {
        if (c == '\n') {
            texts.emplace_back();
        } else {
            texts.back() += c;
        }
    }
    texts.pop_back();
    return texts;
}

}  // namespace

std::int32_t Schedule::name_index(const std::string& name) {
    const auto found = std::ranges::find(names, name);
    if (found != names.end()) return static_cast<std::int32_t>(found - names.begin());
    names.push_back(name);
    return static_cast<std::int32_t>(names.size() - 1);
}

std::vector<std::byte> pack(const Schedule& of_one_rank) {
    TESSERA_EXPECT(of_one_rank.ranks.size() == 1);
    const RankSchedule& rank = of_one_rank.ranks.front();
    std::vector<std::byte> out;
    put_texts(out, of_one_rank.names);
    put_texts(out, rank.workers);
    put(out, std::span<const ScheduleEvent>(rank.events));
    put(out, std::span<const Use>(rank.uses));
    return out;
}

void append_packed(Schedule& schedule, std::span<const std::byte> packed) {
    const std::vector<std::string> names = take_texts(packed);
    RankSchedule rank;
    rank.workers = take_texts(packed);
    rank.events = take<ScheduleEvent>(packed);
    rank.uses = take<Use>(packed);
    for (ScheduleEvent& event : rank.events)
        event.name = schedule.name_index(names.at(static_cast<std::size_t>(event.name)));
    schedule.ranks.push_back(std::move(rank));
}

namespace {

// Who used a datum last.
struct LastUses {
    std::int64_t writer = -1;
    std::vector<std::uint32_t> readers;  // since then
};

void add_use(LastUses& last, bool writes, std::uint32_t event, std::vector<std::uint32_t>& before) {
    if (last.writer >= 0) before.push_back(static_cast<std::uint32_t>(last.writer));
    if (!writes) {
        last.readers.push_back(event);
        return;
    }
    before.insert(before.end(), last.readers.begin(), last.readers.end());
    last.writer = event;
    last.readers.clear();
}

// A message goes to the receive with the same ends and tag, in the order of submission.
using Way = std::tuple<std::int32_t, std::int32_t, std::int32_t>;

}  // namespace

Dependencies::Dependencies(const Schedule& schedule) {
    std::vector<std::vector<std::uint32_t>> before;
    std::map<Way, std::deque<std::uint32_t>> sent, awaited;
    for (std::size_t r = 0; r < schedule.ranks.size(); ++r) {
        std::unordered_map<std::uint64_t, LastUses> last;
        for (const ScheduleEvent& event : schedule.ranks[r].events) {
            const auto e = static_cast<std::uint32_t>(events_.size());
            events_.push_back(&event);
            rank_of_.push_back(static_cast<std::uint32_t>(r));
            before.emplace_back();
            for (const Use& use : schedule.ranks[r].uses_of(event))
                add_use(last[use.datum], use.writes, e, before.back());
            const auto rank = static_cast<std::int32_t>(r);
            if (event.kind == EventKind::send) sent[{rank, event.peer, event.tag}].push_back(e);
            if (event.kind == EventKind::receive) awaited[{event.peer, rank, event.tag}].push_back(e);
        }
    }
    for (auto& [way, receives] : awaited) {
        auto& sends = sent[way];
        for (std::size_t i = 0; i < std::min(sends.size(), receives.size()); ++i)
            before[receives[i]].push_back(sends[i]);
    }

    first_edge_.push_back(0);
    std::vector<std::vector<std::uint32_t>> after(before.size());
    std::vector<std::size_t> num_before(before.size());
    for (std::size_t e = 0; e < before.size(); ++e) {
        std::ranges::sort(before[e]);
        const auto same = std::ranges::unique(before[e]);
        before[e].erase(same.begin(), same.end());
        std::erase(before[e], static_cast<std::uint32_t>(e));
        edges_.insert(edges_.end(), before[e].begin(), before[e].end());
        first_edge_.push_back(edges_.size());
        num_before[e] = before[e].size();
        for (const std::uint32_t b : before[e]) after[b].push_back(static_cast<std::uint32_t>(e));
    }
    for (std::size_t e = 0; e < before.size(); ++e) {
        if (num_before[e] == 0) order_.push_back(static_cast<std::uint32_t>(e));
    }
    for (std::size_t i = 0; i < order_.size(); ++i) {
        for (const std::uint32_t next : after[order_[i]]) {
            if (--num_before[next] == 0) order_.push_back(next);
        }
    }
    TESSERA_EXPECT(order_.size() == events_.size());
}

}  // namespace tessera
