#include "scan/synthetic_textures.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

#include "scan/wave_optics.hpp"

namespace tessera {

namespace {

double smooth_step(double from, double to, double value) {
    const double t = std::clamp((value - from) / (to - from), 0.0, 1.0);
    return t * t * (3 - 2 * t);
}

// Two independent fields of zero mean and unit variance: the real and the imaginary part of filtered complex
// noise. Amplitudes fall as |q|^-exponent from the longest period in the picture to the shortest,
// `shortest_px`.
Wave noise_pair(std::array<int, 2> shape, double exponent, double longest_px, double shortest_px,
                Random& random) {
    Wave noise({shape[0], shape[1]});
    for (std::ptrdiff_t y = 0; y < shape[0]; ++y)
        for (std::ptrdiff_t x = 0; x < shape[1]; ++x) {
            const double re = random.normal(), im = random.normal();
            const double q = std::hypot(frequency(y, shape[0]), frequency(x, shape[1]));
            const double low_cut = 1 / longest_px;
            const double filter = std::pow(q * q + low_cut * low_cut, -exponent / 2) *
                                  std::exp(-(q * shortest_px) * (q * shortest_px));
            noise(y, x) = {filter * re, filter * im};
        }
    noise[0] = {0, 0};
    ifft2(noise);
    double variance = 0;
    for (const auto& value : noise) variance += norm(value);
    variance /= 2 * static_cast<double>(noise.size());
    if (!(variance > 0)) return noise;  // a single pixel has nothing but its mean
    for (auto& value : noise) value = (1 / std::sqrt(variance)) * value;
    return noise;
}

// Bilinear, periodic.
cdouble sample(const Wave& field, double y, double x) {
    const auto [n_y, n_x] = field.extents();
    const double floor_y = std::floor(y), floor_x = std::floor(x);
    const auto wrap = [](double whole, std::ptrdiff_t n) {
        const auto i = static_cast<std::ptrdiff_t>(whole) % n;
        return i < 0 ? i + n : i;
    };
    const std::ptrdiff_t y0 = wrap(floor_y, n_y), y1 = wrap(floor_y + 1, n_y);
    const std::ptrdiff_t x0 = wrap(floor_x, n_x), x1 = wrap(floor_x + 1, n_x);
    const double f_y = y - floor_y, f_x = x - floor_x;
    return (1 - f_y) * ((1 - f_x) * field(y0, x0) + f_x * field(y0, x1)) +
           f_y * ((1 - f_x) * field(y1, x0) + f_x * field(y1, x1));
}

struct Cell {
    double y = 0, x = 0, grey = 0, nucleus_px = 0;
};

// One seed in each square of a coarse grid, with a rim of squares around the picture.
struct CellGrid {
    double pitch_px = 1;
    int rows = 0, columns = 0;
    std::vector<Cell> cells;

    // The index of the square of a coordinate; coordinates from -2 pitches on have one.
    int index(double coordinate_px) const {
        return static_cast<int>(std::floor(coordinate_px / pitch_px)) + 2;
    }
    const Cell& at(int row, int column) const {
        return cells[static_cast<std::size_t>(std::clamp(row, 0, rows - 1)) *
                         static_cast<std::size_t>(columns) +
                     static_cast<std::size_t>(std::clamp(column, 0, columns - 1))];
    }
};

CellGrid random_cells(std::array<int, 2> shape, double pitch_px, Random& random) {
    CellGrid grid;
    grid.pitch_px = pitch_px;
    grid.rows = grid.index(shape[0]) + 3;
    grid.columns = grid.index(shape[1]) + 3;
    for (int row = 0; row < grid.rows; ++row)
        for (int column = 0; column < grid.columns; ++column) {
            Cell cell;
            cell.y = (row - 2 + random.uniform(0.05, 0.95)) * pitch_px;
            cell.x = (column - 2 + random.uniform(0.05, 0.95)) * pitch_px;
            cell.grey = random.uniform(0.35, 1);
            cell.nucleus_px = random.uniform() < 0.6 ? random.uniform(0.12, 0.2) * pitch_px : 0;
            grid.cells.push_back(cell);
        }
    return grid;
}

}  // namespace

Array<float, 2> cell_texture(std::array<int, 2> shape, double feature_size_px, Random& random) {
    const double pitch_px = 4 * feature_size_px;
    const Wave bend = noise_pair(shape, 2, 2 * pitch_px, feature_size_px, random);
    const CellGrid grid = random_cells(shape, pitch_px, random);
    const double wall_px = 0.5 * feature_size_px;
    Array<float, 2> texture({shape[0], shape[1]});
    for (int y = 0; y < shape[0]; ++y)
        for (int x = 0; x < shape[1]; ++x) {
            const double at_y = y + 0.12 * pitch_px * bend(y, x).re;
            const double at_x = x + 0.12 * pitch_px * bend(y, x).im;
            const int row = grid.index(at_y), column = grid.index(at_x);
            const Cell* nearest = &grid.at(row, column);
            double first = INFINITY, second = INFINITY;
            for (int dr = -2; dr <= 2; ++dr)
                for (int dc = -2; dc <= 2; ++dc) {
                    const Cell& cell = grid.at(row + dr, column + dc);
                    const double distance = std::hypot(at_y - cell.y, at_x - cell.x);
                    if (distance < first) {
                        second = first;
                        first = distance;
                        nearest = &cell;
                    } else if (distance < second && &cell != nearest) {
                        second = distance;
                    }
                }
            // Half the difference of the two distances is about the distance to the wall.
            const double wall = smooth_step(0.3 * wall_px, 0.3 * wall_px + 1.5, 0.5 * (second - first));
            const double nucleus =
                nearest->nucleus_px > 0
                    ? 0.45 * (1 - smooth_step(nearest->nucleus_px - 1, nearest->nucleus_px + 1, first))
                    : 0;
            texture(y, x) = static_cast<float>(wall * nearest->grey * (1 - nucleus));
        }
    return texture;
}

Array<float, 2> turbulent_texture(std::array<int, 2> shape, double feature_size_px, Random& random) {
    const double longest_px = 24 * feature_size_px;
    const Wave bend = noise_pair(shape, 2.2, longest_px, feature_size_px, random);
    const Wave noise = noise_pair(shape, 1.6, longest_px, feature_size_px, random);
    Array<float, 2> texture({shape[0], shape[1]});
    for (int y = 0; y < shape[0]; ++y)
        for (int x = 0; x < shape[1]; ++x) {
            const double reach_px = 3 * feature_size_px;
            const cdouble value = sample(noise, y + reach_px * bend(y, x).re, x + reach_px * bend(y, x).im);
            const double clouds = 0.5 + 0.5 * std::tanh(0.8 * value.re);
            const double filaments = std::exp(-(value.im * value.im) / (2 * 0.2 * 0.2));
            texture(y, x) = static_cast<float>(std::clamp(0.75 * clouds + 0.25 * filaments, 0.0, 1.0));
        }
    return texture;
}

}  // namespace tessera
