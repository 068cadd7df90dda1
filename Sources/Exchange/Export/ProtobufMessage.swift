/// The wire format of protocol buffers, as much of it as a trace needs.
struct ProtobufMessage: Sendable {
    private(set) var bytes: [UInt8] = []

    /// A field of type `uint32`, `uint64`, `int64`, `bool` or an enumeration.
    mutating func number(_ field: UInt32, _ value: UInt64) {
        varint(UInt64(field) << 3)
        varint(value)
    }

    mutating func text(_ field: UInt32, _ value: String) {
        varint(UInt64(field) << 3 | 2)
        varint(UInt64(value.utf8.count))
        bytes.append(contentsOf: value.utf8)
    }

    /// A message within this one, built by `build`. It is built in place: its length, one byte as a
    /// rule, is set when it is known.
    mutating func message(_ field: UInt32, _ build: (inout ProtobufMessage) -> Void) {
        varint(UInt64(field) << 3 | 2)
        let at = bytes.count
        bytes.append(0)
        build(&self)
        let length = UInt64(bytes.count - at - 1)
        if length < 0x80 {
            bytes[at] = UInt8(truncatingIfNeeded: length)
        } else {
            var prefix = ProtobufMessage()
            prefix.varint(length)
            bytes.replaceSubrange(at...at, with: prefix.bytes)
        }
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
