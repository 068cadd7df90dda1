private import CKernel
private import Glibc
public import SystemPackage

/// The file or block device that holds a LUN's data, open past the host's page cache (O_DIRECT) or
/// through it.
public final class BackingFile: Sendable {
    public let descriptor: CInt
    public let byteCount: Int64
    /// What to call it on screen.
    public let name: String
    public let isReadOnly: Bool
    /// Whether it is open with O_DIRECT.
    public let isDirect: Bool
    /// Whether it reads as zeroes where nothing was written since it was opened.
    public let isBlank: Bool
    /// Whether its data are in memory alone (tmpfs), and no disk waits for requests.
    public let isInMemory: Bool
    /// Why requests to it began to fail.
    public let fault = FirstFault()

    /// Creates a preallocated file of `byteCount` bytes in `directory` that never has a name: the
    /// kernel frees it when this process ends, however it ends.
    public init(
        unnamedIn directory: String, byteCount: Int64, isDirect: Bool = true
    ) throws(KernelError) {
        descriptor = try Self.openUnnamed(in: directory, isDirect: isDirect)
        self.isDirect = isDirect
        self.byteCount = byteCount
        name = "\(directory) (unnamed)"
        isInMemory = ck_is_in_memory(descriptor) != 0
        isReadOnly = false
        isBlank = true
        // Asked before it is taken: ext4 would fill the disk up before it found that it is too
        // small.
        if let free = BackingDirectory.freeBytes(in: directory), free < byteCount {
            throw Self.cannotPreallocate(byteCount, in: directory, .noSpace)
        }
        guard ck_preallocate(descriptor, byteCount) == 0 else {
            throw Self.cannotPreallocate(byteCount, in: directory, currentErrno())
        }
    }

    private static func cannotPreallocate(
        _ byteCount: Int64, in directory: String, _ errno: Errno
    ) -> KernelError {
        KernelError(
            "preallocate \(byteCount >> 20) MiB in", directory, errno,
            remedy: errno == .noSpace
                ? "use fewer or smaller LUNs (--luns, --lun-size) or another --backing-dir"
                : "use another --backing-dir")
    }

    /// Opens an existing file or block device.
    public init(
        opening path: String, readOnly: Bool, isDirect: Bool = true
    ) throws(KernelError) {
        descriptor = unsafe ck_open_backing(path, readOnly ? 0 : 1, isDirect ? 1 : 0)
        guard descriptor >= 0 else {
            let errno = currentErrno()
            throw KernelError(
                "open", path, errno,
                remedy: isDirect && errno == .invalidArgument
                    ? "its file system has no O_DIRECT; use a file on ext4, xfs or tmpfs" : nil)
        }
        self.isDirect = isDirect
        name = path
        isInMemory = ck_is_in_memory(descriptor) != 0
        isReadOnly = readOnly
        isBlank = false
        var device: UInt64 = 0
        var information = stat()
        // SAFETY: both calls fill a value on the stack.
        if unsafe fstat(descriptor, &information) == 0,
            information.st_mode & S_IFMT == S_IFREG
        {
            byteCount = Int64(information.st_size)
        } else if unsafe ck_block_device_size(descriptor, &device) == 0 {
            byteCount = Int64(clamping: device)
        } else {
            close(descriptor)
            throw KernelError(
                "use", path, .invalidArgument, remedy: "it is neither a file nor a block device")
        }
    }

    deinit { close(descriptor) }

    /// O_TMPFILE where the file system has it, else a file in a private directory, unlinked at
    /// once.
    fileprivate static func openUnnamed(
        in directory: String, isDirect: Bool
    ) throws(KernelError) -> CInt {
        let unnamed = unsafe ck_open_unnamed(directory, isDirect ? 1 : 0)
        if unnamed >= 0 { return unnamed }
        let errno = currentErrno()
        guard errno == .notSupported || errno == .isDirectory || errno == .invalidArgument else {
            throw KernelError(
                "create a backing file in", directory, errno,
                remedy: "choose a directory you can write to with --backing-dir")
        }
        let descriptor = unsafe ck_open_unlinked(directory)
        guard descriptor >= 0 else {
            throw KernelError(
                "create a backing file in", directory, currentErrno(),
                remedy: "choose a directory you can write to with --backing-dir")
        }
        guard !isDirect || ck_set_direct(descriptor) == 0 else {
            close(descriptor)
            throw KernelError(
                "use O_DIRECT in", directory, .invalidArgument,
                remedy: "choose a directory on ext4, xfs, btrfs or tmpfs (Linux 6.6 or later) "
                    + "with --backing-dir, or `--backend memory`")
        }
        return descriptor
    }

    /// Makes `byteCount` bytes from `offset` read as zeroes, giving the space back if `deallocate`.
    /// Returns nil, or the error; `notSupported` where the file system cannot.
    public func zero(offset: Int64, byteCount: Int64, deallocate: Bool) -> Errno? {
        let result =
            deallocate
            ? ck_punch_hole(descriptor, offset, byteCount)
            : ck_zero_range(descriptor, offset, byteCount)
        return result == 0 ? nil : currentErrno()
    }

    /// Waits until all completed writes are stable.
    public func dataSync() -> Errno? { fdatasync(descriptor) == 0 ? nil : currentErrno() }
}

/// What a directory offers for backing files.
public struct BackingDirectory: Sendable {
    /// Bytes an ordinary user can still write, `nil` if the directory cannot be examined.
    public static func freeBytes(in path: String) -> Int64? {
        let bytes = unsafe ck_free_bytes(path)
        return bytes < 0 ? nil : bytes
    }

    /// Whether `path` is on a tmpfs.
    public static func isTmpfs(_ path: String) -> Bool { unsafe ck_is_tmpfs(path) != 0 }

    /// Whether files in `path` can be opened with O_DIRECT.
    public static func takesDirectIO(_ path: String) -> Bool {
        guard let descriptor = try? BackingFile.openUnnamed(in: path, isDirect: true)
        else { return false }
        close(descriptor)
        return true
    }
}
