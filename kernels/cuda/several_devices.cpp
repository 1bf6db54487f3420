// One backend over several devices: every call's work is dealt to them by cost, and each does its share on a thread of
// its own through its own lanes.

#include <algorithm>
#include <exception>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "device_pieces.hpp"
#include "greekgrid/kernels/error.hpp"

namespace greekgrid::cuda {
namespace {

/// Pieces a device gets of a call at least, where the work can be cut so far: the last of them bounds how much longer
/// one device works than another.
constexpr std::uint64_t kPiecesPerDevice = 4;
/// An inversion costs about as much as this many evaluations; a wall search one for each contract and cell.
constexpr std::uint64_t kEvaluationsPerInversion = 64;

class SeveralDevices final : public Backend {
 public:
  SeveralDevices(std::vector<std::unique_ptr<DeviceApi>> devices, Precision precision,
                 const DeviceBackendOptions& options)
      : least_(std::max<std::uint64_t>(1, options.least_evaluations)), evaluator_(options.evaluator) {
    for (auto& device : devices) {
      api_.push_back(device.get());
      backend_.push_back(make_piece_backend(std::move(device), precision, options));
    }
  }

  BackendStatus status() const override {
    // Devices of one kind are counted, in the order in which they appear; those left out say why.
    std::vector<std::pair<std::string, int>> kinds;
    std::string left_out;
    std::string first_reason;
    for (std::size_t d = 0; d < api_.size(); ++d) {
      DeviceProbe probe = api_[d]->probe();
      if (!probe.usable) {
        if (first_reason.empty()) first_reason = probe.detail;
        left_out += "; device " + std::to_string(d) + " left out (" + probe.detail + ")";
        continue;
      }
      const auto same =
          std::find_if(kinds.begin(), kinds.end(), [&](const auto& k) { return k.first == probe.detail; });
      if (same == kinds.end()) {
        kinds.emplace_back(std::move(probe.detail), 1);
      } else {
        ++same->second;
      }
    }
    if (kinds.empty()) return {"cuda", false, std::move(first_reason)};
    std::string detail;
    for (const auto& [kind, count] : kinds) {
      if (!detail.empty()) detail += "; ";
      detail += count == 1 ? kind : std::to_string(count) + " x " + kind;
    }
    return {"cuda", true, detail + left_out};
  }

  void evaluate(GreekSet greeks, std::span<const ExposureJob> jobs) override {
    find_usable();
    std::uint64_t evaluations = 0;
    for (const ExposureJob& job : jobs) evaluations += whole(job).evaluations;
    const std::size_t devices = devices_for(evaluations);
    const std::uint64_t most = devices == 1 ? evaluations : evaluations / (kPiecesPerDevice * devices);
    const std::vector<ExposurePiece> pieces = cut(jobs, std::max(most, least_), evaluator_);
    std::vector<std::uint64_t> cost;
    for (const ExposurePiece& piece : pieces) cost.push_back(piece.evaluations);
    on_devices(deal(cost, first_speeds(devices)), [&](PieceBackend& backend, const std::vector<std::size_t>& own) {
      std::vector<ExposurePiece> share;
      for (const std::size_t k : own) share.push_back(pieces[k]);
      backend.evaluate_pieces(greeks, share);
    });
  }

  void implied_volatilities(const QuoteView& quotes, std::span<double> sigma,
                            std::span<formulas::IvStatus> status) override {
    find_usable();
    const std::size_t devices = devices_for(quotes.size() * kEvaluationsPerInversion);
    double all = 0.0, before = 0.0;
    for (std::size_t d = 0; d < devices; ++d) all += speed_[d];
    std::vector<std::size_t> begin = {0};
    std::vector<std::vector<std::size_t>> dealt;
    for (std::size_t d = 0; d < devices; ++d) {
      before += speed_[d];
      const auto end = static_cast<std::size_t>(static_cast<double>(quotes.size()) * (before / all));
      begin.push_back(d + 1 == devices ? quotes.size() : end);
      dealt.push_back({d});
    }
    on_devices(dealt, [&](PieceBackend& backend, const std::vector<std::size_t>& own) {
      const std::size_t from = begin[own.front()], count = begin[own.front() + 1] - from;
      backend.implied_volatilities(
          {quotes.right.subspan(from, count), quotes.price.subspan(from, count), quotes.forward.subspan(from, count),
           quotes.strike.subspan(from, count), quotes.discount.subspan(from, count), quotes.tau.subspan(from, count)},
          sigma.subspan(from, count), status.subspan(from, count));
    });
  }

