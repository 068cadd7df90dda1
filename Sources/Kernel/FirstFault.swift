/// The first thing that went wrong, in words: what came later mostly follows from it.
public final class FirstFault: Sendable {
    private let text = Lock<String?>(nil)

    /// Nothing has gone wrong yet.
    public init() {}

    /// What went wrong first; `nil` if nothing has.
    public var description: String? { text.withLock { $0 } }

    /// Takes note of `fault` if nothing is noted yet, and else does not put it into words.
    public func note(_ fault: @autoclosure () -> String) {
        text.withLock { if $0 == nil { $0 = fault() } }
    }
}
