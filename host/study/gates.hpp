// SPDX-License-Identifier: Apache-2.0
// Gates: what a figure must hold for a schedule to go on, judged by its interval and not by its estimate.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "host/study/study.hpp"

namespace headroom::study {

struct Gate {
  std::string text{};      // as given
  std::string figure{};    // a name or pattern; each figure that matches must hold
  bool at_most = true;     // <=; otherwise >=
  double limit = 0;        // in the figure's unit
  double confidence = 95;  // percent
};

// 'FIGURE <= NUMBER[%] [@CONFIDENCE]', or >=. Throws std::invalid_argument, with the remedy.
Gate parse_gate(const std::string& text);

// Checks the gates before any path is run. Throws UnknownFigure, or std::invalid_argument for a limit that the
// figure's unit does not have.
void check_gates(const std::vector<Gate>& gates, const Company& company);

// Undecided: the limit is inside the interval, or the figure has none.
enum class Verdict { passed, failed, undecided };

struct Judgement {
  Gate gate{};
  std::string point{};  // of a study: late = 7, spread = 0.05
  Value value{};
  double low = kUnknown, high = kUnknown;  // at the gate's confidence
  Verdict verdict = Verdict::undecided;
};

// `paths`: those that the figure is of.
Judgement judge(const Gate& gate, const Value& value, std::uint64_t paths, const std::string& point = "");
// Each figure that the gate's pattern matches.
std::vector<Judgement> judge_all(const std::vector<Gate>& gates, const std::vector<Value>& values,
                                 std::uint64_t paths, const std::string& point = "");
// Failed if one has failed; else undecided if one is.
Verdict worst(const std::vector<Judgement>& judgements);

std::string words(const Judgement& judgement);  // a line
std::string gates_json(const std::vector<Judgement>& judgements);
std::string gates_junit(const std::vector<Judgement>& judgements);

}  // namespace headroom::study
