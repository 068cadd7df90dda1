public import CKernel

/// 64-bit words that one thread writes and any thread reads, each whole and at no cost to the
/// writer.
///
/// This is the border between the data plane and the rest: counters, gauges, stamps and the trace
/// rings stand in such words. Accesses are relaxed unless their name says otherwise. Starts zeroed;
/// words that nobody touches take no memory.
public struct SharedWords: Sendable {
    @usableFromInline let base: UInt
    private let mapping: SharedMapping
    public let count: Int

    /// `count` words, all 0.
    public init(count: Int) throws(KernelError) {
        mapping = try SharedMapping(byteCount: max(1, count) * 8)
        base = mapping.address
        self.count = count
    }

    /// Groups of words in one piece of memory, of as many words each as `counts` says. Each begins
    /// a pair of cache lines, which is what a CPU fetches: groups may have different writers.
    public static func groups(_ counts: [Int]) throws(KernelError) -> [SharedWords] {
        let pairs = counts.map { (max(0, $0) + 15) / 16 }
        let mapping = try SharedMapping(byteCount: max(1, pairs.reduce(0, +)) * 128)
        var start = mapping.address
        return zip(counts, pairs).map { count, pairs in
            defer { start += UInt(pairs * 128) }
            return SharedWords(mapping: mapping, base: start, count: max(0, count))
        }
    }

    private init(mapping: SharedMapping, base: UInt, count: Int) {
        self.mapping = mapping
        self.base = base
        self.count = count
    }

    @inlinable
    func address(_ index: Int) -> UInt {
        precondition(index >= 0 && index < count)
        return base &+ UInt(index) &* 8
    }

    /// The word at `index`; only its one writer may assign.
    @inlinable
    public subscript(index: Int) -> UInt64 {
        get { ck_load64_relaxed(address(index)) }
        nonmutating set { ck_store64_relaxed(address(index), newValue) }
    }

    /// Adds to a word that the calling thread alone writes.
    @inlinable
    public func add(_ amount: UInt64, at index: Int) {
        ck_add64_single_writer(address(index), amount)
    }

    /// The word, and all that its writer wrote before it.
    @inlinable
    public func acquire(_ index: Int) -> UInt64 { ck_load64_acquire(address(index)) }

    /// Writes the word after all that was written before.
    @inlinable
    public func release(_ value: UInt64, at index: Int) {
        ck_store64_release(address(index), value)
    }

    /// A copy of a range of words.
    public func copy(_ range: Range<Int>) -> [UInt64] {
        precondition(range.lowerBound >= 0 && range.upperBound <= count)
        var result = [UInt64](repeating: 0, count: range.count)
        for index in 0..<range.count {
            result[index] = ck_load64_relaxed(base &+ UInt(range.lowerBound &+ index) &* 8)
        }
        return result
    }
}

/// Gives the CPU to another runnable thread, if there is one.
@inlinable
public func yieldProcessor() { ck_yield() }

/// Tells the core that this is a spin loop.
@inlinable
public func pauseProcessor() { ck_pause() }
