/// A fixed number of values at a fixed address, allocated once: the hot path's tables.
///
/// Every access is checked against `count`; an index that comes from outside must have been
/// validated before, as a failed check is a trap.
@safe
public struct FixedArray<Element: BitwiseCopyable>: ~Copyable {
    @usableFromInline let start: UnsafeMutablePointer<Element>
    public let count: Int

    /// `count` copies of `value`.
    public init(repeating value: Element, count: Int) {
        precondition(count >= 0)
        // SAFETY: owned by this non-copyable value alone, freed in `deinit`; `subscript` checks.
        unsafe start = .allocate(capacity: max(1, count))
        unsafe start.initialize(repeating: value, count: count)
        self.count = count
    }

    deinit { unsafe start.deallocate() }

    /// The element at `index`, in `0..<count`.
    @inlinable
    public subscript(index: Int) -> Element {
        _read {
            precondition(index >= 0 && index < count)
            yield unsafe start[index]
        }
        nonmutating _modify {
            precondition(index >= 0 && index < count)
            yield &(unsafe start[index])
        }
    }

    /// The address of the element at `index`, for what the kernel reads or other threads see.
    @inlinable
    public func address(of index: Int) -> UInt {
        precondition(index >= 0 && index < count)
        return UInt(bitPattern: unsafe start + index)
    }
}
