#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <memory>

#include "commands.hpp"
#include "greekgrid/host/night_run.hpp"
#include "greekgrid/io/chain_file.hpp"
#include "greekgrid/io/ingest.hpp"
#include "greekgrid/io/publish.hpp"
#include "output.hpp"
#include "process.hpp"
#include "sources.hpp"

namespace greekgrid::cli {

namespace {

struct Options {
  SourceOptions source, interest;
  std::string target, rejects;
  bool keep = false;
};

std::string by_rule(const Diagnostics& rejects) {
  std::string text;
  for (const auto& [rule, count] : count_rules(rejects)) text += fmt::format("  refused {:<24} {}\n", rule, count);
  return text;
}

OptionChain refreshed(const Options& options, OptionChain chain, std::string& summary) {
  IngestOptions ingest = ingest_options(options.interest);
  const std::vector<std::filesystem::path> files(options.interest.files.begin(), options.interest.files.end());
  OpenInterestRefresh refresh = refresh_open_interest(chain, files, Calendar(), ingest, options.keep);
  summary = fmt::format(
      "open interest: {} rows in = {} contracts with a new value + {} refused\n{}  {} contracts of the listed "
      "underlyings without a new value {}, {} of other underlyings as they were\n  settled {}, known {}\n",
      refresh.rows_in, refresh.replaced, refresh.rejects.size(), by_rule(refresh.rejects), refresh.without_new,
      options.keep ? "keep their old one" : "become missing", refresh.other_tickers,
      chain.open_interest_settle_date.empty() ? "unknown" : chain.open_interest_settle_date,
      chain.open_interest_knowledge_time.empty() ? "unknown" : chain.open_interest_knowledge_time);
  chain.rejects.insert(chain.rejects.end(), refresh.rejects.begin(), refresh.rejects.end());
  return chain;
}

}  // namespace

Command add_ingest(CLI::App& app) {
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("ingest", "Vendor files to one chains.h5, with a report of every refused row");
  command
      ->add_option("files", options->source.files,
                   "Vendor files, plain, gzip or zip; with --open-interest also a chains.h5")
      ->required();
  command->add_option("-o,--output", options->target, "Target chains.h5")->required();
  add_source_options(*command, options->source);
  command->add_option("--rejects", options->rejects, "Reject report, CSV (default: <output>.rejects.csv)");
  command->add_option("--open-interest", options->interest.files,
                      "Later files whose open interest replaces that of the chains");
  command->add_option("--open-interest-session", options->interest.session,
                      "Session to take of those files, YYYY-MM-DD (default: --session)");
  command->add_flag("--keep-open-interest", options->keep,
                    "Contracts without a new value keep their old one; the dates are then unknown");
  return [options] {
    const std::string report = options->rejects.empty() ? options->target + ".rejects.csv" : options->rejects;
    std::vector<std::string> inputs = options->source.files;
    inputs.insert(inputs.end(), options->interest.files.begin(), options->interest.files.end());
    if (!options->source.profile.empty()) inputs.push_back(options->source.profile);
    check_targets({{"-o", options->target}, {"--rejects", report}}, inputs);
    // Refuse a hopeless target before the work, not after it.
    for (const std::string& target : {options->target, report}) const PendingFile probe(target);
    const auto start = std::chrono::steady_clock::now();
    SourceOptions source = options->source;
    const bool refresh = !options->interest.files.empty();
    if (!refresh && (options->keep || !options->interest.session.empty())) {
      throw UsageError("--keep-open-interest or --open-interest-session without --open-interest");
    }
    if (refresh) {
      if (options->interest.session.empty()) options->interest.session = source.session;
      std::error_code ignored;
      const bool stored = source.files.size() == 1 && std::filesystem::is_regular_file(source.files[0], ignored) &&
                          is_hdf5_file(source.files[0]);
      if (stored) source.session.clear();  // it is about the new files then
    }
    OptionChain chain = read_chain(source, Calendar());
    const std::size_t refused = chain.rejects.size();
    const std::string rules = by_rule(chain.rejects);
    log_rejects(chain.rejects, "rows");
    std::string summary;
    if (refresh) chain = refreshed(*options, std::move(chain), summary);
    if (stop_requested()) throw Stopped{};
    const double read_seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    write_chain_file(chain, options->target);
    write_reject_report(chain.rejects, report);
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    const auto no_spot = std::count_if(chain.spot.begin(), chain.spot.end(), [](double s) { return std::isnan(s); });
    if (no_spot > 0) spdlog::warn("{} underlyings without a price (--spot SYMBOL=PRICE gives one)", no_spot);
    std::string text =
        fmt::format("{}: {} tickers, {} expiries, {} contracts at {}\n{} rows in = {} contracts + {} refused ({})\n{}",
                    options->target, chain.tickers(), chain.expiries(), chain.contracts(), utc_text(chain.quote_time),
                    chain.rows_in, chain.contracts(), refused, report, rules);
    if (chain.rows_other_sessions > 0) {
      text += fmt::format("{} rows of other sessions not read\n", chain.rows_other_sessions);
    }
    print(text + summary +
          fmt::format("read {:.2f} s, total {:.2f} s, peak memory {}\n", read_seconds, seconds,
                      bytes_text(static_cast<double>(peak_memory_bytes()))));
    return kDone;
  };
}

}  // namespace greekgrid::cli
