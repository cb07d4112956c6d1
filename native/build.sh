#!/bin/sh
# Configures and builds libmassdpo_torch.so: build.sh BUILD_FOLDER OUTPUT_FOLDER. The environment's LIBTORCH names a PyTorch folder; without it the
# system's libtorch is taken. Exits with 2 when a tool or libtorch is missing; all output goes to BUILD_FOLDER/build.log.
set -u
source=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$1" "$2"
build=$(cd "$1" && pwd)
output=$(cd "$2" && pwd)

command -v cmake >/dev/null && { command -v "${CXX:-c++}" >/dev/null || command -v g++ >/dev/null; } || exit 2

# Two builds at once would write the same files.
if command -v flock >/dev/null; then
  exec 9>"$build/lock"
  flock 9
fi
exec >"$build/build.log" 2>&1

# What CMake found of one libtorch must not outlive a change to another.
if [ "$(cat "$build/libtorch" 2>/dev/null)" != "LIBTORCH=${LIBTORCH:-}" ]; then
  rm -rf "$build/CMakeCache.txt" "$build/CMakeFiles"
  echo "LIBTORCH=${LIBTORCH:-}" >"$build/libtorch"
fi

if ! cmake -S "$source" -B "$build" -DCMAKE_BUILD_TYPE=Release -DLIBTORCH="${LIBTORCH:-}" -DMDT_OUTPUT="$build/out"; then
  grep -q 'no libtorch at' "$build/build.log" && exit 2
  exit 1
fi
cmake --build "$build" --parallel 2 || exit 1

# In one step, under a new inode: a process that has the old library loaded keeps it.
cp "$build/out/libmassdpo_torch.so" "$output/.libmassdpo_torch.so.new" && mv -f "$output/.libmassdpo_torch.so.new" "$output/libmassdpo_torch.so"
