import Telemetry

/// All that is asked of QEMU. None of it changes the VM, and nothing else can be expressed.
///
/// Every call runs in QEMU's main loop; the costs are for some forty disks.
public enum QMPQuery: Sendable, Hashable {
    /// `query-version`
    case version
    /// `query-commands`: names only.
    case commands
    /// `query-name`
    case name
    /// `query-status`
    case status
    /// `query-kvm`
    case kvm
    /// `query-cpus-fast` (QEMU 2.12): does not stop the guest.
    case cpus
    /// `query-iothreads`
    case ioThreads
    /// `query-block`: 8 ms, and looks at the image files: seldom.
    case block
    /// `query-blockstats`: 10 ms.
    case blockStats
    /// `query-named-block-nodes` with `flat` (QEMU 5.0): 5 ms.
    case namedBlockNodes
    /// `x-debug-query-block-graph` (QEMU 4.0, unstable).
    case blockGraph
    /// `query-pci`: 5 ms.
    case pci
    /// `query-memory-size-summary`
    case memorySize
    /// `query-migrate`
    case migration
    /// `query-block-jobs`
    case blockJobs
    /// `query-machines`: 11 KB of names, once.
    case machines
    /// `query-memdev`: what the guest's memory lies on.
    case memoryBackends
    /// `query-balloon`; refused where there is none.
    case balloon
    /// `x-query-ramblock` (QEMU 6.2, unstable); before, `monitorText(.ramBlocks)` says the same.
    case ramBlocks
    /// `qom-get`: one property of one object.
    case qomGet(path: String, property: String)
    /// `qom-list`: the properties of an object, its children among them.
    case qomList(path: String)
    /// `x-query-virtio` (QEMU 7.2, unstable).
    case virtio
    /// `x-query-virtio-status` (QEMU 7.2, unstable) of the device at a path of `virtio`.
    case virtioStatus(path: String)
    /// `x-query-virtio-queue-status` (QEMU 7.2, unstable): 1 ms for each queue. Never of a vhost
    /// device: QEMU asks its back end for the ring's base, and a vhost-user back end stops serving
    /// the ring when it is asked that.
    case virtioQueueStatus(path: String, queue: UInt16)
    /// `x-query-virtio-vhost-queue-status` (QEMU 7.2, unstable): what QEMU told the back end of a
    /// vhost device, which is left alone; refused for other devices, and while it is not started.
    case vhostQueueStatus(path: String, queue: UInt16)
    /// `query-stats` of the provider `kvm` (QEMU 7.1); no names: all of them.
    case stats(StatsTarget, names: [String])
    /// `human-monitor-command`, for what QMP does not tell.
    case monitorText(HarmlessText)

    /// Whose statistics.
    public enum StatsTarget: String, Sendable, Hashable { case vm, vcpu }

    /// The QMP command's name.
    public var command: String {
        switch self {
        case .version: "query-version"
        case .commands: "query-commands"
        case .name: "query-name"
        case .status: "query-status"
        case .kvm: "query-kvm"
        case .cpus: "query-cpus-fast"
        case .ioThreads: "query-iothreads"
        case .block: "query-block"
        case .blockStats: "query-blockstats"
        case .namedBlockNodes: "query-named-block-nodes"
        case .blockGraph: "x-debug-query-block-graph"
        case .pci: "query-pci"
        case .memorySize: "query-memory-size-summary"
        case .migration: "query-migrate"
        case .blockJobs: "query-block-jobs"
        case .machines: "query-machines"
        case .memoryBackends: "query-memdev"
        case .balloon: "query-balloon"
        case .ramBlocks: "x-query-ramblock"
        case .qomGet: "qom-get"
        case .qomList: "qom-list"
        case .virtio: "x-query-virtio"
        case .virtioStatus: "x-query-virtio-status"
        case .virtioQueueStatus: "x-query-virtio-queue-status"
        case .vhostQueueStatus: "x-query-virtio-vhost-queue-status"
        case .stats: "query-stats"
        case .monitorText: "human-monitor-command"
        }
    }

