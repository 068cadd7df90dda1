#!/bin/sh
# Fuzzes what reads bytes of others with libFuzzer; a target is a folder here, named as the room
# it fuzzes, or as a part of it: the virtqueue and virtio-blk requests (Virtio), virtio-scsi
# commands (SCSI), the ports and PRD tables of an IDE channel (IDE), whole qcow2 images (Qcow2),
# virtqueues seen from outside and where they are said to be (Rings), QMP conversations (QMP),
# traces of other tools (Exchange), the file of a recording (Recording) and what its chunks hold
# (RecordingPayloads).
#
#   Tests/Fuzz/run.sh [SECONDS]     first the canaries, then SECONDS (120) of fuzzing, split evenly
#                                   over the targets
#   Tests/Fuzz/run.sh --canary      the canaries alone: copies of the rooms with one check taken
#                                   out, which the fuzzer must find within seconds, else it proves
#                                   nothing
#   Tests/Fuzz/run.sh TARGET FILE   runs one input again
#
# A crash ends the run with a non-zero status and leaves its input in .build/fuzz/TARGET/crashes. To
# see it again, with the invariant that failed or the faulting address and the stack:
#
#   Tests/Fuzz/run.sh QMP .build/fuzz/QMP/crashes/crash-…
#
# `-minimize_crash=1 -runs=100000` with .build/fuzz/TARGET/fuzz makes the input shorter. Once fixed,
# put it into Tests/Fuzz/TARGET/corpus.
#
# SwiftPM cannot link a libFuzzer executable: it builds the room and what it needs, swiftc the rest.
# With -enable-testing, as the observer of virtqueues (Rings) is not public without its thread.
set -eu

cd "$(dirname "$0")/../.."
targets="Virtio SCSI IDE Qcow2 Rings QMP Exchange Recording RecordingPayloads"
out=$PWD/.build/fuzz
modules=$out/build/release/Modules
export SWIFT_BACKTRACE=enable=no # else Swift's handler comes first and no input is kept

strict="-swift-version 6 -strict-memory-safety -warnings-as-errors
    -enable-upcoming-feature ExistentialAny -enable-upcoming-feature InternalImportsByDefault
    -enable-upcoming-feature MemberImportVisibility"
compile="swiftc -O -wmo -parse-as-library -sanitize=fuzzer -enable-testing $strict
    -Xcc -fmodule-map-file=$out/build/release/CKernel.build/module.modulemap
    -Xcc -fmodule-map-file=$out/build/release/CLibraries.build/module.modulemap
    -Xcc -fmodule-map-file=$out/build/checkouts/swift-system/Sources/CSystem/include/module.modulemap"
libraries="-lzstd -lz -lsqlite3 -lexpat -lbpf -laio -luring"

# What SwiftPM calls the package, so that a room compiled here sees what is declared `package`.
package=$(basename "$PWD" | tr '[:upper:]' '[:lower:]' | tr -c 'a-z0-9\n' _)

# room_of TARGET: the room that a target fuzzes.
room_of() {
    case $1 in
        RecordingPayloads) echo Recording ;;
        SCSI) echo Virtio ;;
        IDE) echo DataPlane ;;
        *) echo "$1" ;;
    esac
}

# longest TARGET: bytes of an input.
longest() {
    case $1 in
        Virtio | SCSI | IDE) echo 512 ;;
        *) echo 4096 ;;
    esac
}

