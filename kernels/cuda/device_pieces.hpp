#pragma once

/// @file
/// Pieces of jobs: how a call's jobs are cut and dealt to several devices. A row (instant, IV shift) of a surface is
/// summed without regard to the others, so a job cut between rows has the bits of the whole one.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "device_backend.hpp"
#include "greekgrid/kernels/backend.hpp"

namespace greekgrid::cuda {

/// A job, or some of its rows.
struct ExposurePiece {
  ExposureJob job;         ///< its grid has the instants and shifts of the piece; its exposure is that of the whole job
  std::size_t values = 0;  ///< (G, W, T, V, J) of the piece
  std::size_t time = 0, shift = 0;    ///< first of the piece, among those of the whole job
  std::size_t times = 0, shifts = 0;  ///< of the whole job
  std::uint64_t evaluations = 0;      ///< live ones: contracts that settle after the instant x scenarios x positions
};

/// Live evaluations of a job at one of its instants and one of its shifts.
std::uint64_t row_evaluations(const ExposureJob& job, std::size_t instant);

/// A job in one piece.
ExposurePiece whole(const ExposureJob& job);

/// Whether the spectral evaluator takes a job: under sticky strike, on a grid with a width, and where it may pay.
bool takes_spectral(const EvaluatorOptions& options, const ExposureJob& job);

/// Jobs in pieces of about `most` evaluations at most, in their order: a job of more is cut between instants, and an
/// instant of more between shifts; a row is never cut. Jobs without evaluations or results stay whole, and so do those
/// of the spectral evaluator, whose rows are held to an error of the whole surface.
std::vector<ExposurePiece> cut(std::span<const ExposureJob> jobs, std::uint64_t most,
                               const EvaluatorOptions& options = {});

/// Deals work to devices, the costliest first, each to the device that would be done with it soonest; of equal ones the
/// first.
/// @param cost  of each piece of work
/// @param speed of each device, > 0, in any unit
/// @return the work of each device, ascending
std::vector<std::vector<std::size_t>> deal(std::span<const std::uint64_t> cost, std::span<const double> speed);

/// Writes a piece's own array (G, W, T, V, J) into that of its job.
void write_rows(const ExposurePiece& piece, const double* values);
/// Writes one value everywhere in a piece's rows.
void fill_rows(const ExposurePiece& piece, double value);

/// A backend on one device that also takes pieces.
class PieceBackend : public Backend {
 public:
  virtual void evaluate_pieces(GreekSet greeks, std::span<const ExposurePiece> pieces) = 0;
};

std::unique_ptr<PieceBackend> make_piece_backend(std::unique_ptr<DeviceApi> device, Precision precision,
                                                 const DeviceBackendOptions& options);

}  // namespace greekgrid::cuda
