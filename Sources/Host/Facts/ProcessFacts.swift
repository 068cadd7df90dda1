internal import Kernel
internal import ProcFS
public import Telemetry

/// What is known of a QEMU process, of its IOThreads, and of the files and devices behind its LUNs,
/// from /proc/PID, its control groups, and the file systems.
///
/// Nothing here asks QEMU, and no data of an image is read. Cost of an update: one small file for
/// the main loop, each IOThread and each worker, at most once a second; every 10 s some ten files
/// and two a control group; every minute what a look at all descriptors costs. What can take long
/// on a large VM (smaps_rollup, numa_maps, extents) comes one at a time, one an update.
public struct ProcessFacts: Sendable {
    /// What the caller knows of the process now.
    public struct Context: Sendable, Equatable {
        /// A LUN, by what QEMU says of it.
        public struct Disk: Sendable, Equatable {
            /// `LUN.id`.
            public var id: String
            /// `LUN.file`: the path that QEMU opened, which need not be one here; `nil` if there is
            /// none, or it is not known.
            public var file: String?
            /// Bytes of the disk as the guest sees it; `nil` takes those of the file.
            public var virtualSize: UInt64?

            /// A LUN.
            public init(id: String, file: String?, virtualSize: UInt64? = nil) {
                self.id = id
                self.file = file
                self.virtualSize = virtualSize
            }
        }
        /// All threads of the process, by ascending id. An IOThread is called `IO ` and its id, a
        /// vCPU `CPU ` and its number; threads of QEMU's pool `worker`, those of io_uring
        /// `iou-wrk-…`, as both call themselves.
        public var threads: [WatchedThread]
        public var disks: [Disk]

        /// What is known of a process.
        public init(threads: [WatchedThread] = [], disks: [Disk] = []) {
            self.threads = threads
            self.disks = disks
        }

        /// Those that stay while the VM runs.
        fileprivate var lastingThreads: [WatchedThread] {
            threads.filter { $0.role == .vcpu || $0.role == .iothread }
        }
    }

    private var reader: ProcessReader
    private var machine: MachineFacts
    private var looks = ThreadLooks()
    private var placement = ThreadPlacement()
    private var groups = CgroupFacts()
    private var disks = DiskFileFacts()
    private var nfs = NFSFacts()

    private var moving = Beat(seconds: 10)
    private var slow = Beat(seconds: 60)
    private var last: [Fact]?
    private var lastDisks: [Context.Disk] = []
    private var lastThreads: [WatchedThread] = []

    /// Of the process `pid`, nothing read yet; `files` is how to look at it.
    public init(pid: Int, files: HostFiles = .live) {
        reader = ProcessReader(pid: pid, files: files)
        machine = MachineFacts(reader)
    }

    /// Facts about the VM, its IOThreads and its LUNs, and what of them cannot be looked at here
    /// (`missingRights` of vblktop); `nil`: nothing new since the last call. To be called about
    /// once a second.
    ///
    /// `now` is `CLOCK_MONOTONIC`. Rates are missing until a second reading, and what takes long
    /// until its turn has come, some calls later. `blockedShare` and `blockedIn` of the VM are
    /// those of its main loop. A LUN's `isDirect` is there only where its descriptor shows it, and
    /// facts about files only of LUNs that lie in one.
    public mutating func update(_ context: Context, now: Nanoseconds) -> [Fact]? {
        looks.look(at: context.threads, through: &reader, now: now)
        let isChanged =
            context.disks != lastDisks || context.lastingThreads != lastThreads
        if isChanged { slow.hurry() }
        lastDisks = context.disks
        lastThreads = context.lastingThreads
        let isMoving = moving.isDue(now)
        let isSlow = slow.isDue(now)
        if isSlow {
            let found = look(for: context)
            machine.takeDescriptors(found, through: &reader)
            disks.locate(context.disks, among: found, through: &reader, now: now)
            placement.update(context.threads, through: &reader)
            groups.locate(context.threads, through: &reader)
        }
        if isMoving {
            machine.update(through: &reader, now: now)
            looks.conclude(placement.isAnonymous, through: &reader, now: now)
        }
        if isMoving || isChanged {
            groups.update(disks.places, through: &reader, now: now)
            nfs.update(disks.places, through: &reader, now: now)
        }
        let isTurn =
            machine.takeTurn(through: &reader, now: now)
            || disks.takeTurn(through: &reader, now: now)
        guard isMoving || isSlow || isTurn else { return nil }
        let facts = all
        guard facts != last else { return nil }
        last = facts
        return facts
    }

    private mutating func look(for context: Context) -> Result<ProcessFiles, Absence> {
        do throws(KernelError) {
            return .success(try ProcessFiles(ofProcess: reader.pid, files: reader.files))
        } catch {
            return .failure(reader.absence(error, of: reader.path("fd")))
        }
    }

    private var all: [Fact] {
        let rights = Fact(
            Subject(.tool), .missingRights, .texts(reader.refusal.map { [$0] } ?? []),
            from: "/proc/\(reader.pid)")
        return [rights] + machine.facts + placement.facts + looks.facts + groups.facts
            + disks.facts + nfs.facts
    }
}
