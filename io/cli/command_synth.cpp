#include <fmt/format.h>

#include <memory>

#include "commands.hpp"
#include "greekgrid/host/synthetic_chain.hpp"
#include "greekgrid/host/synthetic_history.hpp"
#include "greekgrid/io/chain_file.hpp"
#include "greekgrid/io/history_file.hpp"
#include "output.hpp"
#include "sources.hpp"

namespace greekgrid::cli {

Command add_synth(CLI::App& app) {
  struct Options {
    std::size_t tickers = 50, contracts = 0;
    std::uint64_t seed = 1;
    std::size_t sessions = 1000;
    std::string target, history;
  };
  auto options = std::make_shared<Options>();
  CLI::App* command =
      app.add_subcommand("synth", "A synthetic universe with realistic chains, for demos and benchmarks");
  command->add_option("--tickers", options->tickers, "Underlyings")
      ->check(CLI::Range(1, 100000))
      ->capture_default_str();
  command->add_option("--contracts", options->contracts, "Contracts in all (default: 1,500 a ticker)")
      ->check(CLI::Range(1, 100000000));
  command->add_option("--seed", options->seed, "Equal seeds give equal universes")->capture_default_str();
  command->add_option("-o,--output", options->target, "Target chains.h5")->required();
  command->add_option("--history", options->history,
                      "Target history.h5: the tickers' sessions before the quotes, made up too");
  command->add_option("--sessions", options->sessions, "Sessions of the history")
      ->check(CLI::Range(1, 9000))
      ->capture_default_str();
  return [options] {
    std::vector<Target> targets = {{"-o", options->target}};
    if (!options->history.empty()) targets.push_back({"--history", options->history});
    check_targets(targets, {});
    const std::size_t contracts = options->contracts > 0 ? options->contracts : 1500 * options->tickers;
    if (contracts < options->tickers)
      throw UsageError("--contracts: fewer than --tickers (every ticker has at least one)");
    const OptionChain chain = synthesize_chain(
        {static_cast<std::int32_t>(options->tickers), static_cast<std::int64_t>(contracts), options->seed}, Calendar());
    write_chain_file(chain, options->target);
    print(fmt::format("{}: {} tickers, {} contracts at {}\n", options->target, chain.tickers(), chain.contracts(),
                      utc_text(chain.quote_time)));
    if (!options->history.empty()) {
      const DailyHistory history = synthesize_history(chain, options->sessions, options->seed, Calendar());
      write_history_file(history, options->history);
      print(fmt::format("{}: {} symbols, {} rows\n", options->history, history.symbols(), history.rows()));
    }
    return kDone;
  };
}

}  // namespace greekgrid::cli
