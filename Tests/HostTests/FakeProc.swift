import Host
import Kernel
import Synchronization
import SystemPackage

/// A /proc of the test's own making: texts by path, and errors where a path has none.
final class FakeProc: Sendable {
    private struct Contents {
        var texts: [String: String] = [:]
        var openCounts: [String: Int] = [:]
        var refused: [String: Errno] = [:]
    }
    private let contents = Mutex(Contents())

    /// How the rooms under test open files here.
    var opener: TextFileOpener {
        { path throws(KernelError) in try self.open(path) }
    }

    subscript(path: String) -> String? {
        get { contents.withLock { $0.texts[path] } }
        set { contents.withLock { $0.texts[path] = newValue } }
    }

    /// How often `path` was opened.
    func openCount(_ path: String) -> Int { contents.withLock { $0.openCounts[path] ?? 0 } }

    /// Opening `path` fails from now on.
    func refuse(_ path: String, _ errno: Errno) {
        contents.withLock { $0.refused[path] = errno }
    }

    private func open(_ path: String) throws(KernelError) -> any TextFile {
        let failure: Errno? = contents.withLock {
            $0.openCounts[path, default: 0] += 1
            return $0.refused[path] ?? ($0.texts[path] == nil ? .noSuchFileOrDirectory : nil)
        }
        if let failure {
            throw KernelError("open", path, failure, remedy: "as told")
        }
        return File(path: path, proc: self)
    }

    /// An open file: it follows what the path holds, and is gone when the path is.
    private final class File: TextFile {
        let path: String
        let proc: FakeProc

        init(path: String, proc: FakeProc) {
            self.path = path
            self.proc = proc
        }

        func read(into buffer: inout [UInt8]) throws(KernelError) -> Int {
            guard let text = proc[path] else {
                throw KernelError("read", path, .noSuchProcess)
            }
            let bytes = Array(text.utf8.prefix(buffer.count))
            buffer.replaceSubrange(0..<bytes.count, with: bytes)
            return bytes.count
        }
    }
}

extension FakeProc {
    /// All four files of thread `tid` of process 1.
    func setThread(
        _ tid: Int, runTime: UInt64 = 0, delay: UInt64 = 0, voluntary: UInt64 = 0,
        involuntary: UInt64 = 0, migrations: UInt64 = 0, cpu: Int = 0, start: UInt64 = 7
    ) {
        let directory = "/proc/1/task/\(tid)/"
        let unused = { (count: Int) in String(repeating: "0 ", count: count) }
        self[directory + "schedstat"] = "\(runTime) \(delay) 1\n"
        self[directory + "stat"] =
            "\(tid) (thread \(tid)) S \(unused(18))\(start) \(unused(16))\(cpu) 0\n"
        self[directory + "status"] =
            "Name:\tthread \(tid)\nvoluntary_ctxt_switches:\t\(voluntary)\n"
            + "nonvoluntary_ctxt_switches:\t\(involuntary)\n"
        self[directory + "sched"] = "thread (1)\n-----\nse.nr_migrations   :   \(migrations)\n"
    }

    /// Thread `tid` ends: its open files and its paths are gone.
    func endThread(_ tid: Int) {
        for name in ["stat", "schedstat", "status", "sched"] {
            self["/proc/1/task/\(tid)/\(name)"] = nil
        }
    }
}
