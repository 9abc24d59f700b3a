#!/usr/bin/env bash
# Runs a command with what a build for CUDA needs; --help says how.
set -euo pipefail

lab=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
kept=$lab/../.cuda
python=${PYTHON:-python3}

usage() {
    cat <<'END'
bash notebooks/lab/cuda.sh COMMAND ...
    Runs COMMAND (cargo build --release --features cuda, say) in an environment in which the library builds for CUDA.

Toolkit   $CUDA_PATH, else the one of `nvcc` on the PATH, else /usr/local/cuda; without one, CUDA 13's compiler and libraries
          are installed from PyPI into notebooks/.cuda (1.1 GB, once), no newer than the driver.
Driver    libcuda of the machine; without one, a stand-in whose every function answers "no device", so that programs link
          here, start, and say so.
GPU       its compute capability from nvidia-smi; where that has none, $CUDA_COMPUTE_CAP is needed (75: T4, 80: A100,
          86: RTX 30, 89: RTX 40, 90: H100 and H200).
END
}

fail() {
    printf 'cuda: %s\n' "$@" >&2
    exit 1
}

is_toolkit() { [ -f "$1/include/cuda.h" ] && [ -x "$1/bin/nvcc" ]; }

# The toolkit's folder, if the machine has one.
system_toolkit() {
    local nvcc root
    nvcc=$(command -v nvcc || true)
    for root in "${CUDA_PATH:-}" "${nvcc:+$(dirname "$(dirname "$(readlink -f "$nvcc")")")}" /usr/local/cuda; do
        if [ -n "$root" ] && is_toolkit "$root"; then
            echo "$root"
            return
        fi
    done
}

# The newest CUDA that the driver knows, such as 13.0; nothing without a driver.
driver_version() { { nvidia-smi 2>/dev/null || true; } | sed -n 's/.*CUDA Version: *\([0-9]*\.[0-9]*\).*/\1/p' | head -n 1; }

# Installs compiler, headers and libraries of one version of CUDA 13 from PyPI, and names their folder.
python_toolkit() {
    local version=$1 venv=$kept/$1/venv root package packages=()
    if [ ! -e "$kept/$version/complete" ]; then
        [ "${version%%.*}" -ge 13 ] || fail "the driver is of CUDA $version, for which PyPI has no compiler" \
            "install that toolkit, or a driver of CUDA 13 or later"
        for package in cuda-nvcc cuda-crt nvvm cuda-runtime cuda-nvrtc cuda-cccl; do packages+=("nvidia-$package==$version.*"); done
        rm -rf "${kept:?}/$version"
        "$python" -m venv "$venv"
        "$venv/bin/pip" install --quiet --disable-pip-version-check "${packages[@]}" "nvidia-cublas==${version%%.*}.*" >&2
        touch "$kept/$version/complete"
    fi
    root=$(echo "$venv"/lib/python*/site-packages/nvidia/cu13)
    is_toolkit "$root" || fail "PyPI's packages of CUDA $version are not laid out as expected: no nvcc below $root"
    echo "$root"
}

# The driver's functions as the bindings name them, each answering CUDA_ERROR_NO_DEVICE.
stand_in() {
    local bindings
    bindings=$(cargo metadata --format-version 1 --features cuda --manifest-path "$lab/../../Cargo.toml" |
        "$python" -c 'import json, sys, pathlib
crates = json.load(sys.stdin)["packages"]
print(next(pathlib.Path(c["manifest_path"]).parent for c in crates if c["name"] == "cudarc"))')
    {
        grep -hoE 'pub fn cu[A-Z][A-Za-z0-9_]*' -r "$bindings/src/driver" | sed 's/pub fn //' | sort -u |
            grep -v '^cuGetError' | sed 's/.*/int &(void) { return 100; }/'
        for name in Name String; do
            echo "int cuGetError$name(int code, const char **text) { *text = \"no NVIDIA driver on this machine\"; return 0; }"
        done
    } | cc -shared -fPIC -w -x c -Wl,-soname,libcuda.so.1 -o "$1/libcuda.so.1" -
}

case ${1:---help} in
    -h | --help)
        usage
        exit
        ;;
esac
for tool in cargo cc "$python"; do command -v "$tool" >/dev/null || fail "$tool is missing"; done

mkdir -p "$kept"
kept=$(cd "$kept" && pwd)
toolkit=$(system_toolkit)
if [ -z "$toolkit" ]; then
    version=$(driver_version)
    toolkit=$(python_toolkit "${version:-13.0}")
fi

# Names that the linker looks for, where packages have only versioned ones.
links=$kept/links
rm -rf "$links"
mkdir -p "$links/lib64" "$links/bin"
ln -s "$toolkit/include" "$links/include"
for name in cublas cublasLt nvrtc; do
    for folder in "$toolkit/lib64" "$toolkit/lib" "$toolkit/targets/x86_64-linux/lib"; do
        found=$({ find -L "$folder" -maxdepth 1 -name "lib$name.so*" 2>/dev/null || true; } | sort | head -n 1)
        if [ -n "$found" ]; then break; fi
    done
    [ -n "$found" ] || fail "the toolkit in $toolkit has no lib$name"
    ln -s "$found" "$links/lib64/lib$name.so"
done
libraries=$(dirname "$(readlink -f "$links/lib64/libcublas.so")"):$(dirname "$(readlink -f "$links/lib64/libnvrtc.so")")

driver=$(ldconfig -p 2>/dev/null | sed -n 's/.*libcuda\.so\.1.* => //p' | head -n 1)
if [ -z "$driver" ]; then
    mkdir -p "$kept/no-driver"
    if [ ! -e "$kept/no-driver/libcuda.so.1" ]; then stand_in "$kept/no-driver"; fi
    driver=$kept/no-driver/libcuda.so.1
    libraries+=:$kept/no-driver
fi
ln -s "$driver" "$links/lib64/libcuda.so"

# dfdx's build asks nvidia-smi even where the variable says it.
if ! nvidia-smi --query-gpu=compute_cap --format=csv >/dev/null 2>&1; then
    [[ ${CUDA_COMPUTE_CAP:-} =~ ^[0-9]{2,3}$ ]] || fail "nvidia-smi shows no GPU: set CUDA_COMPUTE_CAP (see --help)"
    printf '#!/bin/sh\nprintf "compute_cap\\n%s\\n"\n' "$CUDA_COMPUTE_CAP" >"$links/bin/nvidia-smi"
    chmod +x "$links/bin/nvidia-smi"
fi

export CUDA_PATH=$links CUDA_ROOT=$links
export PATH=$links/bin:$toolkit/bin:$PATH
export LIBRARY_PATH=$links/lib64${LIBRARY_PATH:+:$LIBRARY_PATH}
export LD_LIBRARY_PATH=$libraries${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
exec "$@"
