/// What is wrong with a probe file.
public struct ProbeFileError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The file as it was found, or its name.
    public var file: String
    /// 1-based, `nil` where not known.
    public var line: Int?
    /// The key it is about, for example `column.fold`.
    public var key: String?
    /// What is wrong, and what would be right.
    public var problem: String

    /// `problem` in `file`.
    public init(file: String, line: Int? = nil, key: String? = nil, problem: String) {
        self.file = file
        self.line = line
        self.key = key
        self.problem = problem
    }

    public var description: String {
        "probe \(file)" + (line.map { ", line \($0)" } ?? "") + ": " + (key.map { $0 + ": " } ?? "")
            + problem
    }
}
