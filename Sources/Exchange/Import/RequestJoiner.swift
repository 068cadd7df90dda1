internal import Telemetry

/// Joins the steps of the block layer to requests.
///
/// A request is what the device saw: the bios merged into it are counted, and its time in the queue
/// starts with the first of them. It is handed over when it completes. Memory is bounded: beyond
/// `RequestTable.limit` requests in flight the oldest is handed over without its completion.
struct RequestJoiner {
    var report = ImportReport()
    private var table = RequestTable()
    private var flushes: [UInt16: FlushTable] = [:]

    /// Takes a step, which line or record `number` tells.
    mutating func take(
        _ step: BlockStep, number: UInt64, into sink: inout some TraceSink
    ) throws {
        switch step.kind {
        case .flush(let isBio): try flush(step, isBio: isBio, number: number, into: &sink)
        case .data(let type): try data(step, type, number: number, into: &sink)
        }
    }

    /// Hands over what has not completed, the oldest first.
    mutating func finish(into sink: inout some TraceSink) throws {
        while let place = table.oldest() { try abandon(place, into: &sink) }
        for lun in flushes.keys.sorted() {
            guard let table = flushes[lun] else { continue }
            for entry in table.issued + table.queued {
                try hand(entry, lun, completed: 0, hasError: false, into: &sink)
            }
        }
        flushes = [:]
    }

    // MARK: Data

    private mutating func data(
        _ step: BlockStep, _ type: UInt32, number: UInt64, into sink: inout some TraceSink
    ) throws {
        let key = RequestTable.Key(lun: step.lun, sector: step.sector)
        switch step.action {
        case .insert:
            if table.find(key, submitted: false) != nil { return }
            try add(step, key, type, queued: step.time, submitted: 0, into: &sink)
        case .queue: try add(step, key, type, queued: step.time, submitted: 0, into: &sink)
        case .backMerge:
            report.merges += 1
            if let place = table.findLast(key) { _ = table.remove(place) }
        case .frontMerge: try mergeInFront(step, key, into: &sink)
        case .split(let sector):
            guard let place = table.find(key, submitted: false) else { return }
            let rest = RequestTable.Key(lun: step.lun, sector: sector)
            try add(step, rest, type, queued: table[place].queued, submitted: 0, into: &sink)
        case .issue: try issue(step, key, type, into: &sink)
        case .requeue:
            if let place = table.find(key, submitted: true) { table[place].submitted = 0 }
        case .complete: try complete(step, key, number: number, into: &sink)
        }
    }

    private mutating func add(
        _ step: BlockStep, _ key: RequestTable.Key, _ type: UInt32, queued: Nanoseconds,
        submitted: Nanoseconds, into sink: inout some TraceSink
    ) throws {
        try makeRoom(at: key, into: &sink)
        table.add(
            .init(key: key, type: type, bytes: step.bytes, queued: queued, submitted: submitted))
    }

    private mutating func makeRoom(
        at key: RequestTable.Key, into sink: inout some TraceSink
    ) throws {
        if table.isFull, let place = table.oldest() { try abandon(place, into: &sink) }
        if table.isCrowded(key), let place = table.oldest(at: key) {
            try abandon(place, into: &sink)
        }
    }

    /// The bio that ends where a waiting request begins becomes its begin.
    private mutating func mergeInFront(
        _ step: BlockStep, _ key: RequestTable.Key, into sink: inout some TraceSink
    ) throws {
        report.merges += 1
        let end = RequestTable.Key(
            lun: step.lun, sector: step.sector &+ UInt64(step.bytes / 512))
        guard end != key, table.find(end, submitted: false) != nil else { return }
        if let place = table.findLast(key) { _ = table.remove(place) }
        if table.isCrowded(key), let place = table.oldest(at: key) {
            try abandon(place, into: &sink)
        }
        guard let place = table.find(end, submitted: false) else { return }
        table.move(place, to: key)
        table[place].sector = key.sector
    }

