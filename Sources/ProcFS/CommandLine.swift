/// A process's arguments (/proc/PID/cmdline): each ends with a zero byte.
public struct CommandLine: Sendable, Equatable {
    /// The program's own name first; bytes that are not UTF-8 are U+FFFD. Not yet fit for a screen:
    /// any process can write what it likes here.
    public let arguments: [String]

    /// Splits the file's text. A process that has none, as kernel threads, has no arguments.
    public init(_ text: Span<UInt8>) {
        var arguments: [String] = []
        var bytes: [UInt8] = []
        for index in text.indices {
            if text[index] == 0 {
                arguments.append(String(decoding: bytes, as: UTF8.self))
                bytes.removeAll(keepingCapacity: true)
            } else {
                bytes.append(text[index])
            }
        }
        if !bytes.isEmpty { arguments.append(String(decoding: bytes, as: UTF8.self)) }
        self.arguments = arguments
    }
}
