import Glibc

/// A program that never outlives whoever started it: it is killed when this object goes, and when
/// the tests themselves are killed.
///
/// Not Foundation's Process, which waits for more than the program's end, and not PR_SET_PDEATHSIG,
/// which kills when the *thread* that started the program ends.
final class ChildProcess {
    let processID: pid_t
    /// Kills the program when the tests are no more: it waits for the end of a socket that ends
    /// with them.
    private let watchdog: pid_t
    private let lifeline: Int32
    private var isReaped = false

    /// Starts a program.
    ///
    /// - Parameters:
    ///   - arguments: the program, looked for in PATH, and its arguments.
    ///   - descriptors: which of our descriptors it finds as its 0, 1, 2 and so on; all others are
    ///     closed there.
    ///   - folder: goes with the program when the tests are killed.
    init(_ arguments: [String], descriptors: [Int32], folder: String) throws {
        let ends = try UnixSocket.pair()
        defer { close(ends.theirs) }
        do {
            processID = try Self.spawn(arguments, descriptors: descriptors)
        } catch {
            close(ends.ours)
            throw error
        }
        lifeline = ends.ours
        let script = "read -r _; kill -9 \"$1\"; rm -rf \"$2\""
        do {
            watchdog = try Self.spawn(
                ["sh", "-c", script, "sh", String(processID), folder], descriptors: [ends.theirs])
        } catch {
            kill(processID, SIGKILL)
            Self.reap(processID)
            close(ends.ours)
            throw error
        }
    }

    deinit {
        stop()
    }

    /// Kills it, if it still runs, and waits until it is gone.
    func stop() {
        if isReaped { return }
        isReaped = true
        // The watchdog first: a process's number is free for others once it is reaped.
        kill(watchdog, SIGKILL)
        Self.reap(watchdog)
        kill(processID, SIGKILL)
        Self.reap(processID)
        close(lifeline)
    }

    /// Waits for its own end: what it exited with, 128 more than the signal where one killed it.
    func wait() -> Int32 {
        precondition(!isReaped, "its end is told once")
        isReaped = true
        // While the watchdog lives it may kill by number: it goes before the number is free.
        kill(watchdog, SIGKILL)
        Self.reap(watchdog)
        let status = Self.reap(processID)
        close(lifeline)
        return status & 0x7F == 0 ? status >> 8 & 0xFF : 128 + status & 0x7F
    }

    /// Runs a program to its end; throws unless it exits with 0.
    static func run(_ arguments: [String]) throws {
        let status = reap(try spawn(arguments, descriptors: [0, 1, 2]))
        guard status == 0 else {
            throw HarnessError("\(arguments.joined(separator: " ")): ended with status \(status)")
        }
    }

    /// Waits until a process is gone: what waitpid(2) says of its end.
    @discardableResult
    private static func reap(_ processID: pid_t) -> Int32 {
        var status: Int32 = 0
        while unsafe waitpid(processID, &status, 0) < 0, errno == EINTR {}
        return status
    }

    // SAFETY: what is handed to posix_spawn lives until it has returned: actions, attributes and
    // the copies of the arguments, which end with nil and are freed on leaving.
    private static func spawn(_ arguments: [String], descriptors: [Int32]) throws -> pid_t {
        var actions = unsafe posix_spawn_file_actions_t()
        unsafe posix_spawn_file_actions_init(&actions)
        defer { unsafe posix_spawn_file_actions_destroy(&actions) }
        // By way of numbers that neither side uses, since the two sets may overlap.
        let aside: Int32 = 700
        for (index, descriptor) in descriptors.enumerated() {
            unsafe posix_spawn_file_actions_adddup2(&actions, descriptor, aside + Int32(index))
        }
        for index in descriptors.indices {
            let index = Int32(index)
            unsafe posix_spawn_file_actions_adddup2(&actions, aside + index, index)
        }
        // Closing what is not open is no error here.
        for descriptor in descriptors.count..<1024 {
            unsafe posix_spawn_file_actions_addclose(&actions, Int32(descriptor))
        }

        // Signals as a program started by a shell finds them.
        var attributes = posix_spawnattr_t()
        unsafe posix_spawnattr_init(&attributes)
        defer { unsafe posix_spawnattr_destroy(&attributes) }
        var none = sigset_t()
        unsafe sigemptyset(&none)
        unsafe posix_spawnattr_setsigmask(&attributes, &none)
        unsafe posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK))

        let texts = unsafe arguments.map { unsafe strdup($0) } + [nil]
        defer { unsafe texts.forEach { unsafe free($0) } }
        var processID: pid_t = 0
        let code = unsafe posix_spawnp(
            &processID, texts[0]!, &actions, &attributes, texts, environ)
        guard code == 0 else { throw HarnessError.systemCall("start", arguments[0], code: code) }
        return processID
    }
}
