/// A statement that cannot be run.
public struct QueryError: Error, Equatable, CustomStringConvertible {
    /// What is wrong, in SQLite's words.
    public var reason: String
    /// What can be asked for instead: the tables.
    public var hint: String

    public var description: String { reason + ". " + hint }
}