  void gamma_walls(std::span<const WallJob> jobs) override {
    find_usable();
    std::vector<std::uint64_t> cost;
    std::uint64_t evaluations = 0;
    for (const WallJob& job : jobs) {
      cost.push_back(static_cast<std::uint64_t>(job.cells()) * job.book.contracts());
      evaluations += cost.back();
    }
    const auto dealt = deal(cost, first_speeds(devices_for(evaluations)));
    on_devices(dealt, [&](PieceBackend& backend, const std::vector<std::size_t>& own) {
      std::vector<WallJob> share;
      for (const std::size_t k : own) share.push_back(jobs[k]);
      backend.gamma_walls(share);
    });
  }

 private:
  void find_usable() {
    if (!usable_.empty()) return;
    std::string reason;
    for (std::size_t d = 0; d < api_.size(); ++d) {
      const DeviceProbe probe = api_[d]->probe();
      if (!probe.usable) {
        if (reason.empty()) reason = probe.detail;
        continue;
      }
      usable_.push_back(d);
      speed_.push_back(std::max(1.0, static_cast<double>(probe.multiprocessors)));
      name_.push_back(probe.detail);
    }
    if (usable_.empty()) {
      throw BackendError("backend cuda cannot run (" + reason + ") take backend cpu on this machine");
    }
  }

  /// No more devices than have work worth its copies and launches.
  std::size_t devices_for(std::uint64_t evaluations) const {
    return static_cast<std::size_t>(std::clamp<std::uint64_t>(evaluations / least_, 1, usable_.size()));
  }

  std::span<const double> first_speeds(std::size_t devices) const {
    return std::span<const double>(speed_).first(devices);
  }

  /// Runs work(backend, what it was dealt) on the first usable devices side by side; returns when all are done, with
  /// the failure of the first that failed, named.
  template <class Work>
  void on_devices(const std::vector<std::vector<std::size_t>>& dealt, const Work& work) {
    const std::size_t devices = dealt.size();
    std::vector<std::exception_ptr> failure(devices);
    const auto run = [&](std::size_t k) noexcept {
      try {
        work(*backend_[usable_[k]], dealt[k]);
      } catch (...) {
        failure[k] = std::current_exception();
      }
    };
    {
      std::vector<std::jthread> others;
      for (std::size_t k = 1; k < devices; ++k) {
        if (!dealt[k].empty()) others.emplace_back(run, k);
      }
      run(0);
    }
    for (std::size_t k = 0; k < devices; ++k) {
      if (failure[k] == nullptr) continue;
      try {
        std::rethrow_exception(failure[k]);
      } catch (const BackendError& error) {
        throw BackendError("device " + std::to_string(usable_[k]) + " (" + name_[k] + "): " + error.what());
      }
    }
  }

  std::uint64_t least_;
  EvaluatorOptions evaluator_;
  std::vector<DeviceApi*> api_;  // owned by the backends
  std::vector<std::unique_ptr<PieceBackend>> backend_;
  std::vector<std::size_t> usable_;  // found at the first call, with speed_ and name_
  std::vector<double> speed_;        // multiprocessors
  std::vector<std::string> name_;
};

}  // namespace

std::unique_ptr<Backend> make_device_backend(std::vector<std::unique_ptr<DeviceApi>> devices, Precision precision,
                                             const DeviceBackendOptions& options) {
  if (devices.size() == 1) return make_device_backend(std::move(devices.front()), precision, options);
  return std::make_unique<SeveralDevices>(std::move(devices), precision, options);
}

}  // namespace greekgrid::cuda
