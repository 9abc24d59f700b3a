#!/usr/bin/env bash
# Sets up the notebooks and opens them, or executes them without a browser; --help says how.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
venv=$here/.venv
python=${PYTHON:-python3}
evcxr_version=0.22.0
cargo_root=${CARGO_INSTALL_ROOT:-${CARGO_HOME:-$HOME/.cargo}}

usage() {
    cat <<'END'
bash notebooks/lab.sh [--yes] [--cuda] [-- OPTION_OF_JUPYTERLAB ...]
    Sets up what is missing and opens JupyterLab in the notebooks' folder.
bash notebooks/lab.sh [--yes] [--cuda] --run NAME ... | --all [--in-place] [--timeout SECONDS]
    Sets up what is missing and executes notebooks (all of them with --all) from a fresh kernel each, up to the
    first failing cell. The executed notebook and a page go to notebooks/out/NAME.ipynb and NAME.html. Exit
    status 1 if any cell panicked, returned an error by `?`, did not compile, wrote to stderr, took longer than
    SECONDS (1200 unless given), or if the last cell did not give its sentinel.
bash notebooks/lab.sh [--yes] [--cuda] --setup
    Sets up what is missing, no more.

  --yes         says yes to what is asked otherwise: a download by rustup, an installation by sudo apt-get
  --cuda        builds the notebooks' library for CUDA (notebooks/lab/cuda.sh --help says with what) in a folder of its own,
                and computes on the GPU; ends at once where nvidia-smi shows none
  --in-place    also replaces notebooks/NAME.ipynb by its executed copy if it passed, to be committed, and
                notebooks/figures/NAME.png by the picture of its cell with the tag figure:NAME

Set-up needs Rust (cargo) and Python 3.10 or later; $PYTHON chooses another python3. It installs, once:
  notebooks/.venv                JupyterLab and nbconvert, versions in notebooks/lab/requirements.txt (240 MB)
  evcxr_jupyter 0.22.0           the Rust kernel, by `cargo install --locked` (5 to 10 minutes), where it is missing
  the kernel's registration      in notebooks/.venv only
The first cell of the first notebook builds the library, some minutes; later kernels find it built (notebooks/.evcxr,
1 GB). Several notebooks can be open at once. After a change of the library restart the kernel.

To write a notebook: keep it in this folder; kernel "Rust"; the first code cell is
    :dep kit = { path = "kit" }
    use kit::*;
and the only `:dep`, since other packages would be linked into each cell separately; the last code cell is
    "end of the notebook"
Nothing may be written to stderr, save in cells with the tag `raises-exception`, which must fail.
END
}

say() { printf 'lab: %s\n' "$*"; }
fail() {
    printf 'lab: %s\n' "$@" >&2
    exit 1
}

# ask QUESTION: true on --yes or if someone at the terminal agrees.
ask() {
    local answer
    if $yes; then return 0; fi
    if ! [ -t 0 ]; then return 1; fi
    read -r -p "lab: $1 [y/N] " answer || return 1
    [[ $answer == [yY]* ]]
}

# system_packages WHY PACKAGE ...: installs packages of Debian or Ubuntu, or says what to run.
system_packages() {
    local why=$1 command=(env DEBIAN_FRONTEND=noninteractive apt-get)
    shift
    if command -v apt-get >/dev/null; then
        if [ "$(id -u)" = 0 ]; then
            say "$why: installing $* by apt-get"
        elif command -v sudo >/dev/null && ask "$why. Run \`sudo apt-get install $*\`?"; then
            command=(sudo "${command[@]}")
        else
            fail "$why. Run: sudo apt-get install $*"
        fi
        "${command[@]}" update -qq && "${command[@]}" install -y -qq "$@" >/dev/null && return
    fi
    fail "$why. Install $* with your system's package manager and run this again."
}

set_up_rust() {
    local wanted have
    command -v cargo >/dev/null ||
        fail "Rust is missing. Install it as https://rust-lang.org/tools/install says, and run this again."
    wanted=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' "$here/../Cargo.toml")
    have=$(rustc --version | cut -d' ' -f2)
    [ "$(printf '%s\n' "$wanted" "$have" | sort -V | head -n 1)" = "$wanted" ] ||
        fail "Rust $have is too old, $wanted is needed. Run: rustup update"
    command -v cc >/dev/null || system_packages "A C linker (cc) is missing" gcc libc6-dev
}

