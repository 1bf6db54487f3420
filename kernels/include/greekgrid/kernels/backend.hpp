#pragma once

/// @file
/// The backends that evaluate exposures and invert quotes: one interface, one list. A backend that cannot run here is
/// still in the list and says why; nothing falls back silently.

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "greekgrid/kernels/error.hpp"
#include "greekgrid/kernels/formulas/implied_volatility.hpp"
#include "greekgrid/kernels/greek.hpp"
#include "greekgrid/kernels/views.hpp"

namespace greekgrid {

/// Precision of the evaluation of one contract in one scenario. Sums over contracts are carried in fp64 in both.
/// fp32 is within 5e-6 of the largest magnitude of its surface and about 1e-6 of the cell's sum of |n m Greek|: where
/// calls and puts cancel, or far out of the money, the relative error of a cell can be much larger. fp64 is within
/// 1e-11.
enum class Precision : std::uint8_t { kFp32, kFp64 };

/// How exposures are evaluated.
enum class Evaluator : std::uint8_t {
  kAuto,      ///< spectral where it applies and pays, else brute
  kBrute,     ///< every contract at every spot: any IV rule
  kSpectral,  ///< sums at Chebyshev nodes: sticky strike alone, other jobs are evaluated by brute force
};
std::string_view name(Evaluator evaluator);
/// The evaluator of a name, or nothing if there is none of that name.
std::optional<Evaluator> evaluator_from_name(std::string_view text);

struct EvaluatorOptions {
  Evaluator evaluator = Evaluator::kBrute;
  /// What the spectral evaluator may deviate from the exact sums, relative to the largest magnitude of the surface (of
  /// one Greek and position model over times, shifts and spots). Truncation is bounded and rounding estimated while a
  /// job is evaluated; what does not keep to it (rows on the CPU, jobs on a device) is evaluated again with more nodes
  /// or in fp64, or the whole job by brute force. Under kFp32 nodes and products are in single precision where this
  /// allows.
  double tolerance = 1e-6;
};
/// Tolerances that may be asked for.
inline constexpr double kLeastTolerance = 1e-11;
inline constexpr double kMostTolerance = 1e-2;

/// What a backend is on this machine.
struct BackendStatus {
  std::string_view name;  ///< reference, cpu or cuda
  bool usable = false;
  std::string detail;  ///< the device and instruction set in use, or why the backend cannot run
};

/// Evaluates the sums over contracts of dealer position x multiplier x Greek, fused over the scenario grid, the strikes
/// that carry most of them, and the implied volatilities that such books start from.
///
/// A contract whose settlement lies before an instant contributes nothing there; exactly at its settlement it
/// contributes its exercise indicator to delta (1/2 at the strike) and nothing to the other Greeks. Results depend on
/// the job alone: not on the other jobs of the call, the number of threads or earlier calls.
class Backend {
 public:
  virtual ~Backend() = default;
  virtual BackendStatus status() const = 0;
  /// Evaluates every job. Jobs may be of any size and in any order; the call returns when all results are written.
  /// @throws BackendError if the backend is not usable or its device fails.
  virtual void evaluate(GreekSet greeks, std::span<const ExposureJob> jobs) = 0;
  /// Inverts every quote for its volatility, in fp64 whatever the precision of evaluation.
  ///
  /// @param sigma  (N) vol; NaN unless the quote's status is ok
  /// @param status (N) that of formulas::implied_volatility for the quote, exactly
  /// Accuracy: relative error within 5 eps (1 + b/(s db/ds)) of the volatility of the quote's time value, the
  /// attainable one up to the factor; b is the time value over discount sqrt(forward strike) and s = sigma sqrt(tau).
  /// The bits of a result depend on its quote alone: not on its place, the other quotes or the number of threads.
  /// @throws BackendError if the backend is not usable or its device fails.
  virtual void implied_volatilities(const QuoteView& quotes, std::span<double> sigma,
                                    std::span<formulas::IvStatus> status) = 0;
  /// Finds the gamma walls of every job, in fp64 whatever the precision of evaluation. Jobs may be of any size and in
  /// any order; the call returns when all results are written.
  ///
  /// Accuracy: each sum g of a strike is known to 1e-11 of its gross sum of |weight gamma|, and a density below 1e-307
  /// is none; strikes whose sums differ by less may stand for each other. The walls of a cell depend on its job, spot
  /// and shift alone, to the bit: not on the other spots, shifts and jobs or the number of threads.
  /// @throws BackendError if the backend is not usable or its device fails.
  virtual void gamma_walls(std::span<const WallJob> jobs) = 0;
};

/// Plain double loops over the closed forms: the truth the other backends are tested against.
std::unique_ptr<Backend> make_reference_backend();
/// Vectorised (Highway, dispatched at run time) and threaded (oneTBB, within the caller's arena).
std::unique_ptr<Backend> make_cpu_backend(Precision precision, EvaluatorOptions options = {});
/// CUDA; a stub that says why where the program was built without it or no device answers.
std::unique_ptr<Backend> make_cuda_backend(Precision precision, EvaluatorOptions options = {});

}  // namespace greekgrid
