import Analysis
import Exchange
import Telemetry

/// libFuzzer's entry: the first byte picks the format, from `0` on in the order of `TraceFormat`,
/// the one behind the last being files of blktrace to be merged; the second says how the rest is
/// cut; the rest is the trace.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzOneInput(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let input = unsafe Array(UnsafeBufferPointer(start: start, count: count))
    guard input.count >= 2 else { return 0 }
    let formats = TraceFormat.allCases
    let choice = Int(input[0] &- UInt8(ascii: "0")) % (formats.count + 1)
    if choice == formats.count {
        merge(input.dropFirst(2), seed: input[1])
    } else {
        read(formats[choice], input.dropFirst(2), seed: input[1])
    }
    return 0
}

/// Reads a trace in one piece and in many, and folds what came.
private func read(_ format: TraceFormat, _ bytes: ArraySlice<UInt8>, seed: UInt8) {
    let whole = imported(format, bytes) { .max }
    var cuts = Cuts(seed: seed)
    let cut = imported(format, bytes) { cuts.next() }
    require(whole.list == cut.list, "what came of it depends on how it came")
    require(whole.report == cut.report, "what is said of it depends on how it came")
    require(whole.report.requests == UInt64(whole.list.events.count), "requests are miscounted")
    fold(whole.list.events, whole.report.origin, hasCompletions: format.hasCompletions)
    fold(whole.list.events, whole.report.origin, hasCompletions: !format.hasCompletions)
    _ = TraceFormat.guess(bytes, fileName: "trace")
}

private func imported(
    _ format: TraceFormat, _ bytes: ArraySlice<UInt8>, pieces: () -> Int
) -> (list: List, report: ImportReport) {
    var importer = format.importer(name: "disk")
    var list = List()
    var rest = bytes
    do {
        while !rest.isEmpty {
            let piece = rest.prefix(pieces())
            rest = rest.dropFirst(piece.count)
            try importer.take(piece, into: &list)
        }
        try importer.finish(into: &list)
    } catch {
        require(false, "an importer threw")
    }
    return (list, importer.report)
}

/// Takes three files that are cut from the bytes.
private func merge(_ bytes: ArraySlice<UInt8>, seed: UInt8) {
    let third = bytes.count / 3
    let (first, others) = (bytes.prefix(third), bytes.dropFirst(third))
    var files = [first, others.prefix(third), others.dropFirst(third)]
    var merger = BlktraceMerger(fileCount: files.count)
    var list = List()
    var cuts = Cuts(seed: seed)
    do {
        while let file = merger.wanted {
            let piece = files[file].prefix(cuts.next())
            files[file] = files[file].dropFirst(piece.count)
            if piece.isEmpty {
                try merger.end(ofFile: file, into: &list)
            } else {
                try merger.take(piece, ofFile: file, into: &list)
            }
        }
    } catch {
        require(false, "the merger threw")
    }
    require(files.allSatisfy(\.isEmpty), "a file was not read to its end")
    require(merger.report.requests == UInt64(list.events.count), "requests are miscounted")
}

/// Folds some of the requests and counts them again in the samples.
private func fold(_ events: [IOEvent], _ origin: Int64?, hasCompletions: Bool) {
    var fold = RequestFold(name: "trace", origin: origin, hasCompletions: hasCompletions)
    var (counted, last): (Double, UInt64) = (0, 0)
    let events = events.prefix(16)
    let count = { (folded: Folded) in
        guard case .sample(let sample) = folded else { return }
        counted += sample.total.iops ?? 0
        require(sample.monotonic > last, "time stands still")
        last = sample.monotonic
        require((sample.total.queueDepth?.mean ?? 0) >= 0, "a negative depth")
    }
    for event in events { fold.take(event, count) }
    fold.finish(count)
    require(
        UInt64(counted) + fold.lost + fold.unfinished == UInt64(events.count),
        "requests are lost in the samples")
}

/// Keeps what comes.
private struct List: TraceSink, Equatable {
    var events: [IOEvent] = []
    var names: [UInt16: String] = [:]

    mutating func take(_ event: IOEvent) {
        require(names[event.lun] != nil, "a request before the name of its LUN")
        events.append(event)
    }

    mutating func name(_ name: String, ofLUN index: UInt16) {
        let isHarmless = name.unicodeScalars.allSatisfy {
            $0.properties.generalCategory != .control
        }
        require(isHarmless && !name.isEmpty, "text that a terminal obeys")
        require(names.updateValue(name, forKey: index) == nil, "a LUN is named twice")
    }
}

/// Lengths of pieces, many of them short.
private struct Cuts {
    private var state: UInt32

    init(seed: UInt8) { state = UInt32(seed) &* 2_654_435_761 &+ 1 }

    mutating func next() -> Int {
        state = state &* 1_664_525 &+ 1_013_904_223
        let length = Int(state >> 24)
        return length < 128 ? 1 + length & 7 : length
    }
}

/// Stops the process where an invariant does not hold; libFuzzer then keeps the input.
private func require(_ condition: Bool, _ what: StaticString) {
    if !condition { fatalError("\(what)") }
}
