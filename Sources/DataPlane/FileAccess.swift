/// How a LUN's file is read and written.
public struct FileAccess: Sendable, Equatable {
    /// How requests are kept under way.
    public var model: IOModel
    /// What is cached, and what is stable when.
    public var cache: CacheMode
    /// How the disk stands in the file.
    public var format: ImageFormat

    /// Linux AIO past the page cache, as the deck has it, unless told otherwise.
    public init(
        model: IOModel = .aio, cache: CacheMode = .none, format: ImageFormat = .raw
    ) {
        self.model = model
        self.cache = cache
        self.format = format
    }

    /// What is wrong with the combination and what to use instead, or nil.
    ///
    /// QEMU refuses aio=native without cache.direct=on for the same reason.
    public var fault: String? {
        guard model == .aio, !cache.isDirect else { return nil }
        return "Linux AIO waits for the disk in each call where the page cache takes part (cache "
            + "\(cache.rawValue)); use --aio threads or --aio io_uring, or --cache none or "
            + "directsync"
    }
}

/// How requests to a file are kept under way.
public enum IOModel: String, Sendable, CaseIterable {
    /// Linux AIO (`AIOContext`), QEMU's aio=native. Only past the page cache.
    case aio
    /// A few threads that each do one request at a time (`WorkerPool`), QEMU's aio=threads.
    case threads
    /// io_uring (`UringContext`), QEMU's aio=io_uring.
    case ioUring = "io_uring"

    /// What QEMU's option `aio=` calls it.
    public var nameInQEMU: String { self == .aio ? "native" : rawValue }

    /// The model to use with `cache` where nobody chose one: Linux AIO where it can do without
    /// waiting.
    public static func usual(with cache: CacheMode) -> Self {
        cache.isDirect ? .aio : .threads
    }
}

/// What is cached on the host, and when a guest's write is stable: there after a power cut. The
/// names are QEMU's.
///
///     mode          page cache   a write is stable            FLUSH
///     none          no           with the next FLUSH          fdatasync
///     writethrough  yes          when it completes            fdatasync, with nothing left to do
///     writeback     yes          with the next FLUSH          fdatasync
///     directsync    no           when it completes            fdatasync, with nothing left to do
///     unsafe        yes          when the host thinks it fit  answered at once
///
/// A FLUSH makes those writes stable that had completed when it was asked for (virtio 1.2 §5.2.6).
/// DISCARD and WRITE ZEROES count as writes.
public enum CacheMode: String, Sendable, CaseIterable {
    case none, writethrough, writeback, directsync, unsafe

    /// Whether transfers go past the host's page cache (O_DIRECT).
    public var isDirect: Bool { self == .none || self == .directsync }

    /// Whether a write completes only when it is stable (RWF_DSYNC).
    public var hasStableWrites: Bool { self == .writethrough || self == .directsync }

    /// Whether anything is ever made stable on the guest's demand.
    public var syncs: Bool { self != .unsafe }
}
