public import ArgumentParser
public import DataPlane
import Demo
import Telemetry

/// What guest and host do on a request's way: the demo and the bench have it alike.
struct PathOptions: ParsableArguments {
    @Option(help: "Virtqueues of a LUN on the path multi-queue, 1…8. (default: one for each vCPU)")
    var queues: Int?

    @Option(help: "IOThreads that all LUNs share, 1…1024. (default: one for each virtqueue)")
    var ioThreads: Int?

    @Option(
        help: """
            The guest's driver of virtio-blk: bio (straight into the ring), request (through a \
            scheduler that sorts and merges, under a lock).
            """)
    var driver = GuestDriver.bio

    @Option(
        help: ArgumentHelp(
            "How devices hold interrupts back: none, in-flight, or FRAMES:MICROSECONDS.",
            valueName: "how"))
    var coalesce = InterruptCoalescing.none

    @Flag(help: "Kick for every request and not once for all that are placed together.")
    var noKickBatching = false

    @Flag(help: "Leave the guest for the end of each interrupt, as without PV-EOI.")
    var noPvEoi = false

    @Option(help: "Modelled cost of leaving the guest, nanoseconds up to a million.")
    var vmExitNs = 0

    @Option(help: "Modelled cost of an interrupt for the guest, nanoseconds up to a million.")
    var injectionNs = 0

    func validate() throws {
        func require(_ condition: Bool, _ what: String) throws {
            if !condition { throw ValidationError(what) }
        }
        let most = LUNConfiguration.mostQueues
        try require((1...most).contains(queues ?? 1), "--queues must be 1…\(most)")
        try require((1...1024).contains(ioThreads ?? 1), "--io-threads must be 1…1024")
        let costs = 0...1_000_000
        try require(costs.contains(vmExitNs), "--vm-exit-ns must be 0…1000000")
        try require(costs.contains(injectionNs), "--injection-ns must be 0…1000000")
    }

    /// All of it, with the class of storage that a storage option has chosen.
    func settings(storageModel: StorageModel?) -> PathSettings {
        var settings = PathSettings()
        settings.queues = queues
        settings.ioThreads = ioThreads
        settings.driver = driver
        settings.coalescing = coalesce
        settings.batchesKicks = !noKickBatching
        settings.hasPVEOI = !noPvEoi
        settings.costs.vmExit = UInt64(max(0, vmExitNs))
        settings.costs.interruptInjection = UInt64(max(0, injectionNs))
        settings.storageModel = storageModel
        return settings
    }
}

/// Where LUNs' data are and how they get there: the demo and the bench have it alike.
struct StorageOptions: ParsableArguments {
    @Option(
        help: """
            Where the data are: null (nowhere), memory, aio (files; see --aio, --cache). (default: \
            aio; of bench null)
            """)
    var backend: DemoConfiguration.Backend?

    @Option(
        help: """
            How files are read and written: aio, threads, io_uring. (default: aio; threads where \
            the page cache takes part)
            """)
    var aio: IOModel?

    @Option(help: "Cache mode of files: none, writethrough, writeback, directsync, unsafe.")
    var cache = CacheMode.none

    @Option(
        help: """
            Format of files: raw, qcow2. It is never guessed: a guest could write anything to a \
            raw disk.
            """)
    var format = FormatChoice.raw

    @Option(
        help: """
            Add the times of a class of storage, which is modelled: hdd, ssd, nvme, ram-disk (that \
            of 2013, behind Fibre Channel).
            """)
    var delay: StorageModel?

    @Option(help: "Directory of the backing files. (default: a tmpfs with room, else /var/tmp)")
    var backingDir: String?

    @Option(help: "Size of each LUN: bytes, or with K, M, G.")
    var lunSize = ByteSize(bytes: 8 << 20)

    func validate() throws {
        guard (4096...1 << 50).contains(lunSize.bytes) else {
            throw ValidationError("--lun-size must be 4K…1024T")
        }
        if let fault = access.fault { throw ValidationError(fault) }
    }

    /// Throws if it says something of files, and with `backend` and without files to be LUNs
    /// (`hasFiles`) there are none.
    func validate(backend: DemoConfiguration.Backend, hasFiles: Bool) throws {
        guard backend != .aio, !hasFiles else { return }
        let isSet = [
            ("--aio", aio != nil), ("--cache", cache != .none), ("--format", format != .raw),
            ("--backing-dir", backingDir != nil),
        ]
        if let option = isSet.first(where: \.1)?.0 {
            throw ValidationError(
                "\(option) is about files, and --backend \(backend.rawValue) has none: use "
                    + "--backend aio")
        }
    }

    private var access: FileAccess {
        FileAccess(model: aio ?? .usual(with: cache), cache: cache)
    }

    /// Notes it in `demo`, but for the backend, whose default is the command's.
    func apply(to demo: inout DemoConfiguration) {
        demo.access = access
        demo.isQcow2 = format == .qcow2
        demo.backingDirectory = backingDir
        demo.lunBytes = lunSize.bytes / 4096 * 4096
    }
}

/// The words for the format of a LUN's file.
enum FormatChoice: String, ExpressibleByArgument, CaseIterable { case raw, qcow2 }

extension DemoConfiguration.Backend: ExpressibleByArgument {}
extension IOPath: ExpressibleByArgument {}
extension IOModel: ExpressibleByArgument {}
extension CacheMode: ExpressibleByArgument {}
extension GuestDriver: ExpressibleByArgument {}

extension InterruptCoalescing: ExpressibleByArgument {
    public init?(argument: String) {
        switch argument {
        case "none": self = .none
        case "in-flight": self = .inFlight
        default:
            let parts = argument.split(separator: ":", omittingEmptySubsequences: false)
            guard parts.count == 2, let frames = Int(parts[0]), (1...1024).contains(frames),
                let microseconds = UInt64(parts[1]), (1...100_000).contains(microseconds)
            else { return nil }
            self = .frames(frames, nanoseconds: microseconds * 1000)
        }
    }

    public var defaultValueDescription: String { "none" }
}

extension StorageModel: ExpressibleByArgument {
    public init?(argument: String) {
        guard let model = Self.all.first(where: { $0.name == argument }) else { return nil }
        self = model
    }

    public static var allValueStrings: [String] { all.map(\.name) }
}
