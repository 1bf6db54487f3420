// How configurations and files spell the choices of a run.

#include "greekgrid/host/run_config.hpp"

namespace greekgrid {

std::string_view name(PositionModel model) {
  switch (model) {
    case PositionModel::kNaive:
      return "naive";
    case PositionModel::kUnsigned:
      return "unsigned";
    case PositionModel::kAllShort:
      return "all_short";
    case PositionModel::kReversed:
      return "reversed";
    case PositionModel::kSignedColumn:
      return "signed_column";
  }
  return "";
}

std::string_view name(IvPreference preference) {
  return preference == IvPreference::kVendor ? "vendor" : "own";
}

std::string_view name(ForwardPreference preference) {
  switch (preference) {
    case ForwardPreference::kParity:
      return "parity";
    case ForwardPreference::kFlat:
      return "flat";
    case ForwardPreference::kSpot:
      return "spot";
  }
  return "";
}

}  // namespace greekgrid
