/// The wire format of protocol buffers, as much of it as a trace needs.
struct ProtobufMessage: Sendable {
    private(set) var bytes: [UInt8] = []

    /// A field of type `uint32`, `uint64`, `int64`, `bool` or an enumeration.
    mutating func number(_ field: UInt32, _ value: UInt64) {
        varint(UInt64(field) << 3)
        varint(value)
    }

    mutating func text(_ field: UInt32, _ value: String) {
        delimited(field, Array(value.utf8))
    }

    /// A message within this one, built by `build`.
    mutating func message(_ field: UInt32, _ build: (inout ProtobufMessage) -> Void) {
        var inner = ProtobufMessage()
        build(&inner)
        delimited(field, inner.bytes)
    }

    private mutating func delimited(_ field: UInt32, _ content: [UInt8]) {
        varint(UInt64(field) << 3 | 2)
        varint(UInt64(content.count))
        bytes += content
    }

    private mutating func varint(_ value: UInt64) {
        var rest = value
        while rest >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(truncatingIfNeeded: rest))
    }
}
