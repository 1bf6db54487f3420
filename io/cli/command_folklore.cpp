// The folklore gamma exposure beside ours, with the reasons why they differ.

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <memory>

#include "commands.hpp"
#include "greekgrid/host/folklore.hpp"
#include "greekgrid/host/levels.hpp"
#include "greekgrid/host/market.hpp"
#include "greekgrid/io/config_file.hpp"
#include "greekgrid/io/rate_curve_file.hpp"
#include "output.hpp"
#include "sources.hpp"

namespace greekgrid::cli {
namespace {

std::string compare(const OptionChain& chain, std::size_t ticker, const RunConfig& config) {
  const FolkloreGamma folklore = folklore_gamma(chain, ticker);
  std::string flips;
  for (const double flip : folklore.flips) flips += fmt::format("{}{:.2f}", flips.empty() ? "" : " ", flip);
  TickerSelection selection;
  selection.tickers = {chain.ticker[ticker]};
  const auto sampler = make_cpu_backend(Precision::kFp64);
  const Snapshot snapshot = make_snapshot(chain, config.market, selection, Calendar(), *sampler);
  std::string text = fmt::format("{} spot {:.2f}, quotes of {}, file of {}\n", chain.ticker[ticker], chain.spot[ticker],
                                 utc_text(chain.quote_time), utc_text(chain.file_time));
  std::string ours_total = "refused", ours_flip = "refused";
  if (snapshot.tickers() == 1) {
    constexpr PositionModel kNaive[] = {PositionModel::kNaive};
    const auto positions = dealer_positions(snapshot, kNaive);
    const auto weights = exposure_weights(snapshot, 0, positions, 1);
    std::vector<std::int64_t> expiry_begin;
    const BookView book = make_book(snapshot, 0, weights, expiry_begin);
    const double iv_floor = config.scenarios.iv_floor;
    const std::vector<double> greeks = base_greeks(book, snapshot.quote_time, iv_floor);
    LevelInputs inputs;
    inputs.book = book;
    inputs.greeks = greeks;
    inputs.quote_time = snapshot.quote_time;
    inputs.iv_floor = iv_floor;
    const TickerLevels levels = compute_levels(inputs, *sampler);
    ours_total = fmt::format("{:+.2f}", levels.level[0][LevelName::kGammaIndex].value);
    ours_flip = levels.crossing[0].empty() ? "no sign change" : "";
    for (const CrossingRow& crossing : levels.crossing[0])
      ours_flip += fmt::format("{}{:.2f}", ours_flip.empty() ? "" : " ", crossing.price);
  }
  text += format_table({{"", "folklore", "ours"},
                        {"net gamma, 1e9 USD per 1 %", fmt::format("{:+.2f}", folklore.total), ours_total},
                        {"zero gamma within 20 %, USD", flips.empty() ? "no sign change" : flips, ours_flip}},
                       1);
  return text;
}

}  // namespace

Command add_folklore(CLI::App& app) {
  struct Options {
    SourceOptions source;
    std::string config;
    std::vector<std::string> tickers;
  };
  auto options = std::make_shared<Options>();
  CLI::App* command =
      app.add_subcommand("folklore", "Net gamma and its flip as the widely copied script has them, beside ours");
  command->add_option("files", options->source.files, "One chains.h5, or vendor files")->required();
  command->add_option("--config", options->config, "Run configuration of our side, TOML");
  command->add_option("--tickers", options->tickers, "Only these, separated by commas")->delimiter(',');
  return [options] {
    RunConfig config = options->config.empty() ? RunConfig() : read_config(options->config);
    Calendar calendar;
    for (const CalendarOverride& day : config.calendar) calendar.set_day(day.date, day.kind);
    const OptionChain chain = read_chain(options->source, calendar);
    if (!config.market.rate_curve_file.empty()) {
      config.market.rate_curve = read_rate_curve(config.market.rate_curve_file, new_york_date(chain.quote_time));
    }
    for (std::size_t u = 0; u < chain.tickers(); ++u) {
      if (!options->tickers.empty() &&
          std::find(options->tickers.begin(), options->tickers.end(), chain.ticker[u]) == options->tickers.end()) {
        continue;
      }
      print(compare(chain, u, config));
    }
    print(
        "Why they differ:\n"
        "  gamma       folklore adds up the vendor's gammas, printed to 4 decimals and of the vendor's own forward and "
        "clock;\n"
        "              ours come from the volatilities, so that total, profile and flip belong to one function\n"
        "  clock       weekdays/262 with 0DTE a whole day, against calendar minutes to each contract's own settlement\n"
        "  forward     S itself, against put-call parity per expiry\n"
        "  quote time  folklore counts from the file's date, ours from the instant the quotes were alive\n"
        "  volatility  the vendor's, a 0 drops the contract; here our own, then the smile, then the vendor's\n"
        "  flip        linear between 60 spots, against a bracketed root of the evaluated exposure\n");
    return kDone;
  };
}

}  // namespace greekgrid::cli
