// The calculator: options in as CSV, price and every Greek out, one row a row.

#include <fast_float/fast_float.h>
#include <fmt/format.h>

#include <array>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <memory>
#include <optional>
#include <sstream>

#include "commands.hpp"
#include "greekgrid/io/error.hpp"
#include "greekgrid/io/publish.hpp"
#include "greekgrid/kernels/formulas/black_scholes.hpp"
#include "output.hpp"

namespace greekgrid::cli {
namespace {

constexpr std::array<std::string_view, 7> kInputs = {"right", "spot", "strike", "rate", "dividend_yield", "iv", "tau"};
constexpr std::size_t kLineLimit = 1U << 20;

std::vector<std::string> split(const std::string& line) {
  std::vector<std::string> cells(1);
  bool quoted = false;
  for (const char c : line) {
    if (c == '"')
      quoted = !quoted;
    else if (c == ',' && !quoted)
      cells.emplace_back();
    else if (c != '\r')
      cells.back() += c;
  }
  for (std::string& cell : cells) {
    const auto first = cell.find_first_not_of(" \t");
    cell = first == std::string::npos ? "" : cell.substr(first, cell.find_last_not_of(" \t") - first + 1);
  }
  return cells;
}

// A cell as CSV: text that split() took out of its quotes goes back into them.
std::string quoted(const std::string& cell) {
  return cell.find(',') == std::string::npos ? cell : "\"" + cell + "\"";
}

std::optional<double> number(const std::string& text) {
  double value = 0.0;
  const auto result = fast_float::from_chars(text.data(), text.data() + text.size(), value);
  if (result.ec != std::errc() || result.ptr != text.data() + text.size() || !std::isfinite(value)) return std::nullopt;
  return value;
}

std::optional<double> right_of(const std::string& text) {
  if (text == "C" || text == "c" || text == "call" || text == "1" || text == "+1") return 1.0;
  if (text == "P" || text == "p" || text == "put" || text == "-1") return -1.0;
  return std::nullopt;
}

// Reads a line of limited length; false at the end of the input.
bool read_line(std::istream& in, std::string& line, const std::string& name, std::size_t row) {
  line.clear();
  char c;
  while (in.get(c)) {
    if (c == '\n') return true;
    if (line.size() == kLineLimit)
      throw InputError(fmt::format("{}:{}: line longer than 1 MiB (not a CSV of options)", name, row));
    line += c;
  }
  return !line.empty();
}

int run_greeks(const std::string& input, const std::string& output) {
  std::ifstream file;
  const std::string name = input.empty() || input == "-" ? "standard input" : input;
  if (name == input) {
    std::error_code ignored;
    if (!std::filesystem::is_regular_file(input, ignored))
      throw InputError(input + ": no such file (not a regular file) check the path");
    file.open(input, std::ios::binary);
    if (!file) throw InputError(input + ": cannot be opened");
  }
  std::istream& in = name == input ? file : std::cin;

  std::string line;
  if (!read_line(in, line, name, 1))
    throw InputError(name + ": empty (no header) begin with right,spot,strike,rate,dividend_yield,iv,tau");
  if (line.rfind("\xEF\xBB\xBF", 0) == 0) line.erase(0, 3);
  const auto header = split(line);
  std::array<std::size_t, kInputs.size()> column{};
  for (std::size_t k = 0; k < kInputs.size(); ++k) {
    const auto found = std::find(header.begin(), header.end(), kInputs[k]);
    if (found == header.end()) {
      throw InputError(fmt::format(
          "{}:1: no column {} (the header must name right,spot,strike,rate,dividend_yield,iv,tau)", name, kInputs[k]));
    }
    column[k] = static_cast<std::size_t>(found - header.begin());
  }

  std::string text;
  std::string whole;  // collected when the output is a file, which appears whole or not at all
  const bool to_file = !output.empty() && output != "-";
  const auto emit = [&] {
    if (to_file)
      whole += text;
    else
      print(text);
    text.clear();
  };
  for (const auto input_name : kInputs) text += fmt::format("{},", input_name);
  text += "price";
  for (const Greek greek : kAllGreeks) text += fmt::format(",{}", greekgrid::name(greek));
  text += ",rho\n";

  std::size_t row = 1;
  std::size_t rows = 0;
  std::size_t unusable = 0;
  while (read_line(in, line, name, ++row)) {
    if (line.empty() || line == "\r") continue;
    ++rows;
    const auto cells = split(line);
    std::array<std::string, kInputs.size()> given;
    for (std::size_t k = 0; k < kInputs.size(); ++k) given[k] = column[k] < cells.size() ? cells[column[k]] : "";
    std::string problem;
    std::array<double, kInputs.size()> value{};
    for (std::size_t k = 0; k < kInputs.size() && problem.empty(); ++k) {
      const auto parsed = k == 0 ? right_of(given[k]) : number(given[k]);
      if (!parsed)
        problem =
            fmt::format("{} = \"{}\" is not {}", kInputs[k], given[k], k == 0 ? "C, P, +1 or -1" : "a finite number");
      else
        value[k] = *parsed;
    }
    if (problem.empty() && !(value[1] > 0.0)) problem = fmt::format("spot = {} is not positive", given[1]);
    if (problem.empty() && !(value[2] > 0.0)) problem = fmt::format("strike = {} is not positive", given[2]);
    if (problem.empty() && value[5] < 0.0) problem = fmt::format("iv = {} is negative", given[5]);
    for (const std::string& cell : given) text += quoted(cell) + ",";
    formulas::OptionGreeks<double> g;
    if (problem.empty()) {
      g = formulas::black_scholes<double>({value[0], value[1], value[2], value[3], value[4], value[5], value[6]});
      bool finite = std::isfinite(g.price) && std::isfinite(g.rho);
      for (const Greek greek : kAllGreeks) finite = finite && std::isfinite(g[greek]);
      if (!finite) problem = "the price or a Greek leaves the range of double precision";
    }
    if (problem.empty()) {
      text += fmt::format("{:.17g}", g.price);
      for (const Greek greek : kAllGreeks) text += fmt::format(",{:.17g}", g[greek]);
      text += fmt::format(",{:.17g}\n", g.rho);
    } else {
      ++unusable;
      std::fprintf(stderr, "greekgrid: %s:%zu: %s (the row is NaN in the output)\n", plain(name).c_str(), row,
                   plain(problem).c_str());
      text += "nan";
      for (std::size_t k = 0; k < kGreekCount + 1; ++k) text += ",nan";
      text += '\n';
    }
    if (text.size() > 1U << 16) emit();
  }
  if (in.bad()) throw InputError(name + ": reading failed");
  emit();
  if (to_file) publish_text(output, whole);
  return rows > 0 && unusable == rows ? kInputRejected : kDone;
}

}  // namespace

Command add_greeks(CLI::App& app) {
  struct Options {
    std::string input, output;
  };
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand(
      "greeks", "Price and Greeks of options listed as CSV (right,spot,strike,rate,dividend_yield,iv,tau), 17 digits");
  command->add_option("input", options->input, "CSV file; standard input if absent or -");
  command->add_option("-o,--output", options->output, "CSV file; standard output if absent or -");
  return [options] { return run_greeks(options->input, options->output); };
}

}  // namespace greekgrid::cli
