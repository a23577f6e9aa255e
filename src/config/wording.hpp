#pragma once

#include <span>
#include <string>
#include <string_view>

namespace tessera {

// The candidate that `word` was probably meant to be: fewest letters changed, exchanged, added or dropped,
// case aside, or one being the other's beginning (energy, energy_eV). Empty when none is near.
std::string_view nearest_word(std::string_view word, std::span<const std::string_view> candidates);

// User text for a message: control characters replaced, at most 60 bytes.
std::string shown(std::string_view text);

// "a, b, c"
std::string listed(std::span<const std::string_view> words);

}  // namespace tessera
