/// QEMU's version (the greeting, `query-version`).
public struct QMPVersion: Sendable, Equatable {
    public var major: Int?
    public var minor: Int?
    public var micro: Int?
    /// Who built it: `Debian 1:7.2+dfsg-7`; empty for upstream's own.
    public var package: String?

    /// Nothing known.
    public init() {}

    init(_ value: JSONValue) {
        let numbers = value["qemu"]
        major = numbers?["major"]?.int
        minor = numbers?["minor"]?.int
        micro = numbers?["micro"]?.int
        package = value["package"]?.text
    }

    /// `7.2.22`, `nil` if QEMU does not say.
    public var number: String? {
        guard let major, let minor else { return nil }
        return "\(major).\(minor)" + (micro.map { ".\($0)" } ?? "")
    }
}

/// Whether the guest runs (`query-status`).
public struct QMPStatus: Sendable, Equatable {
    /// `running`, `paused`, `prelaunch`, `io-error`, …
    public var status: String?
    public var isRunning: Bool?

    /// Nothing known.
    public init() {}

    init(_ value: JSONValue) {
        status = value["status"]?.text
        isRunning = value["running"]?.bool
    }
}

/// Whether KVM runs the guest's code (`query-kvm`).
public struct QMPAcceleration: Sendable, Equatable {
    public var isEnabled: Bool?
    /// Whether this QEMU was built with it.
    public var isPresent: Bool?

    /// Nothing known.
    public init() {}

    init(_ value: JSONValue) {
        isEnabled = value["enabled"]?.bool
        isPresent = value["present"]?.bool
    }
}

/// One virtual CPU (`query-cpus-fast`).
public struct QMPCPU: Sendable, Equatable {
    /// `cpu-index`, from 0.
    public var index: Int?
    /// The host thread's kernel id.
    public var threadID: Int?
    public var qomPath: String?

    /// Nothing known.
    public init() {}

    init(_ value: JSONValue) {
        index = value["cpu-index"]?.int
        threadID = value["thread-id"]?.int
        qomPath = value["qom-path"]?.text
    }
}

/// One iothread (`query-iothreads`).
public struct QMPIOThread: Sendable, Equatable {
    public var id: String?
    /// The host thread's kernel id.
    public var threadID: Int?
    /// The longest it polls, nanoseconds; 0: never (QEMU 2.9).
    public var pollMaximum: UInt64?
    /// By what the polling time grows and shrinks; 0: QEMU's choice.
    public var pollGrow: UInt64?
    public var pollShrink: UInt64?
    /// Requests submitted at once at most; 0: QEMU's choice (QEMU 6.1).
    public var aioBatch: UInt64?

    /// Nothing known.
    public init() {}

    init(_ value: JSONValue) {
        id = value["id"]?.text
        threadID = value["thread-id"]?.int
        pollMaximum = value["poll-max-ns"]?.uint64
        pollGrow = value["poll-grow"]?.uint64
        pollShrink = value["poll-shrink"]?.uint64
        aioBatch = value["aio-max-batch"]?.uint64
    }
}

/// The guest's memory, bytes (`query-memory-size-summary`).
public struct QMPMemorySize: Sendable, Equatable {
    public var base: UInt64?
    public var plugged: UInt64?

    /// Nothing known.
    public init() {}

    init(_ value: JSONValue) {
        base = value["base-memory"]?.uint64
        plugged = value["plugged-memory"]?.uint64
    }
}

/// A migration (`query-migrate`); all `nil` if there never was one.
public struct QMPMigration: Sendable, Equatable {
    /// `setup`, `active`, `completed`, `failed`, …
    public var status: String?
    /// Bytes of memory: moved, still to move, altogether.
    public var transferred: UInt64?
    public var remaining: UInt64?
    public var total: UInt64?
    /// Percent of their time that auto-converge takes from the vCPUs; `nil` while it takes none.
    public var cpuThrottle: UInt64?

    /// Nothing known.
    public init() {}

    init(_ value: JSONValue) {
        status = value["status"]?.text
        cpuThrottle = value["cpu-throttle-percentage"]?.uint64
        let memory = value["ram"]
        transferred = memory?["transferred"]?.uint64
        remaining = memory?["remaining"]?.uint64
        total = memory?["total"]?.uint64
    }
}

/// A function on the PCI bus (`query-pci`).
public struct QMPPCIDevice: Sendable, Equatable {
    public var bus: Int?
    public var slot: Int?
    public var function: Int?
    /// The `id=` of `-device`; empty without one.
    public var qdevID: String?
    public var vendor: UInt64?
    public var device: UInt64?
    /// Class and subclass as PCI has them: 0x0100 SCSI, 0x0604 bridge.
    public var classCode: UInt64?
    /// Words for the class; `nil` where QEMU has none.
    public var classText: String?

    /// Nothing known.
    public init() {}

    init(_ value: JSONValue) {
        bus = value["bus"]?.int
        slot = value["slot"]?.int
        function = value["function"]?.int
        qdevID = value["qdev_id"]?.text
        vendor = value["id"]?["vendor"]?.uint64
        device = value["id"]?["device"]?.uint64
        classCode = value["class_info"]?["class"]?.uint64
        classText = value["class_info"]?["desc"]?.text
    }

    /// The devices of all buses, those behind bridges right after their bridge.
    static func all(in buses: JSONValue) -> [QMPPCIDevice] {
        var result: [QMPPCIDevice] = []
        // Bridges nest no deeper than `JSONIndexer.depthLimit`.
        func add(_ devices: JSONValue?) {
            guard let devices else { return }
            for device in devices.items where device.isObject {
                result.append(QMPPCIDevice(device))
                add(device["pci_bridge"]?["devices"])
            }
        }
        for bus in buses.items { add(bus["devices"]) }
        return result
    }
}

/// A property of an object (`qom-list`).
public struct QMPProperty: Sendable, Equatable {
    public var name: String?
    /// `child<virtio-blk-device>`, `link<iothread>`, `uint32`, …
    public var type: String?

    /// Nothing known.
    public init() {}

    init(_ value: JSONValue) {
        name = value["name"]?.text
        type = value["type"]?.text
    }
}

/// Statistics of the VM or of one vCPU (`query-stats`).
public struct QMPStats: Sendable, Equatable {
    /// `kvm`
    public var provider: String?
    /// The vCPU; `nil` for the VM as a whole.
    public var qomPath: String?
    /// By name, in QEMU's order: a number, a histogram as an array, or a bool.
    public var values: [(name: String, value: QMPValue)] = []

    /// Nothing known.
    public init() {}

    init(_ value: JSONValue) {
        provider = value["provider"]?.text
        qomPath = value["qom-path"]?.text
        guard let stats = value["stats"] else { return }
        values = stats.items.compactMap { item in
            guard let name = item["name"]?.text, let value = item["value"].flatMap({ QMPValue($0) })
            else { return nil }
            return (name, value)
        }
    }

    /// The number called `name`.
    public subscript(name: String) -> UInt64? {
        values.first { $0.name == name }?.value.uint64
    }

    public static func == (left: QMPStats, right: QMPStats) -> Bool {
        left.provider == right.provider && left.qomPath == right.qomPath
            && left.values.elementsEqual(right.values) {
                $0.name == $1.name && $0.value == $1.value
            }
    }
}