    /// The arguments as the members of a JSON object; empty for none.
    var arguments: String {
        func quoted(_ text: String) -> String { JSONEscapes.quoted(text) }
        return switch self {
        case .namedBlockNodes: #""flat":true"#
        case .qomGet(let path, let property):
            #""path":\#(quoted(path)),"property":\#(quoted(property))"#
        case .qomList(let path), .virtioStatus(let path): #""path":\#(quoted(path))"#
        case .virtioQueueStatus(let path, let queue), .vhostQueueStatus(let path, let queue):
            #""path":\#(quoted(path)),"queue":\#(queue)"#
        case .stats(let target, let names):
            #""target":"\#(target.rawValue)","providers":[{"provider":"kvm""#
                + (names.isEmpty ? "" : #","names":[\#(names.map(quoted).joined(separator: ","))]"#)
                + "}]"
        case .monitorText(let text): #""command-line":\#(quoted(text.line))"#
        default: ""
        }
    }
}

/// Lines of the human monitor that only tell.
///
/// `info qtree` is left out on purpose: it has crashed some builds.
public enum HarmlessText: Sendable, Hashable {
    /// `info mtree`: the guest's memory as QEMU maps it. Not `-f`: see `MemoryTree`.
    case memoryMap
    /// `gpa2hva ADDRESS`: where in QEMU's memory a guest-physical address lies.
    case hostAddress(ofGuest: UInt64)
    /// `info block -v`
    case block
    /// `info ramblock`: with the page size of each block.
    case ramBlocks
    /// `sync-profile`: whether QEMU profiles its locks (QEMU 3.1).
    case lockProfileState
    /// `info sync-profile 100`: where QEMU waited for locks since it profiles them, the hundred
    /// places that waited longest in all. Sorted by mean wait (`-m`) the same table leaves out
    /// places that wait often and briefly.
    case lockProfile

    /// What is typed.
    var line: String {
        switch self {
        case .memoryMap: "info mtree"
        case .hostAddress(let address): "gpa2hva 0x" + String(address, radix: 16)
        case .block: "info block -v"
        case .ramBlocks: "info ramblock"
        case .lockProfileState: "sync-profile"
        case .lockProfile: "info sync-profile 100"
        }
    }
}

/// All that vblktop ever writes into a VM, and only when its user has asked for it by name: QEMU's
/// own latency histograms, which cost it a search per request, and its profile of locks, which
/// costs two readings of the clock per lock. Both are forgotten with the VM.
public enum QMPChange: Sendable, Hashable {
    /// `block-latency-histogram-set`: counts from now on latencies between these `boundaries`,
    /// nanoseconds, in ascending order; `device` is a `qdev` of `query-block`.
    case setLatencyHistograms(device: String, boundaries: [UInt64])
    /// Takes them away again.
    case removeLatencyHistograms(device: String)
    /// `sync-profile on` and `off` through `human-monitor-command` (QEMU 3.1): how long QEMU's
    /// threads wait for its locks is counted from now on, or no longer.
    case profileLocks(Bool)

    var command: String {
        switch self {
        case .setLatencyHistograms, .removeLatencyHistograms: "block-latency-histogram-set"
        case .profileLocks: "human-monitor-command"
        }
    }

    var arguments: String {
        switch self {
        case .setLatencyHistograms(let device, let boundaries):
            #""id":\#(JSONEscapes.quoted(device)),"boundaries":"#
                + "[\(boundaries.map(String.init).joined(separator: ","))]"
        case .removeLatencyHistograms(let device): #""id":\#(JSONEscapes.quoted(device))"#
        case .profileLocks(let isOn): #""command-line":"sync-profile \#(isOn ? "on" : "off")""#
        }
    }

    /// What QEMU has against it, by the `value` that came back; `nil`: it was done. The human
    /// monitor complains in words, and says nothing else.
    func complaint(in value: JSONValue) -> String? {
        guard case .profileLocks = self, let text = value.lines else { return nil }
        return text.split(whereSeparator: \.isNewline).first.map {
            String($0).harmless(limit: 200)
        }
    }
}
