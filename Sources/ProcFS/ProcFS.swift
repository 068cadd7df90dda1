/// Parsers of /proc and /sys texts into typed values. A pure room: bytes come in, values go out.
///
/// Every value is made by an initializer that takes the bytes of one file as they were read. Text
/// that is cut short, hostile or of another kernel's make throws `ProcFSError`; nothing in it can
/// trap.

/// A /proc file did not say what it should.
public struct ProcFSError: Error, Equatable, CustomStringConvertible {
    /// The file's last path component, for example `schedstat`.
    public let file: String
    /// The field that is missing or not of its kind, named as in proc(5).
    public let field: String

    /// `field` of `file` could not be read.
    public init(file: String, field: String) {
        self.file = file
        self.field = field
    }

    public var description: String {
        "/proc file \(file) has no readable field \(field): "
            + "it was cut short, or this kernel writes it differently"
    }
}
