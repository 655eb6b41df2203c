// SPDX-License-Identifier: Apache-2.0
// QuantLib's Hull-White short rate alone: the forward curve and parameters of configs/market.toml, 60 monthly
// steps, its path generator over Mersenne Twister normals, one thread. Mean and variance at the horizon against
// the closed form.
//
//   g++ -O3 -march=native -std=c++17 bench/peers/quantlib_rates.cpp -lQuantLib -o build/quantlib_rates
//   build/quantlib_rates [paths] [repeats]
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <ql/math/interpolations/linearinterpolation.hpp>
#include <ql/math/randomnumbers/rngtraits.hpp>
#include <ql/methods/montecarlo/pathgenerator.hpp>
#include <ql/processes/hullwhiteprocess.hpp>
#include <ql/termstructures/yield/forwardcurve.hpp>
#include <ql/time/daycounters/actual365fixed.hpp>
#include <ql/version.hpp>
#include <vector>

using namespace QuantLib;

int main(int argc, char** argv) {
  const long paths = argc > 1 ? std::atol(argv[1]) : 100000;
  const int repeats = argc > 2 ? std::atoi(argv[2]) : 3;
  constexpr int months = 60;
  constexpr double horizon = 5.0, a = 0.05, sigma = 0.0080;

  // Instantaneous forwards of market.toml, straight lines between; in days of 1/365 year.
  const Date as_of(31, March, 2026);
  Settings::instance().evaluationDate() = as_of;
  const std::vector<Date> dates = {as_of, as_of + 365, as_of + 730, as_of + 1825, as_of + 3650};
  const std::vector<Rate> forwards = {0.0365, 0.0365, 0.0375, 0.0420, 0.0450};
  const Handle<YieldTermStructure> curve(
      ext::make_shared<InterpolatedForwardCurve<Linear>>(dates, forwards, Actual365Fixed()));
  const auto process = ext::make_shared<HullWhiteProcess>(curve, a, sigma);

  std::vector<double> seconds;
  double mean = 0.0, variance = 0.0;
  for (int k = 0; k <= repeats; ++k) {  // the first warms up
    const auto start = std::chrono::steady_clock::now();
    const auto normals = PseudoRandom::make_sequence_generator(months, 1 + static_cast<BigNatural>(k));
    PathGenerator<PseudoRandom::rsg_type> generator(process, horizon, months, normals, false);
    double sum = 0.0, squares = 0.0;
    for (long i = 0; i < paths; ++i) {
      const double last = generator.next().value.back();
      sum += last;
      squares += last * last;
    }
    const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - start;
    if (k > 0) seconds.push_back(taken.count());
    mean = sum / static_cast<double>(paths);
    variance = squares / static_cast<double>(paths) - mean * mean;
  }
  std::sort(seconds.begin(), seconds.end());

  const double duration = (1.0 - std::exp(-a * horizon)) / a;
  const double exact_mean = 0.0420 + 0.5 * sigma * sigma * duration * duration;
  const double exact_variance = sigma * sigma * (1.0 - std::exp(-2.0 * a * horizon)) / (2.0 * a);
  const auto n = static_cast<double>(paths);
  std::printf(
      "{\"peer\": \"quantlib-rates\", \"paths\": %ld, \"months\": %d, \"seconds\": %.6f, \"compile_seconds\": "
      "null, "
      "\"repeats\": %d, \"versions\": {\"QuantLib\": \"%s\"}, \"threads\": 1, \"device\": \"cpu\", "
      "\"results\": "
      "{\"mean\": %.9f, \"exact_mean\": %.9f, \"z_mean\": %.3f, \"variance\": %.6e, \"exact_variance\": %.6e, "
      "\"z_variance\": %.3f}}\n",
      paths, months, seconds[seconds.size() / 2], repeats, QL_VERSION, mean, exact_mean,
      (mean - exact_mean) / std::sqrt(exact_variance / n), variance, exact_variance,
      (variance / exact_variance - 1.0) / std::sqrt(2.0 / n));
}