set_up_python() {
    local requirements=$here/lab/requirements.txt
    if cmp -s "$requirements" "$venv/installed.txt"; then return; fi
    command -v "$python" >/dev/null || system_packages "Python 3 is missing" python3 python3-venv
    "$python" -c 'import sys; sys.exit(sys.version_info < (3, 10))' ||
        fail "$("$python" --version) is too old, 3.10 or later is needed. Name another one: PYTHON=python3.12 bash notebooks/lab.sh"
    if ! "$venv/bin/python" -m pip --version >/dev/null 2>&1; then
        "$python" -c 'import venv, ensurepip' 2>/dev/null ||
            system_packages "Python's venv module is missing" python3-venv
        say "making a virtual environment in $venv"
        "$python" -m venv --clear "$venv"
    fi
    say "installing into $venv: $(tr '\n' ' ' <"$requirements")"
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check -r "$requirements"
    cp "$requirements" "$venv/installed.txt"
}

# has_evcxr ROOT: whether the right version of the kernel was installed there by cargo.
has_evcxr() {
    [ -x "$1/bin/evcxr_jupyter" ] && [[ $(cargo install --list --root "$1") == *"evcxr_jupyter v$evcxr_version:"* ]]
}

set_up_kernel() {
    local root
    if has_evcxr "$cargo_root"; then
        root=$cargo_root
    elif has_evcxr "$venv"; then
        root=$venv
    else
        root=$cargo_root
        # Another version stays as it is: the notebooks' one goes into their environment.
        if [ -e "$cargo_root/bin/evcxr_jupyter" ]; then root=$venv; fi
        say "installing the Rust kernel evcxr_jupyter $evcxr_version into $root by cargo, 5 to 10 minutes"
        cargo install --locked evcxr_jupyter --version "$evcxr_version" --root "$root"
    fi
    "$venv/bin/python" "$here/lab/kernel.py" --install "$root/bin/evcxr_jupyter"
}

# The kernel infers types from the standard library's sources, which come with rustup's component rust-src or with
# Debian's package rust-web-src. They are downloaded only where somebody agrees; the kernel itself is kept from it.
set_up_sources() {
    local refused=$venv/without-std-sources
    [ -n "$("$venv/bin/python" "$here/lab/kernel.py" --std-sources)" ] && return
    if command -v rustup >/dev/null && { $yes || ! [ -e "$refused" ]; }; then
        if ask "The standard library's sources are missing. Run \`rustup component add rust-src\`?"; then
            say "running: rustup component add rust-src"
            if rustup component add rust-src; then return; fi
        elif [ -t 0 ]; then
            touch "$refused"
        fi
    fi
    say "without the standard library's sources, \`let\` of its types needs annotations in cells: let n: usize = v.len();"
    say "to have them, run one of: rustup component add rust-src; apt-get install rust-web-src"
}

yes=false
mode=open
# What the notebooks are run by.
launch=(env)

on_cuda() {
    [[ $(nvidia-smi -L 2>/dev/null || true) == GPU* ]] ||
        fail "nvidia-smi shows no GPU to run the notebooks on. Without --cuda they run on the CPU"
    export RELOSS_LAB_CUDA=1
    launch=(bash "$here/lab/cuda.sh")
}

while [ $# -gt 0 ]; do
    case $1 in
    -h | --help)
        usage
        exit
        ;;
    --yes) yes=true ;;
    --cuda) on_cuda ;;
    --setup) mode=setup ;;
    --run)
        mode=run
        shift
        break
        ;;
    --)
        shift
        break
        ;;
    *) fail "unknown option $1; bash notebooks/lab.sh --help says what there is" ;;
    esac
    shift
done
if [ $mode = run ]; then
    [ $# -gt 0 ] || fail "--run wants the names of notebooks, or --all"
    # --yes and --cuda may stand behind --run too.
    arguments=()
    for argument; do
        case $argument in
        --yes) yes=true ;;
        --cuda) on_cuda ;;
        *) arguments+=("$argument") ;;
        esac
    done
    set -- "${arguments[@]}"
fi

set_up_rust
set_up_python
set_up_kernel
set_up_sources

case $mode in
setup)
    "${launch[@]}" true
    say "all is set up"
    ;;
run) exec "${launch[@]}" "$venv/bin/python" "$here/lab/run.py" "$@" ;;
open)
    cd "$here"
    if [ "$(id -u)" = 0 ]; then set -- --allow-root "$@"; fi
    exec "${launch[@]}" "$venv/bin/jupyter" lab "$@"
    ;;
esac
