/// A disk as its device has it (`query-block`).
public struct QMPBlockDevice: Sendable, Equatable {
    /// The name of a `-drive`; empty for a `-blockdev`.
    public var device: String?
    /// The device it belongs to: `/machine/peripheral/ID/virtio-backend` for virtio, the bare id
    /// for IDE and SCSI.
    public var qdev: String?
    public var isRemovable: Bool?
    /// `ok`, `failed`, `nospace`; `nil` where the device does not tell.
    public var ioStatus: String?
    /// `nil` for an empty drive.
    public var inserted: QMPBlockNode?

    /// Nothing known.
    public init() {}

    init(_ value: JSONValue) {
        device = value["device"]?.text
        qdev = value["qdev"]?.text
        isRemovable = value["removable"]?.bool
        ioStatus = value["io-status"]?.text
        inserted = value["inserted"].flatMap { $0.isObject ? QMPBlockNode($0) : nil }
    }
}

/// One node of the block layer (`query-block`'s `inserted`, `query-named-block-nodes`).
public struct QMPBlockNode: Sendable, Equatable {
    /// A file name, or `json:{…}` where no name says it all.
    public var file: String?
    public var nodeName: String?
    public var isReadOnly: Bool?
    /// `raw`, `qcow2`, `file`, `host_device`, `throttle`, `mirror_top`, …
    public var driver: String?
    /// Its image and those below it, the node's own first: the next is its backing file, or what a
    /// filter passes requests on to.
    public var images: [QMPImage] = []
    /// The first of `images`.
    public var image: QMPImage? { images.first }
    /// `cache.writeback`, `.direct` and `.no-flush` of this node.
    public var isWriteback: Bool?
    public var isDirect: Bool?
    public var ignoresFlushes: Bool?
    /// `off`, `on`, `unmap`.
    public var detectZeroes: String?
    /// Images below the first, a filter counted as one.
    public var backingDepth: Int?
    public var throttling = QMPThrottling()

    /// Nothing known.
    public init() {}

    init(_ value: JSONValue) {
        file = value["file"]?.text
        nodeName = value["node-name"]?.text
        isReadOnly = value["ro"]?.bool
        driver = value["drv"]?.text
        images = QMPImage.chain(value["image"])
        let cache = value["cache"]
        isWriteback = cache?["writeback"]?.bool
        isDirect = cache?["direct"]?.bool
        ignoresFlushes = cache?["no-flush"]?.bool
        detectZeroes = value["detect_zeroes"]?.text
        backingDepth = value["backing_file_depth"]?.int
        throttling = QMPThrottling(value)
    }
}

/// What a node's image is (`image` of `query-block`).
public struct QMPImage: Sendable, Equatable {
    public var filename: String?
    public var format: String?
    /// What the guest sees, bytes.
    public var virtualSize: UInt64?
    /// What it takes on the host, bytes.
    public var actualSize: UInt64?
    /// Bytes.
    public var clusterSize: UInt64?
    public var backingFilename: String?
    /// Snapshots kept inside the image.
    public var snapshotCount = 0
    public var isEncrypted: Bool?
    /// qcow2: `0.10`, `1.1`.
    public var compatibility: String?
    /// qcow2: reference counts are brought up to date later; `nil` for other formats, as below.
    public var hasLazyRefcounts: Bool?
    /// qcow2: each cluster has 32 subclusters, and its table entries twice the size (QEMU 5.2).
    public var hasExtendedL2: Bool?
    public var isCorrupt: Bool?
    /// `luks`, or qcow2's old `aes`; `nil` where nothing is encrypted.
    public var encryption: String?

    /// Nothing known.
    public init() {}

    /// The image `value` and its backing images, a list in each other: no longer than
    /// `JSONIndexer.depthLimit` lets it be.
    static func chain(_ value: JSONValue?) -> [QMPImage] {
        var images: [QMPImage] = []
        var next = value
        while let image = next, image.isObject {
            images.append(QMPImage(image))
            next = image["backing-image"]
        }
        return images
    }

    init(_ value: JSONValue) {
        filename = value["filename"]?.text
        format = value["format"]?.text
        virtualSize = value["virtual-size"]?.uint64
        actualSize = value["actual-size"]?.uint64
        clusterSize = value["cluster-size"]?.uint64
        backingFilename = value["backing-filename"]?.text
        snapshotCount = value["snapshots"].map { $0.items.reduce(0) { count, _ in count + 1 } } ?? 0
        isEncrypted = value["encrypted"]?.bool
        let specific = value["format-specific"]
        let details = specific?["data"]
        compatibility = details?["compat"]?.text
        hasLazyRefcounts = details?["lazy-refcounts"]?.bool
        hasExtendedL2 = details?["extended-l2"]?.bool
        isCorrupt = details?["corrupt"]?.bool
        encryption = details?["encrypt"]?["format"]?.text
        if encryption == nil, specific?["type"]?.text == "luks" { encryption = "luks" }
    }
}

