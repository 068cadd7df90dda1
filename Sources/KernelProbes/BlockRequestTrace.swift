internal import Telemetry

extension BlockRequestTrace {
    /// Words of `struct finished`.
    static let words = 6

    /// A record of the ring: `struct finished` of block.bpf.c, in words of a little-endian machine.
    init(record: ArraySlice<UInt64>) {
        let word = Array(record)
        let device = DeviceNumber(kernel: UInt32(truncatingIfNeeded: word[5]))
        self.init(
            major: device.major, minor: device.minor,
            operation: UInt8(truncatingIfNeeded: word[4] >> 32), sector: word[3],
            byteCount: UInt32(truncatingIfNeeded: word[4]), inserted: word[0], issued: word[1],
            completed: word[2],
            error: Int32(truncatingIfNeeded: Int64(bitPattern: word[5]) >> 32))
    }
}