# link TARGET NAME MODULES OBJECT…: the fuzzer over the given build of the room.
link() {
    target=$1 name=$2 where=$3
    shift 3
    $compile -module-name Fuzz -I "$where" -I "$modules" "Tests/Fuzz/$target"/*.swift "$@" \
        -o "$out/$target/$name" $libraries
}

objects_but() {
    find "$out/build/release/" -path '*.build/*.o' ! -path "*/$1.build/*"
}

build() {
    mkdir -p "$out/$1/corpus" "$out/$1/crashes"
    for room in "$(room_of "$1")" $(behind "$1"); do
        swift build -c release --scratch-path "$out/build" --target "$room" \
            -Xswiftc -sanitize=fuzzer -Xswiftc -enable-testing
    done
}

# behind TARGET: rooms that it does not need and its fuzzer does.
behind() {
    case $1 in
        Exchange) echo Analysis ;;
    esac
}

# The room with a defect: a chain may walk out of its table; a request may reach behind the end of
# its disk (twice); a guest's data may be where an image's tables are; a buffer's id may be none of
# the ring's; a long number overflows (twice); an index may point in front of its file; a byte may be
# read behind the end of a payload.
plant() {
    case $1 in
        Virtio)
            file=DescriptorChain.swift
            defect='s/guard index < tableCount else { return .nextOutOfRange }//'
            ;;
        SCSI)
            file=SCSI/SCSIUnit.swift
            defect='s/lba < blockCount && count <= blockCount &- lba/lba < blockCount/'
            ;;
        IDE)
            file=IDE/IDEChannel.swift
            defect='s/, UInt64(sectorCount) <= drive.sectors - sector else/ else/'
            ;;
        Qcow2)
            file=Qcow2Image.swift
            defect='s/metadata.contains(offset >> header.clusterBits)/false/'
            ;;
        Rings)
            file=PackedTracker.swift
            defect='s/guard Int(chain.id) < ring.size else { return false }//'
            ;;
        QMP)
            file=JSONValue.swift
            defect='s/value.multipliedReportingOverflow(by: 10)/(value * 10, false)/'
            ;;
        Exchange)
            file=Import/Fields.swift
            defect='s/value.multipliedReportingOverflow(by: 10)/(value * 10, false)/'
            ;;
        Recording)
            file=File/IndexPayload.swift
            defect='s/guard length <= offset else { return nil }//'
            ;;
        RecordingPayloads)
            file=Codec/Bytes.swift
            defect='s/guard next < bytes.endIndex else {/guard next <= bytes.endIndex else {/'
            ;;
    esac
    sed -i "$defect" "$2/$file"
    if cmp -s "Sources/$(room_of "$1")/$file" "$2/$file"; then
        echo "canary of $1: the check to take out is not where it was" >&2
        exit 1
    fi
}

canary() {
    target=$1 room=$(room_of "$1") copy=$out/$1/canary
    rm -rf "$copy" && mkdir -p "$copy/crashes" "$copy/corpus"
    cp -R "Sources/$room/." "$copy/source"
    plant "$target" "$copy/source"
    # shellcheck disable=SC2046
    $compile -package-name "$package" -module-name "$room" -I "$modules" \
        -emit-module -emit-module-path "$copy/$room.swiftmodule" \
        -c $(find "$copy/source" -name '*.swift') -o "$copy/$room.o"
    # shellcheck disable=SC2046
    link "$target" canary.fuzz "$copy" "$copy/$room.o" $(objects_but "$room")
    "$out/$target/canary.fuzz" -max_total_time=20 -max_len="$(longest "$target")" \
        -artifact_prefix="$copy/crashes/" "$copy/corpus" "Tests/Fuzz/$target/corpus" \
        >"$copy/log" 2>&1 || true
    # A failure to start would also look like success: only a kept input counts.
    if ! ls "$copy"/crashes/crash-* >/dev/null 2>&1; then
        echo "canary of $target: the planted defect was not found; see $copy/log" >&2
        exit 1
    fi
    echo "canary of $target: the planted defect was found after" \
        "$(grep -o '^#[0-9]*' "$copy/log" | tail -1 | tr -d '#') executions or a few more"
}

fuzz() {
    here=$out/$1
    "$here/fuzz" -max_total_time="$2" -max_len="$(longest "$1")" -timeout=10 \
        -print_final_stats=1 -artifact_prefix="$here/crashes/" "$here/corpus" \
        "Tests/Fuzz/$1/corpus" >"$here/log" 2>&1 || {
        tail -40 "$here/log" >&2
        echo "a crash; its input is in $here/crashes" >&2
        exit 1
    }
    sed -n "s/^stat::number_of_executed_units: */$1: executions: /p" "$here/log"
}

link_target() {
    build "$1"
    # shellcheck disable=SC2046
    link "$1" fuzz "$modules" $(objects_but none)
}

# shellcheck disable=SC2086
set -- "${1:-120}" ${2:+"$2"}
if [ $# -eq 2 ]; then
    link_target "$1"
    exec "$out/$1/fuzz" "$2"
fi
for target in $targets; do link_target "$target"; done
for target in $targets; do canary "$target"; done
[ "$1" = --canary ] && exit
# shellcheck disable=SC2086
count=$(echo $targets | wc -w)
for target in $targets; do fuzz "$target" $(($1 / count)); done
