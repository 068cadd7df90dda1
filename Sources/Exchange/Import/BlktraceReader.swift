internal import Telemetry

/// A record of blktrace's binary format: `struct blk_io_trace` of linux/blktrace_api.h.
struct BlktraceRecord {
    /// Its number in its file, 1-based.
    var number: UInt64
    var time: Nanoseconds
    var sector: UInt64
    var bytes: UInt32
    /// The low 16 bits say what happened, the high ones are its categories.
    var action: UInt32
    var device: UInt32
    var error: UInt16
    /// The first 16 bytes that follow the record, as two big-endian numbers; 0 where there are
    /// fewer.
    var first: UInt64
    var second: UInt64
    /// How many follow.
    var dataBytes: Int

    var code: UInt32 { action & 0xFFFF }
    func has(_ category: Category) -> Bool { action >> 16 & category.rawValue != 0 }

    enum Category: UInt32 {
        case write = 0x2
        case flush = 0x4
        case passthrough = 0x200
        case notify = 0x400
        case discard = 0x2000
    }
}

/// Cuts one file of blktrace into records. The byte order is that of the first record.
struct BlktraceReader {
    static let headerBytes = 48
    private static let magic: UInt32 = 0x6561_7407
    /// CPUs and devices whose numbering is followed.
    private static let streamLimit = 65536

    private var buffer: [UInt8] = []
    private var at = 0
    private var isBigEndian = false
    private var isSynchronized = false
    /// Whether what was passed last is no record, which is told once.
    private var isAstray = false
    private var number: UInt64 = 0
    /// Sequence numbers seen last, by device and CPU.
    private var sequences: [UInt64: UInt32] = [:]
    private(set) var lost: UInt64 = 0

    /// Adds the file's next bytes.
    mutating func append(_ bytes: ArraySlice<UInt8>) {
        if at > 0 {
            buffer.removeFirst(at)
            at = 0
        }
        buffer += bytes
    }

    /// The next record that is complete; `nil` where more bytes are needed. What is no record is
    /// passed and is one fault, however long it is.
    mutating func next(faults: inout Faults) -> BlktraceRecord? {
        guard synchronize(faults: &faults), buffer.count - at >= Self.headerBytes else {
            return nil
        }
        let dataBytes = Int(half(at + 46))
        guard buffer.count - at >= Self.headerBytes + dataBytes else { return nil }
        number += 1
        let record = BlktraceRecord(
            number: number, time: long(at + 8), sector: long(at + 16), bytes: word(at + 24),
            action: word(at + 28), device: word(at + 36), error: half(at + 44),
            first: data(0, of: dataBytes), second: data(8, of: dataBytes), dataBytes: dataBytes)
        if !record.has(.notify) {
            follow(word(at + 4), device: record.device, cpu: word(at + 40))
        }
        at += Self.headerBytes + dataBytes
        isSynchronized = false
        return record
    }

    /// The file is at its end.
    mutating func finish(faults: inout Faults) {
        if buffer.count > at, !isAstray {
            faults.add(line: number &+ 1, "the record is cut off")
        }
        buffer = []
        at = 0
    }

    /// Four bytes in the order of the file, of the data that follow a record.
    func inFileOrder(_ value: UInt32) -> UInt32 { isBigEndian ? value : value.byteSwapped }

    /// Goes to the next place where a record begins; false where there is none yet.
    private mutating func synchronize(faults: inout Faults) -> Bool {
        if isSynchronized { return true }
        while buffer.count - at >= 4 {
            let big = bigEndian(at)
            if big == Self.magic || big == Self.magic.byteSwapped {
                isBigEndian = big == Self.magic
                isSynchronized = true
                isAstray = false
                return true
            }
            if !isAstray {
                faults.add(line: number &+ 1, "no record of blktrace, version 7")
            }
            isAstray = true
            at += 1
        }
        return false
    }

    private mutating func follow(_ sequence: UInt32, device: UInt32, cpu: UInt32) {
        let stream = UInt64(device) << 32 | UInt64(cpu)
        if let last = sequences[stream] {
            if sequence > last { lost &+= UInt64(sequence - last - 1) }
        } else if sequences.count >= Self.streamLimit {
            return
        }
        sequences[stream] = sequence
    }

    private func data(_ offset: Int, of count: Int) -> UInt64 {
        guard count >= offset + 8 else { return 0 }
        let place = at + Self.headerBytes + offset
        return UInt64(bigEndian(place)) << 32 | UInt64(bigEndian(place + 4))
    }

    private func bigEndian(_ place: Int) -> UInt32 {
        UInt32(buffer[place]) << 24 | UInt32(buffer[place + 1]) << 16
            | UInt32(buffer[place + 2]) << 8 | UInt32(buffer[place + 3])
    }

    private func word(_ place: Int) -> UInt32 {
        isBigEndian ? bigEndian(place) : bigEndian(place).byteSwapped
    }

    private func half(_ place: Int) -> UInt16 {
        let big = UInt16(buffer[place]) << 8 | UInt16(buffer[place + 1])
        return isBigEndian ? big : big.byteSwapped
    }

    private func long(_ place: Int) -> UInt64 {
        let (first, second) = (UInt64(word(place)), UInt64(word(place + 4)))
        return isBigEndian ? first << 32 | second : second << 32 | first
    }
}
