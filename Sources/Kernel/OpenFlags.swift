private import CKernel

/// Flags of open(2) as /proc/PID/fdinfo shows them: their numbers depend on the architecture.
public enum OpenFlags {
    /// `O_DIRECT`: I/O goes past the host's page cache.
    public static let direct: UInt64 = ck_direct_flag()
}
