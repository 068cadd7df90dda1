// The embedded engine as a source of `Snapshot`s: scenarios, set-up, and one sample per tick. The
// twin of a source that attaches to a VM: the same samples, of a data plane that runs in this
// process.

public import DataPlane

/// What the demo runs, as the command line asks for it. `nil` leaves a choice to the demo.
public struct DemoConfiguration: Sendable {
    /// Where the LUNs' data are.
    public enum Backend: String, Sendable, CaseIterable { case null, memory, aio }

    /// 1…1024; nil is 8, or what the scenario is about.
    public var luns: Int?
    /// As many requests as go through, instead of a believable VM's.
    public var runsAtFullSpeed = false
    public var scenario = Scenario.healthy
    public var backend = Backend.aio
    /// Where backing files are created; nil takes a tmpfs with room, and with O_DIRECT if the cache
    /// mode wants it, else /var/tmp.
    public var backingDirectory: String?
    /// How files are read and written, with the backend `aio` and `lunFiles`.
    public var access = FileAccess()
    /// Whether files are qcow2 images: `lunFiles` are taken for such, and files of our own are made
    /// such.
    public var isQcow2 = false
    /// Bytes of each LUN.
    public var lunBytes: Int64 = 8 << 20
    /// Existing files or block devices to use as LUNs instead of files of our own.
    public var lunFiles: [String] = []
    /// Lets the jobs write to `lunFiles`, whose contents are then lost.
    public var overwritesLUNFiles = false
    /// Waiting of both sides; nil is `yield` at full speed and `block` otherwise.
    public var wait: WaitMode?
    /// vCPU threads; nil is one for each processor.
    public var vcpus: Int?
    public var trace = TraceMode.stages
    /// Whether another vblktop may map the guest's memory: see `EngineConfiguration.sharesMemory`.
    public var sharesMemory = true

    // The way of the requests.

    /// Dealt out to the LUNs in turn; none: the scenario's, which mostly is the data plane.
    public var paths: [IOPath] = []
    /// What guest and host do on their way.
    public var settings = PathSettings()

    // The job of every LUN, where it is not to be the scenario's own.

    public var blockSize: Int?
    public var queueDepth: Int?
    public var jobs: Int?
    public var readPercent: Int?
    public var pattern: JobConfiguration.Pattern?
    /// Requests per second of each LUN.
    public var rate: Double?
    public var verifies = false

    /// Eight LUNs of a healthy VM.
    public init() {}

    /// How many LUNs there are, unless files are used as such.
    var lunCount: Int { luns ?? scenario.lunCount }
    /// Whether the jobs do as much as goes through.
    var isAtFullLoad: Bool { runsAtFullSpeed || scenario.isAtFullLoad }
    /// The ways its LUNs take.
    private var pathsInUse: [IOPath] { paths.isEmpty ? [scenario.path] : paths }

    /// What was asked for and would do nothing, in the words of the command line; nil if all of it
    /// makes sense together.
    public var fault: String? {
        let count = lunFiles.isEmpty ? lunCount : lunFiles.count
        if paths.count > count {
            return "--path is given \(paths.count) times, and there are \(count) LUNs to deal them "
                + "out to"
        }
        return settings.fault(on: pathsInUse)
    }
}
