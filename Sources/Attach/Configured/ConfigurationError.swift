/// Why a text is no configuration of a VM that QEMU could start.
public struct ConfigurationError: Error, Sendable, Equatable, CustomStringConvertible {
    /// Line of the text, from 1; `nil` where no single one is to blame.
    public var line: Int?
    /// What is wrong and what would be right. Fit for a screen.
    public var reason: String

    init(_ reason: String, line: Int? = nil) {
        self.line = line
        self.reason = reason
    }

    public var description: String { (line.map { "line \($0): " } ?? "") + reason }
}
