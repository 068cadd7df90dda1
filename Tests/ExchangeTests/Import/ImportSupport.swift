import Exchange
import Telemetry

/// Keeps what an importer hands over.
struct ImportedList: TraceSink, Equatable {
    var events: [IOEvent] = []
    var names: [UInt16: String] = [:]
    /// Whether a request came before the name of its LUN.
    var hasNameless = false

    mutating func take(_ event: IOEvent) {
        if names[event.lun] == nil { hasNameless = true }
        events.append(event)
    }

    mutating func name(_ name: String, ofLUN index: UInt16) { names[index] = name }
}

/// What came of an import.
struct Imported: Equatable {
    var list: ImportedList
    var report: ImportReport

    var events: [IOEvent] { list.events }

    /// Reads `bytes` as `format`, in pieces whose lengths `length` gives.
    init(
        _ format: TraceFormat, _ bytes: [UInt8], name: String = "disk",
        pieces length: () -> Int = { .max }
    ) throws {
        var importer = format.importer(name: name)
        var list = ImportedList()
        var rest = bytes[...]
        while !rest.isEmpty {
            let piece = rest.prefix(max(1, length()))
            rest = rest.dropFirst(piece.count)
            try importer.take(piece, into: &list)
        }
        try importer.finish(into: &list)
        self.list = list
        report = importer.report
    }

    init(_ format: TraceFormat, _ text: String) throws {
        try self.init(format, Array(text.utf8))
    }
}

/// SplitMix64: the same numbers for the same seed, on every machine.
struct ImportRandom: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}

/// A request in the words the tests are about.
func request(
    _ type: UInt32, _ sector: UInt64, _ bytes: UInt32, queued: UInt64 = 0, submitted: UInt64,
    completed: UInt64 = 0, status: UInt8 = IOEvent.unknownStatus, lun: UInt16 = 0
) -> IOEvent {
    IOEvent(
        type: type, status: status, lun: lun, head: 0, sector: sector, byteCount: bytes,
        queued: queued, kicked: 0, popped: 0, submitted: submitted, completed: completed,
        published: 0, notified: 0, reaped: 0)
}

/// Writes blktrace's binary format, field by field as linux/blktrace_api.h has it.
struct BlktraceBytes {
    var bytes: [UInt8] = []
    var isBigEndian = false
    var sequence: UInt32 = 0

    static let read: UInt32 = 0x1
    static let write: UInt32 = 0x2
    static let flush: UInt32 = 0x4
    static let discard: UInt32 = 0x2000

    init(bigEndian: Bool = false) { isBigEndian = bigEndian }

    /// One record; `letter` as blkparse has them.
    mutating func add(
        _ letter: Character, _ categories: UInt32, at time: UInt64, sector: UInt64 = 0,
        bytes count: UInt32 = 0, device: UInt32 = 8 << 20, cpu: UInt32 = 0, error: UInt16 = 0,
        data: [UInt8] = []
    ) {
        let codes: [Character: UInt32] = [
            "Q": 1, "M": 2, "F": 3, "G": 4, "R": 6, "D": 7, "C": 8, "X": 13,
        ]
        sequence += 1
        record(
            sequence: sequence, time: time, sector: sector, bytes: count,
            action: categories << 16 | (codes[letter] ?? 0), device: device, cpu: cpu,
            error: error, data: data)
    }

    /// The note of the wall clock that a trace begins with.
    mutating func addWallClock(at time: UInt64, seconds: UInt32, nanoseconds: UInt32) {
        var data = BlktraceBytes(bigEndian: isBigEndian)
        data.put(seconds)
        data.put(nanoseconds)
        record(
            sequence: 0, time: time, sector: 0, bytes: 0, action: 0x0400_0001, device: 8 << 20,
            cpu: 0, error: 0, data: data.bytes)
    }

    private mutating func record(
        sequence: UInt32, time: UInt64, sector: UInt64, bytes count: UInt32, action: UInt32,
        device: UInt32, cpu: UInt32, error: UInt16, data: [UInt8]
    ) {
        put(UInt32(0x6561_7407))
        put(sequence)
        put(time)
        put(sector)
        put(count)
        put(action)
        put(UInt32(77))
        put(device)
        put(cpu)
        put(error)
        put(UInt16(data.count))
        bytes += data
    }

    private mutating func put(_ value: some FixedWidthInteger) {
        let size = value.bitWidth / 8
        for index in 0..<size {
            let shift = 8 * (isBigEndian ? size - 1 - index : index)
            bytes.append(UInt8(truncatingIfNeeded: value >> shift))
        }
    }
}
