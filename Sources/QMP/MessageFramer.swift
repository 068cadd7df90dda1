/// Cuts the stream of a QMP server into its messages, however the bytes arrive.
///
/// A message ends with the brace that closes it, so that `pretty=on` works as well; line ends
/// between messages mean nothing. Each byte is looked at once.
public struct MessageFramer: Sendable {
    /// The longest message taken, bytes. The statistics of a thousand disks have 2 MB.
    public static let longestMessage = 64 << 20

    /// Why nothing is taken any more.
    public private(set) var failure: QMPError?
    private let limit: Int
    /// What has come of the message that is not whole yet.
    private var partial: [UInt8] = []
    private var depth = 0
    private var isInText = false
    private var isEscaped = false

    /// A framer for messages of at most `limit` bytes.
    public init(limit: Int = longestMessage) { self.limit = limit }

    /// Takes what was read next and returns the messages that are whole now, in order.
    ///
    /// Sets `failure` at the first byte that cannot stand between messages and for a message that
    /// is too long; those before it are still returned.
    public mutating func append(_ bytes: ArraySlice<UInt8>) -> [[UInt8]] {
        guard failure == nil else { return [] }
        var messages: [[UInt8]] = []
        var start = bytes.startIndex
        var index = start
        while index < bytes.endIndex {
            let byte = bytes[index]
            if depth == 0 {
                if byte == .openingBrace || byte == .openingBracket {
                    start = index
                    depth = 1
                } else if !byte.isBlank {
                    failure = .notQMP(sent: Self.sample(bytes[index...]))
                    return messages
                }
            } else if isInText {
                passText(byte)
            } else if passStructure(byte) {
                guard let message = take(bytes[start...index]) else { return messages }
                messages.append(message)
            }
            index += 1
        }
        if depth > 0 {
            if partial.count + (bytes.endIndex - start) > limit {
                failure = .tooLong(limit: limit)
                partial = []
            } else {
                partial.append(contentsOf: bytes[start...])
            }
        }
        return messages
    }

    private mutating func passText(_ byte: UInt8) {
        if isEscaped {
            isEscaped = false
        } else if byte == .backslash {
            isEscaped = true
        } else if byte == .quote {
            isInText = false
        }
    }

    /// Whether this byte ends the message.
    private mutating func passStructure(_ byte: UInt8) -> Bool {
        switch byte {
        case .quote: isInText = true
        case .openingBrace, .openingBracket: depth += 1
        case .closingBrace, .closingBracket:
            depth -= 1
            return depth == 0
        default: break
        }
        return false
    }

    /// The message that ends with `tail`, `nil` if it is too long.
    private mutating func take(_ tail: ArraySlice<UInt8>) -> [UInt8]? {
        defer { partial = [] }
        guard partial.count + tail.count <= limit else {
            failure = .tooLong(limit: limit)
            return nil
        }
        return partial.isEmpty ? Array(tail) : partial + tail
    }

    /// The beginning of `bytes`, fit for one line of a screen.
    private static func sample(_ bytes: ArraySlice<UInt8>) -> String {
        String(
            decoding: bytes.prefix(24).map { (0x20..<0x7F).contains($0) ? $0 : UInt8(ascii: ".") },
            as: UTF8.self)
    }
}
