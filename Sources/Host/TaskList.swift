public import Kernel
internal import ProcFS

/// Lists the names in a directory; `directoryEntries` outside of tests.
public typealias DirectoryLister = @Sendable (_ path: String) throws(KernelError) -> [String]

/// The names in the directory at `path` of this host.
@Sendable public func listDirectory(_ path: String) throws(KernelError) -> [String] {
    try directoryEntries(path)
}

/// The threads of a process, kept up to date as they come and go.
///
/// Cost of an update: one directory listing, and one file for each thread not seen before.
public struct TaskList: Sendable {
    /// A thread and what it calls itself.
    public struct Task: Sendable, Equatable {
        public var tid: Int
        /// /proc/PID/task/TID/stat, `comm`; fit for a screen.
        public var name: String
        /// When it started, clock ticks since boot: tells it from an older one of the same id.
        public var startTime: UInt64
    }

    private let directory: String
    private let open: TextFileOpener
    private let list: DirectoryLister
    private var buffer = [UInt8](repeating: 0, count: 1024)
    /// By ascending id.
    public private(set) var tasks: [Task] = []

    /// The threads of process `pid`, none read yet.
    public init(
        pid: Int, open: @escaping TextFileOpener = openTextFile,
        list: @escaping DirectoryLister = listDirectory
    ) {
        directory = "/proc/\(pid)/task"
        self.open = open
        self.list = list
    }

    /// Reads which threads there are; returns whether any came or went. Throws ENOENT once the
    /// process has ended.
    ///
    /// Threads rename themselves right after they start, so one is asked for its name until it was
    /// seen in two updates.
    public mutating func update() throws(KernelError) -> Bool {
        let tids = try list(directory).compactMap { Int($0) }.sorted()
        let known = Dictionary(tasks.map { ($0.tid, $0) }, uniquingKeysWith: { first, _ in first })
        var fresh: [Task] = []
        for tid in tids {
            if let task = known[tid], settled.contains(tid) {
                fresh.append(task)
            } else if let task = read(tid) {
                if known[tid] == task { settled.insert(tid) }
                fresh.append(task)
            }
        }
        settled.formIntersection(tids)
        defer { tasks = fresh }
        return fresh != tasks
    }

    /// Threads whose name was the same twice.
    private var settled: Set<Int> = []

    /// `nil` for a thread that has ended meanwhile.
    private mutating func read(_ tid: Int) -> Task? {
        guard let file = try? open("\(directory)/\(tid)/stat"),
            let count = try? file.read(into: &buffer),
            let stat = try? ThreadStat(buffer.span.extracting(first: min(count, buffer.count)))
        else { return nil }
        return Task(tid: tid, name: stat.name, startTime: stat.startTime)
    }
}