/// Limits set on the drive itself (`query-block`'s `iops`, `bps`, …); a throttle filter node does
/// not show here.
public struct QMPThrottling: Sendable, Equatable {
    /// One of the six limits.
    public struct Limit: Sendable, Equatable {
        /// Requests or bytes per second in the long run; 0: no limit.
        public var mean: UInt64
        /// The same in bursts; `nil` without bursts.
        public var burst: UInt64?
        /// Seconds that a burst may last; `nil` where QEMU does not tell, which then means 1.
        public var burstLength: UInt64?

        init?(_ value: JSONValue, _ name: String) {
            guard let mean = value[name]?.uint64 else { return nil }
            self.mean = mean
            burst = value[name + "_max"]?.uint64
            burstLength = value[name + "_max_length"]?.uint64
        }
    }
    /// Requests per second; `nil` if QEMU does not tell, as of the five below.
    public var iops: Limit?
    public var readIOPS: Limit?
    public var writeIOPS: Limit?
    /// Bytes per second.
    public var bytes: Limit?
    public var readBytes: Limit?
    public var writeBytes: Limit?
    /// Bytes of which a request counts as one, larger ones as more; `nil`: all count as one.
    public var requestSize: UInt64?
    /// Drives of one group share its limits.
    public var group: String?

    /// Nothing known.
    public init() {}

    init(_ value: JSONValue) {
        iops = Limit(value, "iops")
        readIOPS = Limit(value, "iops_rd")
        writeIOPS = Limit(value, "iops_wr")
        bytes = Limit(value, "bps")
        readBytes = Limit(value, "bps_rd")
        writeBytes = Limit(value, "bps_wr")
        requestSize = value["iops_size"]?.uint64
        group = value["group"]?.text
    }

    /// Whether any limit is set; `nil` if QEMU tells none.
    public var isLimiting: Bool? {
        let limits = [iops, readIOPS, writeIOPS, bytes, readBytes, writeBytes].compactMap { $0 }
        return limits.isEmpty ? nil : limits.contains { $0.mean > 0 }
    }
}

/// The block layer as a graph (`x-debug-query-block-graph`).
public struct QMPBlockGraph: Sendable, Equatable {
    /// A node of it.
    public struct Node: Sendable, Equatable {
        public var id: UInt64
        /// `block-backend`, `block-driver`, `block-job`.
        public var type: String
        /// The `qdev` of a device, the `node-name` of a driver, the id of a job.
        public var name: String
    }
    /// From a parent to one of its children, by the ids of nodes.
    public struct Edge: Sendable, Equatable {
        public var parent: UInt64
        public var child: UInt64
        /// What the child is to the parent: `root`, `file`, `backing`, …
        public var name: String
    }
    public var nodes: [Node] = []
    public var edges: [Edge] = []

    /// An empty graph.
    public init() {}

    init(_ value: JSONValue) {
        nodes = value["nodes"]?.items.compactMap { Node($0) } ?? []
        edges = value["edges"]?.items.compactMap { Edge($0) } ?? []
    }
}

extension QMPBlockGraph.Node {
    init?(_ value: JSONValue) {
        guard let id = value["id"]?.uint64, let type = value["type"]?.text,
            let name = value["name"]?.text
        else { return nil }
        self.init(id: id, type: type, name: name)
    }
}

extension QMPBlockGraph.Edge {
    init?(_ value: JSONValue) {
        guard let parent = value["parent"]?.uint64, let child = value["child"]?.uint64,
            let name = value["name"]?.text
        else { return nil }
        self.init(parent: parent, child: child, name: name)
    }
}

/// A job on the block layer (`query-block-jobs`).
public struct QMPBlockJob: Sendable, Equatable {
    /// The job's id.
    public var device: String?
    /// `mirror`, `backup`, `commit`, `stream`.
    public var type: String?
    /// Done and altogether, bytes for most types.
    public var offset: UInt64?
    public var length: UInt64?
    /// Bytes per second; 0: no limit.
    public var speed: UInt64?
    /// `running`, `paused`, `ready`, … (QEMU 2.12)
    public var status: String?
    public var ioStatus: String?
    public var isReady: Bool?
    public var isPaused: Bool?
    public var isBusy: Bool?

    /// Nothing known.
    public init() {}

    init(_ value: JSONValue) {
        device = value["device"]?.text
        type = value["type"]?.text
        offset = value["offset"]?.uint64
        length = value["len"]?.uint64
        speed = value["speed"]?.uint64
        status = value["status"]?.text
        ioStatus = value["io-status"]?.text
        isReady = value["ready"]?.bool
        isPaused = value["paused"]?.bool
        isBusy = value["busy"]?.bool
    }
}
