private import Glibc

/// What a program needs to know of, and may change in, its own process.
public enum Process {
    /// This process's id.
    public static var id: Int { Int(getpid()) }

    /// Makes a write to a pipe that nobody reads fail with EPIPE, and one beyond the limit of file
    /// sizes with EFBIG, instead of ending the process.
    public static func ignoreWriteSignals() {
        _ = signal(SIGPIPE, SIG_IGN)
        _ = signal(SIGXFSZ, SIG_IGN)
    }

    /// Raises this process's limit of open files as far as it may: a thousand LUNs take several
    /// thousand descriptors, and the usual limit is 1024.
    public static func raiseOpenFileLimit() {
        var limit = rlimit()
        // SAFETY: both calls get a value on the stack.
        guard unsafe getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else {
            return
        }
        limit.rlim_cur = limit.rlim_max
        _ = unsafe setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    }

    /// The path of the running program (/proc/self/exe), `nil` where /proc is not mounted.
    public static var executablePath: String? {
        var bytes = [CChar](repeating: 0, count: Int(PATH_MAX))
        // SAFETY: readlink writes at most the bytes it is told there are.
        let count = unsafe bytes.withUnsafeMutableBufferPointer {
            unsafe readlink("/proc/self/exe", $0.baseAddress!, $0.count - 1)
        }
        guard count > 0 else { return nil }
        return String(decoding: bytes[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// The value of an environment variable.
    public static func environment(_ name: String) -> String? {
        // SAFETY: copied out at once; nothing here changes the environment.
        unsafe getenv(name).map { unsafe String(cString: $0) }
    }

    /// Whether standard output is a terminal.
    public static var outputIsTerminal: Bool { isatty(1) == 1 }

    /// Whether standard error is a terminal.
    public static var errorIsTerminal: Bool { isatty(2) == 1 }

    /// Whether the locale of the environment is one of UTF-8 (LC_ALL, LC_CTYPE, LANG, the first
    /// that is set).
    public static var showsUnicode: Bool {
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"].lazy
            .compactMap { environment($0) }.first { !$0.isEmpty }
        let name = locale?.lowercased() ?? ""
        return name.contains("utf-8") || name.contains("utf8")
    }
}
