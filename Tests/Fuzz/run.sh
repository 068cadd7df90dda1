#!/bin/sh
# Fuzzes the virtqueue and the parsing of virtio-blk requests with libFuzzer.
#
#   Tests/Fuzz/run.sh [SECONDS]   first the canary, then SECONDS (60) of fuzzing
#   Tests/Fuzz/run.sh --canary    the canary alone: a copy of the room with one check taken out, which
#                                 the fuzzer must find within seconds, else it proves nothing
#   Tests/Fuzz/run.sh FILE        runs one input again
#
# A crash ends the run with a non-zero status and leaves its input in .build/fuzz/crashes. To see it
# again, with the invariant that failed or the faulting address and the stack:
#
#   Tests/Fuzz/run.sh .build/fuzz/crashes/crash-…
#
# The bytes decode to calls in FuzzDevice.step or FuzzDriver.step; `-minimize_crash=1 -runs=100000`
# with .build/fuzz/fuzz makes the input shorter. Once fixed, put it into Tests/Fuzz/corpus.
#
# SwiftPM cannot link a libFuzzer executable: it builds the room and what it needs, swiftc the rest.
set -eu

cd "$(dirname "$0")/../.."
out=$PWD/.build/fuzz
modules=$out/build/release/Modules
export SWIFT_BACKTRACE=enable=no # else Swift's handler comes first and no input is kept

strict="-swift-version 6 -strict-memory-safety -warnings-as-errors
    -enable-upcoming-feature ExistentialAny -enable-upcoming-feature InternalImportsByDefault
    -enable-upcoming-feature MemberImportVisibility"
compile="swiftc -O -wmo -parse-as-library -sanitize=fuzzer $strict
    -Xcc -fmodule-map-file=$out/build/release/CKernel.build/module.modulemap"

build_room() {
    swift build -c release --scratch-path "$out/build" --target Virtio -Xswiftc -sanitize=fuzzer
}

# link NAME MODULES OBJECT…: the fuzzer over the given build of the room.
link() {
    name=$1 where=$2
    shift 2
    $compile -module-name Fuzz -I "$where" -I "$modules" Tests/Fuzz/*.swift "$@" -o "$out/$name"
}

objects_but() {
    find "$out/build/release/" -path '*.build/*.o' ! -path "*/$1.build/*"
}

# The room without its check of `next`: a chain may then walk out of its table.
canary() {
    copy=$out/canary
    rm -rf "$copy" && mkdir -p "$copy/crashes" "$copy/corpus"
    cp Sources/Virtio/*.swift "$copy"
    sed -i 's/guard index < tableCount else { return .nextOutOfRange }//' \
        "$copy/DescriptorChain.swift"
    if cmp -s Sources/Virtio/DescriptorChain.swift "$copy/DescriptorChain.swift"; then
        echo "canary: the check to take out is not where it was" >&2
        exit 1
    fi
    $compile -module-name Virtio -I "$modules" -emit-module -emit-module-path \
        "$copy/Virtio.swiftmodule" -c "$copy"/*.swift -o "$copy/Virtio.o"
    # shellcheck disable=SC2046
    link canary.fuzz "$copy" "$copy/Virtio.o" $(objects_but Virtio)
    "$out/canary.fuzz" -max_total_time=20 -max_len=512 -artifact_prefix="$copy/crashes/" \
        "$copy/corpus" Tests/Fuzz/corpus >"$copy/log" 2>&1 || true
    # A failure to start would also look like success: only a kept input counts.
    if ! ls "$copy"/crashes/crash-* >/dev/null 2>&1; then
        echo "canary: the planted defect was not found; see $copy/log" >&2
        exit 1
    fi
    echo "canary: the planted defect was found after" \
        "$(grep -o '^#[0-9]*' "$copy/log" | tail -1 | tr -d '#') executions or a few more"
}

fuzz() {
    mkdir -p "$out/corpus" "$out/crashes"
    "$out/fuzz" -max_total_time="$1" -max_len=512 -timeout=10 -print_final_stats=1 \
        -artifact_prefix="$out/crashes/" "$out/corpus" Tests/Fuzz/corpus >"$out/log" 2>&1 || {
        tail -40 "$out/log" >&2
        echo "a crash; its input is in $out/crashes" >&2
        exit 1
    }
    sed -n 's/^stat::number_of_executed_units: */executions: /p' "$out/log"
}

build_room
# shellcheck disable=SC2046
link fuzz "$modules" $(objects_but none)
case ${1:-60} in
    --canary) canary ;;
    *[!0-9]*) "$out/fuzz" "$1" ;;
    *) canary && fuzz "${1:-60}" ;;
esac
