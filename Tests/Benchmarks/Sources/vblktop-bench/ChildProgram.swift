import CBench
import Foundation
import Glibc

/// A program without a terminal, and what it took.
struct ChildProgram {
    let process: pid_t

    /// What a program took from its start to its end.
    struct Effort {
        var seconds = 0.0
        /// User and system time of all its threads.
        var cpuSeconds = 0.0
        /// The most resident memory seen, MB of 10⁶ bytes (VmHWM, looked at every few ms).
        var peakMegabytes = 0.0
        var status: CInt = 0
    }

    /// Starts `command`, its first part a path, with its output in the file `output`.
    init?(_ command: [String], output: String = "/dev/null") {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_addopen(&actions, 1, output, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
        posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0)
        var arguments = command.map { strdup($0) } + [nil]
        defer { for argument in arguments { free(argument) } }
        var process: pid_t = 0
        guard posix_spawn(&process, command[0], &actions, nil, &arguments, environ) == 0 else {
            return nil
        }
        self.process = process
    }

    /// Waits for its end.
    func wait() -> Effort {
        let begin = cb_now()
        var (effort, usage, status) = (Effort(), rusage(), CInt(0))
        while true {
            // rusage has the peak of whoever started it too: its own is in /proc while it lives.
            effort.peakMegabytes = max(effort.peakMegabytes, peak)
            if wait4(process, &status, WNOHANG, &usage) != 0 { break }
            usleep(2000)
        }
        effort.seconds = Double(cb_now() - begin) / 1e9
        effort.cpuSeconds = usage.ru_utime.seconds + usage.ru_stime.seconds
        effort.status = status
        return effort
    }

    /// Ends it at once, as `kill -9` does.
    func kill() {
        Glibc.kill(process, SIGKILL)
        var status: CInt = 0
        waitpid(process, &status, 0)
    }

    private var peak: Double {
        let text = (try? String(contentsOfFile: "/proc/\(process)/status", encoding: .utf8)) ?? ""
        let line = text.split(separator: "\n").first { $0.hasPrefix("VmHWM:") }
        let words = line?.split { $0 == " " || $0 == "\t" } ?? []
        return words.count > 1 ? (Double(words[1]) ?? 0) * 1024 / 1e6 : 0
    }

    /// Runs `command` to its end; `nil` if it cannot be started or ends with an error.
    static func run(_ command: [String], output: String = "/dev/null") -> Effort? {
        guard let effort = ChildProgram(command, output: output)?.wait(), effort.status == 0 else {
            return nil
        }
        return effort
    }
}

extension timeval {
    fileprivate var seconds: Double { Double(tv_sec) + Double(tv_usec) / 1e6 }
}

/// A folder of its own for recordings, removed with all that is in it.
final class RecordingFolder {
    let path: String

    init(_ options: Options) throws {
        path = "\(options.diskDirectory)/vblktop-bench-recordings-\(getpid())"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    func file(_ name: String) -> String { "\(path)/\(name)" }

    func remove(_ name: String) { try? FileManager.default.removeItem(atPath: file(name)) }

    /// Bytes of the file `name` and of all whose names begin so; 0 if there is none.
    func bytes(_ name: String) -> Int {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []
        return names.filter { $0.hasPrefix(name) }.reduce(0) { $0 + fileSize(file($1)) }
    }
}

/// Bytes of a file; 0 if there is none.
func fileSize(_ path: String) -> Int {
    var status = stat()
    return stat(path, &status) == 0 ? Int(status.st_size) : 0
}

extension Readings {
    /// The value below which `share` of the readings lie; NaN of none.
    func quantile(_ share: Double) -> Double {
        let sorted = values.sorted()
        guard !sorted.isEmpty else { return .nan }
        return sorted[min(sorted.count - 1, Int(share * Double(sorted.count)))]
    }
}
