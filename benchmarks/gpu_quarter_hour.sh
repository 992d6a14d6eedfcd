#!/bin/bash
# Everything that has to be measured and trained on a GPU, on a machine that is bare, has no network, and is there for a
# quarter of an hour. README.md beside this file says how to use it, call by call.
#
#   gpu_quarter_hour.sh pack DATA [STATE]   here: put what has to be sent into .gpu/1, .gpu/2, …, and say what to call
#   gpu_quarter_hour.sh stage FOLDER        there: take one of these in
#   gpu_quarter_hour.sh run STEP...         there: toolkit, tests, cost and train
#
# A run needs OUT, a folder for its results, and LIMIT, its seconds. Each of its steps has a limit of its own, and what was
# found until then is in OUT. These may be set besides: PYTHON, the interpreter; WORK, a folder that stays between calls;
# TRAIN, more options of `stylegan-v train`; PACK and CALL_MIB, where packs go and what one call carries. With DEVICE=cpu
# TINY=1 a run is a rehearsal, and STEP_SECONDS the limit of each of its steps.
set -uo pipefail
shopt -s nullglob
cd "$(dirname "$0")/.." || exit 1

me=benchmarks/gpu_quarter_hour.sh
PYTHON=${PYTHON:-python3}
WORK=${WORK:-/tmp/fvd-bench-gpu}
PACK=${PACK:-.gpu}
DEVICE=${DEVICE:-cuda}
if [ -n "${TINY:-}" ]; then
    tiny=--tiny settings=benchmarks/rehearsal.toml last_seconds=20
else
    tiny="" settings=benchmarks/faces_128.toml last_seconds=120 # for the state, the sheet and the score of a training
fi
status=0

fail() {
    echo "$me: error: $1" >&2
    exit 3
}

