private import Synchronization

/// The first thing that went wrong, in words: what came later mostly follows from it.
public final class FirstFault: Sendable {
    private let text = Mutex<String?>(nil)
    private let isThere = Atomic(false)

    /// Nothing has gone wrong yet.
    public init() {}

    /// What went wrong first; `nil` if nothing has.
    public var description: String? { text.withLock { $0 } }

    /// Takes note of `fault` if nothing is noted yet; after that this costs a load.
    public func note(_ fault: @autoclosure () -> String) {
        guard !isThere.load(ordering: .acquiring) else { return }
        text.withLock { if $0 == nil { $0 = fault() } }
        isThere.store(true, ordering: .releasing)
    }
}
