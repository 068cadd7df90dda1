internal import CLibraries

/// What of BPF could not be had: the attempt, the errno, and libbpf's or the verifier's words.
public struct BPFError: Error, Equatable, CustomStringConvertible {
    /// As a verb phrase: `load the programs`.
    public var attempt: String
    /// The errno, positive.
    public var errno: Int32
    /// What libbpf or the kernel's verifier said, if anything.
    public var words: String

    /// `attempt` ended with `errno`.
    public init(attempt: String, errno: Int32, words: String = "") {
        self.attempt = attempt
        self.errno = errno
        self.words = words
    }

    public var description: String {
        // SAFETY: the library's text is copied at once.
        let meaning = unsafe String(cString: cl_bpf_meaning(errno))
        return "cannot \(attempt): \(meaning)" + (words.isEmpty ? "" : " (\(words))")
    }
}

/// BPF programs and their maps: an object file, loaded into the kernel, which forgets them when the
/// last reference goes. One thread uses it.
///
/// Keys of maps are one number of 32 bits, values are words of 64 bits: how the programs of this
/// project are written.
@safe public final class BPFObject {
    // SAFETY: made in `init`, closed in `deinit`, used by this object alone.
    private let object: OpaquePointer

    /// The object file `bytes`; nothing is in the kernel yet.
    public init(_ bytes: [UInt8]) throws(BPFError) {
        var errno: Int32 = 0
        // SAFETY: the library copies the bytes while the array is borrowed.
        let made = unsafe bytes.withUnsafeBytes {
            unsafe cl_bpf_open($0.baseAddress, $0.count, &errno)
        }
        guard let made = unsafe made else { throw Self.error("read the programs", -errno) }
        unsafe object = made
    }

    deinit { unsafe cl_bpf_close(object) }

    /// How many arguments this kernel's tracepoint `name` has. Throws ENOENT for none of that name
    /// and for a kernel that does not tell its types (CONFIG_DEBUG_INFO_BTF).
    public static func argumentCount(ofTracepoint name: String) throws(BPFError) -> Int {
        Int(try check(unsafe cl_bpf_arguments(name), "find the tracepoint \(name)"))
    }

    /// CPUs that maps with a value for each have values of.
    public static func cpuCount() throws(BPFError) -> Int {
        Int(try check(cl_bpf_cpus(), "count the CPUs"))
    }

    // MARK: Before loading

    /// Leaves `program` out when loading.
    public func leaveOut(_ program: String) throws(BPFError) {
        try Self.check(unsafe cl_bpf_leave_out(object, program), "leave out \(program)")
    }

    /// Gives `map` room for `entries`, or a ring for so many bytes, a power of two.
    public func resize(_ map: String, to entries: Int) throws(BPFError) {
        try Self.check(
            unsafe cl_bpf_resize(object, map, UInt32(clamping: max(1, entries))), "resize \(map)")
    }

    /// Puts maps and programs into the kernel: EPERM without the right to.
    public func load() throws(BPFError) {
        try Self.check(unsafe cl_bpf_load(object), "load the programs")
    }

    // MARK: Once loaded

    /// Has `program` run from now on.
    public func attach(_ program: String) throws(BPFError) {
        try Self.check(unsafe cl_bpf_attach(object, program), "attach \(program)")
    }

    /// How often the kernel skipped `program`, because it would have interrupted itself; `nil`
    /// where the kernel does not tell (before Linux 5.12 it says 0).
    public func missed(_ program: String) -> UInt64? {
        UInt64(exactly: unsafe cl_bpf_missed(object, program))
    }

    /// A loaded map whose values are `words` words, and one for each CPU if it is `perCPU`. Throws
    /// EINVAL for a map that is another: the object file is not of this version.
    public func map(_ name: String, words: Int, perCPU: Bool = false) throws(BPFError) -> BPFMap {
        let descriptor = try Self.check(
            unsafe cl_bpf_map(object, name, UInt32(words * 8), perCPU ? 1 : 0),
            "find the map \(name)")
        return BPFMap(
            self, descriptor: descriptor, words: words, copies: perCPU ? try Self.cpuCount() : 1)
    }

    /// Takes up to `limit` records of `words` words each from the ring called `name`.
    public func drain(_ name: String, words: Int, limit: Int) throws(BPFError) -> [UInt64] {
        var result: Int32 = 0
        let found = unsafe [UInt64](unsafeUninitializedCapacity: words * limit) { room, count in
            // SAFETY: at most `limit` records of `words` words are written, which fit.
            result = unsafe cl_bpf_drain(
                object, name, room.baseAddress, words * 8, Int32(clamping: limit))
            count = Int(max(0, result)) * words
        }
        try Self.check(result, "read the ring")
        return found
    }

    @discardableResult
    fileprivate static func check(_ result: Int32, _ attempt: String) throws(BPFError) -> Int32 {
        guard result < 0 else { return result }
        throw error(attempt, result)
    }

    private static func error(_ attempt: String, _ result: Int32) -> BPFError {
        // SAFETY: the text is this thread's own, and copied at once.
        BPFError(
            attempt: attempt, errno: -result, words: unsafe String(cString: cl_bpf_complaint()))
    }
}

/// A map of a loaded object.
public struct BPFMap {
    /// Keeps the descriptor open.
    private let object: BPFObject
    private let descriptor: Int32
    /// Words of a value.
    public let words: Int
    /// Values of an entry: one, or one for each CPU.
    public let copies: Int

    fileprivate init(_ object: BPFObject, descriptor: Int32, words: Int, copies: Int) {
        self.object = object
        self.descriptor = descriptor
        self.words = words
        self.copies = copies
    }

    /// Adds up the values of all CPUs under `key` into `sum`, which gets `words` words; `scratch`
    /// is its paper. Throws ENOENT for a key that is not there.
    public func read(
        _ key: UInt32, into sum: inout [UInt64], scratch: inout [UInt64]
    ) throws(BPFError) {
        if scratch.count < words * copies {
            scratch = Array(repeating: 0, count: words * copies)
        }
        var key = key
        // SAFETY: the kernel writes one value of the map's own size for each copy, which the
        // scratch has room for; the programs' maps are declared with these sizes.
        let result = unsafe scratch.withUnsafeMutableBytes {
            unsafe cl_bpf_get(descriptor, &key, $0.baseAddress)
        }
        try BPFObject.check(result, "read a map")
        sum = Array(scratch[..<words])
        for copy in 1..<max(copies, 2) where copy < copies {
            for word in 0..<words { sum[word] &+= scratch[copy * words + word] }
        }
    }

    /// Puts `value`, one for every copy, under `key`.
    public func put(_ key: UInt32, _ value: [UInt64]) throws(BPFError) {
        precondition(value.count == words * copies)
        var key = key
        // SAFETY: the kernel reads one value for each copy, as many as the array has.
        let result = unsafe value.withUnsafeBytes {
            unsafe cl_bpf_put(descriptor, &key, $0.baseAddress)
        }
        try BPFObject.check(result, "write a map")
    }

    /// Takes `key` out, if it is there.
    public func remove(_ key: UInt32) {
        var key = key
        // SAFETY: the kernel reads the key's four bytes.
        _ = unsafe cl_bpf_remove(descriptor, &key)
    }
}
