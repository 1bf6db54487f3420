#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <chrono>
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

Command add_ingest(CLI::App& app) {
  struct Options {
    SourceOptions source;
    std::string target, rejects;
  };
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("ingest", "Vendor files to one chains.h5, with a report of every refused row");
  command->add_option("files", options->source.files, "Vendor files, plain or gzip")->required();
  command->add_option("-o,--output", options->target, "Target chains.h5")->required();
  command->add_option("--format", options->source.format, "auto, cboe-csv, cboe-json, long-csv")->capture_default_str();
  command->add_option("--quote-time", options->source.quote_time,
                      "Quote instant, ISO 8601 with zone; overrides the stamp's rule");
  command->add_option("--rejects", options->rejects, "Reject report, CSV (default: <output>.rejects.csv)");
  return [options] {
    const std::string report = options->rejects.empty() ? options->target + ".rejects.csv" : options->rejects;
    check_targets({{"-o", options->target}, {"--rejects", report}}, options->source.files);
    // Refuse a hopeless target before the work, not after it.
    for (const std::string& target : {options->target, report}) const PendingFile probe(target);
    const auto start = std::chrono::steady_clock::now();
    const OptionChain chain = read_chain(options->source, Calendar());
    if (stop_requested()) throw Stopped{};
    const double read_seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    write_chain_file(chain, options->target);
    write_reject_report(chain.rejects, report);
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    log_rejects(chain.rejects, "rows");
    print(
        fmt::format("{}: {} tickers, {} expiries, {} contracts at {}\n{} rows in = {} contracts + {} refused ({})\n"
                    "read {:.2f} s, total {:.2f} s, peak memory {}\n",
                    options->target, chain.tickers(), chain.expiries(), chain.contracts(), utc_text(chain.quote_time),
                    chain.rows_in, chain.contracts(), chain.rejects.size(), report, read_seconds, seconds,
                    bytes_text(static_cast<double>(peak_memory_bytes()))));
    return kDone;
  };
}

}  // namespace greekgrid::cli