pack() {
    local data=${1:?the folder of training videos} state=${2:-} weights tree bytes room count i last before parts
    before=("$PACK"/*) parts=("$PACK"/*/*.part)
    ((${#before[@]} == ${#parts[@]})) || fail "$PACK holds something else than a pack: remove it, and pack again"
    rm -rf "$PACK"
    mkdir -p "$PACK/all/weights"
    if [ -n "$state" ]; then
        "$PYTHON" -m stylegan_v state join "$state" "$PACK/joined" || exit 3 # a bad one is known before it travels
        rm -r "$PACK/joined"
        ln -s "$(realpath "$state")" "$PACK/all/state"
    fi
    ln -s "$(realpath "$data")" "$PACK/all/data"
    weights=$("$PYTHON" -c 'from fvd_bench.networks import weights; print(weights.load("i3d-kinetics-400").path)') || exit 3
    ln -s "$weights" "$PACK/all/weights/"
    tar -C "$PACK/all" -chzf "$PACK/all.tar.gz" . || exit 3
    rm -r "$PACK/all"
    tree=$(git ls-files -z --cached --others --exclude-standard | xargs -0 stat -c %s 2>/dev/null | awk '{ n += $1 } END { print n }')
    bytes=$(stat -c %s "$PACK/all.tar.gz")
    room=$((${CALL_MIB:-60} * 2 ** 20 - tree))
    ((room > 0)) || fail "the checkout alone is $((tree >> 20)) MiB, and one call carries ${CALL_MIB:-60}"
    count=$(((bytes + room - 1) / room))
    split --number="$count" --numeric-suffixes=1 --suffix-length=3 "$PACK/all.tar.gz" "$PACK/"
    rm "$PACK/all.tar.gz"
    for i in $(seq "$count"); do
        mkdir "$PACK/$i"
        mv "$PACK/$(printf %03d "$i")" "$PACK/$i/$i-of-$count.part"
    done
    echo "$((tree >> 20)) MiB of checkout in each call, and $((bytes >> 20)) MiB besides in $count parts. What to call:"
    for i in $(seq $((count - 1))); do
        call "bash $me stage $PACK/$i" "$PACK/$i" 120
    done
    last="bash $me stage $PACK/$count &&"
    if [ -n "$state" ]; then
        call "$last LIMIT=540 bash $me run train" "$PACK/$count" 600
    else
        call "$last LIMIT=300 bash $me run toolkit cost tests" "$PACK/$count" 400
        call "LIMIT=360 bash $me run train" "" 400
    fi
}

call() {
    echo "  run(command=\"$1\"${2:+, carry=[\"$2\"]}, timeout_s=$3)"
}

stage() {
    local folder=${1:?a folder that pack made} parts count i
    parts=("$folder"/*.part)
    ((${#parts[@]})) || fail "$folder holds no part: pack, and name it in carry"
    mkdir -p "$WORK" && cp "${parts[@]}" "$WORK" || exit 3
    count=${parts[0]%.part} count=${count##*-}
    for i in $(seq "$count"); do
        if [ ! -e "$WORK/$i-of-$count.part" ]; then
            echo "part $i of $count is still to come"
            return
        fi
    done
    for i in $(seq "$count"); do cat "$WORK/$i-of-$count.part"; done | tar -C "$WORK" -xzf - ||
        fail "the parts are damaged, or of different packs: pack and stage all of them again"
    rm "$WORK"/*.part
    install
    echo "all of $count parts are here"
}

install() {
    "$PYTHON" -c 'import fvd_bench.protocols, stylegan_v' 2>/dev/null ||
        "$PYTHON" -m pip install --quiet --no-index --no-deps --no-build-isolation --editable . ||
        fail "the package cannot be installed without a network: setuptools 77 or newer has to be there"
}

run() {
    local name
    : "${OUT:?a folder for the results}" "${LIMIT:?the seconds of the run}"
    (($#)) || fail "no step is named: expected toolkit, tests, cost or train"
    for name in "$@"; do
        case $name in
            toolkit | tests | cost | train) ;;
            *) fail "there is no step $name: expected toolkit, tests, cost or train" ;;
        esac
    done
    [ -d "$WORK/data" ] || fail "there is no $WORK/data: stage all parts of a pack"
    [[ $LIMIT =~ ^[0-9]+$ ]] || fail "LIMIT=$LIMIT: expected whole seconds"
    SECONDS=0 # bash counts on from here
    mkdir -p "$OUT"
    install
    export RESULTS=$OUT FVD_BENCH_HOME=$WORK/home FVD_BENCH_OFFLINE=1 PYTHONUNBUFFERED=1 PYTEST_DISABLE_PLUGIN_AUTOLOAD=1
    FVD_BENCH_I3D=$(echo "$WORK"/weights/*)
    export FVD_BENCH_I3D
    [ "$DEVICE" = cpu ] || export FVD_BENCH_REQUIRE_GPU=1
    for name in "$@"; do "$name"; done
    say "all steps: $SECONDS seconds"
    exit "$status"
}

toolkit() {
    step "published numbers" 60 "$PYTHON" benchmarks/gpu.py --device "$DEVICE" $tiny
    step "throughput" 30 "$PYTHON" benchmarks/throughput.py --device "$DEVICE" $tiny
    step "overlap" 30 "$PYTHON" benchmarks/overlap.py --device "$DEVICE" --form jpg $tiny
}

tests() {
    # The files that have tests for a GPU; warnings of the versions that happen to be there are no errors.
    step "tests" 150 "$PYTHON" -m pytest -q -m gpu -W default --durations=5 \
        $(grep -rlE 'mark\.gpu\b' tests --include='test_*.py')
}

cost() {
    step "cost of training" 180 "$PYTHON" benchmarks/training_cost.py --device "$DEVICE" $tiny
}

train() {
    local run=$WORK/run eager=$WORK/without-graphs.toml
    if [ -e "$WORK/state" ] && [ ! -e "$run" ]; then
        step "join the state" 30 "$PYTHON" -m stylegan_v state join "$WORK/state" "$run" || return
    fi
    if [ -e "$run/run.toml" ]; then
        training "$run"
    elif ! training "$run" --config "$settings" && [ ! -s "$run/log.jsonl" ]; then # recorded steps may be the reason
        rm -rf "$run"
        sed 's/^cuda_graphs = true/cuda_graphs = false/' "$settings" >"$eager"
        training "$run" --config "$eager"
    fi
    step "state" 40 "$PYTHON" -m stylegan_v state split "$run" "$OUT/state"
    step "sheet and score" 120 "$PYTHON" benchmarks/gpu_training.py "$run" "$WORK/data" --device "$DEVICE" $tiny
}

# training RUN OPTION...: train until the last seconds. It ends by itself, after the step or the score that is under way.
training() {
    local run=$1 seconds=$((LIMIT - SECONDS > last_seconds ? LIMIT - SECONDS - last_seconds : 0)) minutes
    shift
    minutes=$(printf "%d.%02d" $((seconds / 60)) $((seconds % 60 * 100 / 60)))
    step "training" $((seconds + last_seconds / 3)) "$PYTHON" -m stylegan_v train --out "$run" "$@" --data "$WORK/data" \
        --device "$DEVICE" --workers "$(nproc)" --minutes "$minutes" ${TRAIN:-}
}

# step NAME SECONDS COMMAND...: run it within its limit and what is left of the whole, and say how it ended.
step() {
    local name=$1 limit=${STEP_SECONDS:-$2} left=$((LIMIT - SECONDS)) began=$SECONDS code=0 lines
    shift 2
    ((limit < left)) || limit=$left
    if ((limit < 1)); then
        say "$name: left out, no time is left"
        status=1
        return 1
    fi
    say "$name: $limit seconds at most"
    lines=$(($(wc -l <"$OUT/log.txt") + 1))
    timeout --kill-after=10 "$limit" "$@" >>"$OUT/log.txt" 2>&1 || code=$?
    if ((code == 0)); then
        say "$name: done, $((SECONDS - began)) seconds"
        return
    fi
    tail -n "+$lines" "$OUT/log.txt" | tail -n 20
    ((code == 124 || code == 137)) && say "$name: ended at its limit" || say "$name: failed with exit code $code"
    status=1
    return 1
}

say() {
    echo "== $*" | tee -a "$OUT/log.txt"
}

case ${1:-} in
    pack | stage | run) "$@" ;;
    *) fail "expected pack, stage or run, as the first lines of this file say" ;;
esac
