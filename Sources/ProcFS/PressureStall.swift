/// How much of the time tasks waited for a resource (/proc/pressure/memory, io, cpu).
public struct PressureStall: Sendable, Equatable {
    /// Percent of the last ten seconds in which at least one task waited (`some avg10`), 0…100.
    public let some: Double

    /// Parses the text of a file called `file`. Throws if the share is missing, cut short or no
    /// number of percent.
    public init(_ text: Span<UInt8>, file: String) throws(ProcFSError) {
        var fields = FieldScanner(file: file)
        guard try fields.word("some", in: text) == "some" else { throw fields.error("some") }
        let key = "avg10="
        let word = try fields.word(key, in: text)
        guard word.hasPrefix(key), let share = Double(word.dropFirst(key.count)),
            (0...100).contains(share)
        else { throw fields.error(key) }
        some = share
    }
}
