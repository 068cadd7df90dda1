public import Kernel

/// A recording in one file or several, by a policy: rotation, retention, a disk that fills up.
///
/// Files are created for their owner alone, nothing that exists is overwritten, and only files that
/// this object created are removed, when the policy says that the oldest go. Each opens alone.
/// Time is handed in.
///
/// What stops it is thrown once and is in `failure`; after that `unwritten` counts.
public struct SegmentedRecording {
    /// A file of the recording.
    public struct Segment: Sendable, Equatable {
        public var path: String
        /// From 0.
        public var number: Int
        public var byteCount: UInt64
    }
    /// What stopped it.
    public private(set) var failure: RecordingError?
    /// How many of its own files it removed.
    public private(set) var removedCount = 0
    private let path: String
    private let policy: SegmentPolicy
    private let freeBytes: (String) -> UInt64?
    private let info: RecordingInfo
    private var writer: ChunkWriter
    private var number = 0
    /// The number in the name of the file being written; its own where nothing was in the way.
    private var nameNumber = 0
    private static let highestName = 1_000_000
    private var startedAt: UInt64
    private var hasData = false
    private var closed: [(segment: Segment, identity: FileIdentity?)] = []
    private var duties: [AppendFile] = []

    /// Creates the recording `path` of the session `info`. Throws `.system` if the file is there
    /// already, cannot be created, or there is less space than is to be left free.
    public init(
        path: String, info: RecordingInfo, clocks: ClockReading,
        policy: SegmentPolicy = SegmentPolicy()
    ) throws(RecordingError) {
        try self.init(
            path: path, info: info, clocks: clocks, policy: policy,
            freeBytes: Kernel.freeBytes(below:))
    }

    /// Likewise; `freeBytes` says how much is free below a directory.
    init(
        path: String, info: RecordingInfo, clocks: ClockReading, policy: SegmentPolicy,
        freeBytes: @escaping (String) -> UInt64?
    ) throws(RecordingError) {
        self.path = path
        var info = info
        info.segment = 0
        self.info = info
        self.policy = policy
        self.freeBytes = freeBytes
        startedAt = clocks.monotonic
        if let free = freeBytes(Self.directory(of: path)), free < policy.bytesLeftFree {
            throw Self.tooFull(path, free, policy)
        }
        writer = try ChunkWriter(
            output: try Self.create(path), info: info, clocks: clocks, options: policy.writer)
    }

    /// The files there are, the one being written last.
    public var segments: [Segment] {
        closed.map(\.segment) + [
            Segment(path: writer.output.path, number: number, byteCount: writer.byteCount)
        ]
    }

    /// The number of the file being written, from 0.
    var segmentNumber: Int { number }

    /// What was handed in and is in no file.
    public var unwritten: Unwritten { writer.unwritten }

    /// Appends `chunk` and does what is due. Throws what stops the recording, once.
    public mutating func append(
        _ chunk: Chunk, at clocks: ClockReading
    ) throws(RecordingError) {
        guard failure == nil else { return writer.noteUnwritten(chunk) }
        var isWritten = false
        do throws(RecordingError) {
            let count = UInt64(ChunkHeader.byteCount + chunk.payload.count)
            try rotateIfDue(clocks, coming: count)
            try makeRoom(clocks, coming: count)
            try retrying { writer throws(RecordingError) in
                try writer.put(chunk, at: clocks.monotonic)
            }
            isWritten = true
            hasData = true
            try retrying { writer throws(RecordingError) in try writer.tick(clocks) }
        } catch {
            if !isWritten { writer.noteUnwritten(chunk) }
            // One chunk that is too long does not stop the others.
            if error.kind != .malformed { failure = error }
            throw error
        }
    }

    /// Does what is due by the clocks. Throws what stops the recording, once.
    public mutating func tick(_ clocks: ClockReading) throws(RecordingError) {
        guard failure == nil else { return }
        do throws(RecordingError) {
            try rotateIfDue(clocks, coming: 0)
            try retrying { writer throws(RecordingError) in try writer.tick(clocks) }
        } catch {
            failure = error
            throw error
        }
    }

    /// Writes the last index and the END. Nothing may be appended after it.
    public mutating func close(at clocks: ClockReading) throws(RecordingError) {
        guard failure == nil else { return }
        do throws(RecordingError) {
            try retrying { writer throws(RecordingError) in
                try writer.close(at: clocks.monotonic)
            }
        } catch {
            failure = error
            throw error
        }
    }

    /// The files on which it is time to call `makeDurable()`, from this thread or any other. The
    /// duty counts as done.
    public mutating func takeDurabilityDuties(at clocks: ClockReading) -> [AppendFile] {
        defer { duties = [] }
        return duties + (writer.takeDurabilityDuty(at: clocks.monotonic).map { [$0] } ?? [])
    }
}

