#include "io/png_image.hpp"

#include <png.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <system_error>

#include "base/error.hpp"

namespace tessera {

namespace {

std::uint8_t byte_of(double fraction) {
    return static_cast<std::uint8_t>(std::lround(255 * std::clamp(fraction, 0.0, 1.0)));
}

// sRGB's transfer curve.
std::uint8_t byte_of_linear_light(double light) {
    light = std::clamp(light, 0.0, 1.0);
    return byte_of(light <= 0.0031308 ? 12.92 * light : 1.055 * std::pow(light, 1 / 2.4) - 0.055);
}

// OKLab (B. Ottosson, 2020) to sRGB.
Colour colour_of_oklab(double lightness, double a, double b) {
    const double l = std::pow(lightness + 0.3963377774 * a + 0.2158037573 * b, 3);
    const double m = std::pow(lightness - 0.1055613458 * a - 0.0638541728 * b, 3);
    const double s = std::pow(lightness - 0.0894841775 * a - 1.2914855480 * b, 3);
    return {byte_of_linear_light(4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s),
            byte_of_linear_light(-1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s),
            byte_of_linear_light(-0.0041960863 * l - 0.7034186147 * m + 1.7076147010 * s)};
}

}  // namespace

void write_png(const std::filesystem::path& file, const Picture& picture) {
    TESSERA_EXPECT(!picture.empty());
    auto beside = file;
    beside += fmt::format(".{}.part", ::getpid());  // another run may draw the same picture
    png_image image{};
    image.version = PNG_IMAGE_VERSION;
    image.width = static_cast<png_uint_32>(picture.extent(1));
    image.height = static_cast<png_uint_32>(picture.extent(0));
    image.format = PNG_FORMAT_RGB;
    std::error_code error, ignored;
    const bool written = png_image_write_to_file(&image, beside.c_str(), 0, picture.data(), 0, nullptr) != 0;
    const std::string reason = image.message;
    png_image_free(&image);
    if (written) std::filesystem::rename(beside, file, error);
    if (written && !error) return;
    std::filesystem::remove(beside, ignored);
    throw runtime_failure("{}: cannot be written ({})", file.string(), written ? error.message() : reason);
}

Colour ordered_colour(double fraction) {
    fraction = std::clamp(std::isfinite(fraction) ? fraction : 0.0, 0.0, 1.0);
    const double lightness = 0.18 + 0.74 * fraction;
    const double hue = (285 - 180 * fraction) * std::numbers::pi / 180;  // blue, green, yellow
    const double chroma = 0.07 + 0.09 * fraction;                        // inside sRGB all along
    return colour_of_oklab(lightness, chroma * std::cos(hue), chroma * std::sin(hue));
}

Colour grey(double fraction) {
    const std::uint8_t level = byte_of(std::isfinite(fraction) ? fraction : 0.0);
    return {level, level, level};
}

Colour phase_colour(double phase_rad, double brightness) {
    if (!std::isfinite(phase_rad) || !std::isfinite(brightness)) return {0, 0, 0};
    // HSV with full saturation: each channel is a trapezoid in hue.
    const double hue = phase_rad / (2 * std::numbers::pi) * 6 + 6;  // six sectors
    const auto channel = [&](double offset) {
        const double sector = std::fmod(hue + offset, 6);
        return byte_of(brightness * std::clamp(std::abs(sector - 3) - 1, 0.0, 1.0));
    };
    return {channel(0), channel(4), channel(2)};
}

}  // namespace tessera
