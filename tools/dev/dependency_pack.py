"""Collects what a machine without packages lacks to build the program: headers, a few libraries
and CMake files that name them, in a folder that can be carried there."""
import glob
import pathlib
import re
import shutil
import subprocess

MOST_BYTES = 20_000_000

CONFIGS = {
    "fmt": "add_library(fmt::fmt INTERFACE IMPORTED)\n"
           "set_target_properties(fmt::fmt PROPERTIES\n"
           "  INTERFACE_INCLUDE_DIRECTORIES \"${pack}/include\"\n"
           "  INTERFACE_COMPILE_DEFINITIONS FMT_HEADER_ONLY=1)\n",
    "nlohmann_json": "add_library(nlohmann_json::nlohmann_json INTERFACE IMPORTED)\n"
                     "set_target_properties(nlohmann_json::nlohmann_json PROPERTIES\n"
                     "  INTERFACE_INCLUDE_DIRECTORIES \"${pack}/include\")\n",
    "CLI11": "add_library(CLI11::CLI11 INTERFACE IMPORTED)\n"
             "set_target_properties(CLI11::CLI11 PROPERTIES\n"
             "  INTERFACE_INCLUDE_DIRECTORIES \"${pack}/include\")\n",
    "GTest": "if(NOT TARGET GTest::gtest_main)\n"
             "  set(INSTALL_GTEST OFF)\n"
             "  add_subdirectory(${pack}/googletest ${CMAKE_BINARY_DIR}/googletest EXCLUDE_FROM_ALL)\n"
             "endif()\n",
    "benchmark": "add_library(benchmark::benchmark SHARED IMPORTED)\n"
                 "set_target_properties(benchmark::benchmark PROPERTIES\n"
                 "  IMPORTED_LOCATION ${pack}/lib/@libbenchmark@\n"
                 "  INTERFACE_INCLUDE_DIRECTORIES \"${pack}/include\")\n"
                 "add_library(benchmark::benchmark_main STATIC IMPORTED)\n"
                 "set_target_properties(benchmark::benchmark_main PROPERTIES\n"
                 "  IMPORTED_LOCATION ${pack}/lib/libbenchmark_main.a\n"
                 "  INTERFACE_LINK_LIBRARIES benchmark::benchmark)\n",
}


def soname_of(library):
    """The name by which programs that are linked with it look for it: Debian's libbenchmark has
    another than its files suggest."""
    listed = subprocess.run(["readelf", "-d", str(library)], check=True, text=True,
                            stdout=subprocess.PIPE).stdout
    found = re.search(r"\(SONAME\).*\[(.+)\]", listed)
    return found.group(1) if found else pathlib.Path(library).name


def find_library(name):
    places = [*glob.glob(f"/usr/lib/*-linux-gnu*/{name}"), f"/usr/lib64/{name}", f"/usr/lib/{name}"]
    for place in places:
        if pathlib.Path(place).exists():
            return pathlib.Path(place)
    raise FileNotFoundError(f"no library {name}")


def find_header(name):
    for place in ["/usr/include", *glob.glob("/usr/include/*-linux-gnu*")]:
        if (pathlib.Path(place) / name).exists():
            return pathlib.Path(place) / name
    raise FileNotFoundError(f"no header {name}")


def pack(folder):
    """Puts it all into `folder`, which it replaces. Returns the bytes.

    Raises FileNotFoundError if a package is not installed."""
    folder = pathlib.Path(folder)
    shutil.rmtree(folder, ignore_errors=True)
    for header in ["fmt", "nlohmann", "CLI", "benchmark"]:
        shutil.copytree(find_header(header), folder / "include" / header)
    for header in ["zlib.h", "zconf.h"]:
        shutil.copy(find_header(header), folder / "include")

    (folder / "lib").mkdir()
    for name in ["libz.a", "libbenchmark_main.a"]:
        shutil.copy(find_library(name), folder / "lib")
    benchmark = find_library("libbenchmark.so").resolve()
    shutil.copy(benchmark, folder / "lib" / soname_of(benchmark))
    shutil.copytree("/usr/src/googletest", folder / "googletest",
                    ignore=shutil.ignore_patterns("test", "docs", "samples"))

    for name, text in CONFIGS.items():
        place = folder / "lib/cmake" / name
        place.mkdir(parents=True)
        (place / f"{name}Config.cmake").write_text(
            "get_filename_component(pack ${CMAKE_CURRENT_LIST_DIR}/../../.. ABSOLUTE)\n"
            + text.replace("@libbenchmark@", soname_of(benchmark)))
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