extension SegmentedRecording {
    private static func create(_ path: String) throws(RecordingError) -> AppendFile {
        do {
            return try AppendFile(creating: path)
        } catch { throw RecordingError(error, path: path) }
    }

    private static func directory(of path: String) -> String {
        guard let slash = path.lastIndex(of: "/") else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }

    private static func tooFull(
        _ path: String, _ free: UInt64, _ policy: SegmentPolicy
    ) -> RecordingError {
        RecordingError(
            .system, path: path,
            reason: "only \(free >> 20) MiB are free on its file system, and"
                + " \(policy.bytesLeftFree >> 20) MiB are to be left; free some space")
    }

    /// Does `work` on the writer, again with the oldest segment gone as long as the disk is full.
    private mutating func retrying(
        _ work: (inout ChunkWriter) throws(RecordingError) -> Void
    ) throws(RecordingError) {
        while true {
            do throws(RecordingError) {
                return try work(&writer)
            } catch {
                guard error.isOutOfSpace, removeOldest(), writer.resume() else { throw error }
            }
        }
    }

    /// Keeps `bytesLeftFree` free once `count` more bytes are written.
    private mutating func makeRoom(
        _ clocks: ClockReading, coming count: UInt64
    ) throws(RecordingError) {
        guard policy.bytesLeftFree > 0 else { return }
        let (needed, isHuge) = policy.bytesLeftFree.addingReportingOverflow(count)
        while let free = freeBytes(Self.directory(of: path)), isHuge || free < needed {
            if removeOldest() { continue }
            // What was recorded until here is closed in order, as there is room for that.
            _ = try? writer.close(at: clocks.monotonic)
            throw Self.tooFull(writer.output.path, free, policy)
        }
    }

    private mutating func rotateIfDue(
        _ clocks: ClockReading, coming count: UInt64
    ) throws(RecordingError) {
        guard hasData else { return }
        let now = clocks.monotonic
        let isOld =
            policy.segmentDuration.map { now >= startedAt && now - startedAt >= $0 } ?? false
        if isOld || writer.byteCount > policy.segmentLimit - min(count, policy.segmentLimit) {
            try rotate(clocks)
        }
        trim(coming: count)
    }

    private mutating func rotate(_ clocks: ClockReading) throws(RecordingError) {
        try retrying { writer throws(RecordingError) in
            try writer.close(at: clocks.monotonic)
        }
        let ended = Segment(path: writer.output.path, number: number, byteCount: writer.byteCount)
        let next = try nextWriter(clocks)
        closed.append((ended, writer.output.identity))
        if policy.writer.durability != .never { duties.append(writer.output) }
        writer = next
        number += 1
        startedAt = clocks.monotonic
        hasData = false
    }

    /// The next file's name: one that nothing has, as an earlier recording of this name may have
    /// left some of its files behind.
    private mutating func nextPath() -> String {
        nameNumber += 1
        while nameNumber < Self.highestName,
            (try? FileStatus(of: SegmentPolicy.path(path, segment: nameNumber))) != nil
        { nameNumber += 1 }
        return SegmentPolicy.path(path, segment: nameNumber)
    }

    /// A writer to the next file, with the oldest segments gone as long as the disk is full.
    private mutating func nextWriter(
        _ clocks: ClockReading
    ) throws(RecordingError) -> ChunkWriter {
        var info = info
        info.segment = number + 1
        let next = nextPath()
        while true {
            var output: AppendFile?
            do throws(RecordingError) {
                let file = try Self.create(next)
                output = file
                return try ChunkWriter(output: file, info: info, clocks: clocks, after: writer)
            } catch {
                // Without a whole header it is of use to nobody, and in the way of the next try.
                if output != nil { _ = try? removeFile(next) }
                guard error.isOutOfSpace, removeOldest() else { throw error }
            }
        }
    }

    /// Removes what the policy does not keep.
    private mutating func trim(coming count: UInt64) {
        switch policy.retention {
        case .all: return
        case .segments(let kept): while closed.count + 1 > max(2, kept), removeOldest() {}
        case .bytes(let limit):
            func used() -> UInt64 {
                closed.reduce(writer.byteCount &+ count) { $0 &+ $1.segment.byteCount }
            }
            while used() > limit, removeOldest() {}
        }
    }

    /// Removes the oldest segment where old ones may go: whether there was one.
    private mutating func removeOldest() -> Bool {
        guard policy.retention != .all, !closed.isEmpty else { return false }
        let oldest = closed.removeFirst()
        // A descriptor would hold its space.
        duties.removeAll { $0.identity == oldest.identity }
        // Whoever took its name since then keeps the file.
        if let identity = oldest.identity, (try? FileIdentity(of: oldest.segment.path)) == identity,
            (try? removeFile(oldest.segment.path)) != nil
        {
            removedCount += 1
        }
        return true
    }
}
