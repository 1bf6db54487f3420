// A verification from the outside: which child reads what, and what is recomputed here.

#include <algorithm>
#include <cmath>
#include <limits>

#include "archive.hpp"
#include "child_reader.hpp"
#include "findings.hpp"
#include "greekgrid/io/verify.hpp"
#include "verify_cells.hpp"
#include "verify_structure.hpp"
#include "verify_values.hpp"

namespace greekgrid {
namespace {

constexpr std::size_t kLeastCells = 16;
constexpr std::size_t kBlockContracts = 65536, kBlockTickers = 256, kBlockBytes = std::size_t{256} << 20U;

/// What the first child hands over.
struct Opened {
  h5::Structure structure;
  h5::NightAxes axes;
  bool has_axes = false;
};

template <class Archive, class Structure>
void transfer_structure(Archive& archive, Structure& s) {
  archive(s.file, s.version, s.newer, s.groups);
}
template <class Archive, class Variable>
void transfer_variable(Archive& archive, Variable& v) {
  archive(v.path, v.type, v.lengths, v.dims, v.chunk, v.readable, v.known);
}

/// Bytes that a reader of a variable looks at, about.
double work_of(const h5::StoredVariable& variable) {
  double size = 16.0;
  for (const std::size_t n : variable.lengths) size *= static_cast<double>(n);
  return size;
}
/// Of every variable.
std::uint64_t work_of(const h5::Structure& structure) {
  double bytes = 0.0;
  for (const h5::StoredVariable& variable : structure.variables) bytes += work_of(variable);
  constexpr double kMost = 1e13;
  return static_cast<std::uint64_t>(std::min(bytes, kMost));
}

/// The scenarios of every ticker that are recomputed.
std::vector<std::vector<CellPlace>> choose(const h5::NightAxes& axes, const VerifyOptions& options) {
  const std::size_t tickers = axes.ticker.size(), cells = axes.chunk_cells();
  std::size_t count =
      std::max(kLeastCells, static_cast<std::size_t>(std::ceil(options.share * static_cast<double>(cells))));
  if (options.cells) {
    const auto wanted = static_cast<std::size_t>(std::max<std::int64_t>(*options.cells, 0));
    count = std::max<std::size_t>(1, (wanted + tickers - 1) / tickers);
  }
  if (options.all) count = cells;
  std::vector<std::vector<std::int64_t>> settlement(tickers);
  for (std::size_t e = 0; e < axes.settlement.size(); ++e) {
    settlement[static_cast<std::size_t>(axes.expiry_ticker[e])].push_back(axes.settlement[e]);
  }
  const auto zero =
      static_cast<std::size_t>(std::find(axes.iv_shift.begin(), axes.iv_shift.end(), 0.0) - axes.iv_shift.begin());
  std::vector<std::vector<CellPlace>> places;
  for (std::size_t u = 0; u < tickers; ++u) {
    std::sort(settlement[u].begin(), settlement[u].end());
    places.push_back(sample_cells(axes.time, settlement[u], axes.iv_shift.size(), zero, axes.spot_step.size(),
                                  std::min(count, cells), options.seed * 1000003 + u));
  }
  return places;
}

}  // namespace

VerifyReport verify_file(const std::filesystem::path& path, const VerifyOptions& options) {
  h5::Findings findings;
  Opened opened;
  h5::read_in_child(
      path,
      [](hid_t file, std::uint64_t file_size, h5::ArchiveWriter& out) {
        const h5::FileReader reader(file, file_size);
        h5::Findings found;
        const h5::Structure structure = h5::read_structure(file, reader, found);
        h5::NightAxes axes;
        bool has_axes = structure.file == "night";
        try {
          if (has_axes) axes = h5::read_axes(reader, structure);
        } catch (const h5::Error& error) {
          found.fail("cells", std::string("cannot be recomputed (") + error.what() + ")");
          has_axes = false;
        }
        transfer_structure(out, structure);
        out(std::uint64_t{structure.variables.size()});
        for (const h5::StoredVariable& variable : structure.variables) transfer_variable(out, variable);
        out(has_axes);
        if (has_axes) h5::transfer_axes(out, axes);
        h5::put_findings(out, found);
      },
      [&](h5::ArchiveReader& in) {
        transfer_structure(in, opened.structure);
        std::uint64_t variables = 0;
        in(variables);
        for (std::uint64_t k = 0; k < variables; ++k) transfer_variable(in, opened.structure.variables.emplace_back());
        in(opened.has_axes);
        if (opened.has_axes) h5::transfer_axes(in, opened.axes);
        opened.structure.version = h5::printable(opened.structure.version);
        for (auto* names : {&opened.axes.ticker, &opened.axes.position, &opened.axes.iv_rule}) {
          for (std::string& name : *names) name = h5::printable(name);
        }
        findings.merge(h5::take_findings(in));
        if (!opened.has_axes) return;
        try {
          h5::validate(opened.axes);
        } catch (const h5::Error& error) {
          findings.fail("cells", std::string("cannot be recomputed (") + error.what() + ")");
          opened.has_axes = false;
        }
      });
  const h5::Structure& structure = opened.structure;
  VerifyReport report;
  report.schema = "greekgrid." + structure.file;
  report.version = structure.version;
  const std::uint64_t work = work_of(structure);

  h5::ReferenceCells references;
  if (opened.has_axes) {
    const h5::NightAxes& axes = opened.axes;
    CellBound bound = axes.precision == "fp64" ? kBound64 : kBound32;
    if (axes.precision != "fp64" && axes.precision != "fp32") {
      findings.note("/run: precision \"" + axes.precision + "\" is unknown, taken as fp32");
    }
    if (axes.tolerance > 0.0) bound.of_largest = std::max(bound.of_largest, axes.tolerance);
    if (options.tolerance) bound = {*options.tolerance, std::min(*options.tolerance, bound.of_gross)};
    const std::vector<std::vector<CellPlace>> places = choose(axes, options);
    for (std::size_t first = 0; first < places.size();) {
      options.poll();
      std::size_t last = first, contracts = 0, bytes = 0;
      while (last < places.size() && last - first < kBlockTickers) {
        contracts += static_cast<std::size_t>(axes.contract_count[last]);
        bytes += axes.chunks() * places[last].size() * sizeof(float);
        if (last > first && (contracts > kBlockContracts || bytes > kBlockBytes)) break;
        ++last;
      }
      const std::vector<std::vector<CellPlace>> block(places.begin() + static_cast<std::ptrdiff_t>(first),
                                                      places.begin() + static_cast<std::ptrdiff_t>(last));
      std::vector<h5::TickerCells> cells;
      h5::read_in_child(
          path,
          [&](hid_t file, std::uint64_t file_size, h5::ArchiveWriter& out) {
            h5::Findings found;
            std::vector<h5::TickerCells> read;
            try {
              read = h5::read_cells(file, h5::FileReader(file, file_size), structure, axes, first, block, found);
            } catch (const h5::Error& error) {
              found.fail("cells", std::string("cannot be recomputed (") + error.what() + ")");
            }
            out(std::uint64_t{read.size()});
            for (const h5::TickerCells& one : read) h5::transfer_cells(out, one);
            h5::put_findings(out, found);
          },
          [&](h5::ArchiveReader& in) {
            std::uint64_t count = 0;
            in(count);
            if (count > block.size()) throw h5::Error("there are more books than were asked for");
            for (std::uint64_t k = 0; k < count; ++k) h5::transfer_cells(in, cells.emplace_back());
            findings.merge(h5::take_findings(in));
          },
          work);
      try {
        if (!cells.empty()) {
          h5::compare_cells(axes, first, block, cells, bound, findings, report.worst, references);
        }
      } catch (const h5::Error& error) {
        findings.fail("cells", std::string("cannot be recomputed (") + error.what() + ")");
      }
      first = last;
    }
  }

  const auto look = [&](const auto& at) {
    options.poll();
    h5::read_in_child(
        path,
        [&](hid_t file, std::uint64_t file_size, h5::ArchiveWriter& out) {
          h5::Findings found;
          at(file, h5::FileReader(file, file_size), found);
          h5::put_findings(out, found);
        },
        [&](h5::ArchiveReader& in) { findings.merge(h5::take_findings(in)); }, work);
  };
  for (std::size_t first = 0, last = 0; first < structure.variables.size(); first = last) {
    constexpr double kMostWork = 4e9;
    double size = 0.0;
    while (last < structure.variables.size() && (last == first || size < kMostWork)) {
      size += work_of(structure.variables[last++]);
    }
    look([&](hid_t file, const h5::FileReader& reader, h5::Findings& found) {
      h5::check_chunks(file, reader, structure, first, last, found);
    });
  }
  look([&](hid_t file, const h5::FileReader& reader, h5::Findings& found) {
    h5::check_statements(file, reader, structure, references, found);
  });

  report.checks = std::move(findings.checks);
  report.notes = std::move(findings.notes);
  return report;
}

}  // namespace greekgrid
