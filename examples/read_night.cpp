// Reads a night.h5 with the HDF5 C library alone: a surface of one ticker, and its levels.
//
//   c++ -std=c++20 read_night.cpp -o read_night $(pkg-config --cflags --libs hdf5)
//   read_night night.h5 [TICKER]
//
// Prints gx, gamma exposure in shares per USD, along spot at the quote instant and iv_shift 0 under the first position
// model and rule, one "spot gx" per line with 9 digits, then gamma_index and zero_gamma of the ticker.

#include <hdf5.h>

#include <algorithm>
#include <cstdio>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

// A negative result is a failure of the library, which says why on standard error.
template <class Result>
Result check(Result result, const char* what) {
  if (result < 0) throw std::runtime_error(std::string("cannot ") + what);
  return result;
}

std::vector<hsize_t> lengths(hid_t dataset) {
  const hid_t space = check(H5Dget_space(dataset), "look at a variable");
  std::vector<hsize_t> dims(static_cast<std::size_t>(check(H5Sget_simple_extent_ndims(space), "look at a variable")));
  check(H5Sget_simple_extent_dims(space, dims.data(), nullptr), "look at a variable");
  H5Sclose(space);
  return dims;
}

// A part of a variable of numbers, as doubles: the library converts. An empty `count` reads all of it.
std::vector<double> numbers(hid_t file, const char* path, std::vector<hsize_t> begin = {},
                            std::vector<hsize_t> count = {}) {
  const hid_t dataset = check(H5Dopen2(file, path, H5P_DEFAULT), path);
  if (count.empty()) {
    count = lengths(dataset);
    begin.assign(count.size(), 0);
  }
  hsize_t size = 1;
  for (const hsize_t n : count) size *= n;
  std::vector<double> values(size);
  const hid_t space = check(H5Dget_space(dataset), path);
  check(H5Sselect_hyperslab(space, H5S_SELECT_SET, begin.data(), nullptr, count.data(), nullptr), path);
  const hid_t memory = check(H5Screate_simple(static_cast<int>(count.size()), count.data(), nullptr), path);
  check(H5Dread(dataset, H5T_NATIVE_DOUBLE, memory, space, H5P_DEFAULT, values.data()), path);
  H5Sclose(memory);
  H5Sclose(space);
  H5Dclose(dataset);
  return values;
}

// A variable of texts. The library allocates each and takes it back.
std::vector<std::string> texts(hid_t file, const char* path) {
  const hid_t dataset = check(H5Dopen2(file, path, H5P_DEFAULT), path);
  const hid_t type = check(H5Tcopy(H5T_C_S1), path);
  check(H5Tset_size(type, H5T_VARIABLE), path);
  check(H5Tset_cset(type, H5T_CSET_UTF8), path);
  const hid_t space = check(H5Dget_space(dataset), path);
  std::vector<char*> pointer(lengths(dataset).at(0));
  check(H5Dread(dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, pointer.data()), path);
  const std::vector<std::string> values(pointer.begin(), pointer.end());
  check(H5Dvlen_reclaim(type, space, H5P_DEFAULT, pointer.data()), path);
  H5Sclose(space);
  H5Tclose(type);
  H5Dclose(dataset);
  return values;
}

template <class T>
hsize_t place_of(const std::vector<T>& axis, const T& value, const char* what) {
  const auto found = std::find(axis.begin(), axis.end(), value);
  if (found == axis.end()) throw std::runtime_error(std::string("no such ") + what);
  return static_cast<hsize_t>(found - axis.begin());
}

void show(const char* path, const char* wanted) {
  const hid_t file = check(H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT), "open the file");
  // Axes are looked up by their values, never by their number: a later file may have more of them.
  const std::vector<std::string> ticker = texts(file, "ticker");
  const std::string name = wanted == nullptr ? ticker.at(0) : wanted;
  const hsize_t u = place_of(ticker, name, "ticker");
  const hsize_t shift = place_of(numbers(file, "iv_shift"), 0.0, "iv_shift");
  const hsize_t spots = numbers(file, "spot_step").size();
  const std::vector<double> spot = numbers(file, "spot", {u, 0}, {1, spots});
  const std::vector<double> gx = numbers(file, "gx", {u, 0, 0, 0, shift, 0}, {1, 1, 1, 1, 1, spots});
  for (hsize_t j = 0; j < spots; ++j) std::printf("%.17g %.9g\n", spot[j], gx[j]);

  const std::vector<std::string> row = texts(file, "levels/ticker");
  const hsize_t first = place_of(row, name, "row of levels");
  const double index = numbers(file, "levels/gamma_index", {first}, {1})[0];
  const double zero = numbers(file, "levels/zero_gamma", {first}, {1})[0];  // NaN where there is none: see its _status
  std::printf("gamma_index %.17g\nzero_gamma %.17g\n", index, zero);
  H5Fclose(file);
}

}  // namespace

int main(int argc, char** argv) try {
  if (argc < 2 || argc > 3) {
    std::fprintf(stderr, "usage: read_night night.h5 [TICKER]\n");
    return 2;
  }
  show(argv[1], argc == 3 ? argv[2] : nullptr);
  return 0;
} catch (const std::exception& error) {
  std::fprintf(stderr, "read_night: %s\n", error.what());
  return 1;
}
