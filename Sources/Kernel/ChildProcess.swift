private import Glibc
private import SystemPackage

/// A program that was started and whose output is read: standard input and error are /dev/null. It
/// is ended with this value, and never left behind.
public struct ChildProcess: ~Copyable {
    /// The pipe its standard output comes by, to poll for readability.
    public let output: Int32
    private let pid: pid_t
    private var isReaped = false

    /// Starts `program`, looked for in PATH, with `arguments` after its name. It has a process
    /// group of its own, so that Ctrl-C on the terminal is for this process alone to act on, and no
    /// signal blocked. Throws ENOENT where there is no such program, EACCES, EAGAIN, …
    public init(_ program: String, _ arguments: [String]) throws(KernelError) {
        var ends: [CInt] = [-1, -1]
        // SAFETY: pipe writes two descriptors, for which there is room.
        guard unsafe pipe(&ends) == 0 else {
            throw KernelError("create a pipe for", program, currentErrno())
        }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        defer { close(ends[1]) }
        do throws(KernelError) {
            pid = try Self.spawn(program, arguments, output: ends[1])
        } catch {
            close(ends[0])
            throw error
        }
        output = ends[0]
    }

    private static func spawn(
        _ program: String, _ arguments: [String], output: CInt
    ) throws(KernelError) -> pid_t {
        var actions = unsafe posix_spawn_file_actions_t()
        var attributes = posix_spawnattr_t()
        var none = sigset_t()
        var pid = pid_t()
        // SAFETY: actions, attributes and the set are initialised here before their use and live on
        // the stack until after it; the copies of the arguments are freed when the call is over.
        unsafe posix_spawn_file_actions_init(&actions)
        defer { unsafe posix_spawn_file_actions_destroy(&actions) }
        unsafe posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        unsafe posix_spawn_file_actions_adddup2(&actions, output, 1)
        unsafe posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0)
        unsafe posix_spawnattr_init(&attributes)
        defer { unsafe posix_spawnattr_destroy(&attributes) }
        unsafe sigemptyset(&none)
        unsafe posix_spawnattr_setsigmask(&attributes, &none)
        unsafe posix_spawnattr_setpgroup(&attributes, 0)
        unsafe posix_spawnattr_setflags(
            &attributes, Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP))
        var words = unsafe ([program] + arguments).map { unsafe strdup($0) } + [nil]
        defer { unsafe words.forEach { unsafe free($0) } }
        let error = unsafe posix_spawnp(&pid, program, &actions, &attributes, &words, environ)
        guard error == 0 else { throw KernelError("run", program, Errno(rawValue: error)) }
        return pid
    }

    /// Asks it to end (SIGTERM); what it still says can be read.
    public func terminate() { kill(pid, SIGTERM) }

    /// The next bytes of its output, after it was readable; empty at the end. Throws EIO, …
    public func read() throws(KernelError) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: 16_384)
        while true {
            // SAFETY: the kernel writes at most as many bytes as the array has.
            let count = unsafe Glibc.read(output, &bytes, bytes.count)
            if count >= 0 { return Array(bytes.prefix(count)) }
            let errno = currentErrno()
            if errno != .interrupted {
                throw KernelError("read the output of a program", nil, errno)
            }
        }
    }

    /// Waits for its end, which its output's end announces: its exit status, or 128 and the number
    /// of the signal that ended it.
    public mutating func wait() -> Int32 {
        isReaped = true
        return Self.reap(pid)
    }

    private static func reap(_ pid: pid_t) -> Int32 {
        var status: CInt = 0
        // SAFETY: waitpid writes to a value on the stack.
        while unsafe waitpid(pid, &status, 0) < 0 {
            if currentErrno() != .interrupted { return 127 }
        }
        return status & 0x7F == 0 ? status >> 8 & 0xFF : 128 + status & 0x7F
    }

    deinit {
        close(output)
        guard !isReaped else { return }
        kill(pid, SIGKILL)
        _ = Self.reap(pid)
    }
}
