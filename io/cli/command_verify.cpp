// Whether files hold to their schema and to themselves.

#include <fmt/format.h>

#include <cmath>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>

#include "commands.hpp"
#include "greekgrid/host/night_run.hpp"
#include "greekgrid/io/schema.hpp"
#include "greekgrid/io/verify.hpp"
#include "output.hpp"
#include "process.hpp"

namespace greekgrid::cli {
namespace {

struct Options {
  std::vector<std::string> files;
  VerifyOptions verify;
  bool json = false;
};

std::string page(const std::string& file, const VerifyReport& report) {
  std::string text = fmt::format("{}: {} {}\n", file, report.schema, report.version);
  std::int64_t statements = 0, failures = 0;
  for (const VerifyCheck& check : report.checks) {
    statements += check.count;
    failures += check.failures;
    text += fmt::format("  {:<20} {:>12}  {}\n", check.name, check.count,
                        check.holds() ? "ok" : fmt::format("FAILED, {} of them", check.failures));
    for (const std::string& what : check.shown) text += fmt::format("    {}: {}\n", file, what);
    if (const auto more = check.failures - static_cast<std::int64_t>(check.shown.size()); more > 0) {
      text += fmt::format("    and {} more\n", more);
    }
  }
  if (!report.worst.empty()) {
    std::vector<std::vector<std::string>> rows = {{"  worst cell", "ticker", "position", "iv_rule", "time", "iv_shift",
                                                   "spot_step", "stored", "recomputed", "of max", "of gross"}};
    for (const WorstCell& cell : report.worst) {
      rows.push_back({"  " + cell.surface, cell.ticker, cell.position, cell.iv_rule, cell.time,
                      fmt::format("{:g}", cell.iv_shift), fmt::format("{:g}", cell.spot_step),
                      fmt::format("{:.7g}", cell.stored), fmt::format("{:.7g}", cell.recomputed),
                      fmt::format("{:.1e}", cell.of_largest), fmt::format("{:.1e}", cell.of_gross)});
    }
    text += format_table(rows, 5);
  }
  for (const std::string& note : report.notes) text += fmt::format("  note: {}\n", note);
  return text + fmt::format("{}: {} checks, {} statements, {}\n", file, report.checks.size(), statements,
                            failures == 0 ? "all hold" : fmt::format("{} do not hold", failures));
}

nlohmann::ordered_json json_of(const std::string& file, const VerifyReport& report) {
  nlohmann::ordered_json out = {
      {"file", file}, {"schema", report.schema}, {"schema_version", report.version}, {"holds", report.holds()}};
  out["checks"] = nlohmann::ordered_json::array();
  for (const VerifyCheck& check : report.checks) {
    out["checks"].push_back(
        {{"name", check.name}, {"count", check.count}, {"failures", check.failures}, {"shown", check.shown}});
  }
  out["worst"] = nlohmann::ordered_json::array();
  for (const WorstCell& cell : report.worst) {
    out["worst"].push_back({{"surface", cell.surface},
                            {"ticker", cell.ticker},
                            {"position", cell.position},
                            {"iv_rule", cell.iv_rule},
                            {"time", cell.time},
                            {"iv_shift", cell.iv_shift},
                            {"spot_step", cell.spot_step},
                            {"stored", cell.stored},
                            {"recomputed", cell.recomputed},
                            {"of_largest", cell.of_largest},
                            {"of_gross", cell.of_gross},
                            {"of_tolerance", cell.of_tolerance}});
  }
  out["notes"] = report.notes;
  return out;
}

int run(const Options& options) {
  bool holds = true;
  nlohmann::ordered_json all = nlohmann::ordered_json::array();
  for (const std::string& file : options.files) {
    VerifyReport report;
    try {
      report = verify_file(file, options.verify);
    } catch (const InputError& error) {
      // The other files are still to be looked at.
      std::fprintf(stderr, "greekgrid: %s\n", error.what());
      all.push_back({{"file", file}, {"holds", false}, {"problem", error.what()}});
      holds = false;
      continue;
    }
    holds = holds && report.holds();
    if (options.json) {
      all.push_back(json_of(file, report));
    } else {
      print(page(file, report));
    }
  }
  if (options.json) print(all.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n");
  return holds ? kDone : kInputRejected;
}

}  // namespace

Command add_verify(CLI::App& app) {
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand(
      "verify", "Whether files hold to their schema: structure, checksums, identities, recomputed surfaces");
  command->add_option("files", options->files, "chains.h5, history.h5, night.h5")->required();
  VerifyOptions& verify = options->verify;
  auto* share = command
                    ->add_option("--share", verify.share,
                                 "share of every ticker's scenarios to recompute, never fewer than 16 of them")
                    ->check(CLI::Range(0.0, 1.0));
  auto* cells = command->add_option("--cells", verify.cells, "scenarios to recompute over all tickers instead")
                    ->check(CLI::Range(std::int64_t{1}, std::int64_t{1} << 40));
  auto* all = command->add_flag("--all", verify.all, "recompute every scenario");
  share->excludes(cells)->excludes(all);
  cells->excludes(all);
  command->add_option("--seed", verify.seed, "of the draw of scenarios");
  command
      ->add_option("--tolerance", verify.tolerance,
                   "error over the largest magnitude of a surface, instead of the bound of the recorded precision")
      ->check(CLI::Range(0.0, 1.0));
  command->add_flag("--json", options->json, "the report as JSON");
  return [options] {
    options->verify.poll = [] {
      if (stop_requested()) throw Stopped{};
    };
    return run(*options);
  };
}

Command add_schema(CLI::App& app) {
  auto file = std::make_shared<std::string>();
  CLI::App* command = app.add_subcommand("schema", "What the files hold, as Markdown");
  command->add_option("file", *file, "chains, history or night; all three if none is named")
      ->check(CLI::IsMember({"chains", "history", "night"}));
  return [file] {
    std::string text;
    for (const char* name : {"chains", "history", "night"}) {
      if (file->empty() || *file == name) text += (text.empty() ? "" : "\n") + schema_page(name);
    }
    print(text);
    return kDone;
  };
}

}  // namespace greekgrid::cli
