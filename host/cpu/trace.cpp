// SPDX-License-Identifier: Apache-2.0
#include "host/cpu/trace.hpp"

#include "host/cpu/isa.hpp"
#include "host/cpu/worker.hpp"
#include "host/engine/calendar.hpp"

namespace headroom {

using cpu::Worker;

std::vector<std::int32_t> trace_path(const Scenario& scenario, std::uint64_t seed, std::uint64_t path,
                                     PlanRows* rows) {
  const CalendarData calendar = calendar_of(scenario);
  const Prepared prepared = prepare(scenario, calendar);
  Worker worker(prepared, nullptr);
  std::vector<std::int32_t> values(
      static_cast<std::size_t>(series_count(scenario)) * static_cast<std::size_t>(scenario.months), kFixedMax);
  worker.memory().trace = values.data();
  if (rows != nullptr) {
    worker.memory().plan = rows->market.data();
    worker.memory().plan_contracted = rows->contracted.data();
    worker.memory().plan_cfads = rows->cfads.data();
    worker.memory().plan_price = rows->price.data();
  }
  choose_isa("auto").run_block(prepared, {seed, path, 1}, worker.memory());
  return values;
}

}  // namespace headroom
