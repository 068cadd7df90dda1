/// A fixed number of values that cannot be copied, each at an address of its own: what an `Array`
/// of boxes would be, without a reference count or an exclusivity check at each visit. One thread
/// owns it and visits one element at a time.
@safe
struct OwnedArray<Element: ~Copyable>: ~Copyable {
    private let start: UnsafeMutablePointer<Element>
    let count: Int

    /// `count` elements made by `make`, which is given each one's index.
    init(count: Int, _ make: (Int) -> Element) {
        precondition(count >= 0)
        self.count = count
        // SAFETY: owned by this non-copyable value alone, freed in `deinit`; `subscript` checks.
        unsafe start = .allocate(capacity: max(1, count))
        for index in 0..<count { unsafe (start + index).initialize(to: make(index)) }
    }

    /// Just `element`.
    init(only element: consuming Element) {
        count = 1
        // SAFETY: as above.
        unsafe start = .allocate(capacity: 1)
        unsafe start.initialize(to: element)
    }

    deinit {
        unsafe start.deinitialize(count: count)
        unsafe start.deallocate()
    }

    /// The element at `index`, in `0..<count`.
    subscript(index: Int) -> Element {
        @inline(__always)
        _read {
            precondition(index >= 0 && index < count)
            yield unsafe start[index]
        }
        @inline(__always)
        nonmutating _modify {
            precondition(index >= 0 && index < count)
            yield &(unsafe start[index])
        }
    }
}
