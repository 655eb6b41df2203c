// SPDX-License-Identifier: Apache-2.0
#include "host/study/design.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/random/sobol.hpp>
#include <fstream>
#include <numeric>
#include <sstream>
#include <stdexcept>
#include <utility>

#include "host/config/printable.hpp"

namespace headroom::study {

namespace {

// SplitMix64 (Steele, Lea and Flood, OOPSLA 2014).
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}
  std::uint64_t bits() {
    std::uint64_t z = state_ += 0x9e3779b97f4a7c15U;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
    return z ^ (z >> 31);
  }
  double uniform() { return static_cast<double>(bits() >> 11) * 0x1p-53; }
  std::size_t below(std::size_t n) {
    return std::min(static_cast<std::size_t>(uniform() * static_cast<double>(n)), n - 1);
  }

 private:
  std::uint64_t state_;
};

std::uint32_t reversed(std::uint32_t x) {
  std::uint32_t out = 0;
  for (int i = 0; i < 32; ++i) out |= ((x >> i) & 1U) << (31 - i);
  return out;
}

// Owen's scrambling: each bit is flipped by a hash of the bits above it (Laine and Karras, EGSR 2011).
std::uint32_t scrambled(std::uint32_t x, std::uint32_t seed) {
  x = reversed(x);
  x += seed;
  x ^= x * 0x6c50b47cU;
  x ^= x * 0xb82f1e52U;
  x ^= x * 0xc7afe638U;
  x ^= x * 0x8d22f6e6U;
  return reversed(x);
}

Level drawn(const Axis& axis, double u, const Company& base) {
  if (!axis.span) {
    const auto n = static_cast<double>(axis.levels.size());
    return axis.levels[std::min(static_cast<std::size_t>(u * n), axis.levels.size() - 1)];
  }
  const Span& span = *axis.span;
  return level_at(axis, span.kind, span.low + u * (span.high - span.low), span.dates, base);
}

std::vector<Point> grid(const std::vector<Axis>& axes) {
  std::size_t count = 1;
  for (const Axis& axis : axes) {
    count *= axis.levels.size();
    if (count > kMostPoints)
      throw std::invalid_argument(
          fmt::format("the grid has more than {} points; take fewer values, or --design sobol", kMostPoints));
  }
  std::vector<Point> points(count);
  for (std::size_t i = 0; i < count; ++i) {
    std::size_t rest = i;
    Point& point = points[i];
    point.resize(axes.size());
    for (std::size_t a = axes.size(); a-- > 0; rest /= axes[a].levels.size())
      point[a] = axes[a].levels[rest % axes[a].levels.size()];
  }
  return points;
}

std::vector<Point> around_base(const std::vector<Axis>& axes, const Company& base, bool ends_only) {
  Point centre;
  for (const Axis& axis : axes) centre.push_back(base_level(axis, base));
  std::vector<Point> points = {centre};
  for (std::size_t a = 0; a < axes.size(); ++a) {
    for (const Level& level : axes[a].levels) {
      if (ends_only && &level != &axes[a].levels.front() && &level != &axes[a].levels.back()) continue;
      Point point = centre;
      point[a] = level;
      points.push_back(std::move(point));
    }
  }
  return points;
}

std::vector<Point> sampled(Design design, const std::vector<Axis>& axes, const Company& base, std::size_t count,
                           std::uint64_t seed) {
  std::vector<Point> points(count, Point(axes.size()));
  Random random(seed);
  if (design == Design::latin) {
    for (std::size_t a = 0; a < axes.size(); ++a) {
      std::vector<std::size_t> part(count);
      std::iota(part.begin(), part.end(), std::size_t{0});
      for (std::size_t i = count; i > 1; --i) std::swap(part[i - 1], part[random.below(i)]);
      for (std::size_t i = 0; i < count; ++i)
        points[i][a] = drawn(
            axes[a], (static_cast<double>(part[i]) + random.uniform()) / static_cast<double>(count), base);
    }
    return points;
  }
  std::vector<std::uint32_t> seeds;
  for (std::size_t a = 0; a < axes.size(); ++a) seeds.push_back(static_cast<std::uint32_t>(random.bits()));
  boost::random::sobol_engine<std::uint32_t, 32> sequence(axes.size());
  for (std::size_t i = 0; i < count; ++i) {
    for (std::size_t a = 0; a < axes.size(); ++a) {
      const std::uint32_t x = i == 0 ? 0 : sequence();  // the engine leaves out the first point, of zeros
      points[i][a] = drawn(axes[a], (scrambled(x, seeds[a]) + 0.5) * 0x1p-32, base);
    }
  }
  return points;
}

}  // namespace

