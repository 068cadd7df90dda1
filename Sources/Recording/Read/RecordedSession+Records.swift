public import Telemetry

extension RecordedSession {
    /// Hands over the requests that began from `from` to `to` on the common axis (`nil`: no bound),
    /// chunk by chunk, with the LUNs' names by `IOEvent.lun`. `wants` may refuse a chunk by what it
    /// says of itself. Chunks that are damaged are left out and counted. Rethrows, and throws
    /// `.system` where the kernel refuses.
    public func forEachRequests(
        from: Nanoseconds? = nil, to: Nanoseconds? = nil,
        where wants: (RequestSummary) -> Bool = { _ in true },
        _ body: ([IOEvent], [String]) throws -> Void
    ) throws {
        var decoder = try RequestDecoder()
        var events: [IOEvent] = []
        var names = RequestNames()
        for entry in entries(of: .requests, from: from, to: to) {
            guard let chunk = try readable(entry) else { continue }
            do throws(RecordingError) {
                guard wants(try RequestDecoder.summary(of: chunk)) else { continue }
                names.take(try decoder.decode(chunk, into: &events))
            } catch {
                noteUnreadable(entry)
                continue
            }
            let shift = library.shifts[entry.file]
            if shift != 0 { for index in events.indices { events[index].move(by: shift) } }
            let (low, high) = (from ?? 0, to ?? .max)
            if entry.first < low || entry.last > high {
                // Records without a beginning are placed by their end.
                events.removeAll {
                    let time = $0.start == 0 ? $0.end : $0.start
                    return time < low || time > high
                }
            }
            if !events.isEmpty { try body(events, names.names) }
        }
    }

    /// The kernel events from `from` to `to`, chunk by chunk, as `forEachRequests` has requests.
    public func forEachEvents(
        from: Nanoseconds? = nil, to: Nanoseconds? = nil, _ body: ([KernelEvent]) throws -> Void
    ) throws {
        var decoder = try EventDecoder()
        let (low, high) = (from ?? 0, to ?? .max)
        var events: [KernelEvent] = []
        for entry in entries(of: .events, from: from, to: to) {
            guard let chunk = try readable(entry) else { continue }
            do throws(RecordingError) {
                try decoder.decode(chunk, into: &events)
            } catch {
                noteUnreadable(entry)
                continue
            }
            let shift = library.shifts[entry.file]
            for index in events.indices {
                events[index].monotonic = events[index].monotonic.moved(by: shift)
            }
            events.removeAll { $0.monotonic < low || $0.monotonic > high }
            if !events.isEmpty { try body(events) }
        }
    }

    /// All marks, by their time on the common axis.
    public func marks() throws(RecordingError) -> [Mark] {
        var marks: [Mark] = []
        for entry in entries(of: .marks, from: nil, to: nil) {
            guard let chunk = try readable(entry) else { continue }
            do throws(RecordingError) {
                for var mark in try MarkCodec.decode(chunk) {
                    mark.monotonic = mark.monotonic.moved(by: library.shifts[entry.file])
                    marks.append(mark)
                }
            } catch {
                noteUnreadable(entry)
            }
        }
        return marks.sorted { $0.monotonic < $1.monotonic }
    }

    private func entries(
        of kind: ChunkKind, from: Nanoseconds?, to: Nanoseconds?
    ) -> [ChunkLibrary.Entry] {
        library.entries.filter {
            $0.place.kind == kind && $0.last >= from ?? 0 && $0.first <= to ?? .max
        }
    }

    /// The chunk of `entry`, `nil` if it is damaged.
    private func readable(_ entry: ChunkLibrary.Entry) throws(RecordingError) -> Chunk? {
        do throws(RecordingError) {
            return try library.chunk(of: entry)
        } catch {
            guard error.kind != .system else { throw error }
            noteUnreadable(entry)
            return nil
        }
    }
}

/// The names of a chunk's LUNs, by their index.
private struct RequestNames {
    private var luns: [RequestLUN] = []
    private(set) var names: [String] = []

    mutating func take(_ summary: RequestSummary) {
        guard summary.luns != luns else { return }
        luns = summary.luns
        let count = (luns.map { Int($0.index) }.max() ?? -1) + 1
        names = Array(repeating: "", count: count)
        for lun in luns { names[Int(lun.index)] = harmless(lun.name) }
        for index in names.indices where names[index].isEmpty { names[index] = "lun \(index)" }
    }
}

extension IOEvent {
    /// Moves every stamp that is known by `shift` nanoseconds.
    fileprivate mutating func move(by shift: Int64) {
        func move(_ stamp: inout Nanoseconds) { if stamp != 0 { stamp = stamp.moved(by: shift) } }
        move(&queued)
        move(&kicked)
        move(&popped)
        move(&submitted)
        move(&completed)
        move(&published)
        move(&notified)
        move(&reaped)
    }
}
