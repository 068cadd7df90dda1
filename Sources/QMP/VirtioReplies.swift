/// A virtio device (`x-query-virtio`).
public struct QMPVirtioDevice: Sendable, Equatable {
    /// What the other queries of virtio devices ask for.
    public var path: String?
    /// `virtio-blk`, `virtio-scsi`, …
    public var name: String?

    /// Nothing known.
    public init() {}

    init(_ value: JSONValue) {
        path = value["path"]?.text
        name = value["name"]?.text
    }
}

/// What a virtio device and its driver agreed upon (`x-query-virtio-status`).
public struct QMPVirtioStatus: Sendable, Equatable {
    /// The virtio specification's number: 2 block, 8 SCSI.
    public var deviceID: UInt64?
    public var name: String?
    /// What the driver took.
    public var guestFeatures: QMPVirtioFeatures?
    /// What was on offer.
    public var hostFeatures: QMPVirtioFeatures?
    /// The driver's status bits by name: `VIRTIO_CONFIG_S_DRIVER_OK`, …
    public var statuses: [String] = []
    public var queueCount: Int?
    public var isStarted: Bool?
    public var isBroken: Bool?
    public var isDisabled: Bool?
    public var vmIsRunning: Bool?
    public var vhostIsStarted: Bool?
    /// What QEMU and a vhost-user back end agreed upon, by name:
    /// `VHOST_USER_PROTOCOL_F_HOST_NOTIFIER`, …; empty for other devices.
    public var vhostProtocols: Set<String> = []
    /// The interrupt status register.
    public var interruptStatus: UInt64?

    /// Nothing known.
    public init() {}

    init(_ value: JSONValue) {
        deviceID = value["device-id"]?.uint64
        name = value["name"]?.text
        guestFeatures = value["guest-features"].map { QMPVirtioFeatures($0) }
        hostFeatures = value["host-features"].map { QMPVirtioFeatures($0) }
        statuses = QMPVirtioFeatures.names(value["status"]?["statuses"])
        queueCount = value["num-vqs"]?.int
        isStarted = value["started"]?.bool
        isBroken = value["broken"]?.bool
        isDisabled = value["disabled"]?.bool
        vmIsRunning = value["vm-running"]?.bool
        vhostIsStarted = value["vhost-started"]?.bool
        vhostProtocols = Set(
            QMPVirtioFeatures.names(value["vhost-dev"]?["protocol-features"]?["protocols"]))
        interruptStatus = value["isr"]?.uint64
    }
}

/// Virtio features by name: `VIRTIO_BLK_F_MQ`, `VIRTIO_RING_F_EVENT_IDX`, …
public struct QMPVirtioFeatures: Sendable, Equatable {
    public var device: Set<String> = []
    public var transport: Set<String> = []
    /// Bits that this QEMU has no name for.
    public var unknownBits: UInt64?

    /// No features.
    public init() {}

    init(_ value: JSONValue) {
        device = Set(Self.names(value["dev-features"]))
        transport = Set(Self.names(value["transports"]))
        unknownBits = value["unknown-dev-features"]?.uint64
    }

    public func contains(_ name: String) -> Bool {
        device.contains(name) || transport.contains(name)
    }

    /// `NAME` of each `NAME: explanation`.
    static func names(_ value: JSONValue?) -> [String] {
        value?.items.compactMap { item in
            item.text?.split(separator: ":").first.map(String.init)
        } ?? []
    }
}

/// One virtqueue (`x-query-virtio-queue-status`). Indices count modulo 65536.
public struct QMPVirtioQueue: Sendable, Equatable {
    public var index: Int?
    /// Requests in flight.
    public var inUse: Int?
    /// Entries of the ring.
    public var size: Int?
    /// The next entry of the available ring that QEMU takes: counts requests.
    public var lastAvailable: UInt16?
    /// The driver's index as QEMU read it last.
    public var shadowAvailable: UInt16?
    /// Counts requests given back.
    public var used: UInt16?
    /// `used` when the last interrupt was sent, if it is valid.
    public var signalledUsed: UInt16?
    public var signalledUsedIsValid: Bool?
    /// Guest-physical addresses of the ring's parts; 0 before the driver has set them.
    public var descriptors: UInt64?
    public var availableRing: UInt64?
    public var usedRing: UInt64?

    /// Nothing known.
    public init() {}

    init(_ value: JSONValue) {
        index = value["queue-index"]?.int
        inUse = value["inuse"]?.int
        size = value["vring-num"]?.int
        lastAvailable = value["last-avail-idx"]?.uint16
        shadowAvailable = value["shadow-avail-idx"]?.uint16
        used = value["used-idx"]?.uint16
        signalledUsed = value["signalled-used"]?.uint16
        signalledUsedIsValid = value["signalled-used-valid"]?.bool
        descriptors = value["vring-desc"]?.uint64
        availableRing = value["vring-avail"]?.uint64
        usedRing = value["vring-used"]?.uint64
    }
}

/// One virtqueue that another process serves, as QEMU gave it to that process
/// (`x-query-virtio-vhost-queue-status`).
public struct QMPVhostQueue: Sendable, Equatable {
    /// Entries of the ring.
    public var size: Int?
    /// Guest-physical addresses of the ring's parts; 0 before the driver has set them.
    public var descriptors: UInt64?
    public var availableRing: UInt64?
    public var usedRing: UInt64?

    /// Nothing known.
    public init() {}

    init(_ value: JSONValue) {
        size = value["num"]?.int
        descriptors = value["desc-phys"]?.uint64
        availableRing = value["avail-phys"]?.uint64
        usedRing = value["used-phys"]?.uint64
    }
}

extension JSONValue {
    /// A whole number of 0…65535.
    fileprivate var uint16: UInt16? { uint64.flatMap { UInt16(exactly: $0) } }
}