Level base_level(const Axis& axis, const Company& base) {
  Level level{.text = "base"};
  if (!axis.keys.empty()) {
    std::string common;
    for (const std::string& key : axis.keys) {
      const auto setting = std::find_if(base.settings.begin(), base.settings.end(),
                                        [&](const config::Setting& each) { return each.key == key; });
      const std::string value = setting == base.settings.end() ? "" : setting->value;
      common = common.empty() || common == value ? value : "differs";
    }
    if (!common.empty() && common != "differs") level.text = common;
  }
  return level;
}

std::vector<Point> points_of(Design design, const std::vector<Axis>& axes, const Company& base,
                             std::size_t count, std::uint64_t seed) {
  const bool draws = design == Design::latin || design == Design::sobol;
  for (const Axis& axis : axes) {
    if (axis.span && !draws)
      throw std::invalid_argument(fmt::format(
          "axis '{}' is an interval, and this design takes values; write lo:hi:n for n of them", axis.name));
  }
  std::vector<Point> points;
  if (design == Design::grid) {
    points = grid(axes);
  } else if (draws) {
    points = sampled(design, axes, base, count, seed);
  } else {
    points = around_base(axes, base, design == Design::centred);
    if (design == Design::centred) {
      std::vector<Axis> corners = axes;
      for (Axis& axis : corners) axis.levels = {axis.levels.front(), axis.levels.back()};
      for (Point& point : grid(corners)) points.push_back(std::move(point));
    }
  }
  // In the order of the design, each once.
  std::vector<const Point*> seen;
  std::vector<std::size_t> order(points.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  const auto key = [&](std::size_t i) {
    std::string text;
    for (const Level& level : points[i]) text += level.text + '\n';
    return text;
  };
  std::vector<std::string> keys;
  for (std::size_t i = 0; i < points.size(); ++i) keys.push_back(key(i));
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return keys[a] < keys[b]; });
  order.erase(
      std::unique(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return keys[a] == keys[b]; }),
      order.end());
  std::sort(order.begin(), order.end());
  std::vector<Point> once;
  once.reserve(order.size());
  for (const std::size_t i : order) once.push_back(std::move(points[i]));
  return once;
}

namespace {

// The cells of a CSV line (RFC 4180, without line ends inside quotes).
std::vector<std::string> cells_of(const std::string& line) {
  std::vector<std::string> cells(1);
  bool quoted = false;
  for (std::size_t i = 0; i < line.size(); ++i) {
    if (line[i] == '"') {
      if (quoted && i + 1 < line.size() && line[i + 1] == '"') {
        cells.back() += line[++i];
      } else {
        quoted = !quoted;
      }
    } else if (line[i] == ',' && !quoted) {
      cells.emplace_back();
    } else if (line[i] != '\r') {
      cells.back() += line[i];
    }
  }
  return cells;
}

}  // namespace

Listed read_points(const std::string& file, const Base& base) {
  std::ifstream in(file);
  config::Problems problems;
  std::string line;
  if (!in || !std::getline(in, line)) {
    problems.add({file, 1, 1}, fmt::format("cannot read '{}'", file), "a CSV file of points is expected",
                 "correct the path");
    problems.throw_if_any();
  }
  Listed listed;
  std::vector<config::Problem> refused;
  const std::vector<std::string> head = cells_of(line);
  for (std::uint32_t number = 2; std::getline(in, line); ++number) {
    if (line.find_first_not_of(" \r\t,") == std::string::npos) continue;
    const std::vector<std::string> cells = cells_of(line);
    if (cells.size() != head.size()) {
      problems.add({file, number, 1}, fmt::format("the row has {} cells", cells.size()),
                   fmt::format("the head has {}", head.size()), "give one value for each column");
      continue;
    }
    Point point;
    for (std::size_t i = 0; i < head.size(); ++i) {
      try {
        const Axis axis = parse_axis(head[i] + " = " + cells[i], base);
        if (axis.levels.size() != 1) {
          problems.add({file, number, static_cast<std::uint32_t>(i + 1)},
                       fmt::format("'{}' is not one value", config::cut(cells[i], 80)), "a row is one point",
                       "give one value for each column");
          continue;
        }
        point.push_back(axis.levels.front());
        if (listed.axes.size() <= i) listed.axes.push_back({.name = axis.name, .keys = axis.keys});
        std::vector<Level>& known = listed.axes[i].levels;
        if (std::find(known.begin(), known.end(), point.back()) == known.end()) known.push_back(point.back());
      } catch (const config::ConfigError& error) {
        for (config::Problem each : error.problems()) {
          each.text += fmt::format(" [column {}]", config::cut(head[i], 80));
          each.file = file;
          each.line = number;
          each.column = static_cast<std::uint32_t>(i + 1);
          refused.push_back(std::move(each));
        }
      }
    }
    listed.points.push_back(std::move(point));
  }
  if (!refused.empty()) throw config::ConfigError(std::move(refused));
  if (listed.points.empty() && problems.empty())
    problems.add({file, 1, 1}, "there is no row", "each row is a point", "add rows below the head");
  problems.throw_if_any();
  return listed;
}

}  // namespace headroom::study
