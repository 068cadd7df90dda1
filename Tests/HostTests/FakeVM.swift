import Host
import Kernel
import Synchronization
import SystemPackage
import Telemetry

/// A QEMU of the test's own making: process 1 of a `FakeHost`, with a main loop, an IOThread, two
/// vCPUs and what their files say.
final class FakeVM: Sendable {
    private struct State {
        var spaces: [String: FileSystemSpace] = [:]
        var layouts: [String: FileLayout] = [:]
        var layoutCounts: [String: Int] = [:]
        var refusedDirectories: Set<String> = []
    }
    let host = FakeHost()
    private let state = Mutex(State())

    /// How the room under test looks at this host.
    var files: HostFiles {
        var files = host.files
        let list = files.list
        files.list = { path throws(KernelError) in
            if self.state.withLock({ $0.refusedDirectories.contains(path) }) {
                throw KernelError("list", path, .permissionDenied)
            }
            return try list(path)
        }
        files.space = { path throws(KernelError) in
            guard let space = self.state.withLock({ $0.spaces[path] }) else {
                throw KernelError("ask for the room of", path, .ioError)
            }
            return space
        }
        files.layout = { path throws(KernelError) in
            let layout = self.state.withLock {
                $0.layoutCounts[path, default: 0] += 1
                return $0.layouts[path]
            }
            guard let layout else { throw KernelError("open", path, .permissionDenied) }
            return layout
        }
        return files
    }

    static let threads = [
        WatchedThread(tid: 1, role: .main, name: "main loop"),
        WatchedThread(tid: 2, role: .iothread, name: "IO io0"),
        WatchedThread(tid: 5, role: .vcpu, name: "CPU 1/KVM"),
        WatchedThread(tid: 6, role: .vcpu, name: "CPU 0/KVM"),
    ]

    init() {
        self["/proc/uptime"] = "10000.00 5.00\n"
        self["status"] = "Name:\tqemu\nVmLck:\t 0 kB\nVmSwap:\t 2048 kB\n"
        self["limits"] =
            "Max open files            1024    4096    files\n"
            + "Max locked memory         unlimited    unlimited    bytes\n"
        self["exe"] = "\u{7F}ELF\u{2}\u{1}"
        self["smaps_rollup"] = "1-2 [rollup]\nRss: 1024 kB\nAnonHugePages: 512 kB\n"
        self["maps"] = "1-2 rw-s 0 00:10 9  /[aio] (deleted)\n"
        self["mountinfo"] = "27 1 8:1 / /srv rw,noatime - ext4 /dev/sda1 rw,discard\n"
        self["cgroup"] = "0::/m.slice/q.scope\n"
        self["/proc/self/mountinfo"] = "30 1 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n"
        setThread(1, "qemu-system-x86")
        setThread(2, "IO io0")
        setThread(5, "CPU 1/KVM", cpus: "3")
        setThread(6, "CPU 0/KVM", cpus: "0-1")
        host.setDirectory("/proc/1/fd", [])
        host.setDirectory("/sys/devices/system/node", ["node0", "possible"])
        setDisk("sda", "8:0")
        host.setLink("/sys/dev/block/8:1", to: "../../devices/pci0/ata1/block/sda/sda1")
        self["/sys/dev/block/8:1/partition"] = "1\n"
        self["/sys/dev/block/8:1/start"] = "2048\n"
    }

    /// The text of a file; a name without a slash at its begin is one of the process's.
    subscript(path: String) -> String? {
        get { host.proc[path.hasPrefix("/") ? path : "/proc/1/\(path)"] }
        set { host.proc[path.hasPrefix("/") ? path : "/proc/1/\(path)"] = newValue }
    }

