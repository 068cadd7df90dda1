public import SystemPackage

/// A system call that failed: which, on what, why, and what to do next.
public struct KernelError: Error, Sendable, CustomStringConvertible {
    /// What was attempted, as a verb phrase: `create an AIO context`.
    public var attempt: String
    /// The path, device or number it was attempted on, if any.
    public var subject: String?
    public var errno: Errno
    /// The likely way out.
    public var remedy: String?

    /// An error of `attempt` on `subject`.
    public init(_ attempt: String, _ subject: String? = nil, _ errno: Errno, remedy: String? = nil)
    {
        self.attempt = attempt
        self.subject = subject
        self.errno = errno
        self.remedy = remedy
    }

    /// An error of `attempt`, of a shim that returned a negative errno.
    init(result: CInt, _ attempt: String) {
        self.init(attempt, nil, Errno(rawValue: -result))
    }

    public var description: String {
        "cannot \(attempt)" + (subject.map { " \($0)" } ?? "") + ": \(errno)"
            + (remedy.map { "; \($0)" } ?? "")
    }
}

/// The errno of the call that just failed; read it before anything else can change it.
func currentErrno() -> Errno { Errno(rawValue: lastErrno()) }
