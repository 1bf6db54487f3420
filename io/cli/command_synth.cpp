#include <fmt/format.h>

#include <memory>

#include "commands.hpp"
#include "greekgrid/host/synthetic_chain.hpp"
#include "greekgrid/io/chain_file.hpp"
#include "output.hpp"
#include "sources.hpp"

namespace greekgrid::cli {

Command add_synth(CLI::App& app) {
  struct Options {
    std::size_t tickers = 50, contracts = 0;
    std::uint64_t seed = 1;
    std::string target;
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
  return [options] {
    check_targets({{"-o", options->target}}, {});
    const std::size_t contracts = options->contracts > 0 ? options->contracts : 1500 * options->tickers;
    if (contracts < options->tickers)
      throw UsageError("--contracts: fewer than --tickers (every ticker has at least one)");
    const OptionChain chain = synthesize_chain(
        {static_cast<std::int32_t>(options->tickers), static_cast<std::int64_t>(contracts), options->seed}, Calendar());
    write_chain_file(chain, options->target);
    print(fmt::format("{}: {} tickers, {} contracts at {}\n", options->target, chain.tickers(), chain.contracts(),
                      utc_text(chain.quote_time)));
    return kDone;
  };
}

}  // namespace greekgrid::cli