    func setThread(
        _ tid: Int, _ name: String, state: String = "S", place: String = "futex_do_wait",
        cpus: String = "0-3", majorFaults: Int = 0, runTime: UInt64 = 0
    ) {
        let unused = { (count: Int) in String(repeating: "0 ", count: count) }
        let stat =
            "\(tid) (\(name)) \(state) \(unused(8))\(majorFaults) \(unused(9))900000 "
            + "\(unused(16))0 0\n"
        self["task/\(tid)/stat"] = stat
        if tid == 1 { self["stat"] = stat }
        self["task/\(tid)/status"] = "Name:\t\(name)\nCpus_allowed_list:\t\(cpus)\n"
        self["task/\(tid)/wchan"] = place
        self["task/\(tid)/schedstat"] = "\(runTime) 0 1\n"
        self["task/\(tid)/cgroup"] = "0::/m.slice/q.scope\n"
    }

    /// A whole disk.
    func setDisk(_ name: String, _ number: String, madeOf slaves: [String] = []) {
        for link in ["/sys/dev/block/\(number)", "/sys/class/block/\(name)"] {
            host.setLink(link, to: "../../devices/virtual/block/\(name)")
            host.setDirectory("\(link)/slaves", slaves)
        }
        self["/sys/class/block/\(name)/dev"] = "\(number)\n"
    }

    /// The process has `path` open as `fd`, and nothing else but what it had.
    func open(
        _ fd: Int, _ path: String, _ status: FileStatus, flags: UInt64 = 0o2, mount: Int = 27
    ) {
        host.setLink("/proc/1/fd/\(fd)", to: path)
        host.setStatus("/proc/1/fd/\(fd)", status)
        self["fdinfo/\(fd)"] =
            "pos:\t0\nflags:\t0\(String(flags, radix: 8))\nmnt_id:\t\(mount)\nino:\t2\n"
        let known = (try? host.files.list("/proc/1/fd")) ?? []
        host.setDirectory("/proc/1/fd", known.filter { $0 != "\(fd)" } + ["\(fd)"])
    }

    /// A file on the partition sda1.
    static func file(inode: UInt64, size: Int64, allocated: Int64) -> FileStatus {
        FileStatus(
            kind: .regular, device: .init(major: 8, minor: 1), inode: inode, size: size,
            allocated: allocated)
    }

    func setSpace(_ path: String, _ space: FileSystemSpace) {
        state.withLock { $0.spaces[path] = space }
    }

    func setLayout(_ path: String, _ layout: FileLayout) {
        state.withLock { $0.layouts[path] = layout }
    }

    /// How often the layout of `path` was asked for.
    func layoutCount(_ path: String) -> Int { state.withLock { $0.layoutCounts[path] ?? 0 } }

    func refuseDirectory(_ path: String) {
        state.withLock { _ = $0.refusedDirectories.insert(path) }
    }
}

/// The facts of a `FakeVM`, second by second.
struct FactWatch {
    var facts: ProcessFacts
    var context: ProcessFacts.Context
    /// What was said last.
    private(set) var sheet = FactSheet()
    private(set) var second: UInt64 = 100
    /// Whether the last call had news.
    private(set) var hasNews = false

    init(_ vm: FakeVM, threads: [WatchedThread] = FakeVM.threads, files: [String: String] = [:]) {
        facts = ProcessFacts(pid: 1, files: vm.files)
        context = ProcessFacts.Context(
            threads: threads,
            disks: files.sorted { $0.key < $1.key }.map { .init(id: $0.key, file: $0.value) })
    }

    /// Calls once a second, `count` times.
    mutating func run(_ count: Int = 1) {
        for _ in 0..<count {
            let new = facts.update(context, now: second * 1_000_000_000)
            hasNews = new != nil
            if let new { sheet = FactSheet(new) }
            second += 1
        }
    }

    /// Passes time without a call.
    mutating func skip(_ seconds: UInt64) { second += seconds }

    func fact(_ name: FactName, _ scope: Scope = .vm) -> Fact? { sheet[name, Subject(scope)] }
    func value(_ name: FactName, _ scope: Scope = .vm) -> FactValue? { fact(name, scope)?.value }
    func reason(_ name: FactName, _ scope: Scope = .vm) -> String? { fact(name, scope)?.reason }
}
