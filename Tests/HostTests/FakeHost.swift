import Host
import Kernel
import Synchronization
import SystemPackage

/// A host of the test's own making: the texts of a `FakeProc`, with directories, links and what
/// stat(2) says beside them.
final class FakeHost: Sendable {
    private struct Contents {
        var directories: [String: [String]] = [:]
        var links: [String: String] = [:]
        var statuses: [String: FileStatus] = [:]
        var listCounts: [String: Int] = [:]
    }
    let proc = FakeProc()
    private let contents = Mutex(Contents())

    /// How the room under test looks at this host.
    var files: HostFiles {
        HostFiles(
            open: proc.opener,
            list: { path throws(KernelError) in
                let names = self.contents.withLock {
                    $0.listCounts[path, default: 0] += 1
                    return $0.directories[path]
                }
                return try Self.found(names, "list", path)
            },
            link: { path throws(KernelError) in
                try Self.found(self.contents.withLock { $0.links[path] }, "read the link", path)
            },
            status: { path throws(KernelError) in
                try Self.found(self.contents.withLock { $0.statuses[path] }, "look at", path)
            })
    }

    private static func found<Value>(
        _ value: Value?, _ attempt: String, _ path: String
    ) throws(KernelError) -> Value {
        guard let value else { throw KernelError(attempt, path, .noSuchFileOrDirectory) }
        return value
    }

    /// The names in the directory `path`.
    func setDirectory(_ path: String, _ names: [String]?) {
        contents.withLock { $0.directories[path] = names }
    }

    func setLink(_ path: String, to target: String?) {
        contents.withLock { $0.links[path] = target }
    }

    func setStatus(_ path: String, _ status: FileStatus?) {
        contents.withLock { $0.statuses[path] = status }
    }

    /// How often the directory `path` was listed.
    func listCount(_ path: String) -> Int { contents.withLock { $0.listCounts[path] ?? 0 } }
}