    private mutating func issue(
        _ step: BlockStep, _ key: RequestTable.Key, _ type: UInt32, into sink: inout some TraceSink
    ) throws {
        guard let place = table.find(key, submitted: false) else {
            try add(step, key, type, queued: 0, submitted: step.time, into: &sink)
            return
        }
        table[place].submitted = step.time
        table[place].bytes = step.bytes
        table[place].left = step.bytes
        table[place].type = type
    }

    private mutating func complete(
        _ step: BlockStep, _ key: RequestTable.Key, number: UInt64, into sink: inout some TraceSink
    ) throws {
        // A device that takes bios has no step of issue: then it was queued and completed.
        guard
            let place = table.find(key, submitted: true) ?? table.find(key, submitted: false)
        else {
            report.faults.add(line: number, Self.orphan)
            return
        }
        let entry = table[place]
        if entry.submitted != 0, step.bytes < entry.left, !step.hasError {
            // A part of it; the rest completes by itself.
            let next = RequestTable.Key(
                lun: key.lun, sector: key.sector &+ UInt64(step.bytes / 512))
            table[place].left = entry.left - step.bytes
            if next == key { return }
            if table.isCrowded(next), let oldest = table.oldest(at: next) {
                try abandon(oldest, into: &sink)
            }
            table.move(place, to: next)
            return
        }
        _ = table.remove(place)
        try hand(entry, completed: step.time, hasError: step.hasError, into: &sink)
    }

    static let orphan = "a completion of a request whose start is not in the trace"

    private mutating func abandon(_ place: Int32, into sink: inout some TraceSink) throws {
        let entry = table.remove(place)
        try hand(entry, completed: 0, hasError: false, into: &sink)
    }

    private mutating func hand(
        _ entry: RequestTable.Entry, completed: Nanoseconds, hasError: Bool,
        into sink: inout some TraceSink
    ) throws {
        if completed == 0 { report.unfinished += 1 }
        try report.hand(
            IOEvent(
                type: entry.type, lun: entry.key.lun, sector: entry.sector,
                bytes: UInt64(entry.bytes), queued: entry.queued, submitted: entry.submitted,
                completed: completed,
                status: completed == 0 ? IOEvent.unknownStatus : hasError ? 1 : 0),
            to: &sink)
    }

    // MARK: Flushes

    private mutating func flush(
        _ step: BlockStep, isBio: Bool, number: UInt64, into sink: inout some TraceSink
    ) throws {
        let left: FlushTable.Entry?
        switch step.action {
        case .queue, .insert:
            // A flush that is queued and inserted is one.
            if step.action == .insert, flushes[step.lun]?.queued.isEmpty == false { return }
            left = flushes[step.lun, default: FlushTable()].queue(
                .init(queued: step.time, hasBio: isBio, sector: step.sector))
        case .issue: left = flushes[step.lun, default: FlushTable()].issue(at: step.time)
        case .requeue:
            flushes[step.lun]?.requeue()
            return
        case .complete:
            switch flushes[step.lun, default: FlushTable()].complete(bio: isBio) {
            case .finished(let entry):
                try hand(
                    entry, step.lun, completed: step.time, hasError: step.hasError, into: &sink)
            case .answered: report.skipped += 1
            case .unknown: report.faults.add(line: number, Self.orphan)
            }
            return
        case .backMerge, .frontMerge, .split: return
        }
        if let left { try hand(left, step.lun, completed: 0, hasError: false, into: &sink) }
    }

    private mutating func hand(
        _ entry: FlushTable.Entry, _ lun: UInt16, completed: Nanoseconds, hasError: Bool,
        into sink: inout some TraceSink
    ) throws {
        if completed == 0 { report.unfinished += 1 }
        try report.hand(
            IOEvent(
                type: RequestType.flush.rawValue, lun: lun, sector: entry.sector, bytes: 0,
                queued: entry.queued, submitted: entry.submitted, completed: completed,
                status: completed == 0 ? IOEvent.unknownStatus : hasError ? 1 : 0),
            to: &sink)
    }
}
