import Host
import Kernel
import ProcFS
import SystemPackage
import Telemetry

/// The process of a VM: its threads and what they do.
struct ProcessWatch: Sendable {
    let pid: Int
    /// Its arguments, `nil` if they cannot be read.
    let commandLine: QEMUCommandLine?
    /// The disks that these describe.
    let startedLUNs: [LUN]
    private var tasks: TaskList
    private var threads: ThreadSampler
    private var startTime: UInt64?
    private var buffer = [UInt8](repeating: 0, count: 1024)
    /// Where its files lie.
    private var backing = BackingDisks()
    private var watched: [WatchedThread] = []
    private(set) var generation = 0
    private var basis: Basis?
    private var readFacts: ProcessFacts

    /// What the roles of the threads follow from, besides the threads themselves.
    private struct Basis: Sendable, Equatable {
        struct Service: Sendable, Equatable {
            let id: String
            let ioThread: String?
            let isOnMainLoop: Bool?

            init(_ lun: LUN) {
                id = lun.id
                ioThread = lun.ioThread
                isOnMainLoop = lun.isOnMainLoop
            }
        }
        let roles: ThreadRoles
        let luns: [Service]
    }

    /// When the threads were read last.
    private(set) var lastReading: Nanoseconds?
    /// Why they could not be, the last time.
    private(set) var problem: String?
    /// The process has ended, or its id belongs to another one now.
    private(set) var isGone = false

    init(pid: Int) {
        self.pid = pid
        commandLine = Attach.commandLine(ofProcess: pid, open: openTextFile)
            .map(QEMUCommandLine.init)
        startedLUNs = commandLine?.luns ?? []
        tasks = TaskList(pid: pid)
        threads = ThreadSampler(pid: pid)
        readFacts = ProcessFacts(pid: pid)
    }

    /// Looks whether the process is still there, and still the one that was first seen: its number
    /// may belong to another by now, and one that nobody has buried yet does nothing any more.
    mutating func look() {
        do {
            let file = try openTextFile("/proc/\(pid)/stat")
            let count = try file.read(into: &buffer)
            let stat = try ThreadStat(buffer.span.extracting(first: min(count, buffer.count)))
            startTime = startTime ?? stat.startTime
            isGone = stat.startTime != startTime || "ZX".contains(stat.state)
            problem = nil
        } catch let error as KernelError {
            if error.isGone { isGone = true } else { problem = error.description }
        } catch {
            problem = String(describing: error)
        }
    }

    /// The threads there are, with the roles of `model`; what each did since the last call.
    mutating func sample(_ model: VMModel, luns: [LUN]) -> [ThreadActivity] {
        look()
        guard !isGone, problem == nil else { return [] }
        let isChanged: Bool
        do {
            isChanged = try tasks.update()
        } catch {
            if error.isGone { isGone = true } else { problem = error.description }
            return []
        }
        let now = Basis(roles: model.roles, luns: luns.map(Basis.Service.init))
        if isChanged || now != basis {
            basis = now
            generation &+= 1
            watched = tasks.tasks.map { task in
                model.roles.watched(tid: task.tid, calledBy: task.name, pid: pid, luns: luns)
            }
            threads.watch(watched)
        }
        lastReading = Clock.monotonic()
        return threads.sample(clock: Clock.monotonic)
    }

    /// The threads as they were found last; another `generation` when they changed.
    var watchedThreads: [WatchedThread] { watched }

    /// Says of each disk on which of the host's its data lie.
    mutating func locate(_ luns: inout [LUN], now: Nanoseconds) {
        backing.update(ofProcess: pid, files: luns.compactMap(\.file), now: now)
        for index in luns.indices {
            luns[index].hostDisk = backing.disk(holding: luns[index].file)
        }
    }

    /// How the process has the file behind `lun` open; to be asked after `locate`.
    func opening(of lun: LUN) -> OpenFile? { backing.opening(of: lun.file) }

    /// What /proc says of the process and of the files of `luns`; `nil`: nothing new. To be asked
    /// after `sample`.
    mutating func facts(about luns: [LUN], now: Nanoseconds) -> [Fact]? {
        guard !isGone, problem == nil else { return [] }
        let disks = luns.map { ProcessFacts.Context.Disk(id: $0.id, file: $0.file) }
        return readFacts.update(
            ProcessFacts.Context(threads: watched, disks: disks), now: now)
    }

    /// Why columns of the threads are blank, or disks of the host not named.
    var unavailable: [Unavailable] {
        threads.unavailable + (backing.problem.map { [$0] } ?? [])
    }
}

extension KernelError {
    /// What was read is not there any more.
    fileprivate var isGone: Bool {
        errno == .noSuchFileOrDirectory || errno == .noSuchProcess
    }
}
