import Kernel
import Synchronization
import Telemetry

@testable import Recording

/// The files a pipeline asked for, with what it wrote into each.
struct FileBook {
    struct File {
        /// `nil` for one of the flight recorder.
        var path: String?
        var reason: Mark?
        var chunks: [Chunk] = []
        var isClosed = false
    }
    private(set) var files: [File] = []
    /// Steps that came where no file was open.
    private(set) var strays = 0

    /// Does what `steps` say.
    mutating func follow(_ steps: [RecordingStep]) {
        for step in steps {
            switch step {
            case .open(let path): files.append(File(path: path))
            case .openFlight(let reason): files.append(File(reason: reason))
            case .write(let chunk):
                if isOpen { files[files.count - 1].chunks.append(chunk) } else { strays += 1 }
            case .close:
                if isOpen { files[files.count - 1].isClosed = true } else { strays += 1 }
            }
        }
    }

    private var isOpen: Bool { files.last.map { !$0.isClosed } ?? false }
}

extension FileBook.File {
    /// What a reader has of it, by way of a file.
    func session(in folder: Folder) throws -> RecordedSession {
        let path = folder.path + "/\(folder.names.count).vbt"
        var writer = try ChunkWriter(
            output: AppendFile(creating: path), info: someInfo(), clocks: clocks(0))
        for chunk in chunks { try writer.append(chunk, at: clocks(chunk.last)) }
        try writer.close(at: chunks.map(\.last).max() ?? 0)
        return try RecordedSession(paths: [path])
    }
}

extension RecordedSession {
    /// All requests, and the name each was recorded under.
    func requests() throws -> [(event: IOEvent, name: String)] {
        var all: [(event: IOEvent, name: String)] = []
        try forEachRequests { events, names in
            all += events.map { ($0, names[Int($0.lun)]) }
        }
        return all
    }
}

/// A sample of two LUNs taken at second `number`, which is its sequence number too.
func sampleOfTwo(_ number: UInt64, iops: Double = 100) -> Snapshot {
    var sample = Snapshot(
        source: Source(kind: .demo, name: "payroll"), sequence: number,
        monotonic: number * second, wallClock: clocks(number * second).wall, interval: 1)
    sample.luns = ["ledger", "wages"].map { name in
        var lun = LUN(id: name, device: "virtio-blk-pci")
        lun.file = "/images/\(name).img"
        lun.rates.iops = iops + Double(number)
        return lun
    }
    sample.total = BlockRates(summing: sample.luns)
    return sample
}

/// `count` requests that end in the second before `number`.
func someRequests(_ count: Int, second number: UInt64) -> [IOEvent] {
    (0..<count).map { index in
        let end = number * second - UInt64(count - index)
        return IOEvent(
            type: UInt32(index & 1), status: 0, lun: UInt16(index & 1),
            head: UInt16(truncatingIfNeeded: index), sector: UInt64(index) * 8, byteCount: 4096,
            queued: end - 100_000, kicked: 0, popped: end - 90_000, submitted: end - 80_000,
            completed: end - 20_000, published: end - 10_000, notified: 0, reaped: end)
    }
}

/// A source of requests that a test fills.
final class FakeFeed: RequestFeed {
    private struct State {
        var waiting: [IOEvent] = []
        var held: [IOEvent] = []
        var shifts: [Int?] = []
    }
    private let state = Mutex(State())
    let lunNames = ["ledger", "wages"]
    let lost: UInt64

    init(_ events: [IOEvent] = [], held: [IOEvent] = [], lost: UInt64 = 0) {
        self.lost = lost
        state.withLock { ($0.waiting, $0.held) = (events, held) }
    }

    func release() {
        state.withLock { state in
            state.waiting += state.held
            state.held = []
        }
    }

    /// What was asked for, the last at the end.
    var shifts: [Int?] { state.withLock { $0.shifts } }

    func record(shift: Int?) { state.withLock { $0.shifts.append(shift) } }

    func drain(_ body: (IOEvent) -> Void) {
        let events = state.withLock { state in
            defer { state.waiting = [] }
            return state.waiting
        }
        for event in events { body(event) }
    }
}
